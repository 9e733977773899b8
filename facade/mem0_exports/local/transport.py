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


if TYPE_CHECKING:
    from mem0_exports._filter_rules import FilterRules
    from mem0_exports.local.engine import Engine


class LocalTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers requests from an engine of its own."""

    def __init__(self, path: str | Path, filter_rules: FilterRules | None = None) -> None:
        if find_spec("sqlalchemy") is None:
            raise ConfigurationError('the embedded engine needs an extra: pip install "mem0-exports[local]"')
        self.path = str(path)
        in_memory = self.path == ":memory:"
        self.origin = f"local:{uuid4()}" if in_memory else f"local:{Path(path).resolve()}"
        """What tells its exports from those of another store, in a ledger."""
        self._filter_rules = filter_rules
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
                from mem0_exports.local.engine import Engine  # noqa: PLC0415 -- loads SQLAlchemy

                self._engine = Engine(self.path, filter_rules=self._filter_rules)
            return self._engine

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        url = request.url
        headers = dict(request.headers)
        answer = self.engine.respond(request.method, url.path, url.query.decode(), headers, body)
        return httpx.Response(
            answer.status, headers={"content-type": "application/json", **answer.headers}, content=answer.body
        )

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
