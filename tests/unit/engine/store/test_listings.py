"""Test that lists that are read page by page are complete, whatever happens in between, and read in linear time."""

from __future__ import annotations

import contextlib

from datetime import UTC, datetime

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from mem0_exports import F
from mem0_exports_engine.ports import Incoming
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.rows import row_for
from mem0_exports_engine.store.sqlite import listings, memories
from mem0_exports_engine.store.sqlite.store import SqliteStore
from tests.support import stores
from tests.support.examples import examples


NOW = datetime(2025, 1, 1, tzinfo=UTC)
WHERE = {"a": F.user_id == "a", "b": F.user_id == "b", "either": (F.user_id == "a") | (F.user_id == "b")}


@pytest.fixture
def store(tmp_path):
    with contextlib.closing(SqliteStore(tmp_path / "store.db")) as opened:
        yield opened


def fill(store, count, **more):
    stores.put(store, *({"memory": f"m{number}", "user_id": "a", **more} for number in range(count)), now=NOW)


def page(store, offset, limit, where=F.user_id == "a"):
    count, found = store.memories.page(DEFAULT_PROJECT, where, NOW, show_expired=False, offset=offset, limit=limit)
    return count, [each["id"] for each in found]


step = st.one_of(
    st.tuples(st.just("page"), st.sampled_from([*WHERE]), st.integers(0, 40), st.integers(1, 9)),
    st.tuples(st.just("entities"), st.integers(0, 30), st.integers(1, 9)),
    st.tuples(st.just("add"), st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 5)),
    st.tuples(st.just("delete"), st.integers(0, 40)),
    st.tuples(st.just("update"), st.integers(0, 40), st.sampled_from("ab")),
)


@settings(deadline=None, max_examples=examples(150))
@given(steps=st.lists(step, max_size=40))
def test_every_page_is_that_of_a_list_which_is_made_anew(steps):
    """The times are often equal, so that the order of arrival decides; an update can move a memory to the other user."""
    with pytest.MonkeyPatch.context() as patched, contextlib.closing(SqliteStore(":memory:")) as store:
        patched.setattr(memories, "_FAR", 2)
        patched.setattr(memories, "_FAR_ENTITIES", 2)
        patched.setattr(memories, "MAX_SPREAD", 4)
        patched.setattr(listings, "MAX_RECENT", 3)
        patched.setattr(listings, "MAX_KEY", 2)  # so that m10 is not remembered
        patched.setattr(listings, "MAX_LISTS", 2)
        kept: dict[str, tuple[str, int, int]] = {}  # user, time, and order of arrival
        arrived = 0

        def put(name, user, second, on_conflict):
            record = {"id": name, "memory": name, "user_id": user, "run_id": f"r{name[-1]}"}
            record |= {"created_at": f"2024-01-01T00:00:0{second}Z"}
            incoming = Incoming(row_for(record, DEFAULT_PROJECT, name, NOW), has_id=True, times=("created_us",))
            store.memories.import_rows(DEFAULT_PROJECT, [incoming], on_conflict)

        for kind, *given_values in steps:
            if kind == "page":
                name, offset, limit = given_values
                users = {"a", "b"} if name == "either" else {name}
                order = sorted((at, place, each) for each, (user, at, place) in kept.items() if user in users)
                expected = [each for *_, each in order]
                assert page(store, offset, limit, WHERE[name]) == (len(expected), expected[offset : offset + limit])
            elif kind == "entities":
                offset, limit = given_values
                users = sorted({user for user, *_ in kept.values()})
                runs = sorted({f"r{each[-1]}" for each in kept})
                totals, found = store.memories.entities(DEFAULT_PROJECT, offset=offset, limit=limit)
                assert totals == {"user": len(users), "agent": 0, "app": 0, "run": len(runs)}
                assert [each["name"] for each in found] == [*users, *runs][offset : offset + limit]
            elif kind == "add":
                user, second, count = given_values
                for _ in range(count):
                    arrived += 1
                    kept[f"m{arrived}"] = user, second, arrived
                    put(f"m{arrived}", user, second, "error")
            elif kind == "delete" and f"m{given_values[0]}" in kept:
                del kept[f"m{given_values[0]}"]
                assert store.memories.delete(DEFAULT_PROJECT, f"m{given_values[0]}")
            elif kind == "update" and f"m{given_values[0]}" in kept:
                name, user = f"m{given_values[0]}", given_values[1]
                kept[name] = user, *kept[name][1:]
                put(name, user, kept[name][1], "update")


