"""The common part of both drivers: address, headers, and the translation of httpx's errors.

Only this module, `driver`, and the engine's transport import httpx.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx

from mem0_exports.errors import (
    ConfigurationError,
    ConnectionFailed,
    ContractViolation,
    Mem0ExportsError,
    RequestTimeout,
    ResponseTooLarge,
)
from mem0_exports.http.environment import MAX_PORT, check_environment, is_port
from mem0_exports.http.flow import Response


if TYPE_CHECKING:
    import ssl

    from collections.abc import Callable, Mapping

    from mem0_exports.http.flow import Request, Send
    from mem0_exports.http.settings import Clock

U = TypeVar("U")

_log = logging.getLogger("mem0_exports")

_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=100)
"""The size of the connection pool: as many connections as a bulk run can use at once."""

_MIN_SECRET: Final = 8
"""The length of the shortest key that is redacted. Only tests and the embedded engine use shorter keys."""

_ssl_lock = threading.Lock()
_ssl_context: ssl.SSLContext | None = None


def shared_ssl_context() -> ssl.SSLContext:
    """Return the SSL context. All clients share it, because loading the CA bundle takes tens of milliseconds."""
    global _ssl_context  # noqa: PLW0603 -- a cache, filled once
    with _ssl_lock:
        if _ssl_context is None:
            _ssl_context = httpx.create_ssl_context()
        return _ssl_context


def checked_base_url(text: str) -> str:
    """Return a base URL without its last slash; raise ConfigurationError if it is not the address of a service.

    The message never contains the URL, because a password may be in it.
    """
    url = problem = None
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        problem = str(error)
    if url is None:
        raise ConfigurationError(f"base_url must be a URL, such as https://api.mem0.ai: {problem}")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("base_url must start with http:// or https:// and a host, such as https://api.mem0.ai")
    if not is_port(url.port):  # a socket would take it modulo 65536, and the key would go to another service
        raise ConfigurationError(f"base_url must have a port from 1 to {MAX_PORT}, got {url.port}")
    if url.userinfo or url.query or url.fragment:
        raise ConfigurationError(
            "base_url must not have a user name, password, query or fragment; pass the key as api_key"
        )
    return str(url).rstrip("/")


class Sending(dict[str, float]):
    """The timeouts of one request. They also record which phase the request has reached.

    The phases are pool, connect, write and read. httpx looks up the timeout of each phase when the phase begins. Before
    "write", nothing can have reached the service. A user's own transport might not look up any timeout, so with such a
    transport (`assume_sent`) every request counts as sent.
    """

    def __init__(self, seconds: float, *, assume_sent: bool) -> None:
        super().__init__(dict.fromkeys(("pool", "connect", "write", "read"), seconds))
        self.phase = "transport" if assume_sent else "pool"

    def get(self, phase: str, default: Any = None) -> float:
        """Return the timeout of a phase in seconds, and record that the phase has begun."""
        self.phase = phase
        return self[phase]

    @property
    def carried_out(self) -> bool:
        """Whether any part of the request may have been sent."""
        return self.phase not in {"pool", "connect"}


_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    UnicodeError,  # a host name that DNS cannot carry
)
"""The errors that httpx raises before there is a connection. Nothing has been sent then."""

FAILURES: Final = (httpx.RequestError, httpx.InvalidURL, TimeoutError, RuntimeError, UnicodeError)
"""What sending with httpx can raise. InvalidURL means a malformed redirect, and RuntimeError means a closed pool."""

_UNUSABLE: Final = (ImportError, ValueError, httpx.InvalidURL)
"""What httpx raises for proxy settings in the environment that it cannot use."""


MAX_CACHED_URLS: Final = 64
"""The most URLs that a connection caches."""

_drivers: weakref.WeakSet[Connection] = weakref.WeakSet()
"""All drivers in use: the child of a fork must drop their connections."""


class Connection:
    """The common part of both drivers: base URL, headers and state."""

    clock: Clock = staticmethod(time.monotonic)

    def __init__(self, base_url: str, headers: Mapping[str, str], *, own_transport: bool) -> None:
        if not own_transport:
            check_environment(shared_ssl_context)
        self.base_url = base_url
        self._host = httpx.URL(base_url).netloc.decode("ascii")
        self._headers = dict(headers)
        self._urls: dict[str, httpx.URL] = {}
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

    def _url(self, request: Request) -> httpx.URL:
        """Return the URL of a request. URLs are cached, because parsing one takes a sixth of the time of a call."""
        url = self._urls.get(request.path)
        if url is None:
            if len(self._urls) >= MAX_CACHED_URLS:  # paths contain ids, so their number has no limit
                self._urls.clear()
            url = self._urls[request.path] = httpx.URL(self.base_url + request.path)
        return url

    def translated(self, error: Exception, command: Send, sending: Sending) -> Mem0ExportsError:
        """Return the error of this package for an error of httpx.

        Only text is copied, because httpx's error holds the request, which contains the key.
        """
        operation = command.request.operation
        # When in doubt, the request counts as sent: a create that is sent again by mistake makes a second job.
        sent = sending.carried_out and not isinstance(error, _NOT_SENT)
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            why = f"no answer from {self._host} within {command.timeout:g} s ({sending.phase})"
            return RequestTimeout(why, operation=operation, sent=sent)
        problem = self._redacted(f"{type(error).__name__}: {error}")
        reason = "the client was closed" if self._closed else f"the connection to {self._host} failed: {problem}"
        return ConnectionFailed(reason, operation=operation, sent=sent)

    def _redacted(self, text: str) -> str:
        """Return `text` with the key replaced, unless the key is so short that it may be part of other words."""
        key = self._headers["authorization"].rpartition(" ")[2]
        return text.replace(key, "[key]") if len(key) >= _MIN_SECRET else text

    def body(self, response: httpx.Response, command: Send) -> Body:
        """Return an object that collects the body of a response. Raises ContractViolation if it cannot be read."""
        empty = Response(response.status_code, response.headers, b"", self._redacted)
        return Body(response, command, empty.request_id)

    def response(self, response: httpx.Response, body: Body) -> Response:
        """Return the part of a response that flows read."""
        return Response(response.status_code, response.headers, body.whole(), self._redacted)

    def sending(self, command: Send) -> Sending:
        """Return the timeouts of a request that has not begun yet."""
        return Sending(command.timeout, assume_sent=self._own_transport)

    def options(self, command: Send, sending: Sending) -> dict[str, Any]:
        """Return the arguments for httpx's `build_request`."""
        request = command.request
        return {
            "method": request.method,
            "url": self._url(request),
            "params": request.params,
            "content": request.body,
            "headers": headers_of(request),
            "extensions": {"timeout": sending},
        }

    def create_client(self, kind: Callable[..., U], transport: object) -> U:
        """Create one of httpx's clients; raise ConfigurationError if the environment has unusable settings for it."""
        try:
            return kind(
                headers=self._headers,
                transport=transport,
                verify=True if self._own_transport else shared_ssl_context(),
                limits=_LIMITS,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # a policy that stores no cookies
            )
        except OSError as error:  # SSL_CERT_FILE is not a certificate file
            problem = f"the certificates for HTTPS cannot be read; check SSL_CERT_FILE and SSL_CERT_DIR: {error}"
        except _UNUSABLE as error:
            problem = f"the HTTP client cannot be set up; check the proxy settings in the environment: {error}"
        raise ConfigurationError(problem)


