"""Test when an imported record is a memory of the store: dumps, files in any order, and other versions."""

from __future__ import annotations

import json

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mem0_exports import Client, F, InputError
from mem0_exports_engine.importing import importer
from mem0_exports_engine.store import rows
from tests.support.examples import examples


LIMITED = settings(
    deadline=None, derandomize=True, database=None, max_examples=examples(120), suppress_health_check=list(HealthCheck)
)
USERS = ("a", "b")
IDS = [f"550e8400-e29b-41d4-a716-44665544000{number}" for number in range(3)]

times = st.sampled_from(["2025-03-04T18:20:00Z", "2025-03-04T18:20:00+02:00", "2025-03-04", "2025-03-05 10:00"])
records = st.fixed_dictionaries(
    {"memory": st.sampled_from(["Lisbon", "Porto"]), "user_id": st.sampled_from(USERS)},
    optional={
        "metadata": st.sampled_from([None, {}, {"n": 1}, {"n": True}, {"n": 1.0}, {"b": 1, "a": [None]}]),
        "categories": st.sampled_from([None, [], ["x"]]),
        "session_id": st.sampled_from([None, "r"]),
        "created_at": times,
        "updated_at": times,
        "expiration_date": st.just("2999-01-01"),
    },
)
with_ids = st.builds(lambda record, known: {**record, "id": known}, records, st.sampled_from(IDS))
distinct = st.lists(st.one_of(records, with_ids), max_size=6, unique_by=lambda each: each.get("id", json.dumps(each)))


def lines(*given: Any) -> list[bytes]:
    return [json.dumps(each).encode() for each in given]


def listed(client: Client) -> list[dict[str, Any]]:
    """Return all memories as the service lists them, in its order."""
    found = []
    for user in USERS:
        body = json.dumps({"filters": {"AND": [{"user_id": user}]}, "show_expired": True}).encode()
        transport: Any = client._driver._transport
        headers = {"content-type": "application/json"}
        answer = transport.engine.respond("POST", "/v3/memories/", "page_size=200", headers, body)
        found += json.loads(answer.body)["results"]
    return found


def contents(client: Client) -> list[str]:
    """Return the memories without their ids and times, in an order of their own."""
    kept = ("memory", "user_id", "session_id", "metadata", "categories", "expiration_date")
    return sorted(json.dumps({name: each[name] for name in kept}, sort_keys=True) for each in listed(client))


@LIMITED
@given(given_records=distinct)
def test_a_dump_changes_nothing_in_its_own_store(given_records):
    with Client.local() as client:
        client.engine.import_lines(lines(*given_records))
        client.memories.add("Lisbon", user_id="a", metadata={"n": 2})
        before = listed(client)

        again = client.engine.import_lines(lines(*before))

        assert (again.added, again.known, again.bad) == (0, len(before), [])
        assert listed(client) == before


@LIMITED
@given(given_records=distinct)
def test_a_dump_in_an_empty_store_gives_the_same_list(given_records):
    with Client.local() as client, Client.local() as other:
        client.engine.import_lines(lines(*given_records))
        dump = listed(client)

        assert other.engine.import_lines(lines(*dump)).bad == []

        assert listed(other) == dump


@LIMITED
@given(given_records=distinct, batch=st.sampled_from([1, 2, 5000]))
def test_importing_a_file_again_adds_nothing(given_records, batch):
    with pytest.MonkeyPatch.context() as patched, Client.local() as client:
        patched.setattr(importer, "MAX_BATCH", batch)
        first = client.engine.import_lines(lines(*given_records))
        before = listed(client)

        again = client.engine.import_lines(lines(*given_records))

        assert (again.added, again.known) == (0, first.added + first.known)
        assert listed(client) == before


@LIMITED
@given(given_records=st.lists(records, max_size=5))
def test_a_file_and_its_dump_make_the_same_memories_in_either_order(given_records):
    """The dump has ids and all times. A record without times has got another time in another store."""
    with Client.local() as client, Client.local() as forward, Client.local() as backward:
        client.engine.import_lines(lines(*given_records))
        dump = listed(client)

        forward.engine.import_lines(lines(*given_records))
        forward.engine.import_lines(lines(*dump), on_conflict="update")
        backward.engine.import_lines(lines(*dump))
        backward.engine.import_lines(lines(*given_records))

        assert listed(forward) == listed(backward) == dump


