"""The common part of all drivers: address, headers, key and state. Nothing here imports httpx."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref

from typing import TYPE_CHECKING, Final, Protocol

from mem0_exports.errors import ConfigurationError, ContractViolation, Mem0ExportsError, ResponseTooLarge
from mem0_exports.http.flow import Response


if TYPE_CHECKING:
    from collections.abc import Mapping

    from mem0_exports.http.flow import Request, Send
    from mem0_exports.http.settings import Clock

_log = logging.getLogger("mem0_exports")

_MIN_SECRET: Final = 8
"""The length of the shortest key that is redacted. Only tests and the embedded engine use shorter keys."""

_drivers: weakref.WeakSet[Connection] = weakref.WeakSet()
"""All drivers in use: the child of a fork must drop their connections."""


class Sending(Protocol):
    """How far a request has come."""

    @property
    def carried_out(self) -> bool:
        """Whether any part of the request may have been sent."""
        ...


class Connection:
    """The common part of all drivers: base URL, headers and state."""

    clock: Clock = staticmethod(time.monotonic)

    def __init__(self, base_url: str, headers: Mapping[str, str], *, own_transport: bool) -> None:
        self.base_url = base_url
        self._headers = dict(headers)
        self._lock = threading.Lock()
        self._closed = False
        self._own_transport = own_transport
        self._forked = False
        _drivers.add(self)

    def forget_connections(self) -> None:
        """Drop the connections in the child of a fork. The sockets and the event loop belong to the parent.

        If both processes used a socket, each could read the other's answers. Python closes the child's copies of the
        sockets when it collects the pool. This does not affect the parent.
        """
        # Another thread of the parent may have held the old lock. In the child, it would never be released.
        self._lock = threading.Lock()
        self._forked = self._own_transport

    def check_open(self) -> None:
        """Raise ConfigurationError if the client is closed or cannot be used after a fork."""
        if self._closed:
            raise ConfigurationError("this client is closed; create a new one")
        if self._forked:
            raise ConfigurationError(
                "this client was created before the process forked, and its embedded engine or transport cannot be "
                "shared by two processes; create the client after the fork"
            )

    def _redacted(self, text: str) -> str:
        """Return `text` with the key replaced, unless the key is so short that it may be part of other words."""
        key = self._headers["authorization"].rpartition(" ")[2]
        return text.replace(key, "[key]") if len(key) >= _MIN_SECRET else text

    def body(self, status: int, headers: Mapping[str, str], command: Send) -> Body:
        """Return an object that collects the body of a response. Raises ContractViolation if it cannot be read."""
        return Body(Response(status, headers, b"", self._redacted), command)


def headers_of(request: Request) -> dict[str, str]:
    """Return the headers of a request besides those that all requests of the client have."""
    headers = {} if request.body is None else {"content-type": "application/json"}
    return {**headers, "prefer": f"wait={request.wait}"} if request.wait else headers


_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
"""The values of Content-Encoding that can be read piece by piece. Other ones could turn one piece into gigabytes."""


class Body:
    """Collects the body of a response, up to the limit of its request."""

    def __init__(self, response: Response, command: Send) -> None:
        self._response = response
        self._command = command
        self._chunks: list[bytes] = []
        self._left = command.max_bytes
        encoding = response.headers.get("content-encoding", "").strip().lower()
        self.is_readable = encoding in _ENCODINGS
        """Whether the response may be read. The body of an error status is left out if it may not: the status says enough."""
        if not self.is_readable and 200 <= response.status < 300:
            raise ContractViolation(
                f"the answer has the Content-Encoding {encoding[:50]!r}, but only gzip and deflate were accepted",
                operation=command.request.operation,
                excerpt="",
                status=response.status,
                request_id=response.request_id,
            )

    def add(self, chunk: bytes) -> None:
        """Add the next bytes, after decompression. Raises ResponseTooLarge."""
        self._left -= len(chunk)
        if self._left < 0:
            self._chunks.clear()  # the error may be kept for long
            raise ResponseTooLarge(
                operation=self._command.request.operation,
                limit=self._command.max_bytes,
                status=self._response.status,
                request_id=self._response.request_id,
            )
        self._chunks.append(chunk)

    def response(self) -> Response:
        """Return the response with its body, once it is complete."""
        status, headers, _, redacted = self._response
        return Response(status, headers, b"".join(self._chunks), redacted)


def concluded(command: Send, start: float, outcome: Response | Mem0ExportsError) -> Response:
    """Log an attempt that began at `start`, and return its response or raise its error.

    Call it outside of the handler that caught a failure. Inside, the error of httpx would become the context of ours, and
    it holds the key.
    """
    _log_attempt(command, start, outcome)
    if isinstance(outcome, Response):
        return outcome
    raise outcome


def _log_attempt(command: Send, start: float, outcome: Response | Mem0ExportsError) -> None:
    """Log one attempt: operation, status or error, number, duration, request id. Bodies, schemas and keys are never logged."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    response = outcome if isinstance(outcome, Response) else None
    _log.debug(
        "%s: %s, attempt %d, %.0f ms, request id %s",
        command.request.operation,
        type(outcome).__name__ if response is None else response.status,
        command.attempt,
        (time.monotonic() - start) * 1000,
        (None if response is None else response.request_id) or "-",
    )


def _after_fork() -> None:
    for driver in list(_drivers):  # a copy, because the set shrinks when a driver is collected
        driver.forget_connections()


if sys.platform != "win32" and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
