"""An httpx transport, sync and async, that sends requests to an engine in the same process.

The engine is opened by the first request. Async requests run in threads, so SQLite never blocks the event loop.
"""

from __future__ import annotations

import threading

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from mem0_exports.errors import ConfigurationError
from mem0_exports_engine.extras import require
from mem0_exports_engine.failures import Gone, StoreError
from mem0_exports_engine.projects import DEFAULT_PROJECT


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.llm import LLM
    from mem0_exports_engine.engine import Engine


class _Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of an answer, read from the store in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        # Over HTTP, these failures would break the connection, so they are reported as a connection error here, too.
        try:
            yield from self._pieces
        except Gone:
            problem = "the export expired while it was being read"
        except StoreError as error:
            problem = f"the store failed while the export was being read: {error}"
        else:
            return
        raise httpx.ReadError(problem)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces, each read in a thread because reading from SQLite blocks."""
        import anyio.to_thread  # noqa: PLC0415 -- only the async side needs it

        pieces = iter(self)
        while (piece := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
            yield piece


class LocalTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answer requests with an engine that belongs to this transport."""

    in_process = True

    def __init__(
        self,
        path: str | Path,
        filter_rules: FilterRules | None = None,
        project: str = DEFAULT_PROJECT,
        llm: LLM | None = None,
    ) -> None:
        require("local", "the embedded engine")
        self.path = str(path)
        in_memory = self.path == ":memory:"
        store = uuid4() if in_memory else Path(path).resolve()
        self.origin = f"local:{store}" if project == DEFAULT_PROJECT else f"local:{store}#{project}"
        """Identifies the store and project in a ledger, so that exports of different stores are kept apart."""
        self._filter_rules = filter_rules
        self._project = project
        self._llm = llm
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
                from mem0_exports_engine.engine import Engine  # noqa: PLC0415 -- loads sqlite3

                self._engine = Engine(self.path, project=self._project, filter_rules=self._filter_rules, llm=self._llm)
            return self._engine

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        url = request.url
        path = url.raw_path.partition(b"?")[0].decode("ascii")
        answer = self.engine.respond(request.method, path, url.query.decode(), dict(request.headers), body)
        if answer.body is None:
            return httpx.Response(answer.status, headers=dict(answer.headers))
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
        """Close the engine. The running job has the engine's grace period to finish first."""
        with self._lock:
            self._closed, engine, self._engine = True, self._engine, None
        if engine is not None:
            engine.close()

    async def aclose(self) -> None:
        """Close the engine, in a thread."""
        import anyio.to_thread  # noqa: PLC0415 -- only the async side needs it

        await anyio.to_thread.run_sync(self.close)
