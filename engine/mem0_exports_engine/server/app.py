"""Shell 2: the engine as an ASGI application, which `mem0-exports serve` runs. Needs `mem0-exports[server]`.

What a client sends is read only once its head is known to be good, up to a size and for a time.
"""

from __future__ import annotations

import logging
import time

from typing import TYPE_CHECKING, Final
from uuid import uuid4

import anyio
import anyio.to_thread

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Router

from mem0_exports_engine.engine import Admitted
from mem0_exports_engine.json_text import MAX_BYTES


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import Receive, Scope, Send

    from mem0_exports_engine.engine import Engine

_log = logging.getLogger("mem0_exports_engine.requests")

BODY_TIMEOUT: Final = 30.0
"""Seconds for its body."""

_MAX_CHUNK: Final = 64 * 1024
"""Bytes of an answer that are sent at once."""


def build(engine: Engine, *, body_timeout: float = BODY_TIMEOUT) -> Router:
    """The application around an engine, which stays open: closing it is for whoever opened it."""
    # Threads of their own: heads are answered, and with them /health, also while all others wait to write.
    for_heads = anyio.CapacityLimiter(8)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        log = _RequestLog(request)
        headers = dict(request.headers)
        # In a thread, for a key is looked up in the store.
        found = await anyio.to_thread.run_sync(engine.admit, request.method, scope["path"], headers, limiter=for_heads)
        unread = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if isinstance(found, Admitted):
            admitted, log.project = found, found.project
            try:
                with anyio.fail_after(body_timeout):
                    body = await _body(request)
            except ClientDisconnect:
                log.write(None)
                return
            except TimeoutError:
                found = engine.too_late(admitted.operation, body_timeout)
            else:
                unread = len(body) > MAX_BYTES
                found = await run_in_threadpool(engine.perform, admitted, scope["query_string"].decode("latin-1"), body)
        more = {"x-request-id": log.id}
        if unread:  # what is left of a body would be taken for the next request
            more["connection"] = "close"
        more |= found.headers
        chunks = _Chunks(found.body)
        response: Response
        if isinstance(found.body, bytes) and len(found.body) <= _MAX_CHUNK:
            response = Response(found.body, found.status, more, media_type="application/json")
        else:
            if isinstance(found.body, bytes):
                more["content-length"] = str(len(found.body))
            response = StreamingResponse(chunks, found.status, more, media_type="application/json")
        try:
            await response(scope, receive, send)
        finally:
            log.write(None if chunks.begun and not chunks.whole else found.status)

    # No routes: the engine itself knows which paths and methods there are.
    return Router(redirect_slashes=False, default=answer)


class _RequestLog:
    """The line that the log gets of a request. Neither the query nor a body nor a header is in it."""

    def __init__(self, request: Request) -> None:
        self.id = uuid4().hex
        self.project: str | None = None
        self._method = request.method[:20]
        self._path = request.scope["path"][:100]
        self._started = time.perf_counter()

    def write(self, status: int | None) -> None:
        """Write it, once the answer is sent; None where it was not sent, or not whole."""
        ms = round((time.perf_counter() - self._started) * 1000, 1)
        fields = {"event": "request", "method": self._method, "path": self._path, "status": status, "ms": ms}
        fields |= {"project": self.project, "request_id": self.id}
        _log.info("%s %s %s", self._method, self._path, status, extra={"fields": fields})


class _Chunks:
    """A long answer bit by bit, for a client that reads slowly is not to look like one that does not read."""

    def __init__(self, body: bytes | Iterator[bytes]) -> None:
        self._body = body
        self.begun = self.whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Each piece is read in a thread."""
        self.begun = True
        async for piece in iterate_in_threadpool([self._body] if isinstance(self._body, bytes) else self._body):
            for start in range(0, len(piece), _MAX_CHUNK):
                yield piece[start : start + _MAX_CHUNK]
        self.whole = True


async def _body(request: Request) -> bytes:
    """The body; a little more than the largest one where it is larger, which the engine refuses."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BYTES:
            break
    return b"".join(chunks)
