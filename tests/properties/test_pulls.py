"""Test that a store is equal to its source after every pull, whatever has changed and whatever was interrupted."""

from __future__ import annotations

import contextlib
import uuid

from datetime import UTC, datetime
from typing import Any

import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mem0_exports import InputError
from mem0_exports_engine.importing import pull as pull_module
from mem0_exports_engine.importing.payloads import record_of
from mem0_exports_engine.importing.pull import pull
from mem0_exports_engine.importing.records import BadRecord, kept_id
from mem0_exports_engine.sources.source import Point
from mem0_exports_engine.store.sqlite.store import SqliteStore
from tests.contract.engine.strategies import json_values
from tests.support.examples import examples
from tests.support.stores import put


LIMITED = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), max_examples=examples(200)
)
NOW = datetime(2025, 3, 4, tzinfo=UTC)


class Points:
    """A source whose points are in a dict. It can break off after some of them."""

    def __init__(self, payloads: dict[str, dict[str, Any]], *, ends_after: int | None = None, is_certain: bool = True):
        self.name = "test"
        self.is_certain = is_certain
        self._payloads = payloads
        self._ends_after = ends_after

    def points(self):
        for number, (memory_id, payload) in enumerate(self._payloads.items()):
            if number == self._ends_after:
                raise InputError("broken off", field="source")
            yield Point(memory_id, payload)


def copies(store: SqliteStore) -> dict[str, dict[str, Any]]:
    """Return the memories of the store that come from the source."""
    with store.database.read() as connection:
        ids = {memory_id for (memory_id,) in connection.rows("SELECT id FROM memories WHERE source IS NOT NULL")}
    return {each["id"]: each for each in store.memories.everything("local") if each["id"] in ids}


