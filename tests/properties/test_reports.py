"""Test exports and their reports against an independent count: the values, their sources, and what was left out."""

from __future__ import annotations

import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mem0_exports.schemas.annotations import MEMORY_FIELDS
from tests.support.examples import examples
from tests.support.stores import extracted


LIMITED = settings(
    deadline=None, derandomize=True, database=None, max_examples=examples(300), suppress_health_check=list(HealthCheck)
)

EMPTY = dict.fromkeys(("user_id", "agent_id", "app_id", "run_id", "categories", "expiration_date"))
TIMES = dict.fromkeys(("created_at", "updated_at"), "2025-01-01T00:00:00Z")
numbers = st.one_of(st.integers(0, 3), st.sampled_from([0.0, 1.0, 2.0, 0.5]))
scalars = st.one_of(numbers, st.sampled_from(["a", "b", "1"]), st.booleans())
metadata = st.dictionaries(st.sampled_from(["a", "b", "c"]), scalars, max_size=3)
histories = st.lists(metadata, max_size=12)


def memories(history):
    return [
        {**EMPTY, **TIMES, "id": f"m-{number}", "memory": f"n{number}", "metadata": each}
        for number, each in enumerate(history)
    ]


def gap_counts(report):
    found = {}
    for gap in report.gaps:
        found[gap.path] = found.get(gap.path, 0) + gap.count
    return found


@LIMITED
@given(history=histories, batch=st.integers(1, 5))
def test_records_and_gaps_account_for_every_memory(history, batch):
    item = {"type": "object", "properties": {"a": {}, "b": {}}}
    schema = {"type": "object", "properties": {"rows": {"type": "array", "items": item}}}

    data, report = extracted(schema, memories(history), batch=batch)

    rows = [row for each in history if (row := {key: each[key] for key in ("a", "b") if key in each})]
    gaps = gap_counts(report)
    assert data.get("rows", []) == rows
    assert report.memories == len(history)
    for key in ("a", "b"):
        assert gaps.get(f"rows[].{key}", 0) == sum(key not in each for each in history)
    assert gaps.get("rows[]", 0) == len(history) - len(rows)


def json_equal(one, other):
    """Return whether two values are equal in JSON Schema: 1 equals 1.0, but not true."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


@LIMITED
@given(history=histories, batch=st.integers(1, 5))
def test_a_list_has_the_first_of_each_distinct_value_and_reports_its_memory(history, batch):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": ["number", "boolean", "string"]}}},
    }

    data, report = extracted(schema, memories(history), batch=batch)

    values, ids = [], []
    for number, each in enumerate(history):
        if "a" in each and not any(json_equal(each["a"], value) for value in values):
            values.append(each["a"])
            ids.append(f"m-{number}")
    assert [(type(value), value) for value in data.get("a", [])] == [(type(value), value) for value in values]
    assert report.filled.get("a", []) == ids


@LIMITED
@given(history=histories, batch=st.integers(1, 5))
def test_a_single_value_is_the_newest_and_reports_its_memory(history, batch):
    data, report = extracted({"type": "object", "properties": {"a": {}}}, memories(history), batch=batch)

    newest = next(((number, each["a"]) for number, each in reversed([*enumerate(history)]) if "a" in each), None)
    assert ("a" in data) == (newest is not None)
    if newest is not None:
        assert (type(data["a"]), data["a"]) == (type(newest[1]), newest[1])
        assert report.filled == {"a": [f"m-{newest[0]}"]}


@LIMITED
@given(
    history=st.lists(st.one_of(st.integers(), st.sampled_from(["x", True, 0.5])), max_size=12), batch=st.integers(1, 5)
)
def test_records_and_a_count_are_right_for_every_batch_size(history, batch):
    item = {"type": "object", "properties": {"a": {"type": "integer"}}}
    count = {"type": "integer", "x-mem0-source": {"count": True}}
    schema = {"type": "object", "properties": {"rows": {"type": "array", "items": item}, "n": count}}

    data, report = extracted(schema, memories([{"a": each} for each in history]), batch=batch)

    assert data["n"] == report.memories == len(history)
    assert data.get("rows", []) == [{"a": each} for each in history if type(each) is int]


@pytest.mark.parametrize("name", [name for name in MEMORY_FIELDS if name != "metadata"])
@pytest.mark.parametrize("own", ["own", None])
def test_a_memory_field_has_priority_over_metadata_of_the_same_name(name, own):
    (memory,) = memories([{name: "metadata"}])
    schema = {"type": "object", "properties": {name: {}}}

    data, _ = extracted(schema, [{**memory, name: own}] if name != "id" else [{**memory, name: own or "m"}])

    assert data == {name: own or ("m" if name == "id" else "metadata")}


@LIMITED
@given(
    others=st.dictionaries(st.sampled_from(["y", "z", "é"]), scalars, max_size=3),
    value=st.sampled_from([1, "1", 1.0]),
)
def test_an_object_keeps_keys_that_its_schema_does_not_name(others, value):
    schema = {"type": "object", "properties": {"o": {"type": "object", "properties": {"x": {"type": "integer"}}}}}

    data, _ = extracted(schema, memories([{"o": {"x": value, **others}}]))

    assert data == {"o": {"x": 1, **others}}
