"""Runs a flow: carries out its commands over httpx, in a thread or on an event loop.

This is the one place where sync and async differ, and the only module beside local/transport that imports httpx.
No decision is made here.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref

from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import httpx

from mem0_exports._deadlines import deadline, keep_deadlines
from mem0_exports._flow import NotCarriedOut, Response, Send, Work
from mem0_exports.errors import ConfigurationError, ConnectionFailed, Mem0ExportsError, RequestTimeout


if TYPE_CHECKING:
    import ssl

    from collections.abc import Mapping

    from mem0_exports._flow import Flow, Request
    from mem0_exports._settings import Clock

T = TypeVar("T")

Transport: TypeAlias = httpx.BaseTransport
AsyncTransport: TypeAlias = httpx.AsyncBaseTransport

_log = logging.getLogger("mem0_exports")

_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=100)
"""As many connections are kept as a bulk run may use at once."""

SHORTEST_SECRET: Final = 8

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
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise ConfigurationError(f"base_url is no URL: {error}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("base_url starts with http:// or https:// and a host")
    if url.userinfo or url.query or url.fragment:
        raise ConfigurationError("base_url takes no user name, password, query or fragment; the key goes into api_key")
    return str(url).rstrip("/")


class _TimeLeft(dict[str, float]):
    """The timeouts of one request, as httpx asks for them at the start of each phase: what is left until its deadline.

    `phase` is the one that was begun last (pool, connect, write, read): before "write" nothing can have reached the
    service.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(dict.fromkeys(("pool", "connect", "write", "read"), seconds))
        self.deadline = time.monotonic() + seconds
        self.phase: str | None = None

    def get(self, phase: str, default: Any = None) -> float:
        """Seconds for the phase that begins now."""
        self.phase = phase
        return max(0.001, self.deadline - time.monotonic())

    @property
    def sent(self) -> bool:
        """Whether a part of the request may have been sent. Transports of other making ask for no timeouts."""
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

_FAILURES: Final = (httpx.RequestError, TimeoutError, RuntimeError, UnicodeError)
"""What httpx raises: RuntimeError for a pool that was closed meanwhile, UnicodeError from the resolver."""


_drivers: weakref.WeakSet[_Connection] = weakref.WeakSet()
"""All that live, for the child of a fork."""


class _Connection:
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
        """Start anew, in the child of a fork: the sockets belong to the parent, and so does the event loop."""
        self._lock = threading.Lock()
        self._forked = self._own_transport

    def _check_open(self) -> None:
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

    def _translated(self, error: Exception, command: Send, time_left: _TimeLeft) -> Mem0ExportsError:
        """The error of this package for one of httpx; only text is taken over."""
        operation = command.request.operation
        sent = time_left.sent and not isinstance(error, _NOT_SENT)
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            phase = time_left.phase or "transport"
            return RequestTimeout(f"no answer within {command.timeout:g} s ({phase})", operation=operation, sent=sent)
        if self._closed:
            return ConfigurationError("this client is closed; make a new one")
        reason = self._redacted(f"{type(error).__name__}: {error}")
        return ConnectionFailed(reason, operation=operation, sent=sent)

    def _redacted(self, text: str) -> str:
        """`text` without the key. Keys too short to be secrets are left: they would be found in other words."""
        key = self._headers["authorization"].rpartition(" ")[2]
        return text.replace(key, "[key]") if len(key) >= SHORTEST_SECRET else text

    def _response(self, response: httpx.Response) -> Response:
        return Response(response.status_code, response.headers, response.content, self._redacted)

    def _options(self, command: Send, time_left: _TimeLeft) -> dict[str, Any]:
        """The arguments of httpx's build_request."""
        request = command.request
        return {
            "method": request.method,
            "url": self._url(request),
            "params": request.params,
            "content": request.body,
            "headers": None if request.body is None else {"content-type": "application/json"},
            "extensions": {"timeout": time_left},
        }

    def _settings(self) -> dict[str, Any]:
        """The arguments of httpx's clients; ConfigurationError where the environment spoils them."""
        try:
            verify = True if self._own_transport else shared_ssl_context()
        except (OSError, ValueError) as error:  # SSL_CERT_FILE names what is no certificate
            problem = f"{type(error).__name__}: {error}"
        else:
            return {"headers": self._headers, "verify": verify, "limits": _LIMITS}
        raise ConfigurationError(f"the certificates for HTTPS cannot be read: {problem}")


def _log_attempt(command: Send, begun: float, outcome: Response | Mem0ExportsError) -> None:
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


