"""Test filters as SQL against a naive evaluator of the dict that is sent, so that `to_dict` is tested too."""

from __future__ import annotations

import gc
import json

from datetime import UTC, datetime, timedelta

import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mem0_exports import F, Filter, all_of, any_of
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.rows import row_for
from mem0_exports_engine.store.sqlite import filters, functions
from mem0_exports_engine.store.sqlite.filters import clause
from mem0_exports_engine.store.sqlite.store import SqliteStore
from mem0_exports_engine.store.sqlite.tables import INSERT_MEMORY
from tests.support.examples import examples
from tests.support.naive_filters import holds


NOW = datetime(2025, 6, 1, tzinfo=UTC)

# A small set of values, so that filters often match records. It includes values that are special in SQL, LIKE, JSON or
# JSON paths.
PARTS = [
    "a",
    "A",
    "b",
    "é",
    "É",
    "ß",
    "İ",
    "名",
    "%",
    "_",
    "'",
    '"',
    "\\",
    "$",
    ".",
    "[0]",
    "*",
    "\n",
    "\x00",
    "\x7f",
    "\u212a",  # the Kelvin sign, which folds to an ASCII letter, as do the next two
    "\u017f",
    "\ufb01",
    "k",
    "s",
    "fi",
    "😀",
    "--",
    ";",
]
words = st.one_of(
    st.sampled_from(
        ["", "a", "A", "a\x00b", "a\x00", "\x00", "1", "true", "null", "%", "_", "' OR 1=1 --", "straße", "STRASSE"]
    ),
    st.lists(st.sampled_from(PARTS), max_size=4).map("".join),
)
filled = words.filter(bool)
few = st.sampled_from(["u", "U", "u\x00"])  # so that filters and records often have the same one
ids = st.one_of(few, few, st.sampled_from(["'", "%"]), filled.filter(lambda text: text != "*"))
numbers = st.one_of(
    st.integers(-1, 2),
    st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, -(2**63), -(2**63) - 1, 10**30, 10**30 + 1]),
    st.sampled_from([0.0, -0.0, 0.5, 1.0, 1e300, 5e-324, 2.0**53, 2.0**63, 1e30]),
)
parts = st.one_of(st.sampled_from(["a", "1", "t", "\x00"]), filled)
common = st.sampled_from(["a", "1", "", 0, 1, 1.0, True, False, 2**63, 2**63 + 1])
scalars = st.one_of(common, words, numbers, st.booleans())
keys = st.sampled_from(["k", "K", "k.l", "k\\", 'k"', "$", "k\x00"])
values = st.one_of(
    common,
    words,
    scalars,
    st.none(),
    st.lists(scalars, max_size=3),
    st.lists(st.lists(scalars, max_size=2), max_size=2),
    st.dictionaries(keys, scalars, max_size=2),
)
moments = st.integers(-5, 5).map(lambda hours: NOW + timedelta(hours=hours))
midnights = st.sampled_from([NOW, NOW - timedelta(days=1), NOW + timedelta(days=1)])
odd_moments = st.one_of(moments, midnights, st.datetimes(timezones=st.just(UTC)))
days = st.sampled_from(["2025-05-31", "2025-06-01", "2025-06-02", None])


@st.composite
def records(draw):
    record = {name: draw(st.one_of(st.none(), ids)) for name in ("user_id", "agent_id", "app_id", "run_id")}
    return {
        "memory": draw(filled),
        **record,
        "metadata": draw(st.one_of(st.none(), st.dictionaries(keys, values, max_size=6))),
        "categories": draw(st.one_of(st.none(), st.lists(words, max_size=3))),
        "created_at": draw(odd_moments).isoformat(),
        "updated_at": draw(odd_moments).isoformat(),
        "expiration_date": draw(days),
    }


entities = st.sampled_from([F.user_id, F.agent_id, F.app_id, F.run_id])
times = st.sampled_from([F.created_at, F.updated_at, F.timestamp, F.expiration_date])


