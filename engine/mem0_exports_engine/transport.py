"""Pass the requests of a local client to an engine in the same process.

The engine is opened by the first request. Async requests run in threads, so SQLite never blocks the event loop.
"""

from __future__ import annotations

import threading

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mem0_exports.errors import ConfigurationError
from mem0_exports_engine.extras import require
from mem0_exports_engine.failures import Gone, StoreError
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.waiting import asked_wait


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.llm import LLM
    from mem0_exports_engine.engine import Answer, Engine


def _unbroken(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces of an answer. Raises ConnectionError where a connection over a network would break."""
    try:
        yield from pieces
    except Gone:
        problem = "the export expired while it was being read"
    except StoreError as error:
        problem = f"the store failed while the export was being read: {error}"
    else:
        return
    raise ConnectionError(problem)


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces, each read in a thread because reading from SQLite blocks."""
    import anyio.to_thread  # noqa: PLC0415 -- only the async side needs it

    while (piece := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
        yield piece


def _headers(answer: Answer) -> Mapping[str, str]:
    return answer.headers if answer.body is None else {"content-type": "application/json", **answer.headers}


class LocalTransport:
    """Answer requests with an engine that belongs to this transport.

    It implements two protocols of the client: `local_engine.EngineTransport` and `http.in_process.Answers`.
    """

    def __init__(
        self,
        path: str | Path,
        filter_rules: FilterRules | None = None,
        project: str = DEFAULT_PROJECT,
        llm: LLM | None = None,
        source: object = None,
        collection: str | None = None,
    ) -> None:
        """Create it. If there is a source (see `sources.folders.source_of`), the engine pulls its memories when it is opened."""
        require("local", "the embedded engine")
        self._source: object = None
        if source is not None:
            from mem0_exports_engine.sources.folders import source_of  # noqa: PLC0415 -- loads every kind of source

            self._source = source_of(source, collection)
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
                from mem0_exports_engine.engine import Engine  # noqa: PLC0415 -- loads the store

                engine = Engine(self.path, project=self._project, filter_rules=self._filter_rules, llm=self._llm)
                if self._source is not None:
                    try:
                        engine.pull(self._source)
                    except BaseException:
                        engine.close()
                        raise
                self._engine = engine
            return self._engine

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes | Iterator[bytes]]:
        """Answer in the calling thread. Return the status, the headers, and the body, whole or in pieces."""
        answer = self.engine.respond(method, path, query, headers, body)
        if answer.body is None or isinstance(answer.body, bytes):
            return answer.status, _headers(answer), answer.body or b""
        return answer.status, _headers(answer), _unbroken(answer.body)

    async def answer_async(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes | AsyncIterator[bytes]]:
        """Answer in a thread. No thread is held while the request waits for the end of an export."""
        import anyio.to_thread  # noqa: PLC0415 -- only the async side needs it

        # A request is held here, on the event loop, and not by `respond`.
        now = {name: value for name, value in headers.items() if name != "prefer"}

        async def perform() -> Answer:
            return await anyio.to_thread.run_sync(lambda: self.engine.respond(method, path, query, now, body))

        wait = asked_wait(headers)
        answer = await (perform() if not wait else self.engine.waiting.hold_async(perform, wait))
        if answer.body is None or isinstance(answer.body, bytes):
            return answer.status, _headers(answer), answer.body or b""
        return answer.status, _headers(answer), _in_threads(_unbroken(answer.body))

    def close(self) -> None:
        """Close the engine. The running job has the engine's grace period to finish first."""
        with self._lock:
            self._closed, engine, self._engine = True, self._engine, None
        if engine is not None:
            engine.close()
