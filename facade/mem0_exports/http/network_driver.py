"""Carry out the commands of flows with httpx, over the network or with a transport of the user's own."""

from __future__ import annotations

import contextlib
import itertools
import time

from typing import TYPE_CHECKING, TypeAlias

import httpx

from mem0_exports.errors import ContractViolation, Mem0ExportsError, ResponseTooLarge
from mem0_exports.http.connection import concluded
from mem0_exports.http.driver import AsyncDriver, Driver
from mem0_exports.http.network import FAILURES, MAX_CONNECTIONS, NetworkConnection, Phases


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from mem0_exports.http.flow import Response, Send

Transport: TypeAlias = httpx.BaseTransport
AsyncTransport: TypeAlias = httpx.AsyncBaseTransport


class NetworkDriver(NetworkConnection, Driver):
    """Runs flows in the calling thread, with an httpx.Client."""

    def __init__(self, base_url: str, headers: Mapping[str, str], transport: Transport | None) -> None:
        super().__init__(base_url, headers, own_transport=transport is not None)
        self._transport = transport
        self._http: httpx.Client | None = None

    def prepare(self) -> httpx.Client:
        """Create the connection pool on first use. Does not connect."""
        with self._lock:
            self.check_open()
            if self._http is None:
                from mem0_exports import deadlines as _deadlines  # noqa: PLC0415 -- loads httpcore, which is slow

                self._deadline = _deadlines.Deadline
                http = self.create_client(httpx.Client, self._transport)
                if not self._own_transport:
                    for transport in (http._transport, *http._mounts.values()):  # noqa: SLF001 -- see keep_deadlines
                        _deadlines.keep_deadlines(transport)
                self._http = http
            return self._http

    def forget_connections(self) -> None:
        """Drop the connection pool in the child of a fork."""
        super().forget_connections()
        self._http = None

    def _send(self, command: Send, sending: Phases) -> Response:
        http = self._http or self.prepare()
        start = time.monotonic()
        outcome: Response | Mem0ExportsError
        try:
            with self._deadline(start + command.timeout):
                response = http.send(http.build_request(**self.options(command, sending)), stream=True)
                try:
                    body = self.begun(response, command)
                    for chunk in response.iter_bytes() if body.is_readable else ():
                        body.add(chunk)
                finally:
                    response.close()
            outcome = body.response()
        except (ContractViolation, ResponseTooLarge) as error:
            outcome = error
        except FAILURES as error:
            outcome = self.translated(error, command, sending)
        return concluded(command, start, outcome)

    def close(self) -> None:
        """Close the connections and the transport."""
        with self._lock:
            self._closed, http, self._http = True, self._http, None
        closing = http or self._transport
        if closing is not None:
            closing.close()


class _Slots:
    """The HTTP clients of one event loop, each for one request at a time.

    For each request, httpx looks at all connections of its pool. With one pool for many requests at the same time, that
    takes most of the time of a bulk run. The client that was used last is lent first, so its connection is still open.
    """

    def __init__(self, create: Callable[[], httpx.AsyncClient], most: int) -> None:
        self._create = create
        self._most = most
        self._free: list[httpx.AsyncClient] = []
        self._shared = itertools.count()
        self.all: list[httpx.AsyncClient] = []

    @contextlib.contextmanager
    def one(self) -> Iterator[httpx.AsyncClient]:
        """Lend a client that nobody uses; if there are too many, one that others use too."""
        if not self._free and len(self.all) >= self._most:
            yield self.all[next(self._shared) % self._most]
            return
        if not self._free:
            self._free.append(self._create())
            self.all.append(self._free[-1])
        client = self._free.pop()
        try:
            yield client
        finally:
            self._free.append(client)


class AsyncNetworkDriver(NetworkConnection, AsyncDriver):
    """Runs flows on an event loop, with clients of httpx."""

    def __init__(self, base_url: str, headers: Mapping[str, str], transport: AsyncTransport | None) -> None:
        super().__init__(base_url, headers, own_transport=transport is not None)
        self._transport = transport
        self._slots: _Slots | None = None
        self._loop: object = None

    def prepare(self) -> _Slots:
        """Create the first client on first use in an event loop. Does not connect."""
        loop = _running_loop()
        with self._lock:
            self.check_open()
            # Connections work only on the event loop that opened them, so those of an earlier asyncio.run() are dead.
            if self._slots is None or (self._loop != loop and not self._own_transport):
                most = 1 if self._own_transport else MAX_CONNECTIONS  # a user's transport is closed once
                slots = _Slots(lambda: self.create_client(httpx.AsyncClient, self._transport), most)
                with slots.one():
                    self._slots, self._loop = slots, loop
            return self._slots

    def forget_connections(self) -> None:
        """Drop the connections in the child of a fork."""
        super().forget_connections()
        self._slots = None

    async def _send(self, command: Send, sending: Phases) -> Response:
        slots = self.prepare()
        start = time.monotonic()
        outcome: Response | Mem0ExportsError
        try:
            with slots.one() as http:
                async with _within(command.timeout):
                    response = await http.send(http.build_request(**self.options(command, sending)), stream=True)
                    try:
                        body = self.begun(response, command)
                        if body.is_readable:
                            async for chunk in response.aiter_bytes():
                                body.add(chunk)
                    finally:
                        await response.aclose()
            outcome = body.response()
        except (ContractViolation, ResponseTooLarge) as error:
            outcome = error
        except FAILURES as error:
            outcome = self.translated(error, command, sending)
        return concluded(command, start, outcome)

    async def close(self) -> None:
        """Close the connections and the transport."""
        import anyio  # noqa: PLC0415 -- httpx depends on it; only the async side needs it

        with self._lock:
            self._closed, slots, self._slots = True, self._slots, None
        if slots is not None and not self._own_transport and self._loop != _running_loop():
            return  # the connections ended with the event loop that opened them
        # A cancellation must not interrupt this: the connections would stay open.
        with anyio.CancelScope(shield=True):
            if slots is not None:
                for http in slots.all:
                    await http.aclose()
            elif self._transport is not None:
                await self._transport.aclose()


def _running_loop() -> object:
    """Return the event loop that runs the caller: asyncio's, or a token of trio's."""
    import asyncio  # noqa: PLC0415 -- a sync client does not need it

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        from anyio.lowlevel import current_token  # noqa: PLC0415 -- httpx depends on it

        return current_token()


def _within(seconds: float) -> contextlib.AbstractAsyncContextManager[object]:
    """Return a context manager that raises TimeoutError after `seconds`.

    On asyncio this is asyncio.timeout, which takes less than half the time of anyio's equivalent.
    """
    import asyncio  # noqa: PLC0415 -- a sync client does not need it

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _within_on_trio(seconds)
    return asyncio.timeout(seconds)


@contextlib.asynccontextmanager
async def _within_on_trio(seconds: float) -> AsyncIterator[None]:
    import anyio  # noqa: PLC0415 -- httpx depends on it

    with anyio.fail_after(seconds):
        yield
