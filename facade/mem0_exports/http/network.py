"""Send requests over the network with httpx: addresses, timeouts, pools, and the translation of httpx's errors."""

from __future__ import annotations

import os
import sys
import threading

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx

from mem0_exports.errors import ConfigurationError, ConnectionFailed, Mem0ExportsError, RequestTimeout
from mem0_exports.http.connection import Connection, headers_of
from mem0_exports.http.environment import MAX_PORT, check_environment, is_port


if TYPE_CHECKING:
    import ssl

    from collections.abc import Callable, Mapping

    from mem0_exports.http.connection import Body
    from mem0_exports.http.flow import Request, Send

U = TypeVar("U")

MAX_CONNECTIONS: Final = 100
"""As many connections as a bulk run can use at once."""

_LIMITS: Final = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)

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


class Phases(dict[str, float]):
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


class NetworkConnection(Connection):
    """The part of both network drivers that is the same."""

    def __init__(self, base_url: str, headers: Mapping[str, str], *, own_transport: bool) -> None:
        if not own_transport:
            check_environment(shared_ssl_context)
        super().__init__(base_url, headers, own_transport=own_transport)
        self._host = httpx.URL(base_url).netloc.decode("ascii")
        self._urls: dict[str, httpx.URL] = {}

    def _url(self, request: Request) -> httpx.URL:
        """Return the URL of a request. URLs are cached, because parsing one takes a sixth of the time of a call."""
        url = self._urls.get(request.path)
        if url is None:
            if len(self._urls) >= MAX_CACHED_URLS:  # paths contain ids, so their number has no limit
                self._urls.clear()
            url = self._urls[request.path] = httpx.URL(self.base_url + request.path)
        return url

    def translated(self, error: Exception, command: Send, sending: Phases) -> Mem0ExportsError:
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

    def begun(self, response: httpx.Response, command: Send) -> Body:
        """Return an object that collects the body of a response. Raises ContractViolation if it cannot be read."""
        # A dict, because each look into the headers of httpx compares all of them.
        return self.body(response.status_code, dict(response.headers.items()), command)

    def sending(self, command: Send) -> Phases:
        """Return the timeouts of a request that has not begun yet."""
        return Phases(command.timeout, assume_sent=self._own_transport)

    def options(self, command: Send, sending: Phases) -> dict[str, Any]:
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


def _after_fork() -> None:
    global _ssl_lock  # noqa: PLW0603 -- another thread of the parent may have held it
    _ssl_lock = threading.Lock()


if sys.platform != "win32" and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
