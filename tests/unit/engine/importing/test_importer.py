"""Test the import of memories: exact copies, no duplicates, and bad lines that are rejected one by one."""

from __future__ import annotations

import json

import pytest

from mem0_exports import Client, F
from mem0_exports_engine.importing.importer import BadLine, import_lines
from mem0_exports_engine.store.sqlite.store import SqliteStore
from tests.support import stores


@pytest.fixture
def store():
    opened = SqliteStore(":memory:")
    yield opened
    opened.close()


def lines(*records):
    return [json.dumps(record, ensure_ascii=False).encode() for record in records]


def stored(store, where=F.user_id == "alex"):
    return stores.records(store, where)


RECORD = {
    "memory": "Łódź: 'quoted' \"text\" \n",
    "user_id": "alex",
    "agent_id": "a",
    "app_id": "b",
    "run_id": "r",
    "metadata": {"n": 12345678901234567890123, "f": 0.1, "deep": [{"ä": None}], "": ""},
    "categories": ["work"],
    "created_at": "2022-01-21T19:31:00+02:00",
    "updated_at": "2022-01-22T19:31:00.123456Z",
    "expiration_date": "2999-12-31",
}


def test_imports_a_record_unchanged(store):
    result = import_lines(store.memories, lines(RECORD))

    assert (result.added, result.known, result.bad) == (1, 0, [])
    (found,) = stored(store)
    assert {name: found[name] for name in RECORD} == RECORD


def test_importing_a_record_again_adds_nothing(store):
    assert import_lines(store.memories, lines(RECORD, RECORD)).added == 1
    again = import_lines(store.memories, lines(RECORD, {**RECORD, "created_at": "2022-01-23T00:00:00Z"}))

    assert (again.added, again.known) == (1, 1), "the same text with another time is another record"


def test_importing_a_record_without_a_time_again_adds_nothing(store):
    record = {"memory": "x", "user_id": "alex"}

    assert import_lines(store.memories, lines(record)).added == 1
    assert import_lines(store.memories, lines(record)).known == 1


def test_imports_memories_as_the_list_operation_returns_them(store):
    with Client.local() as client:
        client.engine.import_lines(lines(RECORD))
        answer = client.engine.respond("POST", "/v3/memories/", "", {}, b'{"filters": {"user_id": "alex"}}')
    (listed,) = json.loads(answer.body)["results"]

    assert import_lines(store.memories, lines(listed)).added == 1
    assert stored(store)[0] == {"run_id" if name == "session_id" else name: listed[name] for name in listed}


BAD = [
    (b"{", "the line is not valid JSON"),
    (b'{"memory": "x", "user_id": "a", "metadata": {"n": 1e400}}', "too large"),
    (b"\xff", "the line is not valid JSON"),
    (b'{"memory": "x", "user_id": "a", "metadata": {"n": NaN}}', "NaN"),
    (b'{"memory": "\\ud800", "user_id": "a"}', "surrogate"),
    (b"[" * 100_000, "deep"),
    (b"[]", "the line must be a JSON object, got []"),
    (b'{"user_id": "a"}', "memory must be a non-empty string, got null"),
    (b'{"memory": "", "user_id": "a"}', 'memory must be a non-empty string, got ""'),
    (b'{"memory": "x"}', "at least one of user_id, agent_id, app_id, run_id must be set"),
    (b'{"memory": "x", "user_id": "*"}', "user_id must not be '*'"),
    (
        b'{"memory": "x", "user_id": "a", "expiration_date": "20250101"}',
        'expiration_date must be a date as YYYY-MM-DD, got "20250101"',
    ),
    (b'{"memory": "x", "user_id": ""}', 'user_id must be a non-empty string, got ""'),
    (b'{"memory": "x", "user_id": 5}', "user_id must be a non-empty string, got 5"),
    (b'{"memory": "x", "user_id": "a", "metadata": []}', "metadata must be an object, got []"),
    (b'{"memory": "x", "user_id": "a", "categories": 0}', "categories must be a list of strings, got 0"),
    (b'{"memory": "x", "user_id": "a", "categories": "work"}', 'categories must be a list of strings, got "work"'),
    (b'{"memory": "x", "user_id": "a", "created_at": "yesterday"}', "created_at"),
    (
        b'{"memory": "x", "user_id": "a", "expiration_date": "2025-02-30"}',
        'expiration_date must be a date as YYYY-MM-DD, got "2025-02-30"',
    ),
]