def test_what_another_process_has_changed_is_seen(store):
    fill(store, 10)
    assert page(store, 0, 5)[0] == 10
    with contextlib.closing(SqliteStore(store.database.path)) as other:
        other.memories.delete(DEFAULT_PROJECT, "m-3")

    assert page(store, 5, 5) == (9, ["m-7", "m-8", "m-9", "m-10"])
    assert store.memories.entities(DEFAULT_PROJECT, offset=0, limit=5)[0]["user"] == 1


def test_an_update_by_an_import_is_seen(store):
    fill(store, 3)
    assert page(store, 0, 5) == (3, ["m-1", "m-2", "m-3"])
    row = row_for({"memory": "m1", "user_id": "b"}, DEFAULT_PROJECT, "m-2", NOW)
    store.memories.import_rows(DEFAULT_PROJECT, [Incoming(row, has_id=True, times=())], "update")

    assert page(store, 0, 5) == (2, ["m-1", "m-3"])
    assert page(store, 0, 5, F.user_id == "b") == (1, ["m-2"])


def test_a_change_in_another_project_costs_nothing(store, monkeypatch):
    fill(store, 10)
    page(store, 0, 5)
    stores.put(store, {"memory": "x", "user_id": "a"}, project="other", now=NOW)
    listing = store.memories._listings
    before = {**listing._lists}

    page(store, 5, 5)

    assert {**listing._lists} == before, "the list is still known"


def test_an_expired_memory_leaves_the_list_at_midnight(store):
    stores.put(store, {"memory": "x", "user_id": "a", "expiration_date": "2025-01-01"}, now=NOW)
    assert page(store, 0, 5)[0] == 1

    later = datetime(2025, 1, 2, tzinfo=UTC)
    found = store.memories.page(DEFAULT_PROJECT, F.user_id == "a", later, show_expired=False, offset=0, limit=5)
    assert found == (0, [])
    assert store.memories.page(DEFAULT_PROJECT, F.user_id == "a", later, show_expired=True, offset=0, limit=5)[0] == 1


def steps_of_reading(store, monkeypatch, read):
    """Return how many hundreds of steps SQLite's virtual machine takes."""
    monkeypatch.setattr("mem0_exports_engine.store.sqlite.database._STEPS", 100)
    steps, plain = [], store.database.read

    def counted(*_):
        return plain(lambda: steps.append(1) and False)

    with monkeypatch.context() as patched:
        patched.setattr(store.database, "read", counted)
        read()
    return len(steps)


@pytest.mark.parametrize("what", ["memories", "entities"])
def test_reading_a_whole_list_takes_linear_time(tmp_path, monkeypatch, what):
    taken = []
    for count in (2000, 8000):
        with contextlib.closing(SqliteStore(tmp_path / f"{count}.db")) as store:
            rows = ({"memory": f"m{n}", "user_id": "a", "run_id": f"r{n}"} for n in range(count))
            stores.put(store, *rows, now=NOW)

            def read(store=store, count=count):
                for offset in range(0, count, 100):
                    if what == "memories":
                        page(store, offset, 100)
                    else:
                        store.memories.entities(DEFAULT_PROJECT, offset=offset, limit=100)

            taken.append(steps_of_reading(store, monkeypatch, read))

    assert taken[1] < 6 * taken[0], "four times as many memories"


def test_reading_more_pages_than_a_list_remembers_takes_linear_time(tmp_path, monkeypatch):
    monkeypatch.setattr(listings, "MAX_RECENT", 5)
    monkeypatch.setattr(memories, "MAX_SPREAD", 5)
    monkeypatch.setattr(memories, "_FAR", 50)
    taken = []
    for count in (500, 2000):
        with contextlib.closing(SqliteStore(tmp_path / f"{count}.db")) as store:
            fill(store, count)

            def read(store=store, count=count):
                for offset in range(0, count, 10):
                    assert len(page(store, offset, 10)[1]) == 10

            taken.append(steps_of_reading(store, monkeypatch, read))

    assert taken[1] < 6 * taken[0], "four times as many memories"


