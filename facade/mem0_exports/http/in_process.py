"""Carry out the commands of flows with an engine in the same process, without httpx and without a network."""

from __future__ import annotations

import time

from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlencode

from mem0_exports.errors import ConnectionFailed, ContractViolation, Mem0ExportsError, ResponseTooLarge
from mem0_exports.http.connection import Connection, concluded, headers_of
from mem0_exports.http.driver import AsyncDriver, Driver


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from mem0_exports.http.flow import Response, Send

ADDRESS: Final = "http://embedded.invalid"
"""What stands for the address of an engine in the same process. Its hash is in ledgers, so it must not change."""


class Answers(Protocol):
    """Answers requests in this process. `query` is the part of a URL after the question mark.

    Both methods return the status, the headers, and the body, whole or in pieces. Reading the pieces raises
    ConnectionError where a connection over a network would break.
    """

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes | Iterator[bytes]]:
        """Answer in the calling thread."""
        ...

    async def answer_async(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes | AsyncIterator[bytes]]:
        """Answer without blocking the event loop."""
        ...

    def close(self) -> None:
        """Close the engine. The running job has a grace period to finish first."""
        ...


class _Begun:
    carried_out = True
    """Nobody knows how far the engine has come with a request that was interrupted."""


class _InProcess(Connection):
    def __init__(self, headers: Mapping[str, str], transport: Answers) -> None:
        super().__init__(ADDRESS, headers, own_transport=True)
        self._transport = transport

    def prepare(self) -> None:
        """Check that the client can be used. The engine is opened by the first request."""
        self.check_open()

    def sending(self, command: Send) -> _Begun:
        """Return the state of a request."""
        return _Begun()

    def _request(self, command: Send) -> tuple[str, str, str, Mapping[str, str], bytes]:
        self.check_open()
        request = command.request
        query = "" if not request.params else urlencode(request.params)
        return request.method, request.path, query, {**self._headers, **headers_of(request)}, request.body or b""

    def _failed(self, error: ConnectionError, command: Send) -> ConnectionFailed:
        """Return the error for an answer that broke off, as a connection over a network would."""
        reason = self._redacted(f"the answer of the embedded engine broke off: {error}")
        return ConnectionFailed(reason, operation=command.request.operation, sent=True)


class LocalDriver(_InProcess, Driver):
    """Runs flows in the calling thread."""

    def _send(self, command: Send, sending: object) -> Response:
        start = time.monotonic()
        outcome: Response | Mem0ExportsError
        try:
            status, headers, pieces = self._transport.answer(*self._request(command))
            body = self.body(status, headers, command)
            for piece in [pieces] if isinstance(pieces, bytes) else pieces:
                body.add(piece)
            outcome = body.response()
        except (ContractViolation, ResponseTooLarge) as error:
            outcome = error
        except ConnectionError as error:
            outcome = self._failed(error, command)
        return concluded(command, start, outcome)

    def close(self) -> None:
        """Close the engine."""
        with self._lock:
            self._closed = True
        self._transport.close()


class AsyncLocalDriver(_InProcess, AsyncDriver):
    """Runs flows on an event loop. The engine works in threads, so that SQLite never blocks the event loop."""

    async def _send(self, command: Send, sending: object) -> Response:
        start = time.monotonic()
        outcome: Response | Mem0ExportsError
        try:
            status, headers, pieces = await self._transport.answer_async(*self._request(command))
            body = self.body(status, headers, command)
            if isinstance(pieces, bytes):
                body.add(pieces)
            else:
                async for piece in pieces:
                    body.add(piece)
            outcome = body.response()
        except (ContractViolation, ResponseTooLarge) as error:
            outcome = error
        except ConnectionError as error:
            outcome = self._failed(error, command)
        return concluded(command, start, outcome)

    async def close(self) -> None:
        """Close the engine, in a thread. A cancellation must not interrupt this: the worker would keep running."""
        import anyio.to_thread  # noqa: PLC0415 -- only the async side needs it

        with self._lock:
            self._closed = True
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._transport.close)
