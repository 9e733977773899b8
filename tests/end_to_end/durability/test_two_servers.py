"""Two server processes on one store, under load: they are one service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mem0_exports import F
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import Server, started
from tests.support.patience import patient


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


def use(here: Server, there: Server, user: str) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """Add, list, export and poll; gives what was acknowledged. An error status of either server is raised.

    What was acknowledged here is seen there at once.
    """
    memories: dict[str, str] = {}
    exports: dict[str, dict[str, Any]] = {}
    with here.client() as client, there.client() as other:
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
            assert other.exports.get(export.id, SCHEMA).result(timeout=patient(60)) == exports[export.id]
    return memories, exports


def test_sixteen_threads_on_two_servers(tmp_path):
    store = audit.audited(tmp_path / "store.db", ({"memory": str(n), "user_id": "crowd"} for n in range(CROWD)))
    memories: dict[str, str] = {}
    exports: dict[str, dict[str, Any]] = {}
    with started(store) as one, started(store) as two:
        with ThreadPoolExecutor(2 * THREADS) as pool:
            users = [pool.submit(use, one, two, f"a-{n}") for n in range(THREADS)]
            users += [pool.submit(use, two, one, f"b-{n}") for n in range(THREADS)]
            for user in users:
                added, made = user.result()
                memories |= added
                exports |= made
        for server in (one, two):
            with server.client() as client:
                listed = list(client.memories.list(F.app_id == "load"))
                assert len(listed) == len(memories)
                assert {memory.memory: memory.id for memory in listed} == memories
                for export_id, result in exports.items():
                    assert client.exports.get(export_id, SCHEMA).poll() == result
        for server in (one, two):
            server.stop()
            assert server.said() == "", "neither a lock, nor an error, nor a worker that stumbled"

    assert len(memories) == len(exports) == 2 * THREADS * ROUNDS
    assert audit.states(store) == {"DONE": len(exports)}
    done = [("RUNNING", 1), ("DONE", 1)]
    assert audit.by_job(store) == dict.fromkeys(exports, done), "each job was taken once and done once"
    assert audit.most_at_once(store) == 2, "by both workers"
    assert audit.whole(store)
