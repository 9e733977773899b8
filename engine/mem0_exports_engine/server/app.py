"""The engine as an ASGI application, which `mem0-exports serve` runs. Needs the extra `mem0-exports[server]`.

The body of a request is read only after its head has passed all checks, up to a maximum size and for a limited time.
"""

from __future__ import annotations

import logging
import time

from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote
from uuid import uuid4

import anyio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Router

from mem0_exports_engine.engine import Admitted
from mem0_exports_engine.limits import MAX_BYTES
from mem0_exports_engine.server.bodies import Bodies, TooManyBodies, read
from mem0_exports_engine.server.threads import in_thread, iterate_in_threads
from mem0_exports_engine.waiting import asked_wait


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import Receive, Scope, Send

    from mem0_exports_engine.engine import Answer, Engine

_log = logging.getLogger("mem0_exports_engine.requests")

BODY_TIMEOUT: Final = 30.0
"""Seconds within which the body of a request must arrive."""

_MAX_CHUNK: Final = 64 * 1024
"""Bytes of an answer that are passed to the server at once."""


def build(engine: Engine, *, body_timeout: float = BODY_TIMEOUT) -> Router:
    """Return an ASGI application for an engine. It does not close the engine; the caller does."""
    # Request heads are checked in threads of their own. In the shared pool, /health and key checks would wait behind
    # requests that wait for the write lock, and a monitor would conclude that a busy server is dead.
    for_heads = anyio.CapacityLimiter(8)
    bodies = Bodies()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = _raw_path(scope)
        log = _RequestLog(request.method, engine.loggable(path))
        headers = dict(request.headers)
        # This runs in a thread because it looks up a key in the store, which blocks.
        outcome = await in_thread(partial(engine.admit, request.method, path, headers), for_heads)
        unread = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        # Of two contradictory lengths, a proxy may have used the other one, and would take the rest for a request.
        ambiguous = "content-length" in headers and "transfer-encoding" in headers
        if isinstance(outcome, Admitted):
            log.project = outcome.project
            try:
                outcome, unread = await _perform(engine, outcome, request, bodies, body_timeout)
            except ClientDisconnect:
                log.write(None)
                return
        more = {"x-request-id": log.id}
        if unread or ambiguous:  # on a reused connection, the rest of the body would be read as the next request
            more["connection"] = "close"
        more |= outcome.headers
        chunks = _Chunks(outcome.body or b"")
        response = _response(outcome, chunks, more)
        try:
            # If the export expires while it is sent, the chunks raise Gone. The connection is then closed without
            # the final chunk. HTTP clients report this as an error, so nobody mistakes half an export for a whole one.
            await response(scope, receive, send)
        finally:
            log.write(None if chunks.begun and not chunks.whole else outcome.status)

    # There are no routes, because the engine decides about paths and methods.
    return Router(redirect_slashes=False, default=answer)


async def _perform(
    engine: Engine, admitted: Admitted, request: Request, bodies: Bodies, body_timeout: float
) -> tuple[Answer, bool]:
    """Return the answer to an admitted request, and whether some of its body was not read."""
    with bodies.one() as grow:
        try:
            with anyio.fail_after(body_timeout):
                body = await read(request, grow)
        except TimeoutError:
            return engine.too_late(admitted.operation, body_timeout), True
        except TooManyBodies:
            return engine.overloaded("Too many large requests are open at once."), True
        query = request.scope["query_string"].decode("latin-1")
        # A large body would take memory for as long as the request is held.
        wait = asked_wait(request.headers) if len(body) <= _MAX_CHUNK else 0
        perform = partial(in_thread, partial(engine.perform, admitted, query, body))
        return await engine.waiting.hold_async(perform, wait), len(body) > MAX_BYTES


def _response(answer: Answer, chunks: _Chunks, headers: dict[str, str]) -> Response:
    """Return the response for an answer. `chunks` has its body."""
    if answer.body is None:
        return Response(None, answer.status, headers)
    if isinstance(answer.body, bytes):
        if len(answer.body) <= _MAX_CHUNK:
            return Response(answer.body, answer.status, headers, media_type="application/json")
        headers = {**headers, "content-length": str(len(answer.body))}
    return StreamingResponse(chunks, answer.status, headers, media_type="application/json")


def _raw_path(scope: Scope) -> str:
    """Return the path as the client sent it, percent-encoded. A decoded %2F in a parameter would end its segment."""
    raw = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else raw.partition(b"?")[0].decode("latin-1")


class _RequestLog:
    """Writes one log line per request.

    The line never contains the query, a header, a body or the value of a path parameter, because these can contain
    secrets or memories.
    """

    def __init__(self, method: str, path: str) -> None:
        self.id = uuid4().hex
        self.project: str | None = None
        self._method = method[:20]
        self._path = path[:100]
        self._started = time.perf_counter()

    def write(self, status: int | None) -> None:
        """Write the line. `status` is None if the answer was not sent completely."""
        ms = round((time.perf_counter() - self._started) * 1000, 1)
        fields = {"event": "request", "method": self._method, "path": self._path, "status": status, "ms": ms}
        fields |= {"project": self.project, "request_id": self.id}
        _log.info("%s %s %s", self._method, self._path, status, extra={"fields": fields})


class _Chunks:
    """Yield a long answer in small chunks.

    The server measures how long a client leaves data unread. With one huge chunk, a client that reads slowly would look
    like one that does not read at all, and would be disconnected.
    """

    def __init__(self, body: bytes | Iterator[bytes]) -> None:
        self._body = body
        self.begun = self.whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks. Each piece is read from the store in a thread, because reading blocks."""
        self.begun = True
        pieces = iter([self._body]) if isinstance(self._body, bytes) else self._body
        async for piece in iterate_in_threads(pieces):
            for start in range(0, len(piece), _MAX_CHUNK):
                yield piece[start : start + _MAX_CHUNK]
        self.whole = True