@st.composite
def conditions(draw):
    kind = draw(st.sampled_from(["entity", "time", "categories", "keywords", "ids", *["metadata"] * 4]))
    if kind == "entity":
        field, value = draw(entities), draw(ids)
        several = draw(st.lists(ids, min_size=1, max_size=3))
        return draw(st.sampled_from([field == value, field != value, field.in_(*several), field.exists()]))
    if kind == "time":
        field, value, other = draw(times), draw(odd_moments), draw(moments)
        offered = [field < value, field <= value, field > value, field >= value, field == value, field != value]
        return draw(
            st.sampled_from([*offered, field.in_(value, other), field.between(min(value, other), max(value, other))])
        )
    if kind == "categories":
        return draw(
            st.one_of(
                filled.map(F.categories.contains),
                st.lists(filled, min_size=1, max_size=3).map(lambda many: F.categories.in_(*many)),
            )
        )
    if kind == "keywords":
        return draw(st.one_of(filled.map(F.keywords.contains), filled.map(F.keywords.icontains)))
    if kind == "ids":
        return F.memory_ids.in_(
            *draw(st.lists(st.sampled_from([f"id-{number}" for number in range(8)]), min_size=1, max_size=3))
        )
    key, value = F.metadata[draw(keys)], draw(st.one_of(common, scalars))
    return draw(st.sampled_from([key == value, key != value, key.contains(draw(parts))]))


trees = st.recursive(
    conditions(),
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=3).map(lambda parts: all_of(*parts)),
        st.lists(children, min_size=1, max_size=3).map(lambda parts: any_of(*parts)),
        children.map(lambda part: ~part),
    ),
    max_leaves=7,
)


# ---- the tests -------------------------------------------------------------------------------------------------------

LIMITED = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def store():
    opened = SqliteStore(":memory:")
    yield opened
    opened.close()


def replace_all(store, given_records):
    """Replace all memories of the store by these records, and return them by id."""
    rows = [row_for(record, DEFAULT_PROJECT, f"id-{number}", NOW) for number, record in enumerate(given_records)]
    with store.database.write() as connection:
        connection.execute("DELETE FROM memories")
        connection.execute_many(INSERT_MEMORY, [{**row, "record_key": row["id"].encode()} for row in rows])
    return {row["id"]: {**record, "id": row["id"]} for row, record in zip(rows, given_records, strict=True)}


def selected_ids(store, where):
    with store.database.read() as connection:
        values = []
        rows = connection.execute(f"SELECT id FROM memories WHERE {clause(where, values)}", values)
        return {name for (name,) in rows}


@settings(LIMITED, max_examples=examples(1000))
@given(where=trees)
def test_a_filter_survives_a_round_trip_through_json(where):
    document = json.loads(json.dumps(where.to_dict()))

    assert Filter.from_dict(document) == where
    assert Filter.from_dict(document).to_dict() == document


SAMPLE_RECORDS = [
    {
        "memory": f"Text {letter} straße",
        **dict.fromkeys(("user_id", "agent_id", "app_id", "run_id"), owner),
        "metadata": {"k": value, "list": ["x", letter]},
        "categories": [letter, "Work"] if owner else None,
        "created_at": f"2025-01-0{day}T00:00:00+00:00",
        "updated_at": f"2025-01-0{day}T00:00:00+00:00",
        "expiration_date": f"2025-01-0{day}" if owner else None,
    }
    for day, (letter, owner, value) in enumerate(
        [("a", "u", "a"), ("b", "v", 1), ("c", None, True), ("d", "u", 2**63)], 1
    )
]
EVERY_OPERATOR = [
    *(
        made
        for field in (F.user_id, F.agent_id, F.app_id, F.run_id)
        for made in (field == "u", field != "u", field.in_("w", "v"), field.in_("v", "u"), field.exists())
    ),
    *(
        made
        for field in (F.created_at, F.updated_at, F.timestamp, F.expiration_date)
        for at in ["2025-01-02"]
        for made in (
            field < at,
            field <= at,
            field > at,
            field >= at,
            field == at,
            field != at,
            field.in_("2024-01-01", at),
            field.in_("2025-01-01", at),
        )
    ),
    *(F.metadata["k"] == value for value in ("a", 1, 1.0, True, 2**63)),
    *(F.metadata["k"] != value for value in ("a", 1, 1.0, True, 2**63)),
    F.metadata["k"].contains("a"),
    F.metadata["list"].contains("b"),
    F.categories.in_("a", "b"),
    F.categories.contains("WORK"),
    F.keywords.contains("Text a"),
    F.keywords.icontains("TEXT B STRASSE"),
    F.memory_ids.in_("id-0", "id-1"),
]


