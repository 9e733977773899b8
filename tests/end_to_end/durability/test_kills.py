"""Test a server that is killed many times: nothing acknowledged is lost, and every job is finished exactly once."""

from __future__ import annotations

import itertools
import random
import threading
import time

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from mem0_exports import AddedMemory, Client, F, NoAnswer
from mem0_exports_engine.workers.run_job import MAX_CRASHED_ATTEMPTS
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import Server, start_server
from tests.support.timeouts import scaled, wait_until


KILLS = 50
LEASE = 1.0
CROWD = 1000
"""Memories that some of the exports read, so that kills hit running jobs."""

PACE = 0.01
"""Seconds between two rounds of a client."""

EVERYTHING = F.app_id == "kills"
SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "integer", "x-mem0-source": {"metadata": "number"}},
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
    },
}


class Acknowledgments:
    """The acknowledgments of the server, collected from clients in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.numbers = itertools.count()
        self.memories: dict[int, dict[str, str]] = {}
        self.unacknowledged: dict[int, int] = {}
        self.exports: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged requests, which decides when a server is killed."""
        return len(self.memories) + len(self.exports)

    def result(self, export_id: str, found: dict[str, Any]) -> None:
        """Record the result of an export, and a problem if it is not the expected one or has changed."""
        with self._lock:
            if found != self.exports[export_id] or self.results.setdefault(export_id, found) != found:
                self.problems.append(f"export {export_id} was {found}, not {self.exports[export_id]}")


def message(number: int, part: int) -> str:
    return f"{number}.{part} " + "word " * 200


class User(NamedTuple):
    """A client that repeatedly adds memories in one request, and exports them with or without those of the crowd."""

    crowd: bool
    messages: int


USERS = [User(crowd=True, messages=1), User(crowd=False, messages=1), User(crowd=False, messages=20)]


def add(client: Client, number: int, messages: int) -> list[AddedMemory]:
    """Add `messages` memories in one request."""
    return client.memories.add(
        [{"role": "user", "content": message(number, part)} for part in range(messages)],
        user_id=f"user-{number}",
        app_id="kills",
        metadata={"number": number},
    )


def use_server(server: Server, acknowledgments: Acknowledgments, user: User) -> None:
    """Add and export memories until the server is dead. Any error but a missing answer fails the test."""
    with server.client(timeout=10) as client:
        while True:
            number = next(acknowledgments.numbers)
            try:
                acknowledgments.unacknowledged[number] = user.messages
                added = add(client, number, user.messages)
                acknowledgments.memories[number] = {memory.memory: memory.id for memory in added}
                del acknowledgments.unacknowledged[number]
                own = f"user-{number}"
                export = client.exports.create(SCHEMA, F.user_id.in_(own, "crowd") if user.crowd else F.user_id == own)
                acknowledgments.exports[export.id] = {"number": number, "memories": user.messages + CROWD * user.crowd}
                while user.crowd and export.id not in acknowledgments.results:
                    if (found := export.poll()) is not None:
                        acknowledgments.result(export.id, found)
            except NoAnswer:
                return
            time.sleep(PACE)


def use_and_kill(server: Server, acknowledgments: Acknowledgments, acknowledged: int, seconds: float) -> None:
    """Use a server until it has acknowledged this many requests and for some seconds more, then kill it."""
    before = acknowledgments.acknowledged
    with ThreadPoolExecutor(3) as pool:
        users = [pool.submit(use_server, server, acknowledgments, user) for user in USERS]
        wait_until(lambda: acknowledgments.acknowledged >= before + acknowledged, "the server acknowledges requests")
        time.sleep(seconds)
        server.kill()
        for user in users:
            user.result()


def servers(store: Path) -> Iterator[Server]:
    """Yield servers, preparing each while the previous one runs."""
    following = Server(store, lease=LEASE)
    while True:
        server, following = following, Server(store, lease=LEASE)
        try:
            with server:
                yield server
        except BaseException:
            following.__exit__(None, None, None)
            raise


def test_fifty_kills_lose_no_acknowledged_data_and_no_job(tmp_path):
    store = audit.create_store(tmp_path / "store.db", ({"memory": str(n), "user_id": "crowd"} for n in range(CROWD)))
    acknowledgments, draw = Acknowledgments(), random.Random(7)
    prepared = servers(store)
    for _, server in zip(range(KILLS), prepared, strict=False):
        server.begin()
        if draw.random() < 0.2:  # kill it while it opens the store and takes over the jobs of the previous one
            time.sleep(draw.uniform(0.0, 0.1))
            server.kill()
        else:
            server.wait_until_listening()
            use_and_kill(server, acknowledgments, draw.randint(3, 30), draw.uniform(0.0, 0.02))
    prepared.close()
    acknowledged = {text: memory_id for added in acknowledgments.memories.values() for text, memory_id in added.items()}

    assert audit.is_intact(store)
    with start_server(store, lease=LEASE) as server, server.client() as client:

        def read(export_id: str) -> None:
            acknowledgments.result(export_id, client.exports.get(export_id, SCHEMA).result(timeout=scaled(30)))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(read, acknowledgments.exports))
        listed = list(client.memories.list(EVERYTHING))
        ids = {memory.memory: memory.id for memory in listed}
        assert len(listed) == len(ids), "a memory is listed twice"
        assert {text: ids.get(text) for text in acknowledged} == acknowledged
        for number, messages in acknowledgments.unacknowledged.items():
            texts = {message(number, part) for part in range(messages)}
            assert texts & ids.keys() in (texts, set()), "a request was stored in part"
            assert len(add(client, number, messages)) == len(texts - ids.keys()), (
                "not exactly the missing memories were added"
            )
            acknowledged |= dict.fromkeys(texts)
        assert Counter(memory.memory for memory in client.memories.list(EVERYTHING)) == Counter(list(acknowledged))
        # Exports whose creation was not acknowledged may exist; they must be finished, too.
        unfinished = "SELECT id, state FROM exports WHERE available_us IS NOT NULL OR state != 'DONE'"
        wait_until(lambda: audit.rows(store, unfinished) == [], "all exports are done")
        server.stop()
        assert "Traceback" not in server.stderr()

    assert acknowledgments.problems == []
    assert acknowledgments.results.keys() == acknowledgments.exports.keys()
    in_file = dict(audit.rows(store, "SELECT id, attempt FROM exports"))
    assert acknowledgments.exports.keys() <= in_file.keys()
    history = audit.history_by_job(store)
    for export_id, attempts in in_file.items():
        claimed = [("RUNNING", attempt) for attempt in range(1, attempts + 1)]
        assert history[export_id] == [*claimed, ("DONE", attempts)], (
            "the job was not finished exactly once, by its last attempt"
        )
        assert attempts <= MAX_CRASHED_ATTEMPTS
    assert len(acknowledgments.memories) >= KILLS
    assert len(acknowledgments.exports) >= KILLS
    assert max(in_file.values()) > 1, "no kill hit a running job"
    assert acknowledgments.unacknowledged, "no kill hit a running request"
    assert audit.is_intact(store)