def headers_of(request: Request) -> dict[str, str]:
    """Return the headers of a request besides those that all requests of the client have."""
    headers = {} if request.body is None else {"content-type": "application/json"}
    return {**headers, "prefer": f"wait={request.wait}"} if request.wait else headers


_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
"""The values of Content-Encoding that can be read piece by piece. Other ones could turn one piece into gigabytes."""


class Body:
    """Collects the body of a response, up to the limit of its request."""

    def __init__(self, response: httpx.Response, command: Send, request_id: str | None) -> None:
        self._status = response.status_code
        self._command = command
        self._request_id = request_id
        self._chunks: list[bytes] = []
        self._left = command.max_bytes
        encoding = response.headers.get("content-encoding", "").strip().lower()
        self.is_readable = encoding in _ENCODINGS
        """Whether the response may be read. The body of an error status is left out if it may not: the status says enough."""
        if not self.is_readable and response.is_success:
            raise ContractViolation(
                f"the answer has the Content-Encoding {encoding[:50]!r}, but only gzip and deflate were accepted",
                operation=command.request.operation,
                excerpt="",
                status=self._status,
                request_id=request_id,
            )

    def add(self, chunk: bytes) -> None:
        """Add the next bytes, after decompression. Raises ResponseTooLarge."""
        self._left -= len(chunk)
        if self._left < 0:
            self._chunks.clear()  # the error may be kept for long
            raise ResponseTooLarge(
                operation=self._command.request.operation,
                limit=self._command.max_bytes,
                status=self._status,
                request_id=self._request_id,
            )
        self._chunks.append(chunk)

    def whole(self) -> bytes:
        """Return the body, once it is complete."""
        return b"".join(self._chunks)


def log_attempt(command: Send, start: float, outcome: Response | Mem0ExportsError) -> None:
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
    global _ssl_lock  # noqa: PLW0603 -- another thread of the parent may have held it
    _ssl_lock = threading.Lock()
    for driver in list(_drivers):  # a copy, because the set shrinks when a driver is collected
        driver.forget_connections()


if sys.platform != "win32" and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