@pytest.mark.parametrize("where", EVERY_OPERATOR, ids=repr)
def test_every_operator_of_every_field_selects_some_but_not_all_memories(store, where):
    by_id = replace_all(store, SAMPLE_RECORDS)

    found = selected_ids(store, where)

    assert found == {name for name, record in by_id.items() if holds(where.to_dict(), record)}
    assert found
    assert found != by_id.keys()


def record(**more):
    base = dict.fromkeys(("user_id", "agent_id", "app_id", "run_id", "metadata", "categories", "expiration_date"))
    stamp = "2025-01-01T00:00:00+00:00"
    return {"memory": "x", **base, "created_at": stamp, "updated_at": stamp, **more}


HARD_FOR_SQLITE = [
    *(record(categories=each) for each in (["a"], ["A", 'b"c'], ['"a', "b"], ["É", "a\\"], ["\u212a"], ["a\x00", "k"])),
    *(record(memory=each) for each in ("\u212aELVIN", "kelvin\x00", "a\x00kelvin", "\u017fmall", "SMALL", "straße")),
    *(
        record(metadata={"k": each, "other": {"k": "a"}})
        for each in (
            "a",
            "a\x00",
            ["a"],
            {"k": "a"},
            "1",
            1,
            1.0,
            True,
            None,
            2**53 + 1,
            float(2**53),
            '"a"',
            "[1]",
            [1],
        )
    ),
    record(metadata={"k": "b", "other": "a\x00", "text": '"k":"a"'}),
]
"""Memories of which SQLite's own functions would select too many, or too few."""


@pytest.mark.parametrize(
    "where",
    [
        *(F.categories.in_(each) for each in ("a", "b", 'b"c', '"a', "É", "\u212a", "a\\", "k", "a\x00")),
        F.categories.in_("b", "É"),
        *(F.categories.contains(each) for each in ("A", "é", "k", "K", "\u212a", '"A', "A\\", "a\x00")),
        *(F.keywords.icontains(each) for each in ("kelvin", "KELVIN", "\u212a", "small", "STRASSE", "ß", "n\x00")),
        *(
            F.metadata["k"] == each
            for each in ("a", "a\x00", '["a"]', "1", 1, 1.0, True, 2**53, 2**53 + 1, '"a"', "[1]")
        ),
        *(F.metadata["k"] != each for each in ("a", 1, True)),
        *(F.metadata["k"].contains(each) for each in ("a", '"', "\x00", "[", "1")),
    ],
    ids=repr,
)
def test_values_that_are_hard_for_sqlite_are_compared_exactly(store, where):
    by_id = replace_all(store, HARD_FOR_SQLITE)

    assert selected_ids(store, where) == {name for name, each in by_id.items() if holds(where.to_dict(), each)}
    assert selected_ids(store, ~where) == {name for name, each in by_id.items() if not holds(where.to_dict(), each)}


@pytest.mark.parametrize(
    "hostile",
    [
        "x'; DROP TABLE memories; --",
        "x' OR '1'='1",
        '") OR 1=1 --',
        "%",
        "_",
        "\\",
        "$.*",
        "x\x00",
        "' UNION SELECT 1 --",
    ],
)
def test_values_and_keys_are_never_interpreted_as_sql(store, hostile):
    base = dict.fromkeys(("agent_id", "app_id", "run_id", "metadata", "categories", "expiration_date"))
    stamp = {"created_at": "2025-01-01T00:00:00+00:00", "updated_at": "2025-01-01T00:00:00+00:00"}
    own = {
        "memory": hostile,
        "user_id": hostile,
        **base,
        **stamp,
        "metadata": {hostile: hostile},
        "categories": [hostile],
    }
    other = {"memory": "other", "user_id": "other", **base, **stamp}
    replace_all(store, [own, other])

    for where in (
        F.user_id == hostile,
        F.user_id.in_(hostile, "nobody"),
        F.metadata[hostile] == hostile,
        F.metadata[hostile].contains(hostile),
        F.categories.in_(hostile),
        F.categories.contains(hostile),
        F.keywords.contains(hostile),
        F.keywords.icontains(hostile),
    ):
        assert selected_ids(store, where) == {"id-0"}, where
    assert selected_ids(store, F.memory_ids.in_(hostile)) == set()
    with store.database.read() as connection:
        assert connection.value("SELECT count(*) FROM memories") == 2


