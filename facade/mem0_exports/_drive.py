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

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import httpx

from mem0_exports._deadlines import deadline, keep_deadlines
from mem0_exports._flow import BrokenOff, Response, Send, Sleep, Work
from mem0_exports.errors import ConfigurationError, ConnectionFailed, Mem0ExportsError, RequestTimeout


if TYPE_CHECKING:
    import ssl

    from collections.abc import Callable, Mapping

    from mem0_exports._flow import Flow, Request
    from mem0_exports._settings import Clock

T = TypeVar("T")
U = TypeVar("U")

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


class _Sending(dict[str, float]):
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


class _Undivided:
    """Blocking work that is done as a whole or not at all, also when whoever waits for it is cancelled."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._begun = self._dropped = False

    def __call__(self) -> Any:
        """Do it, unless it was dropped."""
        with self._lock:
            if self._dropped:
                return None
            self._begun = True
        try:
            return self._call()
        finally:
            self._done.set()

    @property
    def carried_out(self) -> bool:
        """Whether it was done: drops it if it has not begun, and waits for its end if it has."""
        with self._lock:
            self._dropped = not self._begun
        if self._begun:
            self._done.wait()
        return self._begun


_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    UnicodeError,  # a host name that DNS cannot carry
)
"""Failures before a connection stood."""

_FAILURES: Final = (httpx.RequestError, httpx.InvalidURL, TimeoutError, RuntimeError, UnicodeError)
"""What httpx raises: InvalidURL for a redirect to nowhere, RuntimeError for a pool that was closed meanwhile."""

_UNUSABLE: Final = (ImportError, ValueError, httpx.InvalidURL)
"""What httpx raises for proxies in the environment that it cannot use."""


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
        """Start anew, in the child of a fork: the sockets belong to the parent, and so does the event loop.

        Those of the pool are closed here as Python drops it, which the parent does not notice.
        """
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

    def _translated(self, error: Exception, command: Send, sending: _Sending) -> Mem0ExportsError:
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
        return text.replace(key, "[key]") if len(key) >= SHORTEST_SECRET else text

    def _response(self, response: httpx.Response) -> Response:
        return Response(response.status_code, response.headers, response.content, self._redacted)

    def _sending(self, command: Send) -> _Sending:
        return _Sending(command.timeout, begun=self._own_transport)

    def _options(self, command: Send, sending: _Sending) -> dict[str, Any]:
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

    def _made(self, kind: Callable[..., U], transport: object) -> U:
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
                http = self._made(httpx.Client, self._transport)
                if not self._own_transport:
                    for transport in (http._transport, *http._mounts.values()):  # noqa: SLF001 -- see keep_deadlines
                        keep_deadlines(transport)
                self._http = http
            return self._http

    def forget_connections(self) -> None:
        """Start anew, in the child of a fork."""
        super().forget_connections()
        self._http = None

    def run(self, flow: Flow[T], stop: threading.Event | None = None) -> T:
        """The value of the flow, or its error. BrokenOff soon after `stop` is set."""
        try:
            command = next(flow)
            while True:
                if stop is not None and stop.is_set():
                    self._break_off(flow, carried_out=False)
                    raise BrokenOff(carried_out=False)
                reply: Any = None
                failure: Exception | None = None
                sending = self._sending(command) if isinstance(command, Send) else None
                try:
                    if isinstance(command, Send):
                        assert sending is not None  # made above
                        reply = self._send(command, sending)
                    elif isinstance(command, Work):
                        reply = command.call()
                    else:
                        self._sleep(command.seconds, stop)
                except Exception as error:  # noqa: BLE001 -- the flow decides
                    failure = error
                except BaseException:
                    self._break_off(flow, carried_out=sending is not None and sending.carried_out)
                    raise
                command = flow.send(reply) if failure is None else flow.throw(failure)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            flow.close()

    def _break_off(self, flow: Flow[T], *, carried_out: bool) -> None:
        """Let the flow write down how far it came."""
        try:
            command = flow.throw(BrokenOff(carried_out=carried_out))
            while isinstance(command, Work):
                failure: Exception | None = None
                try:
                    command.call()
                except Exception as error:  # noqa: BLE001 -- the flow decides
                    failure = error
                command = flow.send(None) if failure is None else flow.throw(failure)
        except (BrokenOff, StopIteration):
            pass

    def _sleep(self, seconds: float, stop: threading.Event | None) -> None:
        if stop is None:
            time.sleep(seconds)
        else:
            stop.wait(seconds)

    def _send(self, command: Send, sending: _Sending) -> Response:
        http = self._http or self.prepare()
        begun = time.monotonic()
        try:
            with deadline(begun + command.timeout):
                response = http.send(http.build_request(**self._options(command, sending)))
            outcome = self._response(response)
        except _FAILURES as error:
            failure = self._translated(error, command, sending)
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
        loop = _running_loop()
        with self._lock:
            self._check_open()
            # Connections belong to the loop that made them. Those of an earlier asyncio.run() are dead.
            if self._http is None or (self._loop != loop and not self._own_transport):
                self._http = self._made(httpx.AsyncClient, self._transport)
                self._loop = loop
            return self._http

    def forget_connections(self) -> None:
        """Start anew, in the child of a fork."""
        super().forget_connections()
        self._http = None

    async def run(self, flow: Flow[T]) -> T:
        """The value of the flow, or its error. A cancellation lets it write down how far it came."""
        try:
            command = next(flow)
            while True:
                reply: Any = None
                failure: Exception | None = None
                sending = self._sending(command) if isinstance(command, Send) else None
                work = _Undivided(command.call) if isinstance(command, Work) else None
                try:
                    if isinstance(command, Send):
                        assert sending is not None  # made above
                        reply = await self._send(command, sending)
                    elif work is not None:
                        reply = await _in_thread(work)
                    elif isinstance(command, Sleep):
                        await self._sleep(command.seconds)
                except Exception as error:  # noqa: BLE001 -- the flow decides
                    failure = error
                except BaseException:
                    under_way = sending or work
                    await self._break_off(flow, carried_out=under_way is not None and under_way.carried_out)
                    raise
                command = flow.send(reply) if failure is None else flow.throw(failure)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            flow.close()

    async def _break_off(self, flow: Flow[T], *, carried_out: bool) -> None:
        """Let the flow write down how far it came, off the loop. A second cancellation does not divide that either."""
        try:
            command = flow.throw(BrokenOff(carried_out=carried_out))
            while isinstance(command, Work):
                failure: Exception | None = None
                work = _Undivided(command.call)
                try:
                    await _in_thread(work)
                except Exception as error:  # noqa: BLE001 -- the flow decides
                    failure = error
                except BaseException:  # noqa: BLE001 -- the first cancellation is raised when this is done
                    if not work.carried_out:
                        command.call()
                command = flow.send(None) if failure is None else flow.throw(failure)
        except (BrokenOff, StopIteration):
            pass

    async def _sleep(self, seconds: float) -> None:
        import anyio  # noqa: PLC0415 -- httpx brings it; only the async side needs it

        await anyio.sleep(seconds)

    async def _send(self, command: Send, sending: _Sending) -> Response:
        import anyio  # noqa: PLC0415 -- httpx brings it; only the async side needs it

        http = self.prepare()
        begun = time.monotonic()
        try:
            with anyio.fail_after(command.timeout):
                response = await http.send(http.build_request(**self._options(command, sending)))
            outcome = self._response(response)
        except _FAILURES as error:
            failure = self._translated(error, command, sending)
        else:
            _log_attempt(command, begun, outcome)
            return outcome
        _log_attempt(command, begun, failure)
        raise failure  # outside the handler, as in Driver

    async def close(self) -> None:
        """Close the connections and the transport."""
        import anyio  # noqa: PLC0415 -- httpx brings it; only the async side needs it

        with self._lock:
            self._closed, opened, self._http = True, self._http, None
        if opened is not None and not self._own_transport and self._loop != _running_loop():
            return  # its connections died with the loop that made them
        closing = opened or self._transport
        if closing is not None:
            with anyio.CancelScope(shield=True):  # a cancelled user must not leave a worker and open files behind
                await closing.aclose()


def _running_loop() -> object:
    from anyio.lowlevel import current_token  # noqa: PLC0415 -- httpx brings it; only the async side needs it

    return current_token()


async def _in_thread(work: _Undivided) -> Any:
    import anyio.to_thread  # noqa: PLC0415 -- httpx brings it; only the async side needs it

    with anyio.CancelScope(shield=True):
        return await anyio.to_thread.run_sync(work)


def _after_fork() -> None:
    global _ssl_lock  # noqa: PLW0603 -- another thread may have held it
    _ssl_lock = threading.Lock()
    for driver in list(_drivers):
        driver.forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
