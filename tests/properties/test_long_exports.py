"""Test that a long list has the same records in whichever way they are made, and for every size of a batch."""

from __future__ import annotations

import json

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mem0_exports import F
from mem0_exports_engine import clock
from mem0_exports_engine.extract.offline import record_lists as list_module
from mem0_exports_engine.extract.offline import values as values_module
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor
from mem0_exports_engine.extract.offline.pushdown import Pushdown
from mem0_exports_engine.extract.offline.record_lists import Records
from mem0_exports_engine.extract.offline.records import RecordList
from mem0_exports_engine.failures import Gone
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.sqlite import memories
from mem0_exports_engine.store.sqlite.batches import SqliteBatch
from mem0_exports_engine.store.sqlite.store import SqliteStore
from mem0_exports_engine.workers.run_job import run_job
from tests.contract.engine.strategies import json_values
from tests.support import stores
from tests.support.examples import examples


LIMITED = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    max_examples=examples(400),
)
NOW = datetime(2025, 1, 1, tzinfo=UTC)

OWN = ["id", "memory", "user_id", "agent_id", "run_id", "created_at", "updated_at", "expiration_date", "categories"]
KEYS = ["team", "Team", "te_am", "score", "user_id", "memory", "items", "note"]
texts = st.text(max_size=8) | st.sampled_from(["a\0b", "\u2028", "😀", '"\\', "\x7f", "é", "e\u0301"])

columns = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "maxLength": 4},
        {"type": "string", "enum": ["red", "a"]},
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "integer"}}},
        {},
    ]
)


@st.composite
def schemas(draw) -> dict[str, Any]:
    """Draw a schema with one or two lists of records, and sometimes other properties."""

    def records() -> dict[str, Any]:
        properties = draw(
            st.dictionaries(st.sampled_from([*OWN, *KEYS, "x\0y", "'\""]), columns, min_size=1, max_size=5)
        )
        required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True, max_size=2))
        extra = draw(st.sampled_from([{}, {"additionalProperties": False}, {"minProperties": 2}]))
        return {"type": "array", "items": {"type": "object", "properties": properties, "required": required, **extra}}

    more = draw(st.sampled_from([{}, {"maxItems": 3}, {"uniqueItems": True}, {"minItems": 2}]))
    properties = {"items": {**records(), **more}}
    if draw(st.booleans()):
        properties["others"] = records()
    if draw(st.booleans()):
        properties |= {"team": {"type": "string"}, "n": {"type": "integer", "x-mem0-source": {"count": True}}}
    root = {"type": "object", "properties": properties}
    return root | draw(st.sampled_from([{}, {"minProperties": 2}, {"additionalProperties": False}]))


_lists = [["a"], [{"memory": "q", "team": "red"}], [{"id": "7", "score": "8"}]]
values = st.sampled_from(["red", "a", "5", 5, 5.0, True, 2**70, None, {"a": "1"}, {"A": 2}, *_lists]) | json_values
_plain = st.sampled_from(["red", "a", 5, 5.5, None])


@st.composite
def _similar_records(draw) -> list[dict[str, Any]]:
    """Draw memories that differ only a little, as real ones do."""
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=4))
    common = {key: draw(_plain) for key in keys}
    found = []
    for number in range(draw(st.integers(0, 12))):
        metadata = {key: draw(st.just(common[key]) | _plain) for key in keys if draw(st.integers(0, 5))}
        found.append({"memory": f"m{number}", "user_id": "alex", "run_id": "r", "metadata": metadata})
    return found


record_sets = _similar_records() | st.lists(
    st.fixed_dictionaries(
        {"memory": texts.filter(bool), "user_id": st.just("alex")},
        optional={
            "agent_id": st.sampled_from(["x", "y"]),
            "run_id": st.text(min_size=1, max_size=4),
            "expiration_date": st.just("2999-01-01"),
            "categories": st.lists(st.sampled_from(["red", "work"]), max_size=2),
            "created_at": st.sampled_from(["2024-05-06", "2024-05-06T24:00:00Z", "2024-05-06T07:08:09.123456+02:00"]),
            "metadata": st.dictionaries(st.sampled_from([*KEYS, "others"]), values, max_size=4),
        },
    ),
    max_size=12,
)