@settings(LIMITED, max_examples=examples(400))
@given(given_records=st.lists(records(), min_size=1, max_size=8), where=trees)
def test_a_list_that_is_one_variable_selects_the_same_memories(store, given_records, where):
    by_id = replace_all(store, given_records)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(filters, "_MANY", 0)
        found = selected_ids(store, where)

    assert found == {name for name, record in by_id.items() if holds(where.to_dict(), record)}


@pytest.mark.parametrize("more", [[], ["x\0"]], ids=["texts", "a text with NUL"])
def test_a_list_can_have_more_values_than_sqlite_has_variables(store, more):
    by_id = replace_all(store, SAMPLE_RECORDS)
    where = F.user_id.in_([*(f"user-{number}" for number in range(99_000)), "u", *more])

    assert selected_ids(store, where) == {name for name, record in by_id.items() if record["user_id"] == "u"}


metadata_trees = st.recursive(
    st.tuples(keys, st.one_of(common, scalars), parts, st.sampled_from(["eq", "ne", "contains"])).map(
        lambda given: {
            "eq": F.metadata[given[0]] == given[1],
            "ne": F.metadata[given[0]] != given[1],
            "contains": F.metadata[given[0]].contains(given[2]),
        }[given[3]]
    ),
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=4).map(lambda parts: all_of(*parts)),
        st.lists(children, min_size=1, max_size=4).map(lambda parts: any_of(*parts)),
        children.map(lambda part: ~part),
    ),
    max_leaves=20,
)


@settings(LIMITED, max_examples=examples(300))
@given(
    where=metadata_trees, given_records=st.lists(records(), min_size=1, max_size=6), together=st.sampled_from([2, 8])
)
def test_many_conditions_on_metadata_select_what_each_on_its_own_does(store, where, given_records, together):
    by_id = replace_all(store, given_records)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(filters, "_MANY_CONDITIONS", together)
        found = selected_ids(store, where)

    assert found == {name for name, record in by_id.items() if holds(where.to_dict(), record)}


def test_the_values_of_a_filter_are_not_kept(store):
    """They can have megabytes."""
    replace_all(store, SAMPLE_RECORDS)
    large = [f"value {number}" for number in range(2000)]
    gc.collect()
    before = len(functions._expected)
    for number in range(3):
        where = (F.user_id == "u") & F.categories.in_([*large, str(number)]) & (F.metadata["k"] == "x" * 20_000)
        now = datetime.now(UTC)
        store.memories.page(DEFAULT_PROJECT, where, now, show_expired=False, offset=0, limit=1)
        assert [*store.memories.batches(DEFAULT_PROJECT, where, now)] == []
    del where
    gc.collect()

    assert len(functions._expected) <= before


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ([1], [True], False),
        ([1], [1.0], True),
        ({"a": [0]}, {"a": [False]}, False),
        ({"a": {"b": True}}, {"a": {"b": True}}, True),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ([1, 2], [1], False),
        ("1", 1, False),
        (None, False, False),
    ],
)
def test_json_values_are_equal_at_every_depth_or_not(one, other, equal):
    assert functions._equal(one, other) is equal
    assert functions._equal(other, one) is equal


# Last, because it takes longest.
@settings(LIMITED, max_examples=examples(2500))
@given(given_records=st.lists(records(), min_size=1, max_size=8), where=trees)
def test_sql_selects_the_same_memories_as_the_naive_evaluator(store, given_records, where):
    by_id = replace_all(store, given_records)
    document = where.to_dict()

    assert selected_ids(store, where) == {name for name, record in by_id.items() if holds(document, record)}
