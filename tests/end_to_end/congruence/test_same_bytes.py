"""Test that answers are byte-identical in memory, in a file, over HTTP and when repeated, given the clock and ids."""

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
from mem0_exports_engine.extract.offline import record_lists as records_module
from mem0_exports_engine.server.app import build
from mem0_exports_engine.server.slow_clients import TimeoutProtocol
from tests.support.timeouts import wait_until


KEY = "Token same-bytes"
Send = Callable[[str, str, str, Any], tuple[int, bytes]]


class ManualClock:
    """A clock that stands still until the test sets `now`."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def new_engine(store: str | Path, clock: ManualClock) -> Engine:
    numbers = count(1)
    return Engine(store, api_key="same-bytes", now=clock, new_id=lambda: UUID(int=next(numbers)))


@contextlib.contextmanager
def in_process(store: str | Path, clock: ManualClock) -> Iterator[Send]:
    engine = new_engine(store, clock)

    def send(method: str, path: str, query: str, body: Any) -> tuple[int, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        answer = engine.respond(
            method, path, query, {"authorization": KEY, "content-type": "application/json"}, content
        )
        return answer.status, answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)

    with contextlib.closing(engine):
        yield send


@contextlib.contextmanager
def over_http(store: str | Path, clock: ManualClock) -> Iterator[Send]:
    engine = new_engine(store, clock)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(build(engine), http=TimeoutProtocol, log_level="critical", lifespan="off", ws="none")
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def send(method: str, path: str, query: str, body: Any) -> tuple[int, bytes]:
        content = {} if body is None else {"json": body}
        answer = client.request(method, f"{path}?{query}" if query else path, **content)
        return answer.status_code, answer.content

    with contextlib.closing(engine), httpx.Client(base_url=url, headers={"authorization": KEY}) as client:
        yield send
        server.should_exit = True
        thread.join()


def send_all(send: Send, clock: ManualClock) -> list[tuple[int, bytes]]:
    """Send valid and invalid requests of every operation, and return the answers."""
    answers = []

    def record(method: str, path: str, body: Any = None, query: str = "") -> Any:
        answers.append(send(method, path, query, body))
        return json.loads(answers[-1][1])

    def wait_for(export_id: str) -> None:
        body = {"memory_export_id": export_id}
        pending = (404, b'{"error":"No memory export request found"}')
        # Not recorded: the number of polls depends on the speed of the machine.
        wait_until(lambda: send("POST", "/v1/exports/get/", "", body) != pending, f"export {export_id} is ready")
        record("POST", "/v1/exports/get/", body)

    record("GET", "/v1/ping/")
    for turn, text in enumerate(["Lives in Lisbon", "Prefers tea 🍵", "a\0b \u2028", "Lives in Lisbon"]):
        messages = [{"role": "user", "content": text}, {"role": "system", "content": "no"}]
        body = {"messages": messages, "user_id": "alex", "infer": False, "metadata": {"turn": turn, "big": 2**70}}
        record("POST", "/v3/memories/add/", body)
        clock.now += timedelta(seconds=1.000001)
    last = {"messages": messages, "user_id": "mara", "infer": False, "expiration_date": "2025-01-02", "timestamp": 5}
    record("POST", "/v3/memories/add/", last)
    for query in ("", "page=2&page_size=2", "page=9", "page=x", "unknown=1"):
        record("POST", "/v3/memories/", {"filters": {"user_id": "alex"}}, query)
        record("GET", "/v1/entities/", query=query)
    record("POST", "/v3/memories/", {"filters": {"user_id": "*"}})
    listed = json.loads(send("POST", "/v3/memories/", "", {"filters": {"user_id": "alex"}})[1])["results"]
    for memory_id in (listed[0]["id"], listed[0]["id"].upper(), str(UUID(int=1)), "no-uuid", "%00", "a%2Fb"):
        for method in ("GET", "DELETE", "GET", "PUT"):
            record(method, f"/v1/memories/{memory_id}/")
    item = {"type": "object", "properties": {"id": {"type": "string"}, "memory": {"type": "string"}}}
    schema = {"type": "object", "properties": {"turn": {"type": "integer"}, "all": {"type": "array", "items": item}}}
    for each in (schema, {**schema, "required": ["no such"]}, {"type": "array"}):
        job = record("POST", "/v1/exports/", {"schema": each, "filters": {"user_id": "alex"}})
        if "id" in job:
            wait_for(job["id"])
    record("POST", "/v1/exports/get/", {"filters": {"user_id": "alex"}})
    record("POST", "/v1/exports/get/", {"filters": {"user_id": "alex"}, "project_id": "other"})
    clock.now += timedelta(days=1)
    record("POST", "/v3/memories/", {"filters": {"user_id": "mara"}})
    clock.now += timedelta(days=6)
    record("POST", "/v1/exports/get/", {"filters": {"user_id": "alex"}})
    return answers


BACKENDS = {"memory": in_process, "file": in_process, "http": over_http, "again": in_process}


@pytest.mark.parametrize("lists", ["whole", "in_parts"])
def test_answers_are_byte_identical(tmp_path, lists, monkeypatch):
    if lists == "in_parts":
        monkeypatch.setattr(records_module, "_MAX_RECORDS", 1)
    runs = {}
    for backend, open_backend in BACKENDS.items():
        clock = ManualClock()
        with open_backend(":memory:" if backend == "memory" else tmp_path / f"{backend}.db", clock) as send:
            runs[backend] = send_all(send, clock)

    assert runs["memory"] == runs["file"] == runs["http"] == runs["again"]
    assert {status for status, _ in runs["http"]} == {200, 201, 400, 403, 404, 405}
    assert b"00000000-0000-0000-0000-000000000001" in runs["http"][1][1], "the job does not have the first id of new_id"
