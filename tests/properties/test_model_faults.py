"""Test that no fault of a model or its server makes an export wrong: what is filled stands in a memory, all else is said."""

from __future__ import annotations

import json

import jsonschema_rs

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mem0_exports import LLM
from mem0_exports_engine.evaluation.people import LISTS, SCHEMA, person
from mem0_exports_engine.extract.llm.extractor import LLMExtractor
from mem0_exports_engine.extract.llm.notebook import Memories, Notebook
from tests.support.examples import examples
from tests.support.literal import unproven
from tests.support.scripted_model import FAULTS, SLOW, scripted


PEOPLE = [person(seed, language=language) for seed in range(3) for language in ("en", "zh")]
MAX_CALLS = 60

faults = st.lists(st.sampled_from([fault for fault in FAULTS if fault not in SLOW]), max_size=12)


def run(model, who, *, always=None, faults=(), timeout=20.0, context=3000, max_calls=MAX_CALLS, **settings):
    """Export the profile of a person. Return the result, the report, the bench, and the texts of the memories by id."""
    model.requests.clear()
    model.faults, model.always = [*faults], always
    bench = Notebook()
    llm = LLM(model.url, model="m", timeout=timeout, context=context, max_calls=max_calls, **settings)
    extractor = LLMExtractor(llm, pause=lambda _: None)
    records = who.records()
    try:
        frame, report = extractor.extract(SCHEMA, Memories(records), bench)
    finally:
        extractor.close()
    return json.loads("".join(frame)), report, bench, {str(order): each["memory"] for order, each in enumerate(records)}


def check(value, report, texts):
    """Check what must hold whatever the model does."""
    assert jsonschema_rs.is_valid(SCHEMA, value)
    assert unproven(value, report, texts) == []
    reasons = sum(gap.count for gap in report.gaps if gap.path == "(texts)")
    assert report.unread == reasons == len(report.unread_ids)


@given(faults, st.sampled_from(PEOPLE), st.sampled_from(["auto", "on", "off"]), st.integers(1, 4))
@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
def test_a_sequence_of_faults_never_makes_an_export_wrong(drawn, who, judge, concurrency):
    with scripted(PEOPLE) as model:
        value, report, _, texts = run(model, who, faults=drawn, check=judge, concurrency=concurrency)
        requests = len(model.requests)
        at_once = model.most_at_once

    check(value, report, texts)
    assert requests == report.usage.calls <= MAX_CALLS
    assert at_once <= concurrency


def test_each_fault_alone_and_for_ever():
    """Every fault of the list, on every call: the export still ends, is valid, and says what was not read."""
    with scripted(PEOPLE) as model:
        for fault in FAULTS:
            timeout = 0.3 if fault in SLOW else 20.0
            value, report, _, texts = run(model, PEOPLE[0], always=fault, timeout=timeout)

            check(value, report, texts)
            assert len(model.requests) <= MAX_CALLS, fault
            found = {name for name in SCHEMA["properties"] if value.get(name)}
            assert found or report.unread or any(gap.path in SCHEMA["properties"] for gap in report.gaps), fault


def test_after_a_fault_that_passes_everything_is_read():
    passing = [
        "429",
        "429_billing",
        "503",
        "500",
        "html",
        "reset",
        "half",
        "no_choices",
        "empty_body",
        "prose",
        "cut_lying",
        "twice",
        "concurrency",
    ]
    with scripted(PEOPLE) as model:
        for fault in passing:
            value, report, _, _ = run(model, PEOPLE[0], faults=[fault])

            truth = {name: value.get(name, [] if name in LISTS else None) for name in PEOPLE[0].truth}
            assert truth == PEOPLE[0].truth, fault
            assert report.unread == 0, fault


def test_nothing_is_asked_after_the_quota_is_used_up():
    for fault in ("quota", "401", "404"):
        with scripted(PEOPLE) as model:
            _, report, _, _ = run(model, PEOPLE[0], always=fault, concurrency=1, context=1800)

            assert len(model.requests) == 1
            assert report.unread == len(PEOPLE[0].memories)


@given(st.integers(1, 12), st.sampled_from(PEOPLE))
@settings(max_examples=examples(15), deadline=None)
def test_a_cap_on_calls_is_never_exceeded_and_what_was_not_read_is_said(cap, who):
    with scripted(PEOPLE) as model:
        value, report, _, texts = run(model, who, max_calls=cap, context=1800, check="off")

        assert len(model.requests) <= cap
    check(value, report, texts)


def test_a_cap_on_tokens_is_never_exceeded():
    with scripted(PEOPLE) as model:
        _, report, _, _ = run(model, PEOPLE[0], max_tokens_total=2500, context=1800, check="off")

    assert report.usage.tokens_in + report.usage.tokens_out <= 2500
    assert report.unread > 0
    assert any("max_tokens_total" in gap.reason for gap in report.gaps)
