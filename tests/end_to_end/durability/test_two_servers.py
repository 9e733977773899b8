"""Test two server processes on one store under load: they behave like one service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mem0_exports import F
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import Server, start_server
from tests.support.timeouts import scaled


THREADS = 8
ROUNDS = 12
CROWD = 300
SCHEMA = {
    "type": "object",
    "properties": {
        "round": {"type": "integer", "x-mem0-source": {"metadata": "round"}},
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
    },
}


def write_and_read(writer: Server, reader: Server, user: str) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Write to one server and read from the other, and return what was acknowledged. Any error is raised.

    What one server has acknowledged must be visible on the other immediately.
    """
    memories: dict[str, str] = {}
    exports: dict[str, dict[str, Any]] = {}
    with writer.client() as client, reader.client() as other:
        for number in range(ROUNDS):
            text = f"{user} in round {number}"
            (added,) = client.memories.add(text, user_id=user, app_id="load", metadata={"round": number})
            memories[text] = added.id
            listed = {memory.memory: memory.id for memory in other.memories.list(F.user_id == user)}
            assert listed == memories
            export = client.exports.create(SCHEMA, F.user_id.in_(user, "crowd"))
            exports[export.id] = {"round": number, "memories": CROWD + number + 1}
            for export_id in list(exports)[-3:-1]:
                assert other.exports.get(export_id, SCHEMA).poll() == exports[export_id]
            assert other.exports.get(export.id, SCHEMA).result(timeout=scaled(60)) == exports[export.id]
    return memories, exports


def test_two_servers_behave_like_one_under_sixteen_threads(tmp_path):
    store = audit.create_store(tmp_path / "store.db", ({"memory": str(n), "user_id": "crowd"} for n in range(CROWD)))
    memories: dict[str, str] = {}
    exports: dict[str, dict[str, Any]] = {}
    with start_server(store) as one, start_server(store) as two:
        with ThreadPoolExecutor(2 * THREADS) as pool:
            users = [pool.submit(write_and_read, one, two, f"a-{n}") for n in range(THREADS)]
            users += [pool.submit(write_and_read, two, one, f"b-{n}") for n in range(THREADS)]
            for user in users:
                added, created = user.result()
                memories |= added
                exports |= created
        for server in (one, two):
            with server.client() as client:
                listed = list(client.memories.list(F.app_id == "load"))
                assert len(listed) == len(memories)
                assert {memory.memory: memory.id for memory in listed} == memories
                for export_id, result in exports.items():
                    assert client.exports.get(export_id, SCHEMA).poll() == result
        for server in (one, two):
            server.stop()
            assert server.stderr() == "", "the server logged a warning or an error"

    assert len(memories) == len(exports) == 2 * THREADS * ROUNDS
    assert audit.states(store) == {"DONE": len(exports)}
    done = [("RUNNING", 1), ("DONE", 1)]
    assert audit.history_by_job(store) == dict.fromkeys(exports, done), (
        "a job was not claimed and finished exactly once"
    )
    assert audit.max_concurrent(store) == 2, "not both workers ran jobs"
    assert audit.is_intact(store)