def test_places_all_over_a_list_are_looked_for_once(store, monkeypatch):
    """Although pages can be farther from them than any page should be, as in a list of many millions."""
    monkeypatch.setattr(memories, "MAX_SPREAD", 2)
    monkeypatch.setattr(memories, "_FAR", 5)
    looked, spread = [], listings.Listing.spread
    monkeypatch.setattr(listings.Listing, "spread", lambda self, places: looked.append(1) or spread(self, places))
    fill(store, 100)

    for offset in (90, 20, 70, 45, 99):
        assert page(store, offset, 1)[1] == [f"m-{offset + 1}"]

    assert len(looked) == 1


def test_a_long_name_is_not_remembered(store):
    names = [f"{number}{'x' * 5000}" for number in range(5)]
    stores.put(store, *({"memory": "m", "user_id": name} for name in names), now=NOW)

    found = [store.memories.entities(DEFAULT_PROJECT, offset=at, limit=1)[1][0]["name"] for at in range(5)]

    assert found == names
    assert [each for listing in store.memories._listings._lists.values() for each in listing._recent] == []


@pytest.mark.parametrize("what", ["memories", "entities"])
def test_a_page_anywhere_is_found_without_reading_those_before_it(store, monkeypatch, what):
    rows = ({"memory": f"m{n}", "user_id": "a", "run_id": f"r{n}"} for n in range(10_000))
    stores.put(store, *rows, now=NOW)
    monkeypatch.setattr(memories, "_FAR", 200)

    def read(offset):
        if what == "memories":
            page(store, offset, 10)
        else:
            store.memories.entities(DEFAULT_PROJECT, offset=offset, limit=10)

    first = steps_of_reading(store, monkeypatch, lambda: read(9_000))
    others = [steps_of_reading(store, monkeypatch, lambda at=at: read(at)) for at in (5_000, 8_191, 9_900, 300, 1)]

    assert max(others) < first / 10, (first, others)


def test_a_filter_with_or_does_not_read_the_other_memories(store, monkeypatch):
    rows = ({"memory": f"m{n}", "user_id": f"u{n % 100}", "app_id": "all"} for n in range(5_000))
    stores.put(store, *rows, now=NOW)
    where = (F.user_id == "u17") | (F.user_id == "u18")

    found = []
    steps = steps_of_reading(store, monkeypatch, lambda: found.append(page(store, 0, 10, where)[0]))
    everything = steps_of_reading(store, monkeypatch, lambda: page(store, 0, 10, F.app_id == "all"))

    assert found == [100]
    assert steps < everything / 3, (steps, everything)


def test_statistics_are_not_made_again_each_time_that_a_store_is_opened(tmp_path):
    path = tmp_path / "store.db"
    with contextlib.closing(SqliteStore(path)) as store:
        fill(store, 3000)
    for _ in range(2):
        with contextlib.closing(SqliteStore(path)) as store, store.database.write() as connection:
            connection.execute("UPDATE sqlite_stat1 SET stat = stat || ' unordered' WHERE idx = 'memories_id'")
    with contextlib.closing(SqliteStore(path)) as store, store.database.read() as connection:
        (kept,) = connection.row("SELECT stat FROM sqlite_stat1 WHERE idx = 'memories_id'")

    assert kept.endswith("unordered unordered"), "what stands there was not made anew"


def test_statistics_are_kept_when_a_store_is_opened_that_has_none(tmp_path):
    path = tmp_path / "store.db"
    with contextlib.closing(SqliteStore(path)) as store:
        fill(store, 1200)
        with store.database.write() as connection:
            connection.execute("DROP TABLE sqlite_stat1")

    with contextlib.closing(SqliteStore(path)) as store, store.database.read() as connection:
        assert connection.value("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'memories'") > 0
