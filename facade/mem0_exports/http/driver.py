"""Run flows: carry out their commands with httpx, in the calling thread or on an event loop.

Sync and async differ only in this module. The flows make all decisions.
"""

from __future__ import annotations

import contextlib
import threading
import time

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import httpx

from mem0_exports.errors import ContractViolation, Mem0ExportsError, ResponseTooLarge
from mem0_exports.http.connection import FAILURES, Connection, Sending, log_attempt
from mem0_exports.http.flow import FlowInterrupted, Response, RunBlocking, Send, Sleep
from mem0_exports.http.in_process import AsyncInProcessClient, InProcessClient, answers_in_process


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from mem0_exports.http.flow import Flow

T = TypeVar("T")

Transport: TypeAlias = httpx.BaseTransport
AsyncTransport: TypeAlias = httpx.AsyncBaseTransport


class AtomicCall:
    """A blocking call that cancellation cannot interrupt: it runs to its end, or not at all."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._started = self._dropped = False

    def __call__(self) -> Any:
        """Run the call, unless it was dropped."""
        with self._lock:
            if self._dropped:
                return None
            self._started = True
        try:
            return self._call()
        finally:
            self._done.set()

    @property
    def carried_out(self) -> bool:
        """Whether the call has run. Drops a call that has not started, and waits for one that has."""
        # Hold the lock, so that the thread cannot start the call between the check and the drop.
        with self._lock:
            self._dropped = not self._started
        if self._started:
            self._done.wait()
        return self._started


class Driver(Connection):
    """Runs flows in the calling thread. Does not connect before the first request. Safe to share between threads."""

    def __init__(self, base_url: str, headers: Mapping[str, str], transport: Transport | None) -> None:
        super().__init__(base_url, headers, own_transport=transport is not None)
        self._transport = transport
        self._http: httpx.Client | InProcessClient | None = None

    def prepare(self) -> httpx.Client | InProcessClient:
        """Create the connection pool on first use. Does not connect."""
        with self._lock:
            self.check_open()
            if self._http is None:
                from mem0_exports import deadlines as _deadlines  # noqa: PLC0415 -- loads httpcore, which is slow

                self._deadline = _deadlines.Deadline
                if self._transport is not None and answers_in_process(self._transport):
                    self._http = InProcessClient(self._headers, self._transport)
                    return self._http
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

    def run(self, flow: Flow[T], stop: threading.Event | None = None) -> T:
        """Run a flow; return its value or raise its error. Raises FlowInterrupted soon after `stop` is set."""
        try:
            command = next(flow)
            while True:
                # Check this before each command: once `stop` is set, nothing more must be sent.
                if stop is not None and stop.is_set():
                    self._interrupt(flow, carried_out=False)
                    raise FlowInterrupted(carried_out=False)
                reply: Any = None
                failure: Exception | None = None
                sending = self.sending(command) if isinstance(command, Send) else None
                try:
                    if isinstance(command, Send):
                        assert sending is not None  # set above
                        reply = self._send(command, sending)
                    elif isinstance(command, RunBlocking):
                        reply = command.call()
                    else:
                        self._sleep(command.seconds, stop)
                except Exception as error:  # noqa: BLE001 -- the flow decides
                    failure = error
                except BaseException:
                    # Interrupted, by Ctrl-C for example. The flow must learn whether its request may have arrived.
                    # Otherwise a ledger would record a create as not sent, and the next run would send it again.
                    self._interrupt(flow, carried_out=sending is not None and sending.carried_out)
                    raise
                command = flow.send(reply) if failure is None else flow.throw(failure)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            flow.close()

    def _interrupt(self, flow: Flow[T], *, carried_out: bool) -> None:
        """Interrupt the flow, and let it record its progress."""
        # From now on, only blocking calls are carried out. Any other command ends the flow.
        try:
            command = flow.throw(FlowInterrupted(carried_out=carried_out))
            while isinstance(command, RunBlocking):
                failure: Exception | None = None
                try:
                    command.call()
                except Exception as error:  # noqa: BLE001 -- the flow decides
                    failure = error
                command = flow.send(None) if failure is None else flow.throw(failure)
        except (FlowInterrupted, StopIteration):
            pass

    def _sleep(self, seconds: float, stop: threading.Event | None) -> None:
        if stop is None:
            time.sleep(seconds)
        else:
            stop.wait(seconds)

    def _send(self, command: Send, sending: Sending) -> Response:
        http = self._http or self.prepare()
        start = time.monotonic()
        try:
            with self._deadline(start + command.timeout):
                response = http.send(http.build_request(**self.options(command, sending)), stream=True)
                with contextlib.closing(response):
                    body = self.body(response, command)
                    for chunk in response.iter_bytes() if body.is_readable else ():
                        body.add(chunk)
            outcome = self.response(response, body)
        except (ContractViolation, ResponseTooLarge) as error:
            failure: Mem0ExportsError = error
        except FAILURES as error:
            failure = self.translated(error, command, sending)
        else:
            log_attempt(command, start, outcome)
            return outcome
        log_attempt(command, start, failure)
        # Raised outside the handler, so that its `__context__` is not httpx's error, which holds the key.
        raise failure

    def close(self) -> None:
        """Close the connections and the transport."""
        with self._lock:
            self._closed, http, self._http = True, self._http, None
        closing = http or self._transport
        if closing is not None:
            closing.close()


class AsyncDriver(Connection):
    """Runs flows on an event loop, asyncio's or trio's. Does not connect before the first request."""

    def __init__(self, base_url: str, headers: Mapping[str, str], transport: AsyncTransport | None) -> None:
        super().__init__(base_url, headers, own_transport=transport is not None)
        self._transport = transport
        self._http: httpx.AsyncClient | AsyncInProcessClient | None = None
        self._loop: object = None

    def prepare(self) -> httpx.AsyncClient | AsyncInProcessClient:
        """Create the connection pool on first use in an event loop. Does not connect."""
        loop = _running_loop()
        with self._lock:
            self.check_open()
            # Connections work only on the event loop that opened them, so those of an earlier asyncio.run() are dead.
            if self._http is None or (self._loop != loop and not self._own_transport):
                if self._transport is not None and answers_in_process(self._transport):
                    self._http = AsyncInProcessClient(self._headers, self._transport)
                else:
                    self._http = self.create_client(httpx.AsyncClient, self._transport)
                self._loop = loop
            return self._http

    def forget_connections(self) -> None:
        """Drop the connection pool in the child of a fork."""
        super().forget_connections()
        self._http = None

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow; return its value or raise its error. When cancelled, let the flow record its progress first."""
        try:
            command = next(flow)
            while True:
                reply: Any = None
                failure: Exception | None = None
                sending = self.sending(command) if isinstance(command, Send) else None
                work = AtomicCall(command.call) if isinstance(command, RunBlocking) else None
                try:
                    if isinstance(command, Send):
                        assert sending is not None  # set above
                        reply = await self._send(command, sending)
                    elif work is not None:
                        reply = await _in_thread(work)
                    elif isinstance(command, Sleep):
                        await self._sleep(command.seconds)
                except Exception as error:  # noqa: BLE001 -- the flow decides
                    failure = error
                except BaseException:
                    # Cancelled. The flow must learn whether its command may have been carried out. Otherwise a ledger
                    # would lose an id, or record a create as not sent, and the next run would send it again.
                    in_progress = sending or work
                    await self._interrupt(flow, carried_out=in_progress is not None and in_progress.carried_out)
                    raise
                command = flow.send(reply) if failure is None else flow.throw(failure)
        except StopIteration as done:
            value: T = done.value
            return value
        finally:
            flow.close()

    async def _interrupt(self, flow: Flow[T], *, carried_out: bool) -> None:
        """Interrupt the flow, and let it record its progress in a thread. A second cancellation cannot stop this."""
        try:
            command = flow.throw(FlowInterrupted(carried_out=carried_out))
            while isinstance(command, RunBlocking):
                failure: Exception | None = None
                work = AtomicCall(command.call)
                try:
                    await _in_thread(work)
                except Exception as error:  # noqa: BLE001 -- the flow decides
                    failure = error
                except BaseException:  # noqa: BLE001 -- the first cancellation is raised again when this is done
                    # Cancelled again before the thread started. Make the call here, on the event loop: it must happen.
                    if not work.carried_out:
                        command.call()
                command = flow.send(None) if failure is None else flow.throw(failure)
        except (FlowInterrupted, StopIteration):
            pass

    async def _sleep(self, seconds: float) -> None:
        import anyio  # noqa: PLC0415 -- httpx depends on it; only the async side needs it

        await anyio.sleep(seconds)

    async def _send(self, command: Send, sending: Sending) -> Response:
        http = self.prepare()
        start = time.monotonic()
        try:
            async with _within(command.timeout):
                response = await http.send(http.build_request(**self.options(command, sending)), stream=True)
                async with contextlib.aclosing(response):
                    body = self.body(response, command)
                    if body.is_readable:
                        async for chunk in response.aiter_bytes():
                            body.add(chunk)
            outcome = self.response(response, body)
        except (ContractViolation, ResponseTooLarge) as error:
            failure: Mem0ExportsError = error
        except FAILURES as error:
            failure = self.translated(error, command, sending)
        else:
            log_attempt(command, start, outcome)
            return outcome
        log_attempt(command, start, failure)
        raise failure  # outside the handler, as in Driver._send

    async def close(self) -> None:
        """Close the connections and the transport."""
        import anyio  # noqa: PLC0415 -- httpx depends on it; only the async side needs it

        with self._lock:
            self._closed, http, self._http = True, self._http, None
        if http is not None and not self._own_transport and self._loop != _running_loop():
            return  # the connections ended with the event loop that opened them
        closing = http or self._transport
        if closing is not None:
            # A cancellation must not interrupt this: the engine's worker would keep running, with its files open.
            with anyio.CancelScope(shield=True):
                await closing.aclose()


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


async def _in_thread(work: AtomicCall) -> Any:
    """Run blocking work in a thread, and wait for it even when cancelled."""
    import anyio.to_thread  # noqa: PLC0415 -- httpx depends on it; only the async side needs it

    with anyio.CancelScope(shield=True):
        return await anyio.to_thread.run_sync(work)
