"""The engine behind a real HTTP server, with answers that are not what the spec promises."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn

from mem0_exports_engine.engine import Engine
from mem0_exports_engine.server.app import build
from tests.support.patience import patient


class Asked(NamedTuple):
    """A request, as far as an alteration may depend on it."""

    method: str
    path: str
    query: str
    body: bytes
    at: float


class Told(NamedTuple):
    """An answer; `body` is what the engine said, as a JSON value or as bytes."""

    status: int
    body: Any
    kind: str = "application/json"
    retry_after: str | None = None


Alter = Callable[[Asked, Told], Told]


class Altered:
    """An ASGI application around another, which keeps what it was asked and changes what is answered."""

    def __init__(self, app: Any, alter: Alter) -> None:
        self.asked: list[Asked] = []
        self._app = app
        self._alter = alter

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        at = time.monotonic()
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        replayed = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Any:
            return replayed.pop() if replayed else {"type": "http.disconnect"}

        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        await self._app(scope, again, keep)
        asked = Asked(scope["method"], scope["path"], scope["query_string"].decode(), body, at)
        self.asked.append(asked)
        said = json.loads(b"".join(each.get("body", b"") for each in sent[1:]))
        told = self._alter(asked, Told(sent[0]["status"], said))
        text = told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode()
        headers = [(b"content-type", told.kind.encode()), (b"content-length", str(len(text)).encode())]
        if told.retry_after is not None:
            headers.append((b"retry-after", told.retry_after.encode()))
        await send({"type": "http.response.start", "status": told.status, "headers": headers})
        await send({"type": "http.response.body", "body": text})


@contextlib.contextmanager
def altered(store: Path, api_key: str, alter: Alter) -> Iterator[tuple[str, Altered]]:
    """The URL of a server whose answers are altered, and what it was asked."""
    engine = Engine(store, api_key=api_key)
    app = Altered(build(engine), alter)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as `mem0-exports serve` does
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", app
    finally:
        server.should_exit = True
        thread.join(timeout=patient(20))
        listening.close()
        engine.close()
    assert not thread.is_alive()
