"""A disk that is full: what cannot be stored is not acknowledged, what was acknowledged stays, and later all goes on.

The disk of the server is full in one of two ways: its files may not grow beyond a size (the system refuses the write),
or the database may not have more pages (SQLite does).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from mem0_exports import Export, F, ServerError
from mem0_exports_engine.workers.run_job import MAX_CRASHED_ATTEMPTS
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import Server, started
from tests.support.patience import patient, until


T = TypeVar("T")

LEASE = 3.0
FULL = [{"largest_file": 1_000_000}, {"most_pages": 200}]
TEXT = "word " * 4000
"""20 kB: some dozens of them are too many."""

SCHEMA = {
    "type": "object",
    "properties": {"texts": {"type": "array", "items": {"type": "string"}, "x-mem0-source": {"memory": "memory"}}},
}


def runs(count: int) -> list[str]:
    return [f"run-{number}" for number in range(count)]


def text_of(number: int) -> str:
    return f"{number} {TEXT}"


def add(server: Server, number: int) -> str:
    """Add a memory of 20 kB, on a connection of its own; gives its id."""
    with server.client() as client:
        (added,) = client.memories.add(text_of(number), user_id="alex", run_id=f"run-{number}")
        return added.id


def create(server: Server, count: int) -> str:
    """Create an export whose result is as large as the first `count` memories."""
    with server.client() as client:
        return client.exports.create(SCHEMA, F.run_id.in_(*runs(count))).id


def texts(count: int) -> dict[str, Any]:
    return {"texts": [text_of(number) for number in range(count)]}


def read(server: Server, export_id: str, ask: Callable[[Export[dict[str, Any]]], T]) -> T:
    with server.client() as client:
        return ask(client.exports.get(export_id, SCHEMA))


def listed(server: Server) -> dict[str, str]:
    with server.client() as client:
        return {memory.memory: memory.id for memory in client.memories.list(F.user_id == "alex")}


def is_done(server: Server, export_id: str) -> bool:
    """Wait until an export is done, or its worker has said that there is no room for it."""
    full = "cannot write to the store"
    until(lambda: full in server.said() or read(server, export_id, Export.poll) is not None, "one or the other")
    return read(server, export_id, Export.poll) is not None


def fill(server: Server) -> tuple[dict[str, str], dict[str, int], dict[str, int]]:
    """Add and export until nothing goes any more: the memories, and the exports that were done, and that were not.

    As results are larger than memories, the disk is full for a result first, and exports are left over.
    """
    memories: dict[str, str] = {}
    done: dict[str, int] = {}
    left: dict[str, int] = {}
    while not left:
        memories[text_of(len(memories))] = add(server, len(memories))
        export_id = create(server, len(memories))
        (done if is_done(server, export_id) else left)[export_id] = len(memories)
    for _ in range(100):
        try:
            memories[text_of(len(memories))] = add(server, len(memories))
            left[create(server, len(memories))] = len(memories)
        except ServerError:
            return memories, done, left
    raise AssertionError("it is never full")


@pytest.mark.parametrize("end", ["stopped", "killed"])
@pytest.mark.parametrize("full", FULL, ids=["file", "pages"])
def test_what_cannot_be_stored_is_refused_and_nothing_else_is_lost(tmp_path, full, end):
    store = audit.audited(tmp_path / "store.db")
    with started(store, lease=LEASE, **full) as server:
        memories, done, left = fill(server)
        refused = range(len(memories), len(memories) + 3)
        for number in refused:
            with pytest.raises(ServerError):
                add(server, number)
        # What is there can still be read, and what is not is not said to be.
        assert listed(server) == memories
        assert all(read(server, each, Export.poll) == texts(count) for each, count in done.items())
        assert all(read(server, each, Export.poll) is None for each in left)
        leave(server, end)

    assert audit.whole(store)
    assert audit.rows(store, "SELECT count(*) FROM memories") == [(len(memories),)]
    with started(store, lease=LEASE) as server:
        assert listed(server) == memories
        for export_id, count in {**done, **left}.items():
            assert read(server, export_id, lambda export: export.result(timeout=patient(30))) == texts(count)
        for number in refused:
            memories[text_of(number)] = add(server, number)
        assert listed(server) == memories
        last = create(server, len(memories))
        assert read(server, last, lambda export: export.result(timeout=patient(30))) == texts(len(memories))
        server.stop()
        assert server.said() == ""

    history = audit.by_job(store)
    assert history.keys() >= {*done, *left, last}
    for each in history.values():
        attempts = len(each) - 1
        assert each == [*(("RUNNING", attempt) for attempt in range(1, attempts + 1)), ("DONE", attempts)]
        assert attempts <= MAX_CRASHED_ATTEMPTS
    assert done
    assert audit.whole(store)


def test_a_server_goes_on_by_itself_once_there_is_room_again(tmp_path):
    store = audit.audited(tmp_path / "store.db")
    with started(store, lease=LEASE, largest_file=1_000_000) as server:
        memories, done, left = fill(server)
        server.make_room()
        for export_id, count in {**done, **left}.items():
            assert read(server, export_id, lambda export: export.result(timeout=patient(30))) == texts(count)
        memories[text_of(len(memories))] = add(server, len(memories))
        assert listed(server) == memories
        last = create(server, len(memories))
        assert read(server, last, lambda export: export.result(timeout=patient(30))) == texts(len(memories))
        server.stop()

    assert audit.states(store).keys() == {"DONE"}
    assert audit.whole(store)


def leave(server: Server, end: str) -> None:
    if end == "killed":
        server.kill()
    else:
        server.stop()
