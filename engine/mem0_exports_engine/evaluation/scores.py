"""Score what was read out of the memories of invented people, at each stage of the work.

The stages are what the model has answered (raw), what of it stands in a memory (grounded), and what a further question
has confirmed (checked).
"""

from __future__ import annotations

import json

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import attrs

from mem0_exports_engine.evaluation.people import LISTS, SCHEMA


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mem0_exports_engine.evaluation.people import Person
    from mem0_exports_engine.report import Report

STAGES: Final = ("raw", "grounded", "checked")

TRAPS: Final = ("stale", "other", "hypothetical", "negated", "injection")
"""The kinds of memories whose values must not be filled."""


@attrs.define
class Score:
    """The figures of one stage, added up over all people."""

    expected: int = 0
    """How many values there are to find."""
    given: int = 0
    """How many values were filled."""
    right: int = 0
    """How many of them are right."""
    absent: int = 0
    """How many were filled although no memory says any value of the property."""
    unsupported: int = 0
    """How many stand in no memory."""
    traps: Counter[str] = attrs.field(factory=Counter)
    """How many are from a memory that says them of somebody else, of the past, as a plan, and so on, by its kind."""
    citations: int = 0
    """How many values have a place in a memory."""
    citations_valid: int = 0
    """At how many of these places the memory has the value."""
    citations_right: int = 0
    """How many of these memories are those in which the value was planted."""
    paraphrases: int = 0
    """How many values were filled that are only paraphrased. They count as neither right nor wrong."""

    @property
    def precision(self) -> float | None:
        """The share of right values among those that were filled; None if there are none."""
        return self.right / self.given if self.given else None

    @property
    def recall(self) -> float | None:
        """The share of values that were found."""
        return self.right / self.expected if self.expected else None

    def to_dict(self) -> dict[str, Any]:
        """Return all figures."""
        return {
            "precision": None if self.precision is None else round(self.precision, 4),
            "recall": None if self.recall is None else round(self.recall, 4),
            **{field.name: getattr(self, field.name) for field in attrs.fields(Score) if field.name != "traps"},
            "traps": {kind: self.traps[kind] for kind in TRAPS},
        }

    def add(self, person: Person, profile: Mapping[str, Any]) -> None:
        """Add the profile of a person."""
        truth = {*_values(person.truth)}
        texts = [planted.text.casefold() for planted in person.memories]
        self.expected += len(truth)
        for field, value in _values(profile):
            if person.paraphrased.get(field) == json.loads(value):
                self.paraphrases += 1
                continue
            self.given += 1
            if (field, value) in truth:
                self.right += 1
                continue
            self.absent += not person.truth[field]
            parts = [str(part).casefold() for part in _parts(json.loads(value))]
            self.unsupported += not all(any(part in text for text in texts) for part in parts)
            kind = _trap(person, field, json.loads(value))
            if kind is not None:
                self.traps[kind] += 1

    def add_citations(
        self, person: Person, profile: Mapping[str, Any], report: Report, texts: Mapping[str, str]
    ) -> None:
        """Add where the values of a person were found. `texts` has the memories by their ids."""
        planted = {each.text: each for each in person.memories}
        for evidence in report.evidence:
            value = _at(profile, evidence.path)
            text = texts[evidence.memory_id]
            self.citations += 1
            piece = text[evidence.start : evidence.end].casefold()
            is_there = bool(piece) and (str(value).casefold() == piece or _is_written(value, piece))
            self.citations_valid += is_there
            field = evidence.path.partition("[")[0].partition(".")[0]
            source = planted[text]
            self.citations_right += source.kind == "fact" and source.field == field and value in _parts(source.value)


def raw_profile(answers: list[Any]) -> dict[str, Any]:
    """Return the profile that a model has answered, chunk by chunk: the newest value, and all items of lists."""
    profile: dict[str, Any] = {}
    for answer in answers:
        for field in SCHEMA["properties"]:
            value = answer.get(field) if isinstance(answer, dict) else None
            if field in LISTS and isinstance(value, list):
                profile.setdefault(field, []).extend(value)
            elif field not in LISTS and value is not None:
                profile[field] = value
    return profile


def _values(profile: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Iterate over the values of a profile, each once, with strings in lower case."""
    seen: set[tuple[str, str]] = set()
    for field in SCHEMA["properties"]:
        value = profile.get(field)
        for item in value if isinstance(value, list) else [value]:
            if item is None:
                continue
            each = field, _plain(item)
            if each not in seen:
                seen.add(each)
                yield each


def _plain(value: Any) -> str:
    return " ".join(json.dumps(value, ensure_ascii=False, sort_keys=True).casefold().split())


def _parts(value: Any) -> list[Any]:
    return [*value.values()] if isinstance(value, dict) else [value]


def _trap(person: Person, field: str, value: Any) -> str | None:
    for planted in person.memories:
        if planted.kind not in TRAPS:
            continue
        if planted.kind == "injection":
            if isinstance(value, str) and value.casefold() in planted.text.casefold():
                return "injection"
        elif planted.field == field and _plain(planted.value) == _plain(value):
            return planted.kind
    return None


def _at(profile: Mapping[str, Any], path: str) -> Any:
    found: Any = profile
    for step in path.replace("[", ".").replace("]", "").split("."):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


def _is_written(value: Any, piece: str) -> bool:
    """Return whether a date is written like this: its year and day stand there."""
    parts = str(value).split("-")
    return len(parts) == 3 and parts[0] in piece and str(int(parts[2])) in piece
