"""Runs a flow: carries out its commands over httpx, in a thread or on an event loop.

This is the one place where sync and async differ, and the only module beside local/transport that imports httpx.
No decision is made here.
"""

from __future__ import annotations

import threading
import time

from typing import TYPE_CHECKING, TypeAlias, TypeVar

import httpx

from mem0_exports._flow import Response, Send
from mem0_exports.errors import ConfigurationError, ConnectionFailed, Mem0ExportsError, RequestTimeout


if TYPE_CHECKING:
    import ssl

    from collections.abc import Mapping

    from mem0_exports._flow import Clock, Flow, Request

T = TypeVar("T")

Transport: TypeAlias = httpx.BaseTransport
AsyncTransport: TypeAlias = httpx.AsyncBaseTransport

_ssl_lock = threading.Lock()
_ssl_context: ssl.SSLContext | None = None


def _shared_ssl_context() -> ssl.SSLContext:
    """One context for all clients of the process: reading the CA bundle costs tens of milliseconds each time."""
    global _ssl_context  # noqa: PLW0603 -- a cache, filled once
    with _ssl_lock:
        if _ssl_context is None:
            _ssl_context = httpx.create_ssl_context()
        return _ssl_context


_CLOSED = "this client is closed; make a new one"


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


class _Connection:
    """What both drivers know: where to, with which headers, over which transport."""

    clock: Clock = staticmethod(time.monotonic)

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        self._base_url = base_url
        self._headers = dict(headers)
        self._urls: dict[str, httpx.URL] = {}
        self._lock = threading.Lock()
        self._closed = False

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigurationError(_CLOSED)

    def _url(self, request: Request) -> httpx.URL:
        """The address, parsed once for each of the few paths: parsing is a sixth of what a call costs."""
        url = self._urls.get(request.path)
        if url is None:
            url = self._urls[request.path] = httpx.URL(self._base_url + request.path)
        return url

    def _translated(self, error: Exception, command: Send) -> Mem0ExportsError:
        """The error of this package for one of httpx; only text is taken over."""
        operation = command.request.operation
        if isinstance(error, httpx.TimeoutException):
            phase = type(error).__name__.removesuffix("Timeout").lower()
            return RequestTimeout(f"{operation}: no answer within {command.timeout:g} s ({phase})")
        if self._closed:
            return ConfigurationError(_CLOSED)
        return ConnectionFailed(f"{operation}: {type(error).__name__}: {error}")

    def _headers_for(self, request: Request) -> Mapping[str, str] | None:
        return None if request.body is None else {"content-type": "application/json"}


class Driver(_Connection):
    """Runs flows in the calling thread. Opens nothing before the first request; safe to share between threads."""

    def __init__(self, base_url: str, headers: Mapping[str, str], transport: Transport | None) -> None:
        super().__init__(base_url, headers)
        self._transport = transport
        self._http: httpx.Client | None = None

    def prepare(self) -> httpx.Client:
        """Open the connection pool, once; no network."""
        with self._lock:
            self._check_open()
            if self._http is None:
                verify = _shared_ssl_context() if self._transport is None else True
                try:
                    self._http = httpx.Client(headers=self._headers, transport=self._transport, verify=verify)
                except (ImportError, ValueError) as error:  # a proxy in the environment that httpx cannot use
                    raise ConfigurationError(f"the HTTP client cannot be set up: {error}") from None
            return self._http

    def run(self, flow: Flow[T]) -> T:
        """The value of the flow. Errors of the connection are thrown into it."""
        try:
            command = next(flow)
            while True:
                try:
                    if isinstance(command, Send):
                        reply = self._send(command)
                    else:
                        reply = None
                        time.sleep(command.seconds)
                except Mem0ExportsError as error:
                    command = flow.throw(error)
                else:
                    command = flow.send(reply)
        except StopIteration as stop:
            value: T = stop.value
            return value
        finally:
            flow.close()

    def _send(self, command: Send) -> Response:
        request = command.request
        http = self._http or self.prepare()
        try:
            response = http.request(
                request.method,
                self._url(request),
                params=request.params,
                content=request.body,
                headers=self._headers_for(request),
                timeout=command.timeout,
            )
            return Response(response.status_code, response.headers, response.content)
        except (httpx.RequestError, RuntimeError) as error:
            failure = self._translated(error, command)
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
        super().__init__(base_url, headers)
        self._transport = transport
        self._http: httpx.AsyncClient | None = None

    def prepare(self) -> httpx.AsyncClient:
        """Open the connection pool, once; no network."""
        with self._lock:
            self._check_open()
            if self._http is None:
                verify = _shared_ssl_context() if self._transport is None else True
                try:
                    self._http = httpx.AsyncClient(headers=self._headers, transport=self._transport, verify=verify)
                except (ImportError, ValueError) as error:  # a proxy in the environment that httpx cannot use
                    raise ConfigurationError(f"the HTTP client cannot be set up: {error}") from None
            return self._http

    async def run(self, flow: Flow[T]) -> T:
        """The value of the flow. Errors of the connection are thrown into it; a cancellation closes it."""
        import anyio  # noqa: PLC0415 -- httpx brings it; only the async side needs it

        try:
            command = next(flow)
            while True:
                try:
                    if isinstance(command, Send):
                        reply = await self._send(command)
                    else:
                        reply = None
                        await anyio.sleep(command.seconds)
                except Mem0ExportsError as error:
                    command = flow.throw(error)
                else:
                    command = flow.send(reply)
        except StopIteration as stop:
            value: T = stop.value
            return value
        finally:
            flow.close()

    async def _send(self, command: Send) -> Response:
        request = command.request
        http = self._http or self.prepare()
        try:
            response = await http.request(
                request.method,
                self._url(request),
                params=request.params,
                content=request.body,
                headers=self._headers_for(request),
                timeout=command.timeout,
            )
            return Response(response.status_code, response.headers, response.content)
        except (httpx.RequestError, RuntimeError) as error:
            failure = self._translated(error, command)
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
