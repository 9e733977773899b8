"""With the clock and the ids given, a run is the same byte for byte: again, in memory, in a file, and over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn

from mem0_exports_engine.engine import Engine
from mem0_exports_engine.extract.offline import records as list_module
from mem0_exports_engine.server.app import build
from mem0_exports_engine.server.slow_clients import TimeoutProtocol
from tests.support.patience import until


KEY = "Token same-bytes"
Ask = Callable[[str, str, str, Any], tuple[int, bytes]]


class Moment:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def engine(store: str | Path, moment: Moment) -> Engine:
    numbers = count(1)
    return Engine(store, api_key="same-bytes", now=moment, new_id=lambda: UUID(int=next(numbers)))


@contextlib.contextmanager
def in_process(store: str | Path, moment: Moment) -> Iterator[Ask]:
    made = engine(store, moment)

    def ask(method: str, path: str, query: str, body: Any) -> tuple[int, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        answer = made.respond(method, path, query, {"authorization": KEY, "content-type": "application/json"}, content)
        return answer.status, answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)

    with contextlib.closing(made):
        yield ask


@contextlib.contextmanager
def over_http(store: str | Path, moment: Moment) -> Iterator[Ask]:
    made = engine(store, moment)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(build(made), http=TimeoutProtocol, log_level="critical", lifespan="off", ws="none")
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def ask(method: str, path: str, query: str, body: Any) -> tuple[int, bytes]:
        sent = {} if body is None else {"json": body}
        answer = client.request(method, f"{path}?{query}" if query else path, **sent)
        return answer.status_code, answer.content

    with contextlib.closing(made), httpx.Client(base_url=url, headers={"authorization": KEY}) as client:
        yield ask
        server.should_exit = True
        thread.join()


def script(ask: Ask, moment: Moment) -> list[tuple[int, bytes]]:
    """A little of everything, good and bad; what was answered."""
    answers = []

    def say(method: str, path: str, body: Any = None, query: str = "") -> Any:
        answers.append(ask(method, path, query, body))
        return json.loads(answers[-1][1])

    def finished(export_id: str) -> None:
        wanted = {"memory_export_id": export_id}
        pending = (404, b'{"error":"No memory export request found"}')
        # How often it is asked for depends on the machine, and is no part of the comparison.
        until(lambda: ask("POST", "/v1/exports/get/", "", wanted) != pending, "the export is ready")
        say("POST", "/v1/exports/get/", wanted)

    say("GET", "/v1/ping/")
    for turn, text in enumerate(["Lives in Lisbon", "Prefers tea 🍵", "a\0b \u2028", "Lives in Lisbon"]):
        messages = [{"role": "user", "content": text}, {"role": "system", "content": "no"}]
        body = {"messages": messages, "user_id": "alex", "infer": False, "metadata": {"turn": turn, "big": 2**70}}
        say("POST", "/v3/memories/add/", body)
        moment.now += timedelta(seconds=1.000001)
    last = {"messages": messages, "user_id": "mara", "infer": False, "expiration_date": "2025-01-02", "timestamp": 5}
    say("POST", "/v3/memories/add/", last)
    for query in ("", "page=2&page_size=2", "page=9", "page=x", "unknown=1"):
        say("POST", "/v3/memories/", {"filters": {"user_id": "alex"}}, query)
        say("GET", "/v1/entities/", query=query)
    say("POST", "/v3/memories/", {"filters": {"user_id": "*"}})
    item = {"type": "object", "properties": {"id": {"type": "string"}, "memory": {"type": "string"}}}
    schema = {"type": "object", "properties": {"turn": {"type": "integer"}, "all": {"type": "array", "items": item}}}
    for wanted in (schema, {**schema, "required": ["no such"]}, {"type": "array"}):
        made = say("POST", "/v1/exports/", {"schema": wanted, "filters": {"user_id": "alex"}})
        if "id" in made:
            finished(made["id"])
    say("POST", "/v1/exports/get/", {"filters": {"user_id": "alex"}})
    say("POST", "/v1/exports/get/", {"filters": {"user_id": "alex"}, "project_id": "other"})
    moment.now += timedelta(days=1)
    say("POST", "/v3/memories/", {"filters": {"user_id": "mara"}})
    moment.now += timedelta(days=6)
    say("POST", "/v1/exports/get/", {"filters": {"user_id": "alex"}})
    return answers


PLACES = {"memory": in_process, "file": in_process, "http": over_http, "again": in_process}


@pytest.mark.parametrize("pieces", ["whole", "in parts"])
def test_every_answer_is_the_same_byte_for_byte(tmp_path, pieces, monkeypatch):
    if pieces == "in parts":
        monkeypatch.setattr(list_module, "_MAX_RECORDS", 1)
    runs = {}
    for place, opened in PLACES.items():
        moment = Moment()
        with opened(":memory:" if place == "memory" else tmp_path / f"{place}.db", moment) as ask:
            runs[place] = script(ask, moment)

    assert runs["memory"] == runs["file"] == runs["http"] == runs["again"]
    assert {status for status, _ in runs["http"]} == {200, 201, 400, 403, 404}
    assert b"00000000-0000-0000-0000-000000000001" in runs["http"][1][1], "the ids are the given ones"
