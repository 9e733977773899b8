"""Measure a language model: read the memories of invented people with it, and score what comes out."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from mem0_exports_engine.evaluation.people import SCHEMA, person
from mem0_exports_engine.evaluation.scores import STAGES, Score, raw_profile
from mem0_exports_engine.extract.llm.calls import MAX_ATTEMPTS
from mem0_exports_engine.extract.llm.extractor import LLMExtractor
from mem0_exports_engine.extract.llm.notebook import Memories, Notebook
from mem0_exports_engine.extract.llm.usage import Usage


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mem0_exports.llm import LLM
    from mem0_exports_engine.evaluation.people import Person
    from mem0_exports_engine.extract.llm.usage import Estimate
    from mem0_exports_engine.report import ModelUsage, Report


class Result(NamedTuple):
    """What was measured."""

    people: int
    """How many people were read. Fewer than wanted if the tokens were used up."""
    scores: dict[str, Score]
    """By stage. Without a checked stage if the model cannot check."""
    usage: Usage
    unread: int
    """How many memories were not read, because a call failed or an answer was invalid or cut."""
    reasons: dict[str, int]
    """Why they were not read."""
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        facts = self.scores["grounded"].right
        return {
            "people": self.people,
            "stages": {stage: score.to_dict() for stage, score in self.scores.items()},
            "unread": self.unread,
            "reasons": self.reasons,
            "notes": self.notes,
            "usage": attrs.asdict(self.usage),
            "tokens_per_fact": round((self.usage.tokens_in + self.usage.tokens_out) / facts, 1) if facts else None,
            "seconds_per_fact": round(self.usage.seconds / facts, 3) if facts else None,
        }


def people_of(count: int, seed: int, languages: Sequence[str]) -> list[Person]:
    """Return invented people, of each language in turn."""
    return [
        person(seed + number // len(languages), language=languages[number % len(languages)]) for number in range(count)
    ]


def estimate(llm: LLM, people: Sequence[Person]) -> list[Estimate]:
    """Return what reading these people will take, without the checks. Nothing is sent."""
    extractor = LLMExtractor(llm)
    return [extractor.estimate(SCHEMA, Memories(each.records()), lambda _: None) for each in people]


def measure(
    llm: LLM,
    people: Sequence[Person],
    *,
    on_person: Callable[[int], object] = lambda _: None,
    attempts: int = MAX_ATTEMPTS,
) -> Result:
    """Read the memories of people with a model, and score each stage. It stops before `llm.max_tokens_total` is exceeded.

    `attempts` is how often a call is tried while the service is busy or out of reach.
    """
    scores = {stage: Score() for stage in STAGES}
    usage = Usage()
    reasons: dict[str, int] = {}
    notes: dict[str, None] = {}
    unread = done = 0
    calibration = Notebook()  # the judge proves itself once, not once for each person
    for each in people:
        left = llm.max_tokens_total - usage.tokens_in - usage.tokens_out
        if left <= 0:
            notes[f"stopped after {done} people: the {llm.max_tokens_total} tokens (max_tokens_total) are used up"] = (
                None
            )
            break
        notebook = Notebook(calibration.answers.get)
        bounded = attrs.evolve(llm, max_tokens_total=left)
        profile, report = _read(attrs.evolve(bounded, check="off"), each, notebook, attempts)
        contents = [json.loads(answer) for answer in notebook.answers.values()]
        scores["raw"].add(each, raw_profile([answer["content"] for answer in contents if "content" in answer]))
        _add(scores["grounded"], each, profile, report)
        usage += _usage(report.usage)
        unread += report.unread
        for gap in report.gaps:
            if gap.path == "(texts)":
                reasons[gap.reason] = reasons.get(gap.reason, 0) + gap.count
        if llm.check != "off":
            left = max(1, llm.max_tokens_total - usage.tokens_in - usage.tokens_out)
            profile, report = _read(attrs.evolve(bounded, max_tokens_total=left), each, notebook, attempts)
            _add(scores["checked"], each, profile, report)
            usage += attrs.evolve(_usage(report.usage), cached=0)
            calibration.answers |= notebook.answers
        notes |= dict.fromkeys(report.notes)
        done += 1
        on_person(done)
    if llm.check == "off":
        del scores["checked"]
    return Result(done, scores, usage, unread, reasons, [*notes])


def _read(llm: LLM, who: Person, notebook: Notebook, attempts: int) -> tuple[dict[str, Any], Report]:
    extractor = LLMExtractor(llm, attempts=attempts)
    try:
        frame, report = extractor.extract(SCHEMA, Memories(who.records()), notebook)
    finally:
        extractor.close()
    return json.loads("".join(map(str, frame))), report


def _add(score: Score, who: Person, profile: dict[str, Any], report: Report) -> None:
    score.add(who, profile)
    score.add_citations(who, profile, report, {str(order): each.text for order, each in enumerate(who.memories)})


def _usage(usage: ModelUsage | None) -> Usage:
    if usage is None:
        return Usage()
    return Usage(usage.calls, usage.cached, usage.tokens_in, usage.tokens_out, usage.seconds)