@LIMITED
@given(record=records, ids=st.permutations(IDS))
def test_a_record_without_an_id_is_the_memory_of_a_record_with_one_in_either_order(record, ids):
    named = {**record, "id": ids[0]}
    given_times = {"created_at": "2025-03-04T18:20:00Z", "updated_at": "2025-03-04T18:20:00Z"}
    for order in ([record | given_times, named | given_times], [named | given_times, record | given_times]):
        with Client.local() as client:
            result = client.engine.import_lines(lines(*order))

            assert (result.added, result.known, result.bad) == (1, 1, [])
            assert len(contents(client)) == 1


def test_records_with_different_ids_are_different_memories():
    with Client.local() as client:
        record = {"memory": "Lisbon", "user_id": "a", "created_at": "2025-03-04"}
        result = client.engine.import_lines(lines({**record, "id": IDS[0]}, {**record, "id": IDS[1]}))

        assert (result.added, len(contents(client))) == (2, 2)


@pytest.mark.parametrize(
    ("on_conflict", "counts", "text"),
    [("error", (0, 0, 1), "Lisbon"), ("skip", (0, 1, 0), "Lisbon"), ("update", (1, 0, 0), "Porto")],
)
def test_another_version_is_rejected_left_out_or_stored(on_conflict, counts, text):
    old = {"memory": "Lisbon", "user_id": "a", "id": IDS[0], "created_at": "2025-03-04T18:20:00Z", "metadata": {"n": 1}}
    new = {"memory": "Porto", "user_id": "a", "id": IDS[0]}
    with Client.local() as client:
        client.engine.import_lines(lines(old))

        result = client.engine.import_lines(lines(new), on_conflict=on_conflict)

        assert (result.updated, result.skipped, result.bad_count) == counts
        (memory,) = client.memories.list(F.user_id == "a")
        assert memory.memory == text
        assert memory.created_at == datetime(2025, 3, 4, 18, 20, tzinfo=UTC), "a time that is not given stays"
        assert memory.metadata == (None if text == "Porto" else {"n": 1})
        again = client.engine.import_lines(lines(new), on_conflict=on_conflict)
        assert (again.known == 1) is (text == "Porto")


def test_versions_in_one_file_follow_each_other():
    versions = [{"memory": str(number), "user_id": "a", "id": IDS[0]} for number in range(3)]
    with Client.local() as client:
        result = client.engine.import_lines(lines(*versions), on_conflict="update")

        assert (result.added, result.updated) == (1, 2)
        assert [memory.memory for memory in client.memories.list(F.user_id == "a")] == ["2"]


def test_a_line_whose_memory_was_changed_is_another_version():
    record = {"memory": "Lisbon", "user_id": "a"}
    with Client.local() as client:
        client.engine.import_lines(lines(record))
        (memory,) = listed(client)
        client.engine.import_lines(lines({**memory, "metadata": {"n": 1}}), on_conflict="update")

        assert client.engine.import_lines(lines(record)).bad_count == 1
        assert len(contents(client)) == 1


def test_refuses_an_unknown_choice():
    with Client.local() as client, pytest.raises(InputError, match="skip, update or error"):
        client.engine.import_lines([], on_conflict="replace")


@pytest.mark.parametrize("more", [{}, {"created_at": "2025-03-04"}, {"own": True}], ids=str)
def test_the_work_for_records_with_one_text_grows_with_their_number_and_not_with_its_square(monkeypatch, more):
    counted: list[int] = []
    content_key = rows.content_key

    def counting(row):
        counted.append(1)
        return content_key(row)

    monkeypatch.setattr(rows, "content_key", counting)

    def work(number: int) -> int:
        counted.clear()
        given_times = {name: value for name, value in more.items() if name != "own"}
        ids = [{"id": str(UUID(int=n))} if "own" in more else {} for n in range(number)]
        records = [
            {"memory": "Lisbon", "user_id": "a", "metadata": {"n": n}, **given_times, **ids[n]} for n in range(number)
        ]
        with Client.local() as client:
            client.engine.import_lines(lines(*records[: number // 2]))
            assert client.engine.import_lines(lines(*records)).added == number - number // 2
        return len(counted)

    assert work(400) <= 2 * work(200) + 100
