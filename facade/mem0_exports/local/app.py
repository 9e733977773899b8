"""Shell 2: the engine as an ASGI application, which `mem0-exports serve` runs. Needs `mem0-exports[server]`.

What a client sends is read only once its head is known to be good, up to a size and for a time. Clients that are slow with
the head of a request, or that do not read their answer, lose the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount
from uvicorn.protocols.http.h11_impl import H11Protocol

from mem0_exports.local.engine import LARGEST_BODY


if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

    from mem0_exports.local.engine import Engine

HEAD_TIMEOUT: Final = 10.0
"""Seconds for the head of a request."""

BODY_TIMEOUT: Final = 30.0
"""Seconds for its body."""

READ_TIMEOUT: Final = 30.0
"""Seconds for which a client may leave its answer unread."""


def build(engine: Engine, *, body_timeout: float = BODY_TIMEOUT) -> Starlette:
    """The application around an engine, which stays open: closing it is for whoever opened it."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        method, path, headers = request.method, scope["path"], dict(request.headers)
        found = engine.refused(method, path, headers)
        unread = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if found is None:
            try:
                with anyio.fail_after(body_timeout):
                    body = await _body(request)
            except ClientDisconnect:
                return
            except TimeoutError:
                found = engine.too_late(path, method, body_timeout)
            else:
                unread = len(body) > LARGEST_BODY
                query = scope["query_string"].decode("latin-1")
                found = await run_in_threadpool(engine.respond, method, path, query, headers, body)
        # What is left of a body would be taken for the next request.
        more = {"connection": "close"} if unread else {}
        response = Response(found.body, found.status, {**found.headers, **more}, media_type="application/json")
        await response(scope, receive, send)

    # One route for everything: the engine itself knows which paths and methods there are.
    return Starlette(routes=[Mount("/", app=answer)])


async def _body(request: Request) -> bytes:
    """The body; a little more than the largest one where it is larger, which the engine refuses."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            break
    return b"".join(chunks)


class Impatient(H11Protocol):
    """uvicorn's HTTP, for clients that may be slow on purpose."""

    head_timeout = HEAD_TIMEOUT
    read_timeout = READ_TIMEOUT
    _head: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._head = self.loop.call_later(self.head_timeout, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Stop waiting for the head when it is complete; begin again with the first byte of the next one."""
        super().data_received(data)
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy and self._head is not None:
            self._head.cancel()
            self._head = None
        elif not busy and self._head is None:
            self._head = self.loop.call_later(self.head_timeout, self.transport.abort)

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.read_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._stop(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        super().connection_lost(exc)
        self._stop(self._head)
        self._stop(self._unread)

    @staticmethod
    def _stop(timer: Any) -> None:
        if timer is not None:
            timer.cancel()