def run_export(store: SqliteStore, schema: dict[str, Any]) -> tuple[Any, Any]:
    """Run an export and return its value, state and reason, and its report."""
    store.jobs.create(DEFAULT_PROJECT, "e", NOW, timedelta(days=1), schema=schema, filters=F.user_id == "alex")
    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(NOW), lambda: NOW)
    row = store.jobs.find(DEFAULT_PROJECT, NOW, export_id="e", filters=None)
    text = None
    if row.state == "DONE":
        result = store.jobs.result(row)
        text = result if isinstance(result, bytes) else b"".join(result)
    store.jobs.purge(NOW + timedelta(days=2))
    with store.database.read() as connection:
        assert connection.value("SELECT count(*) FROM export_parts") == 0, "purge must delete all parts"
    return (None if text is None else json.loads(text), row.state, row.reason), row.report


@contextmanager
def value_by_value() -> Iterator[None]:
    """Make all records in the slowest way, which is the measure for the others."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(RecordList, "see_memories", Records.see_memories)
        patched.setattr(Pushdown, "text_of", lambda *_: None)
        yield


@settings(LIMITED, max_examples=examples(250))  # each runs seven exports
@given(schema=schemas(), given_records=record_sets)
def test_export_is_the_same_in_one_batch_and_in_many(schema, given_records):
    with closing(SqliteStore(":memory:")) as store:
        stores.put(store, *given_records, now=NOW)
        in_one_batch, report = run_export(store, schema)
        with value_by_value():
            expected, expected_report = run_export(store, schema)
    assert in_one_batch == expected
    assert summary(report) == summary(expected_report)

    for batch, records_kept, traced in ((1, 1, 1), (2, 1, 0), (3, 2, 1), (1, 1000, 1), (5, 1, 0)):
        with pytest.MonkeyPatch.context() as patched, closing(SqliteStore(":memory:")) as store:
            patched.setattr(memories, "_MAX_BATCH", batch)
            patched.setattr(list_module, "_MAX_RECORDS", records_kept)
            patched.setattr(values_module, "MAX_TRACED", traced)  # after so many memories, SQL may write the records
            stores.put(store, *given_records, now=NOW)
            in_many, other_report = run_export(store, schema)

        assert in_many == in_one_batch
        assert summary(other_report) == summary(report)


def summary(report: str) -> Any:
    """Return the number of memories and the gaps of a report, in a comparable form."""
    found = json.loads(report)
    gaps = sorted((gap["path"], gap["reason"], gap["count"]) for gap in found["gaps"])
    return found["memories"], gaps


_any_scalar = {"type": ["string", "integer"]}
_nullable = {"type": ["string", "integer", "null"]}
_at_most_4 = {"type": ["string", "integer"], "maximum": 4}


@st.composite
def _nearly_alike(draw) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draw memories that sometimes lack a value, or have it as null, under another spelling, or too large."""
    own, other = ["run_id", "agent_id"], ["team", "score", "note"]
    names = draw(st.permutations(draw(st.sampled_from([own, other, own + other]))))[: draw(st.integers(1, 5))]
    columns = {name: draw(st.sampled_from([_any_scalar, _nullable])) for name in names}
    if "score" in columns and draw(st.booleans()):
        columns["score"] = _at_most_4
    required = draw(st.lists(st.sampled_from(names), unique=True, max_size=1))
    item = {"type": "object", "properties": columns, "required": required}
    found = []
    for number in range(draw(st.integers(2, 9))):
        record = {"memory": f"m{number}", "user_id": "alex", "agent_id": "a", "run_id": "r"}
        metadata = {"team": "red", "score": draw(st.integers(0, 6)), "note": "x"}
        for name in draw(st.lists(st.sampled_from(names), max_size=2)):
            other = draw(st.sampled_from(["absent", "null", name.title(), f"_{name}"]))
            of = record if name in record else metadata
            value = of.pop(name, None)
            if other == "null":
                metadata[name] = None
            elif other != "absent":
                metadata[other] = value
        found.append({**record, "metadata": metadata})
    count = draw(st.sampled_from([{}, {"n": {"type": "integer", "x-mem0-source": {"count": True}}}]))
    return {"type": "object", "properties": {"items": {"type": "array", "items": item}, **count}}, found


