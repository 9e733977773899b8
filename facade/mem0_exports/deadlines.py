"""Give each blocking request one deadline, which limits every read and write on its socket.

httpx has a timeout for each phase and for each read within a phase. A server that sends one byte now and then never
exceeds those, so that a request with a timeout of 30 s could last for hours. Here, the thread that sends a request
stores its deadline, and the connections give each read and write only the time that is left. Async requests do not need
this, because the event loop cancels them.
"""

from __future__ import annotations

import socket
import threading
import time

from typing import Any

import httpcore


_thread = threading.local()


class Deadline:
    """A context manager that sets the deadline of this thread to `at`, a time of time.monotonic.

    The thread's reads and writes on the connections of a `Backend` end at this time.
    """

    __slots__ = ("_at", "_outer")

    def __init__(self, at: float) -> None:
        self._at = at

    def __enter__(self) -> None:
        # Kept for __exit__: a thread may send a request while another request of the thread is in progress.
        self._outer: float | None = getattr(_thread, "deadline", None)
        _thread.deadline = self._at

    def __exit__(self, *_: object) -> None:
        _thread.deadline = self._outer


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    """Return the shorter of `timeout` and the time until this thread's deadline; raise `late` if it has passed."""
    at: float | None = getattr(_thread, "deadline", None)
    if at is None:
        return timeout
    left = at - time.monotonic()
    if left <= 0:
        raise late("the deadline of the request has passed")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A connection whose reads and writes end at the deadline of the calling thread."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Backend(httpcore.NetworkBackend):
    """A network backend whose connections keep deadlines, including the time to connect."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that answers, in the time that is left."""
        failure: Exception | None = None
        for address in _addresses(host, port):
            left = _left(timeout, httpcore.ConnectTimeout)
            try:
                return _Stream(self._backend.connect_tcp(address, port, left, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        """Connect in the time that is left."""
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_unix_socket(path, left, socket_options))


def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host.

    The host is resolved here, because the standard library would try each address with the full timeout. The resolver
    itself does not accept a deadline.
    """
    try:
        results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        problem = str(error)
    else:
        return [str(address[0]) for *_, address in results]
    raise httpcore.ConnectError(problem)


def keep_deadlines(transport: object) -> None:
    """Make the connections of one of httpx's own transports keep deadlines.

    httpx accepts another network backend only in a custom transport, and then ignores the proxy settings of the
    environment. So this function replaces the backend inside httpx's own transport. If a later version of httpx stores
    the backend elsewhere, nothing is replaced, and a test in tests/end_to_end/faults fails.
    """
    pool = getattr(transport, "_pool", None)
    backend = getattr(pool, "_network_backend", None)
    if isinstance(backend, httpcore.NetworkBackend):
        setattr(pool, "_network_backend", Backend(backend))  # noqa: B010 -- type checkers do not know the attribute
