"""Sixteen clients at once get what one gets, and an event loop goes on turning while the engine works."""

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
from tests.support.patience import patient


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
def clients(request, place, tmp_path):
    """Sixteen users' clients: of one engine in this process, or of a server each over its own connections."""
    kind = Client if request.param == "sync" else AsyncClient
    with contextlib.ExitStack() as stack:

        def made() -> Any:
            if place == "http":
                client = kind(API_KEY, base_url=request.getfixturevalue("server"), timeout=patient(60))
            else:
                client = kind.local(":memory:" if place == "memory" else tmp_path / "store.db", timeout=patient(60))
            return stack.enter_context(client if kind is Client else blocking(client))

        yield [made() for _ in range(CLIENTS)] if place == "http" else [made()] * CLIENTS


def use(client: Any, crowd: str, number: int) -> list[Any]:
    """What a user does, and all that the service answers, but for ids of its own making."""
    user = f"{crowd}-{number}"
    answers: list[Any] = []
    for turn in range(ROUNDS):
        answers.append([each.memory for each in client.memories.add(f"turn {turn}", user_id=user, app_id=crowd,
                                                                    metadata={"round": turn})])  # fmt: skip
        answers.append([each.memory for each in client.memories.add(f"turn {turn}", user_id=user, app_id=crowd)])
        answers.append([each.memory for each in client.memories.list(F.user_id == user, page_size=4)])
        export = client.exports.create(SCHEMA, F.user_id == user)
        answers.append(export.result(timeout=patient(60)))
        answers.append(client.exports.get(export.id, SCHEMA).poll())
        # All of them say the same at once: one is the first.
        client.memories.add(f"all at turn {turn}", user_id=crowd)
    return answers


def test_sixteen_clients_at_once_get_what_one_gets(clients, user):
    expected: list[Any] = []
    for turn in range(ROUNDS):
        texts = [f"turn {each}" for each in range(turn + 1)]
        result = {"newest": turn, "count": turn + 1, "texts": texts}
        expected += [[f"turn {turn}"], [], texts, result, result]

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda number: use(clients[number], user, number), range(CLIENTS)))

    assert answers == [expected] * CLIENTS
    common = Counter(memory.memory for memory in clients[0].memories.list(F.user_id == user))
    assert common == Counter(f"all at turn {turn}" for turn in range(ROUNDS)), "sixteen said it, and it is there once"
    listed = [memory.id for memory in clients[0].memories.list(F.app_id == user, page_size=7)]
    assert len(listed) == len(set(listed)) == CLIENTS * ROUNDS


def test_the_event_loop_goes_on_while_the_store_keeps_the_engine_waiting(tmp_path):
    path = tmp_path / "store.db"
    order: list[str] = []

    async def turn(other: sqlite3.Connection) -> None:
        for _ in range(20):
            await asyncio.sleep(0.01)
        order.append("turned")
        other.execute("ROLLBACK")  # nobody but the loop itself can end the wait

    async def run() -> None:
        async with AsyncClient.local(path) as client:
            await client.ping()
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")  # as another process would that writes
                turning = asyncio.create_task(turn(other))
                await client.memories.add("x", user_id="alex")
                order.append("added")
                await turning

    asyncio.run(run())
    assert order == ["turned", "added"]