@LIMITED
@given(drawn=_nearly_alike())
def test_finds_missing_values_in_all_their_possible_places(drawn):
    schema, given_records = drawn
    with closing(SqliteStore(":memory:")) as store:
        stores.put(store, *given_records, now=NOW)
        in_one_batch, report = run_export(store, schema)
        with value_by_value():
            expected, expected_report = run_export(store, schema)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(memories, "_MAX_BATCH", 3)
            patched.setattr(values_module, "MAX_TRACED", 0)
            in_many, other_report = run_export(store, schema)

    assert in_many == in_one_batch == expected
    assert summary(other_report) == summary(report) == summary(expected_report)


_city = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (_city, {"City": "Graz"}, {"city": "Graz"}),
        ({"anyOf": [_city, {"type": "null"}]}, {"_city": "Graz", "x": 1}, {"city": "Graz", "x": 1}),
        ({"type": "string", "contentMediaType": "application/json"}, "no JSON", '"no JSON"'),
    ],
    ids=["object", "union", "JSON text"],
)
def test_a_value_of_a_record_is_converted_although_it_is_valid(column, value, expected):
    schema = {
        "type": "object",
        "properties": {"all": {"type": "array", "items": {"type": "object", "properties": {"home": column}}}},
    }
    with closing(SqliteStore(":memory:")) as store:
        stores.put(store, {"memory": "x", "user_id": "alex", "metadata": {"home": value}}, now=NOW)
        found, _ = run_export(store, schema)

    assert found == ({"all": [{"home": expected}]}, "DONE", None)


def test_sql_writes_the_same_records_as_python(monkeypatch):
    """With fields of memories alone, SQL writes all batches but the first and those in which a field has no value."""
    monkeypatch.setattr(memories, "_MAX_BATCH", 2)
    monkeypatch.setattr(values_module, "MAX_TRACED", 2)
    written = []
    original = SqliteBatch.written

    def recording(batch, fields):
        written.append(original(batch, fields))
        return written[-1]

    monkeypatch.setattr(SqliteBatch, "written", recording)
    item = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in OWN[:3]} | {"run_id": {"type": "string"}},
    }
    schema = {"type": "object", "properties": {"n\0'": {"type": "array", "items": item}}}
    odd = ["a\0b", "\u2028\u2029", "😀 \x01 \x7f", '"\\/', "</script>", "e\u0301", "x" * 5000, "\ufeff"]
    with closing(SqliteStore(":memory:")) as store:
        stores.put(store, *({"memory": text, "user_id": "alex", "run_id": f"r{text}"} for text in odd), now=NOW)
        stores.put(store, {"id": "last", "memory": "no run", "user_id": "alex"}, now=NOW + timedelta(days=1))
        (found, state, _), _ = run_export(store, schema)

    assert state == "DONE"
    assert [each["memory"] for each in found["n\0'"]] == [*odd, "no run"]
    assert [each.get("run_id") for each in found["n\0'"]] == [*(f"r{text}" for text in odd), None]
    assert [text is not None for text in written] == [True, True, True, False], "only the last memory has no run_id"


@pytest.mark.parametrize("traced", [0, 100], ids=["written by SQL", "put together"])
def test_discards_records_already_written_if_a_later_memory_has_a_list(monkeypatch, traced):
    """Once a memory has a list of records under the name, the records made from single memories must be dropped."""
    monkeypatch.setattr(values_module, "MAX_TRACED", traced)
    monkeypatch.setattr(memories, "_MAX_BATCH", 2)
    monkeypatch.setattr(list_module, "_MAX_RECORDS", 2)
    item = {"type": "object", "properties": {"memory": {"type": "string"}}}
    schema = {"type": "object", "properties": {"trips": {"type": "array", "items": item}}}
    with closing(SqliteStore(":memory:")) as store:
        many = [{"memory": str(number), "user_id": "alex"} for number in range(7)]
        stores.put(store, *many, now=NOW)
        stores.put(
            store,
            {
                "id": "z",
                "memory": "z",
                "user_id": "alex",
                "metadata": {"trips": [{"memory": "Rome"}, {"memory": "Bern"}]},
            },
            now=NOW + timedelta(days=1),
        )
        (found, _, _), _ = run_export(store, schema)

    assert found == {"trips": [{"memory": "Rome"}, {"memory": "Bern"}]}


