"""What both drivers know: where to, with which headers, and what httpx's errors mean.

With `_drive`, which sends, and local/transport this is where httpx is imported.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx

from mem0_exports.errors import ConfigurationError, ConnectionFailed, Mem0ExportsError, RequestTimeout
from mem0_exports.http.flow import Response


if TYPE_CHECKING:
    import ssl

    from collections.abc import Callable, Mapping

    from mem0_exports.http.flow import Request, Send
    from mem0_exports.http.settings import Clock

U = TypeVar("U")

_log = logging.getLogger("mem0_exports")

_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=100)
"""As many connections are kept as a bulk run may use at once."""

_MIN_SECRET: Final = 8
"""Characters. Shorter keys are those of tests and of the embedded engine."""

_ssl_lock = threading.Lock()
_ssl_context: ssl.SSLContext | None = None


def shared_ssl_context() -> ssl.SSLContext:
    """One context for all clients of the process: reading the CA bundle costs tens of milliseconds each time."""
    global _ssl_context  # noqa: PLW0603 -- a cache, filled once
    with _ssl_lock:
        if _ssl_context is None:
            _ssl_context = httpx.create_ssl_context()
        return _ssl_context


def checked_base_url(text: str) -> str:
    """`text` without its last slash, if it is the address of a service; ConfigurationError, which does not show it."""
    url = problem = None
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        problem = str(error)
    if url is None:
        raise ConfigurationError(f"base_url is no URL: {problem}")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("base_url starts with http:// or https:// and a host")
    if url.userinfo or url.query or url.fragment:
        raise ConfigurationError("base_url takes no user name, password, query or fragment; the key goes into api_key")
    return str(url).rstrip("/")


class Sending(dict[str, float]):
    """The timeouts of one request. httpx asks for them at the start of each phase: pool, connect, write, read.

    So they tell how far it came: before "write" nothing can have reached the service. Transports of other making ask
    for none, and then nobody knows.
    """

    def __init__(self, seconds: float, *, begun: bool) -> None:
        super().__init__(dict.fromkeys(("pool", "connect", "write", "read"), seconds))
        self.phase = "transport" if begun else "pool"

    def get(self, phase: str, default: Any = None) -> float:
        """Seconds for the phase that begins now."""
        self.phase = phase
        return self[phase]

    @property
    def carried_out(self) -> bool:
        """Whether a part of the request may have been sent."""
        return self.phase not in {"pool", "connect"}


_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    UnicodeError,  # a host name that DNS cannot carry
)
"""Failures before a connection stood."""

FAILURES: Final = (httpx.RequestError, httpx.InvalidURL, TimeoutError, RuntimeError, UnicodeError)
"""What httpx raises: InvalidURL for a redirect to nowhere, RuntimeError for a pool that was closed meanwhile."""

_UNUSABLE: Final = (ImportError, ValueError, httpx.InvalidURL)
"""What httpx raises for proxies in the environment that it cannot use."""


_drivers: weakref.WeakSet[Connection] = weakref.WeakSet()
"""All that live, for the child of a fork."""


class Connection:
    """What both drivers know: where to, with which headers, over which transport."""

    clock: Clock = staticmethod(time.monotonic)

    def __init__(self, base_url: str, headers: Mapping[str, str], *, own_transport: bool) -> None:
        self.base_url = base_url
        self._headers = dict(headers)
        self._urls: dict[str, httpx.URL] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._own_transport = own_transport
        self._forked = False
        _drivers.add(self)

    def forget_connections(self) -> None:
        """Start anew, in the child of a fork: the sockets belong to the parent, and so does the event loop.

        Those of the pool are closed here as Python drops it, which the parent does not notice.
        """
        self._lock = threading.Lock()
        self._forked = self._own_transport

    def check_open(self) -> None:
        """ConfigurationError where nothing can be sent any more."""
        if self._closed:
            raise ConfigurationError("this client is closed; make a new one")
        if self._forked:
            raise ConfigurationError(
                "this client was made before the process was forked, and its embedded engine or transport cannot be in "
                "two processes; make the client after the fork"
            )

    def _url(self, request: Request) -> httpx.URL:
        """The address, parsed once for each of the few paths: parsing is a sixth of what a call costs."""
        url = self._urls.get(request.path)
        if url is None:
            url = self._urls[request.path] = httpx.URL(self.base_url + request.path)
        return url

    def translated(self, error: Exception, command: Send, sending: Sending) -> Mem0ExportsError:
        """The error of this package for one of httpx; only text is taken over."""
        operation = command.request.operation
        sent = sending.carried_out and not isinstance(error, _NOT_SENT)
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            why = f"no answer within {command.timeout:g} s ({sending.phase})"
            return RequestTimeout(why, operation=operation, sent=sent)
        reason = "the client was closed" if self._closed else self._redacted(f"{type(error).__name__}: {error}")
        return ConnectionFailed(reason, operation=operation, sent=sent)

    def _redacted(self, text: str) -> str:
        """`text` without the key. Keys too short to be secrets are left: they would be found in other words."""
        key = self._headers["authorization"].rpartition(" ")[2]
        return text.replace(key, "[key]") if len(key) >= _MIN_SECRET else text

    def response(self, response: httpx.Response) -> Response:
        """What the flows know of an answer."""
        return Response(response.status_code, response.headers, response.content, self._redacted)

    def sending(self, command: Send) -> Sending:
        """How far the request comes; at its beginning."""
        return Sending(command.timeout, begun=self._own_transport)

    def options(self, command: Send, sending: Sending) -> dict[str, Any]:
        """The arguments of httpx's build_request."""
        request = command.request
        return {
            "method": request.method,
            "url": self._url(request),
            "params": request.params,
            "content": request.body,
            "headers": None if request.body is None else {"content-type": "application/json"},
            "extensions": {"timeout": sending},
        }

    def made(self, kind: Callable[..., U], transport: object) -> U:
        """One of httpx's clients; ConfigurationError where the environment spoils it."""
        try:
            return kind(
                headers=self._headers,
                transport=transport,
                verify=True if self._own_transport else shared_ssl_context(),
                limits=_LIMITS,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # keeps none
            )
        except OSError as error:  # SSL_CERT_FILE names what is no certificate
            problem = f"the certificates for HTTPS cannot be read: {error}"
        except _UNUSABLE as error:
            problem = f"the HTTP client cannot be set up: {error}"
        raise ConfigurationError(problem)


def log_attempt(command: Send, begun: float, outcome: Response | Mem0ExportsError) -> None:
    """One line for each attempt: what, how it ended, which attempt, how long. Never a body, a schema or a key."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    answer = outcome if isinstance(outcome, Response) else None
    _log.debug(
        "%s: %s, attempt %d, %.0f ms, request id %s",
        command.request.operation,
        type(outcome).__name__ if answer is None else answer.status,
        command.attempt,
        (time.monotonic() - begun) * 1000,
        (None if answer is None else answer.request_id) or "-",
    )


def _after_fork() -> None:
    global _ssl_lock  # noqa: PLW0603 -- another thread may have held it
    _ssl_lock = threading.Lock()
    for driver in list(_drivers):
        driver.forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
