"""Test that the work on a memory is bounded, what is said about values that are too large, and what is still filled."""

from __future__ import annotations

import pytest

from mem0_exports import Client, F
from mem0_exports_engine import limits
from mem0_exports_engine.extract.offline import extractor, filling, lookup, memories, record_lists, values
from mem0_exports_engine.extract.offline import hints as hints_module
from mem0_exports_engine.extract.offline import work as work_module
from mem0_exports_engine.extract.offline.fit import Shape
from mem0_exports_engine.extract.offline.values import shown
from mem0_exports_engine.extraction import Unfillable
from tests.support.stores import extracted, memory
from tests.support.timeouts import scaled


TOO_LARGE = "it and the other values of its memory are too large to be checked against this schema"


def an_object(**properties):
    return {"type": "object", "properties": properties}


def export(schema, **metadata):
    data, report = extracted(schema, [memory(metadata=metadata)])
    return data, {gap.path: gap.reason for gap in report.gaps}


def test_leaves_out_a_value_that_is_too_large_and_fills_the_others():
    alternatives = {"anyOf": [{"const": {"a": number}} for number in range(1000)]}
    schema = an_object(large={"type": "array", "prefixItems": [], "items": alternatives}, small={"type": "integer"})

    data, reasons = export(schema, large=[{"a": 0}] * 100_000, small="7")

    assert data == {"small": 7}
    assert reasons["large"].endswith(TOO_LARGE)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ({"type": "array", "items": {"type": "integer"}}, [*range(100)]),
        ({"type": "array", "items": an_object(a={"type": "string"})}, [{"a": "x"}] * 100),
        ({"type": "array", "prefixItems": [], "items": {"type": "string"}}, [*range(20)]),
        ({"type": "string", "pattern": "^[a-z]+$"}, "x" * 8_000),
        ({"type": "string", "contentMediaType": "application/json"}, "[" + "1," * 400 + "1]"),
    ],
    ids=["texts and numbers", "records", "conversions", "patterns", "JSON inside a text"],
)
def test_a_memory_cannot_fill_any_number_of_properties_with_one_large_value(monkeypatch, kind, value):
    monkeypatch.setattr(work_module, "MAX_STEPS", 100_000)
    schema = an_object(**{f"p{number}": {**kind, "x-mem0-source": {"metadata": "x"}} for number in range(20)})

    data, reasons = export(schema, x=value)

    assert 0 < len(data) < 20, "the first properties get the value, the last ones do not"
    assert set(data) | set(reasons) == set(schema["properties"]), "and nothing is missing without a reason"
    assert all(reason.endswith(TOO_LARGE) for reason in reasons.values())


def test_each_memory_has_its_own_budget(monkeypatch):
    monkeypatch.setattr(work_module, "MAX_STEPS", 60_000)
    schema = an_object(x={"type": "array", "items": {"type": "integer"}})
    memories = [memory(number=number, metadata={"x": [*range(number * 100, number * 100 + 100)]}) for number in (1, 2)]

    for batch in (1, 2):
        data, report = extracted(schema, memories, batch=batch)
        assert data == {"x": [*range(100, 300)]}
        assert not report.gaps