def test_reading_stops_with_gone_if_the_export_expires_meanwhile(monkeypatch):
    monkeypatch.setattr(memories, "_MAX_BATCH", 2)
    monkeypatch.setattr(list_module, "_MAX_RECORDS", 2)
    item = {"type": "object", "properties": {"memory": {"type": "string"}}}
    schema = {"type": "object", "properties": {"all": {"type": "array", "items": item}}}
    with closing(SqliteStore(":memory:")) as store:
        stores.put(store, *({"memory": str(number), "user_id": "alex"} for number in range(9)), now=NOW)
        store.jobs.create(DEFAULT_PROJECT, "e", NOW, timedelta(days=1), schema=schema, filters=F.user_id == "alex")
        run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(NOW), lambda: NOW)
        chunks = store.jobs.result(store.jobs.find(DEFAULT_PROJECT, NOW, export_id="e", filters=None))
        assert not isinstance(chunks, bytes)
        first = [next(chunks), next(chunks)]
        store.jobs.purge(clock.now())

        with pytest.raises(Gone):
            list(chunks)

    assert first == [b'{"all":[', b'{"memory":"0"},{"memory":"1"}']


def test_reading_never_continues_with_the_parts_of_another_export(monkeypatch):
    """SQLite reuses the row number of a deleted export, here for an export of another project."""
    monkeypatch.setattr(memories, "_MAX_BATCH", 2)
    monkeypatch.setattr(list_module, "_MAX_RECORDS", 2)
    item = {"type": "object", "properties": {"memory": {"type": "string"}}}
    schema = {"type": "object", "properties": {"all": {"type": "array", "items": item}}}
    later = NOW + timedelta(days=1)
    with closing(SqliteStore(":memory:")) as store:
        for project in ("mine", "yours"):
            texts = ({"memory": f"{project} {number}", "user_id": "alex"} for number in range(9))
            stores.put(store, *texts, project=project, now=NOW)
        store.jobs.create("mine", "e-1", NOW, timedelta(days=1), schema=schema, filters=F.user_id == "alex")
        run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(NOW), lambda: NOW)
        mine = store.jobs.find("mine", NOW, export_id="e-1", filters=None)
        chunks = store.jobs.result(mine)
        next(chunks), next(chunks)

        store.jobs.purge(later)
        store.jobs.create("yours", "e-2", later, timedelta(days=1), schema=schema, filters=F.user_id == "alex")
        run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(later), lambda: later)
        assert store.jobs.find("yours", later, export_id="e-2", filters=None).seq == mine.seq

        with pytest.raises(Gone):
            list(chunks)


REPEATED_KEYWORDS = {
    "a reference": {"$ref": "#/$defs/short", "type": "object", "properties": {"memory": {"type": "string"}}},
    "an alternative to null": {
        "properties": {"memory": {"maxLength": 3}},
        "anyOf": [{"type": "object", "properties": {"memory": {"type": "string"}}}, {"type": "null"}],
    },
    "a type beside an alternative to null": {
        "type": "object",
        "properties": {"memory": {"type": ["integer", "null"], "anyOf": [{"type": "string"}, {"type": "null"}]}},
    },
}
"""Record schemas that have a keyword in two places, one of them easily overlooked. None of them allows a long text."""


