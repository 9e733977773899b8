"""The embedded engine behind a real HTTP server whose answers a test can alter."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn

from mem0_exports_engine.engine import Engine
from mem0_exports_engine.server.app import build
from tests.support.timeouts import scaled


class Request(NamedTuple):
    """A received request; `key` is its Authorization header, and `at` is when it arrived, on the monotonic clock."""

    method: str
    path: str
    query: str
    body: bytes
    key: str
    at: float


class Answer(NamedTuple):
    """An answer. `body` is a JSON value, or bytes that are sent as they are."""

    status: int
    body: Any
    kind: str = "application/json"
    retry_after: str | None = None


Alter = Callable[[Request, Answer], Answer]
"""Returns what is answered to a request, given the answer of the engine."""


class Altered:
    """An ASGI application around another one, which records the requests and alters the answers.

    Requests with a method in `unknown` do not reach the other application: they get a 404.
    """

    def __init__(self, app: Any, alter: Alter, unknown: Collection[str] = ()) -> None:
        self.requests: list[Request] = []
        self._app = app
        self._alter = alter
        self._unknown = unknown

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        at = time.monotonic()
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        replayed = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Any:
            return replayed.pop() if replayed else {"type": "http.disconnect"}

        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        if scope["method"] in self._unknown:
            sent = [{"status": 404}, {"body": b'{"detail": "Not found."}'}]
        else:
            await self._app(scope, receive_again, keep)
        key = dict(scope["headers"]).get(b"authorization", b"").decode()
        request = Request(scope["method"], scope["path"], scope["query_string"].decode(), body, key, at)
        self.requests.append(request)
        original = json.loads(b"".join(each.get("body", b"") for each in sent[1:]))
        answer = self._alter(request, Answer(sent[0]["status"], original))
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        headers = [(b"content-type", answer.kind.encode()), (b"content-length", str(len(content)).encode())]
        if answer.retry_after is not None:
            headers.append((b"retry-after", answer.retry_after.encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


@contextlib.contextmanager
def altered(store: Path, api_key: str, alter: Alter, unknown: Collection[str] = ()) -> Iterator[tuple[str, Altered]]:
    """Yield the URL of a server whose answers are altered, and the application that records its requests."""
    engine = Engine(store, api_key=api_key)
    app = Altered(build(engine), alter, unknown)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as `mem0-exports serve` does
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", app
    finally:
        server.should_exit = True
        thread.join(timeout=scaled(20))
        listening.close()
        engine.close()
    assert not thread.is_alive()