@pytest.mark.parametrize(("line", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_rejects_a_bad_line_with_its_number_and_reason_and_imports_the_others(store, line, reason):
    good = lines(RECORD, {**RECORD, "memory": "another"})

    result = import_lines(store.memories, [good[0], b"", line, good[1]])

    (bad,) = result.bad
    assert isinstance(bad, BadLine)
    assert bad.number == 3
    assert reason in bad.reason
    assert (result.added, len(stored(store))) == (2, 2)


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ("2022-01-21", "2022-01-21T00:00:00Z"),
        ("2022-01-21T19:31:00", "2022-01-21T19:31:00Z"),
        ("2022-01-21T19:31Z", "2022-01-21T19:31:00Z"),
        ("20220121T193100+0200", "2022-01-21T17:31:00Z"),
        ("2022-01-21T19:31:00.123456789-07:00", "2022-01-21T19:31:00.123456789-07:00"),
    ],
)
def test_converts_a_time_to_rfc_3339_if_necessary(given, listed):
    with Client.local() as client:
        client.engine.import_lines(lines({**RECORD, "created_at": given}))
        answer = client.engine.respond("POST", "/v3/memories/", "", {}, b'{"filters": {"user_id": "alex"}}')

    assert json.loads(answer.body)["results"][0]["created_at"] == listed


def test_recognizes_an_id_in_every_notation(store):
    name = "550e8400-e29b-41d4-a716-446655440000"

    assert import_lines(store.memories, lines({**RECORD, "id": name})).added == 1
    assert import_lines(store.memories, lines({**RECORD, "id": f"urn:uuid:{name.upper()}"})).known == 1
    assert stored(store)[0]["id"] == name


def test_ignores_a_byte_order_mark(store):
    assert import_lines(store.memories, [b"\xef\xbb\xbf" + lines(RECORD)[0]]).added == 1


def test_rejects_another_version_of_a_memory(store):
    name = "550e8400-e29b-41d4-a716-446655440000"
    first, second = {**RECORD, "id": name}, {**RECORD, "id": name, "memory": "other"}

    result = import_lines(store.memories, lines(first, second, first))

    assert (result.added, result.known, [bad.number for bad in result.bad]) == (1, 1, [2])
    assert "another version of the memory" in result.bad[0].reason
    assert [bad.number for bad in import_lines(store.memories, lines(second)).bad] == [1]


def test_imports_more_lines_than_fit_into_a_batch(store):
    many = lines(*({**RECORD, "memory": str(number)} for number in range(2500)))

    assert import_lines(store.memories, iter(many)).added == 2500
    assert [found["memory"] for found in stored(store)] == [str(number) for number in range(2500)]


def test_imports_in_batches_of_limited_size(store, monkeypatch):
    from mem0_exports_engine.importing import importer

    batch_sizes = []
    import_rows = store.memories.import_rows

    def recording(project, rows, on_conflict):
        batch_sizes.append(len(rows))
        return import_rows(project, rows, on_conflict)

    monkeypatch.setattr(store.memories, "import_rows", recording)
    monkeypatch.setattr(importer, "_MAX_BATCH_BYTES", 300)
    assert import_lines(store.memories, lines(*({**RECORD, "memory": str(n) * 100} for n in range(6)))).added == 6

    assert max(batch_sizes) <= 2


def test_keeps_the_first_1000_bad_lines_and_counts_all(store):
    result = import_lines(store.memories, (b"{}" for _ in range(1500)))

    assert (result.bad_count, len(result.bad), result.bad[-1].number) == (1500, 1000, 1000)


def test_rejects_a_line_larger_than_the_largest_request(store):
    result = import_lines(store.memories, lines({**RECORD, "memory": "x" * 11_000_000}, RECORD))

    assert (result.added, [bad.number for bad in result.bad]) == (1, [1])
    assert "must be at most 10 MB" in result.bad[0].reason
