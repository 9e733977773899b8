"""Test a full disk: writes fail without an acknowledgment, stored data stays, and the server recovers.

The full disk is simulated in two ways: a limit on the size of files, so that the system refuses writes, and a limit on
the pages of the database, so that SQLite does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from mem0_exports import Export, F, ServerError
from mem0_exports_engine.workers.run_job import MAX_CRASHED_ATTEMPTS
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import Server, start_server
from tests.support.timeouts import scaled, wait_until


T = TypeVar("T")

LEASE = 3.0
FULL = [{"max_file_size": 1_000_000}, {"max_pages": 212}]
TEXT = "word " * 4000
"""20 kB, of which a few dozen fill the disk."""

SCHEMA = {
    "type": "object",
    "properties": {"texts": {"type": "array", "items": {"type": "string"}, "x-mem0-source": {"memory": "memory"}}},
}


def run_ids(count: int) -> list[str]:
    return [f"run-{number}" for number in range(count)]


def text_of(number: int) -> str:
    return f"{number} {TEXT}"


def add(server: Server, number: int) -> str:
    """Add a memory of 20 kB on a new connection, and return its id."""
    with server.client() as client:
        (added,) = client.memories.add(text_of(number), user_id="alex", run_id=f"run-{number}")
        return added.id


def create(server: Server, count: int) -> str:
    """Create an export of the first `count` memories, and return its id."""
    with server.client() as client:
        return client.exports.create(SCHEMA, F.run_id.in_(*run_ids(count))).id


def expected_result(count: int) -> dict[str, Any]:
    return {"texts": [text_of(number) for number in range(count)]}


def read(server: Server, export_id: str, use: Callable[[Export[dict[str, Any]]], T]) -> T:
    with server.client() as client:
        return use(client.exports.get(export_id, SCHEMA))


def listed(server: Server) -> dict[str, str]:
    with server.client() as client:
        return {memory.memory: memory.id for memory in client.memories.list(F.user_id == "alex")}


def is_done(server: Server, export_id: str) -> bool:
    """Wait until the export is done or the worker reports a full disk; return whether the export is done."""
    wait_until(
        lambda: "cannot write to the store" in server.stderr() or read(server, export_id, Export.poll) is not None,
        "the export is done or the disk is full",
    )
    return read(server, export_id, Export.poll) is not None


def fill_disk(server: Server) -> tuple[dict[str, str], dict[str, int], dict[str, int]]:
    """Add and export until the disk is full; return the memories, the finished exports and the unfinished ones.

    A result is larger than a memory, so results stop fitting first, and exports stay unfinished.
    """
    memories: dict[str, str] = {}
    done: dict[str, int] = {}
    unfinished: dict[str, int] = {}
    while not unfinished:
        memories[text_of(len(memories))] = add(server, len(memories))
        export_id = create(server, len(memories))
        (done if is_done(server, export_id) else unfinished)[export_id] = len(memories)
    for _ in range(100):
        try:
            memories[text_of(len(memories))] = add(server, len(memories))
            unfinished[create(server, len(memories))] = len(memories)
        except ServerError:
            return memories, done, unfinished
    raise AssertionError("the disk was not full after 100 more memories")


@pytest.mark.parametrize("ending", ["stopped", "killed"])
@pytest.mark.parametrize("full", FULL, ids=["file", "pages"])
def test_full_disk_refuses_writes_and_loses_no_data(tmp_path, full, ending):
    store = audit.create_store(tmp_path / "store.db")
    with start_server(store, lease=LEASE, **full) as server:
        memories, done, unfinished = fill_disk(server)
        refused = range(len(memories), len(memories) + 3)
        for number in refused:
            with pytest.raises(ServerError):
                add(server, number)
        # Stored data can still be read, and nothing else is reported as stored.
        assert listed(server) == memories
        assert all(read(server, each, Export.poll) == expected_result(count) for each, count in done.items())
        assert all(read(server, each, Export.poll) is None for each in unfinished)
        end_server(server, ending)

    assert audit.is_intact(store)
    assert audit.rows(store, "SELECT count(*) FROM memories") == [(len(memories),)]
    with start_server(store, lease=LEASE) as server:
        assert listed(server) == memories
        for export_id, count in {**done, **unfinished}.items():
            assert read(server, export_id, lambda export: export.result(timeout=scaled(30))) == expected_result(count)
        for number in refused:
            memories[text_of(number)] = add(server, number)
        assert listed(server) == memories
        last = create(server, len(memories))
        assert read(server, last, lambda export: export.result(timeout=scaled(30))) == expected_result(len(memories))
        server.stop()
        assert server.stderr() == ""

    history = audit.history_by_job(store)
    assert history.keys() >= {*done, *unfinished, last}
    for each in history.values():
        attempts = len(each) - 1
        assert each == [*(("RUNNING", attempt) for attempt in range(1, attempts + 1)), ("DONE", attempts)]
        assert attempts <= MAX_CRASHED_ATTEMPTS
    assert done
    assert audit.is_intact(store)


def test_server_recovers_when_the_disk_has_room_again(tmp_path):
    store = audit.create_store(tmp_path / "store.db")
    with start_server(store, lease=LEASE, max_file_size=1_000_000) as server:
        memories, done, unfinished = fill_disk(server)
        server.make_room()
        for export_id, count in {**done, **unfinished}.items():
            assert read(server, export_id, lambda export: export.result(timeout=scaled(30))) == expected_result(count)
        memories[text_of(len(memories))] = add(server, len(memories))
        assert listed(server) == memories
        last = create(server, len(memories))
        assert read(server, last, lambda export: export.result(timeout=scaled(30))) == expected_result(len(memories))
        server.stop()

    assert audit.states(store).keys() == {"DONE"}
    assert audit.is_intact(store)


def end_server(server: Server, ending: str) -> None:
    if ending == "killed":
        server.kill()
    else:
        server.stop()
