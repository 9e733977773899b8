"""Deadlines for blocking requests: no read of a socket lasts beyond the end of the request.

httpx has a timeout for each phase, and for each read within one. A server that sends a byte now and then is never late
by that, so a request of 30 s could last for hours. Here each request has one deadline, kept by the thread that makes
it, and the connections, whose every read and write is limited by it. An event loop needs none of this: it cancels.
"""

from __future__ import annotations

import socket
import threading
import time

from typing import Any

import httpcore


_thread = threading.local()


class Deadline:
    """A context: nothing that its thread does on a `Backend`'s connections lasts beyond `at`, on time.monotonic."""

    __slots__ = ("_at", "_outer")

    def __init__(self, at: float) -> None:
        self._at = at

    def __enter__(self) -> None:
        self._outer: float | None = getattr(_thread, "deadline", None)
        _thread.deadline = self._at

    def __exit__(self, *_: object) -> None:
        _thread.deadline = self._outer


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    at: float | None = getattr(_thread, "deadline", None)
    if at is None:
        return timeout
    left = at - time.monotonic()
    if left <= 0:
        raise late("the deadline of the request has passed")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A connection whose reads and writes end at the deadline of the thread."""

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
    """Opens such connections."""

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
        """Try the host's addresses one after the other, in the time that is left."""
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
    """The addresses of the host, each to be tried in the time that is left. The resolver itself knows no deadline."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        problem = str(error)
    else:
        return [str(address[0]) for *_, address in found]
    raise httpcore.ConnectError(problem)


def keep_deadlines(transport: object) -> None:
    """Let the connections of one of httpx's own transports keep deadlines.

    httpx takes a network backend only together with a whole transport, and a transport turns off the proxies of the
    environment; so it is put where httpx keeps it. Where a later httpx keeps it elsewhere, nothing is changed, and
    tests/end_to_end/faults says so.
    """
    pool = getattr(transport, "_pool", None)
    backend = getattr(pool, "_network_backend", None)
    if isinstance(backend, httpcore.NetworkBackend):
        setattr(pool, "_network_backend", Backend(backend))  # noqa: B010 -- not a name that type checkers know