def expected(payloads: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what the store has to have of these memories, without the times that they do not have."""
    found = {}
    for memory_id, payload in payloads.items():
        with contextlib.suppress(BadRecord):
            record = record_of(Point(memory_id, payload), {})
            found[record["id"]] = record
    return found


def agrees(record: dict[str, Any], wanted: dict[str, Any]) -> bool:
    times = {"created_at", "updated_at"} - wanted.keys()
    return {name: value for name, value in record.items() if value is not None and name not in times} == {
        name: value for name, value in wanted.items() if value is not None
    }


ids = st.sampled_from(
    [str(uuid.UUID(int=number)) for number in range(8)] + ["no uuid", "7", "ÄÖ", str(uuid.UUID(int=0xABC)).upper()]
)
payloads = st.fixed_dictionaries(
    {"data": st.sampled_from(["sails", "é\u2028☕", "x" * 50])},
    optional={
        "user_id": st.sampled_from(["alex", "mara", 5, None, ""]),
        "agent_id": st.just("helper"),
        "created_at": st.sampled_from(["2024-05-06T07:08:09.123456-07:00", "long ago", 5, None]),
        "expiration_date": st.sampled_from(["2030-01-01", "soon", 5, None]),
        "hash": st.just("a1"),
        "app_id": st.just("shop"),
        "more": json_values,
    },
)
states = st.dictionaries(ids, payloads, max_size=8)


@LIMITED
@given(
    drawn=st.lists(st.tuples(states, st.none() | st.integers(0, 7)), min_size=1, max_size=5), batch=st.integers(1, 9)
)
def test_the_store_equals_the_source_after_each_pull_that_ends(drawn, batch):
    with contextlib.closing(SqliteStore(":memory:")) as store, pytest.MonkeyPatch.context() as patched:
        patched.setattr(pull_module, "_MAX_BATCH", batch)
        put(store, {"id": str(uuid.UUID(int=0)), "memory": "my own", "user_id": "alex"}, now=NOW)
        own = str(uuid.UUID(int=0))
        for state, ends_after in drawn:
            before = copies(store)
            source = Points(state, ends_after=ends_after)
            if ends_after is not None and ends_after < len(state):
                with pytest.raises(InputError, match="broken off"):
                    pull(source, store.pulled, accept_deletions=True)
                assert before.keys() <= copies(store).keys(), "nothing may be deleted"
                continue

            done = pull(source, store.pulled, accept_deletions=True)

            wanted = expected(state)
            taken = wanted.pop(own, None) is not None
            after = copies(store)
            # A memory that cannot be kept any more stays as it was: the source still has it.
            stuck = {kept_id(memory_id)[0] for memory_id in state} & before.keys() - wanted.keys()
            assert after.keys() == wanted.keys() | stuck
            assert all(agrees(after[memory_id], wanted[memory_id]) for memory_id in wanted)
            assert done.added == len(wanted.keys() - before.keys())
            assert done.gone == len(before.keys() - after.keys())
            assert done.added + done.changed + done.same + done.taken + done.bad_count == len(state)
            assert done.taken == taken
            assert store.memories.get("local", own)["memory"] == "my own"
            again = pull(source, store.pulled)
            assert (again.added, again.changed, again.gone) == (0, 0, 0)


@LIMITED
@given(memory_id=ids, payload=payloads)
def test_everything_in_a_payload_stands_somewhere_in_the_record(memory_id, payload):
    try:
        record = record_of(Point(memory_id, payload), {"run_id": "r"})
    except BadRecord:
        return
    metadata = dict(record.get("metadata") or {})
    raw = metadata.pop("mem0_raw", {})
    for name, value in payload.items():
        if name == "data":
            assert record["memory"] == value
        elif value is not None:
            places = [record.get(name), metadata.get(name), raw.get(name)]
            assert value in places or (value == 5 and "5" in places), name
    assert record["id"] == memory_id or raw["id"] == memory_id


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (Point("1", {"data": "m", "user_id": "a", "x": deep(200)}), "nested more than 100 levels"),
        (Point("1", {"data": "m", "user_id": "a", "x": deep(100_000)}), "nested too deep"),
        (Point("1", {"data": "m" * 11_000_000, "user_id": "a"}), "larger than 10 MB"),
        (Point("1", {"data": "\ud800", "user_id": "a"}), "unpaired surrogate"),
        (Point("\ud800", {"data": "m", "user_id": "a"}), "unpaired surrogate"),
    ],
    ids=["deep", "very deep", "large", "surrogate in the text", "surrogate in the id"],
)
def test_a_memory_that_no_store_can_keep_is_named_and_the_others_are_pulled(point, reason):
    payload = {"data": "fine", "user_id": "a"}
    with contextlib.closing(SqliteStore(":memory:")) as store:
        done = pull(Points({point.id: point.payload, "2": payload}), store.pulled)

    assert (done.added, done.bad_count) == (1, 1)
    assert reason in done.bad[0].reason


def test_many_deletions_have_to_be_accepted():
    everything = {str(uuid.UUID(int=number)): {"data": f"m{number}", "user_id": "a"} for number in range(10)}
    few = dict([*everything.items()][:7])
    with contextlib.closing(SqliteStore(":memory:")) as store:
        pull(Points(everything), store.pulled)

        refused = pull(Points(few), store.pulled)
        assert (refused.gone, refused.kept, len(copies(store))) == (0, 3, 10)
        assert "more than a fifth" in refused.why_kept

        empty = pull(Points({}), store.pulled)
        assert (empty.gone, empty.kept) == (0, 10)

        accepted = pull(Points(few), store.pulled, accept_deletions=True)
        assert (accepted.gone, accepted.kept, accepted.why_kept) == (3, 0, None)

        one_less = pull(Points(dict([*few.items()][:6])), store.pulled)
        assert (one_less.gone, len(copies(store))) == (1, 6)


def test_nothing_is_deleted_because_of_a_source_that_may_not_list_all():
    with contextlib.closing(SqliteStore(":memory:")) as store:
        everything = {str(uuid.UUID(int=number)): {"data": f"m{number}", "user_id": "a"} for number in range(20)}
        pull(Points(everything, is_certain=False), store.pulled)
        everything.popitem()

        done = pull(Points(everything, is_certain=False), store.pulled)

        assert (done.gone, done.kept, len(copies(store))) == (0, 1, 20)


def test_two_sources_leave_each_other_s_memories_alone():
    shared = str(uuid.UUID(int=1))
    one, other = (
        Points({shared: {"data": "of one", "user_id": "a"}}),
        Points({shared: {"data": "of other", "user_id": "a"}}),
    )
    other.name = "other"
    with contextlib.closing(SqliteStore(":memory:")) as store:
        pull(one, store.pulled)

        done = pull(other, store.pulled)

        assert (done.added, done.taken) == (0, 1)
        assert store.memories.get("local", shared)["memory"] == "of one"
        other._payloads = {}
        assert pull(other, store.pulled, accept_deletions=True).gone == 0
        assert store.memories.get("local", shared) is not None