@pytest.mark.parametrize("item", REPEATED_KEYWORDS.values(), ids=REPEATED_KEYWORDS)
@pytest.mark.parametrize("batch", [2, 1000])
def test_a_record_obeys_a_keyword_in_both_of_its_places(monkeypatch, item, batch):
    monkeypatch.setattr(memories, "_MAX_BATCH", batch)
    monkeypatch.setattr(values_module, "MAX_TRACED", 0)
    schema = {
        "type": "object",
        "properties": {"all": {"type": "array", "items": item}},
        "$defs": {"short": {"properties": {"memory": {"maxLength": 3}}}},
    }
    with closing(SqliteStore(":memory:")) as store:
        stores.put(store, *({"memory": f"text {number}", "user_id": "alex"} for number in range(9)), now=NOW)
        found, _ = run_export(store, schema)

    assert found == ({}, "DONE", None)


ANY_TEXTS = {"type": "array", "items": {"type": "object", "properties": {"memory": {"type": "string"}}}}
NINE_TEXTS = [{"memory": f"text {number}"} for number in range(9)]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {
                "type": "object",
                "properties": {
                    "all": {
                        "items": {"properties": {"memory": {"maxLength": 3}}},
                        "anyOf": [ANY_TEXTS, {"type": "null"}],
                    }
                },
            },
            ({}, "DONE"),
        ),
        (
            {
                "type": "object",
                "properties": {"all": {"maxItems": 1}},
                "anyOf": [{"type": "object", "properties": {"all": ANY_TEXTS}}, {"type": "null"}],
            },
            ({}, "DONE"),
        ),
        (
            {
                "type": "object",
                "properties": {"all": {"minItems": 1}},
                "anyOf": [{"type": "object", "properties": {"all": ANY_TEXTS}}, {"type": "null"}],
            },
            ({"all": NINE_TEXTS}, "DONE"),
        ),
    ],
    ids=["items", "maxItems of the root", "minItems of the root"],
)
@pytest.mark.parametrize("batch", [2, 1000])
def test_a_list_obeys_a_keyword_in_both_of_its_places(monkeypatch, schema, expected, batch):
    """Such a list has to be validated as a whole, for every batch size."""
    monkeypatch.setattr(memories, "_MAX_BATCH", batch)
    monkeypatch.setattr(list_module, "_MAX_RECORDS", batch)
    with closing(SqliteStore(":memory:")) as store:
        stores.put(store, *({**each, "user_id": "alex"} for each in NINE_TEXTS), now=NOW)
        (found, state, _), _ = run_export(store, schema)

    assert (found, state) == expected


@pytest.mark.parametrize("batch", [2, 1000])
def test_report_names_the_first_hundred_memories_that_filled_a_list(monkeypatch, batch):
    monkeypatch.setattr(memories, "_MAX_BATCH", batch)
    item = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    schema = {"type": "object", "properties": {"all": {"type": "array", "items": item}}}
    with closing(SqliteStore(":memory:")) as store:
        stores.put(store, *({"id": f"a-{number}", "memory": "x", "user_id": "alex"} for number in range(4)), now=NOW)
        cities = ({"id": f"b-{number:03}", "memory": "x", "user_id": "alex", "metadata": {"city": "Rome"}}
                  for number in range(150))  # fmt: skip
        stores.put(store, *cities, now=NOW + timedelta(days=1))
        _, report = run_export(store, schema)

    assert json.loads(report)["filled"] == {"all": [f"b-{number:03}" for number in range(100)]}


@pytest.mark.parametrize("columns", [50, 64, 1200])
def test_exports_records_with_many_properties(monkeypatch, columns):
    monkeypatch.setattr(memories, "_MAX_BATCH", 2)
    monkeypatch.setattr(values_module, "MAX_TRACED", 2)
    names = [f"k{number}" for number in range(columns)]
    item = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    schema = {"type": "object", "properties": {"all": {"type": "array", "items": item}}}
    record = dict.fromkeys(names, "x")
    with closing(SqliteStore(":memory:")) as store:
        stores.put(
            store, *({"memory": str(number), "user_id": "alex", "metadata": record} for number in range(5)), now=NOW
        )
        found, _ = run_export(store, schema)

    assert found == ({"all": [record] * 5}, "DONE", None)
