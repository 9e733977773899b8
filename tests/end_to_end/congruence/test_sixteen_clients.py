"""Test sixteen concurrent clients, and that the engine does not block the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mem0_exports import AsyncClient, Client, F
from tests.end_to_end.congruence.conftest import API_KEY
from tests.support.blocking import blocking
from tests.support.timeouts import scaled


CLIENTS = 16
ROUNDS = 6
SCHEMA = {
    "type": "object",
    "properties": {
        "newest": {"type": "integer", "x-mem0-source": {"metadata": "round"}},
        "count": {"type": "integer", "x-mem0-source": {"count": True}},
        "texts": {"type": "array", "items": {"type": "string"}, "x-mem0-source": {"memory": "memory"}},
    },
}


@pytest.fixture(params=["sync", "async"])
def clients(request, backend, tmp_path):
    """One client for each of sixteen users: over HTTP one each, otherwise one client shared by all."""
    client_class = Client if request.param == "sync" else AsyncClient
    with contextlib.ExitStack() as stack:

        def new_client() -> Any:
            if backend == "http":
                client = client_class(API_KEY, base_url=request.getfixturevalue("server"), timeout=scaled(60))
            else:
                client = client_class.local(
                    ":memory:" if backend == "memory" else tmp_path / "store.db", timeout=scaled(60)
                )
            return stack.enter_context(client if client_class is Client else blocking(client))

        yield [new_client() for _ in range(CLIENTS)] if backend == "http" else [new_client()] * CLIENTS


def use_client(client: Any, group: str, number: int) -> list[Any]:
    """Add, list and export as one user; return all answers without the ids."""
    user = f"{group}-{number}"
    answers: list[Any] = []
    for round_number in range(ROUNDS):
        answers.append([each.memory for each in client.memories.add(f"turn {round_number}", user_id=user, app_id=group,
                                                                    metadata={"round": round_number})])  # fmt: skip
        answers.append(
            [each.memory for each in client.memories.add(f"turn {round_number}", user_id=user, app_id=group)]
        )
        answers.append([each.memory for each in client.memories.list(F.user_id == user, page_size=4)])
        export = client.exports.create(SCHEMA, F.user_id == user)
        answers.append(export.result(timeout=scaled(60)))
        answers.append(client.exports.get(export.id, SCHEMA).poll())
        # All sixteen add the same memory at the same time; only one of them must be stored.
        client.memories.add(f"all at turn {round_number}", user_id=group)
    return answers


def test_sixteen_concurrent_clients_each_get_the_same_answers_as_one(clients, user):
    expected: list[Any] = []
    for round_number in range(ROUNDS):
        texts = [f"turn {each}" for each in range(round_number + 1)]
        result = {"newest": round_number, "count": round_number + 1, "texts": texts}
        expected += [[f"turn {round_number}"], [], texts, result, result]

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda number: use_client(clients[number], user, number), range(CLIENTS)))

    assert answers == [expected] * CLIENTS
    common = Counter(memory.memory for memory in clients[0].memories.list(F.user_id == user))
    assert common == Counter(f"all at turn {round_number}" for round_number in range(ROUNDS)), (
        "a memory that all sixteen added was not stored exactly once"
    )
    listed = [memory.id for memory in clients[0].memories.list(F.app_id == user, page_size=7)]
    assert len(listed) == len(set(listed)) == CLIENTS * ROUNDS


def test_event_loop_is_not_blocked_while_the_engine_waits_for_a_lock(tmp_path):
    path = tmp_path / "store.db"
    order: list[str] = []

    async def release(lock: sqlite3.Connection) -> None:
        for _ in range(20):
            await asyncio.sleep(0.01)
        order.append("released")
        lock.execute("ROLLBACK")  # only the event loop ends the wait

    async def run() -> None:
        async with AsyncClient.local(path) as client:
            await client.ping()
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")  # as another process that writes
                releasing = asyncio.create_task(release(other))
                await client.memories.add("x", user_id="alex")
                order.append("added")
                await releasing

    asyncio.run(run())
    assert order == ["released", "added"], "the call did not wait for the lock"