class Driver(_Connection):
    """Runs flows in the calling thread. Opens nothing before the first request; safe to share between threads."""

    def __init__(self, base_url: str, headers: Mapping[str, str], transport: Transport | None) -> None:
        super().__init__(base_url, headers, own_transport=transport is not None)
        self._transport = transport
        self._http: httpx.Client | None = None

    def prepare(self) -> httpx.Client:
        """Open the connection pool, once; no network."""
        with self._lock:
            self._check_open()
            if self._http is None:
                try:
                    http = httpx.Client(transport=self._transport, **self._settings())
                except (ImportError, ValueError) as error:  # a proxy in the environment that httpx cannot use
                    raise ConfigurationError(f"the HTTP client cannot be set up: {error}") from None
                for transport in (http._transport, *http._mounts.values()):  # noqa: SLF001 -- see keep_deadlines
                    keep_deadlines(transport)
                self._http = http
            return self._http

    def forget_connections(self) -> None:
        """Start anew, in the child of a fork."""
        super().forget_connections()
        self._http = None

    def run(self, flow: Flow[T], stop: threading.Event | None = None) -> T:
        """The value of the flow. Errors of the connection are thrown into it; NotCarriedOut soon after `stop` is set."""
        try:
            command = next(flow)
            while True:
                if stop is not None and stop.is_set():
                    flow.throw(NotCarriedOut())
                reply: Any = None
                try:
                    if isinstance(command, Send):
                        reply = self._send(command)
                    elif isinstance(command, Work):
                        reply = command.call()
                    else:
                        self._sleep(command.seconds, stop)
                except Mem0ExportsError as error:
                    command = flow.throw(error)
                else:
                    command = flow.send(reply)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            flow.close()

    def _sleep(self, seconds: float, stop: threading.Event | None) -> None:
        if stop is None:
            time.sleep(seconds)
        else:
            stop.wait(seconds)

    def _send(self, command: Send) -> Response:
        http = self._http or self.prepare()
        time_left = _TimeLeft(command.timeout)
        begun = time.monotonic()
        try:
            with deadline(time_left.deadline):
                response = http.send(http.build_request(**self._options(command, time_left)))
            outcome = self._response(response)
        except _FAILURES as error:
            failure = self._translated(error, command, time_left)
        else:
            _log_attempt(command, begun, outcome)
            return outcome
        _log_attempt(command, begun, failure)
        # Outside the handler: the error of httpx, whose request holds the key, must not hang on ours as its context.
        raise failure

    def close(self) -> None:
        """Close the connections and the transport."""
        with self._lock:
            self._closed, opened, self._http = True, self._http, None
        closing = opened or self._transport
        if closing is not None:
            closing.close()


class AsyncDriver(_Connection):
    """Runs flows on the event loop (asyncio or trio)."""

    def __init__(self, base_url: str, headers: Mapping[str, str], transport: AsyncTransport | None) -> None:
        super().__init__(base_url, headers, own_transport=transport is not None)
        self._transport = transport
        self._http: httpx.AsyncClient | None = None
        self._loop: object = None

    def prepare(self) -> httpx.AsyncClient:
        """Open the connection pool, once for an event loop; no network."""
        from anyio.lowlevel import current_token  # noqa: PLC0415 -- httpx brings it; only the async side needs it

        loop = current_token()
        with self._lock:
            self._check_open()
            # Connections belong to the loop that made them. Those of an earlier asyncio.run() are dead.
            if self._http is None or (self._loop != loop and self._transport is None):
                try:
                    self._http = httpx.AsyncClient(transport=self._transport, **self._settings())
                except (ImportError, ValueError) as error:  # a proxy in the environment that httpx cannot use
                    raise ConfigurationError(f"the HTTP client cannot be set up: {error}") from None
                self._loop = loop
            return self._http

    def forget_connections(self) -> None:
        """Start anew, in the child of a fork."""
        super().forget_connections()
        self._http = None

    async def run(self, flow: Flow[T]) -> T:
        """The value of the flow. Errors of the connection are thrown into it; a cancellation closes it."""
        import anyio.to_thread  # noqa: PLC0415 -- httpx brings it; only the async side needs it

        try:
            command = next(flow)
            while True:
                reply: Any = None
                try:
                    if isinstance(command, Send):
                        reply = await self._send(command)
                    elif isinstance(command, Work):
                        reply = await anyio.to_thread.run_sync(command.call)
                    else:
                        await self._sleep(command.seconds)
                except Mem0ExportsError as error:
                    command = flow.throw(error)
                else:
                    command = flow.send(reply)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            flow.close()

    async def _sleep(self, seconds: float) -> None:
        import anyio  # noqa: PLC0415 -- httpx brings it; only the async side needs it

        await anyio.sleep(seconds)

    async def _send(self, command: Send) -> Response:
        import anyio  # noqa: PLC0415 -- httpx brings it; only the async side needs it

        http = self.prepare()
        time_left = _TimeLeft(command.timeout)
        begun = time.monotonic()
        try:
            with anyio.fail_after(command.timeout):
                response = await http.send(http.build_request(**self._options(command, time_left)))
            outcome = self._response(response)
        except _FAILURES as error:
            failure = self._translated(error, command, time_left)
        else:
            _log_attempt(command, begun, outcome)
            return outcome
        _log_attempt(command, begun, failure)
        raise failure  # outside the handler, as in Driver

    async def close(self) -> None:
        """Close the connections and the transport."""
        with self._lock:
            self._closed, opened, self._http = True, self._http, None
        closing = opened or self._transport
        if closing is not None:
            import anyio  # noqa: PLC0415 -- httpx brings it; only the async side needs it

            with anyio.CancelScope(shield=True):  # a cancelled user must not leave a worker and open files behind
                await closing.aclose()


def _after_fork() -> None:
    global _ssl_lock  # noqa: PLW0603 -- another thread may have held it
    _ssl_lock = threading.Lock()
    for driver in list(_drivers):
        driver.forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
