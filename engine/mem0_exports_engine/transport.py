"""Shell 1: the engine as an httpx transport, in-process, sync and async.

The engine opens with the first request. Async requests run in threads, so that the event loop never waits for SQLite.
"""

from __future__ import annotations

import threading

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from mem0_exports.errors import ConfigurationError
from mem0_exports_engine.projects import DEFAULT_PROJECT


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mem0_exports.filters.rules import FilterRules
    from mem0_exports_engine.engine import Engine


class _Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer that comes piece by piece from the store."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Each piece is read in a thread."""
        import anyio.to_thread  # noqa: PLC0415 -- only the async side needs it

        while (piece := await anyio.to_thread.run_sync(next, self._pieces, None)) is not None:
            yield piece


class LocalTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers requests from an engine of its own."""

    def __init__(
        self, path: str | Path, filter_rules: FilterRules | None = None, project: str = DEFAULT_PROJECT
    ) -> None:
        if find_spec("sqlalchemy") is None:
            raise ConfigurationError('the embedded engine needs an extra: pip install "mem0-exports[local]"')
        self.path = str(path)
        in_memory = self.path == ":memory:"
        store = uuid4() if in_memory else Path(path).resolve()
        self.origin = f"local:{store}" if project == DEFAULT_PROJECT else f"local:{store}#{project}"
        """What tells its exports from those of another store, in a ledger."""
        self._filter_rules = filter_rules
        self._project = project
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def engine(self) -> Engine:
        """The engine, opened if it is not open yet."""
        with self._lock:
            if self._closed:
                raise ConfigurationError("this client is closed; make a new one")
            if self._engine is None:
                from mem0_exports_engine.engine import Engine  # noqa: PLC0415 -- loads SQLAlchemy

                self._engine = Engine(self.path, project=self._project, filter_rules=self._filter_rules)
            return self._engine

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        url = request.url
        answer = self.engine.respond(request.method, url.path, url.query.decode(), dict(request.headers), body)
        headers = {"content-type": "application/json", **answer.headers}
        if isinstance(answer.body, bytes):
            return httpx.Response(answer.status, headers=headers, content=answer.body)
        return httpx.Response(answer.status, headers=headers, stream=_Pieces(answer.body))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer in the calling thread."""
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer in a thread."""
        import anyio.to_thread  # noqa: PLC0415 -- only the async side needs it

        body = await request.aread()
        return await anyio.to_thread.run_sync(self._answer, request, body)

    def close(self) -> None:
        """Close the engine: the running job is finished first."""
        with self._lock:
            self._closed, engine, self._engine = True, self._engine, None
        if engine is not None:
            engine.close()

    async def aclose(self) -> None:
        """Close the engine, in a thread."""
        import anyio.to_thread  # noqa: PLC0415 -- only the async side needs it

        await anyio.to_thread.run_sync(self.close)