def test_says_where_a_large_value_is_wrong_only_if_there_is_time(monkeypatch):
    schema = an_object(x={"anyOf": [{"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}}]})
    assert "1 fits no alternative" in export(schema, x=[1, "bad"])[1]["x"]

    monkeypatch.setattr(work_module, "MAX_STEPS", 30_000)
    assert "too large to say where" in export(schema, x=[1, "bad"])[1]["x"]


def test_names_are_matched_against_patterns_only_if_there_is_time(monkeypatch):
    monkeypatch.setattr(work_module, "MAX_STEPS", 100_000)
    names = {"patternProperties": {f"^a{number}_": {} for number in range(100)}}
    metadata = {f"a99_{number}": number for number in range(200)}
    reason = "the memory has too many metadata keys for the propertyNames and patterns of this schema"

    assert export({"type": "object", **names}, **metadata) == ({}, {"(root)": reason})
    assert len(export({"type": "object", **names}, a99_1=1)[0]) == 1
    records = an_object(rows={"type": "array", "items": {"type": "object", **names}})
    data, reasons = export(records, **metadata)
    assert (data, reasons) == ({}, {"rows[]": reason})


def test_one_large_text_is_written_a_bounded_number_of_times(tmp_path):
    """Also if SQLite writes the records."""
    text = "x" * 2_000_000
    columns = {f"c{number}": {"type": "string", "x-mem0-source": {"memory": "memory"}} for number in range(40)}
    rows = an_object(rows={"type": "array", "items": an_object(**columns)})
    values_ = an_object(**columns)

    data, reasons = extracted(values_, [memory(text)])
    assert 5 < len(data) < 40
    assert all(gap.reason.endswith(TOO_LARGE) for gap in reasons.gaps)
    with Client.local(tmp_path / "store.db") as client:
        for number in range(120):
            client.memories.add(f"{number}", user_id="a")
        client.memories.add(text, user_id="a")
        records = client.exports.run(rows, F.user_id == "a", timeout=scaled(30))["rows"]
    assert len(records) == 121
    assert 5 < len(records[-1]) < 40


def test_an_export_holds_a_bounded_amount_of_values(monkeypatch):
    monkeypatch.setattr(extractor, "MAX_HELD", 10_000)
    monkeypatch.setattr(record_lists, "_MAX_HELD", 5_000)
    memories = [memory(number=number, metadata={"x": f"{number}" + "x" * 500}) for number in range(100)]

    with pytest.raises(Unfillable, match="the values of the export take more than"):
        extracted(an_object(x={"type": "array", "items": {"type": "string"}}), memories, batch=10)
    rows = an_object(x={"type": "array", "items": an_object(x={"type": "string"})})
    assert len(extracted(rows, memories, batch=10)[0]["x"]) == 100, "long lists of records are written meanwhile"


def test_a_result_that_is_too_large_to_be_checked_fails_the_export(monkeypatch):
    schema = an_object(x={"type": "array", "items": {"type": "integer"}}, y={"type": "integer"})
    monkeypatch.setattr(values, "MAX_STEPS", 50)
    assert export(schema, x=[*range(30)], y=1) == (
        {"y": 1},
        {"x": "the value collected from all memories is too large to be checked against this schema"},
    )

    monkeypatch.setattr(values, "MAX_STEPS", 1000)
    monkeypatch.setattr(filling, "MAX_STEPS", 50)
    with pytest.raises(Unfillable, match="ask for fewer properties"):
        export(schema, x=[*range(30)], y=1)


def test_the_report_is_bounded_however_many_properties_there_are():
    schema = an_object(**{f"p{number}": {"type": "array", "items": {"type": "integer"}} for number in range(1000)})
    memories = [
        memory(number=number, metadata={f"p{each}": number if each % 2 else f"bad {number}" for each in range(1000)})
        for number in range(20)
    ]

    _, report = extracted(schema, memories)

    assert max(len(ids) for ids in report.filled.values()) == 5000 // 1000
    assert len(report.gaps) <= 5000 + 1000


def test_hints_are_bounded_however_many_keys_and_properties_there_are():
    keys = [f"key_number_{number}" for number in range(2000)]
    hints = hints_module.Hints(keys)

    assert hints.nearest("key_numbr_7") is not None
    for number in range(100):
        hints.nearest(f"another_{number}")
    assert hints.comparisons <= hints_module.MAX_COMPARISONS
    assert hints_module.Hints(["ab" * 95]).nearest("ba" * 95) is None, "long names are not compared"


def test_renaming_looks_at_the_keys_of_a_value_and_not_at_all_properties():
    """Otherwise a list of small objects takes the work of its length times the properties."""
    shape = Shape.of(an_object(**{f"name_{number}": {"type": "string"} for number in range(1000)}))
    fitted = []
    for each in shape.properties.values():
        each._fit = lambda value: fitted.append(value) or value

    assert shape._objects({"Name-7": "x"})[0] == {"name_7": "x"}
    assert fitted == ["x"]


def test_the_keys_of_a_memory_are_looked_at_once_for_all_lists(monkeypatch):
    made = []

    class Counted(memories.Keys):
        def __init__(self, keys):
            made.append([*keys])
            super().__init__(keys)

    monkeypatch.setattr(memories, "Keys", Counted)
    schema = an_object(**{f"p{number}": {"type": "array", "items": an_object(a={}, b={})} for number in range(30)})

    assert len(export(schema, A=1, b=2)[0]) == 30
    assert made == [["A", "b"]]


def test_memories_with_the_same_metadata_keys_are_one_group():
    columns = {"id": ["1", "2", "3"], "metadata": [{"a": 1}, None, {"a": 2}]}

    found = memories.Memories.of(columns, memories.KnownKeys())

    assert [*found.groups.values()] == [[0, 2], [1]]


def test_what_is_kept_for_keys_is_bounded_by_their_length_and_not_their_number(monkeypatch):
    monkeypatch.setattr(memories.KnownKeys, "_max_size", 1000)
    known = memories.KnownKeys()
    plans = lookup.Plans([], known)
    for number in range(200):
        plans.of(known.of({f"key {number} {'x' * 40}": 1}))

        assert sum(len(key) for keys in plans._cache for names in keys.alike.values() for key in names) <= 1000
    assert len(known._cache) < 200


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("short", '"short"'),
        ({"a": [1, "é", None]}, '{"a": [1, "é", null]}'),
        ([], "[]"),
        ({}, "{}"),
        ("x" * 1000, '"' + "x" * 58 + "…"),
        ([["x" * 1000] * 3] * 1000, '[["' + "x" * 56 + "…"),
        ([*range(1000)], "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, …"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_shows_only_the_beginning_of_a_long_value(value, text):
    assert shown(value) == text


def test_limits_fit_together():
    assert limits.MAX_MERGED >= 2 * limits.MAX_SUBSCHEMAS, "a schema without references is limited by its size only"
