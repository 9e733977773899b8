"""A server that is killed with kill -9 again and again: what was acknowledged is there, and every job gets done, once."""

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
from tests.end_to_end.durability.processes import Server, started
from tests.support.patience import patient, until


KILLS = 50
LEASE = 1.0
CROWD = 1000
"""Memories that a part of the exports goes through, so that kills hit jobs under way."""

PACE = 0.01
"""Seconds between two turns of a client."""

EVERYTHING = F.app_id == "kills"
SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "integer", "x-mem0-source": {"metadata": "number"}},
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
    },
}


class Book:
    """What the service told its clients, in whatever threads they were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.numbers = itertools.count()
        self.memories: dict[int, dict[str, str]] = {}
        self.in_doubt: dict[int, int] = {}
        self.exports: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []

    @property
    def acknowledged(self) -> int:
        """How many requests were acknowledged: by them a life is measured, and not by time."""
        return len(self.memories) + len(self.exports)

    def result(self, export_id: str, found: dict[str, Any]) -> None:
        """An export was read: it has to be what was asked for, and what it was before."""
        with self._lock:
            if found != self.exports[export_id] or self.results.setdefault(export_id, found) != found:
                self.problems.append(f"export {export_id} was {found}, not {self.exports[export_id]}")


def message(number: int, part: int) -> str:
    return f"{number}.{part} " + "word " * 200


class User(NamedTuple):
    """What a client does over and over: it adds a memory, or many at once, and makes an export of them."""

    crowd: bool
    messages: int


USERS = [User(crowd=True, messages=1), User(crowd=False, messages=1), User(crowd=False, messages=20)]


def add(client: Client, number: int, messages: int) -> list[AddedMemory]:
    """Add some memories in one request."""
    return client.memories.add(
        [{"role": "user", "content": message(number, part)} for part in range(messages)],
        user_id=f"user-{number}",
        app_id="kills",
        metadata={"number": number},
    )


def use(server: Server, book: Book, user: User) -> None:
    """Add memories and export them, until the server is dead. Anything but an answer that is missing is a failure."""
    with server.client(timeout=10) as client:
        while True:
            number = next(book.numbers)
            try:
                book.in_doubt[number] = user.messages
                added = add(client, number, user.messages)
                book.memories[number] = {memory.memory: memory.id for memory in added}
                del book.in_doubt[number]
                one = f"user-{number}"
                export = client.exports.create(SCHEMA, F.user_id.in_(one, "crowd") if user.crowd else F.user_id == one)
                book.exports[export.id] = {"number": number, "memories": user.messages + CROWD * user.crowd}
                while user.crowd and export.id not in book.results:
                    if (found := export.poll()) is not None:
                        book.result(export.id, found)
            except NoAnswer:
                return
            time.sleep(PACE)


def live(server: Server, book: Book, acknowledged: int, seconds: float) -> None:
    """Use a server until it has acknowledged so many requests, and a little longer; then kill it."""
    before = book.acknowledged
    with ThreadPoolExecutor(3) as pool:
        users = [pool.submit(use, server, book, user) for user in USERS]
        until(lambda: book.acknowledged >= before + acknowledged, "requests are acknowledged")
        time.sleep(seconds)
        server.kill()
        for user in users:
            user.result()


def servers(store: Path) -> Iterator[Server]:
    """Servers, each of which is made ready while the one before it is at work."""
    following = Server(store, lease=LEASE)
    while True:
        server, following = following, Server(store, lease=LEASE)
        try:
            with server:
                yield server
        except BaseException:
            following.__exit__(None, None, None)
            raise


def test_fifty_kills_lose_nothing_that_was_acknowledged_and_no_job(tmp_path):
    store = audit.audited(tmp_path / "store.db", ({"memory": str(n), "user_id": "crowd"} for n in range(CROWD)))
    book, draw = Book(), random.Random(7)
    line = servers(store)
    for _, server in zip(range(KILLS), line, strict=False):
        server.begin()
        if draw.random() < 0.2:  # while it opens the store and takes up what the one before it left
            time.sleep(draw.uniform(0.0, 0.1))
            server.kill()
        else:
            server.listening()
            live(server, book, draw.randint(3, 30), draw.uniform(0.0, 0.02))
    line.close()
    acknowledged = {text: memory_id for added in book.memories.values() for text, memory_id in added.items()}

    assert audit.whole(store)
    with started(store, lease=LEASE) as server, server.client() as client:

        def read(export_id: str) -> None:
            book.result(export_id, client.exports.get(export_id, SCHEMA).result(timeout=patient(30)))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(read, book.exports))
        listed = list(client.memories.list(EVERYTHING))
        ids = {memory.memory: memory.id for memory in listed}
        assert len(listed) == len(ids), "each is there once"
        assert {text: ids.get(text) for text in acknowledged} == acknowledged
        for number, messages in book.in_doubt.items():
            texts = {message(number, part) for part in range(messages)}
            assert texts & ids.keys() in (texts, set()), "all of a request or nothing"
            assert len(add(client, number, messages)) == len(texts - ids.keys()), "what was in doubt can be added again"
            acknowledged |= dict.fromkeys(texts)
        assert Counter(memory.memory for memory in client.memories.list(EVERYTHING)) == Counter(list(acknowledged))
        # Exports whose creation was not acknowledged may be there; they get done as well.
        unfinished = "SELECT id, state FROM exports WHERE available_us IS NOT NULL OR state != 'DONE'"
        until(lambda: audit.rows(store, unfinished) == [], "all exports are done")
        server.stop()
        assert "Traceback" not in server.said()

    assert book.problems == []
    assert book.results.keys() == book.exports.keys()
    in_file = dict(audit.rows(store, "SELECT id, attempt FROM exports"))
    assert book.exports.keys() <= in_file.keys()
    history = audit.by_job(store)
    for export_id, attempts in in_file.items():
        taken = [("RUNNING", attempt) for attempt in range(1, attempts + 1)]
        assert history[export_id] == [*taken, ("DONE", attempts)], "taken until it was done, and done once"
        assert attempts <= MAX_CRASHED_ATTEMPTS
    assert len(book.memories) >= KILLS
    assert len(book.exports) >= KILLS
    assert max(in_file.values()) > 1, "some kills hit a job under way"
    assert book.in_doubt, "some kills hit a request under way"
    assert audit.whole(store)
