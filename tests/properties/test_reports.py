"""What an export says of itself, held against a count by hand: what went in, from where, and what stayed out."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores import extracted


LIMITED = settings(
    deadline=None, derandomize=True, database=None, max_examples=300, suppress_health_check=list(HealthCheck)
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


def counted(report):
    found = {}
    for gap in report.gaps:
        found[gap.path] = found.get(gap.path, 0) + gap.count
    return found


@LIMITED
@given(history=histories, batch=st.integers(1, 5))
def test_a_list_of_records_and_its_gaps_account_for_every_memory(history, batch):
    item = {"type": "object", "properties": {"a": {}, "b": {}}}
    schema = {"type": "object", "properties": {"rows": {"type": "array", "items": item}}}

    data, report = extracted(schema, memories(history), batch=batch)

    rows = [row for each in history if (row := {key: each[key] for key in ("a", "b") if key in each})]
    gaps = counted(report)
    assert data.get("rows", []) == rows
    assert report.memories == len(history)
    for key in ("a", "b"):
        assert gaps.get(f"rows[].{key}", 0) == sum(key not in each for each in history)
    assert gaps.get("rows[]", 0) == len(history) - len(rows)


def alike(one, other):
    """Whether JSON Schema takes two values for the same: 1 and 1.0 are, and neither is true."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


@LIMITED
@given(history=histories, batch=st.integers(1, 5))
def test_distinct_values_are_the_first_of_each_and_name_where_they_come_from(history, batch):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": ["number", "boolean", "string"]}}},
    }

    data, report = extracted(schema, memories(history), batch=batch)

    values, ids = [], []
    for number, each in enumerate(history):
        if "a" in each and not any(alike(each["a"], value) for value in values):
            values.append(each["a"])
            ids.append(f"m-{number}")
    assert [(type(value), value) for value in data.get("a", [])] == [(type(value), value) for value in values]
    assert report.filled.get("a", []) == ids


@LIMITED
@given(history=histories, batch=st.integers(1, 5))
def test_a_single_value_is_the_newest_and_names_where_it_comes_from(history, batch):
    data, report = extracted({"type": "object", "properties": {"a": {}}}, memories(history), batch=batch)

    newest = next(((number, each["a"]) for number, each in reversed([*enumerate(history)]) if "a" in each), None)
    assert ("a" in data) == (newest is not None)
    if newest is not None:
        assert (type(data["a"]), data["a"]) == (type(newest[1]), newest[1])
        assert report.filled == {"a": [f"m-{newest[0]}"]}
