"""Run flows: carry out their commands, in the calling thread or on an event loop.

Sync and async differ only in this module and in the two that send: `network_driver` and `in_process`. The flows make all
decisions.
"""

from __future__ import annotations

import threading
import time

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from mem0_exports.http.flow import FlowInterrupted, Response, RunBlocking, Send, Sleep


if TYPE_CHECKING:
    from collections.abc import Callable

    from mem0_exports.http.connection import Sending
    from mem0_exports.http.flow import Flow
    from mem0_exports.http.settings import Clock

T = TypeVar("T")


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


class _AnyDriver(ABC):
    """What the drivers, sync and async, have in common."""

    clock: Clock
    base_url: str

    @abstractmethod
    def prepare(self) -> object:
        """Create what the first request needs. Does not connect."""

    @abstractmethod
    def sending(self, command: Send) -> Any:
        """Return the state of a request that has not begun yet."""


class Driver(_AnyDriver):
    """Runs flows in the calling thread. Does not connect before the first request. Safe to share between threads."""

    @abstractmethod
    def _send(self, command: Send, sending: Any) -> Response:
        """Send a request and return the answer; raise one of this package's errors."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections and the transport."""

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
                sending: Sending | None = self.sending(command) if isinstance(command, Send) else None
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


class AsyncDriver(_AnyDriver):
    """Runs flows on an event loop, asyncio's or trio's. Does not connect before the first request."""

    @abstractmethod
    async def _send(self, command: Send, sending: Any) -> Response:
        """Send a request and return the answer; raise one of this package's errors."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connections and the transport."""

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow; return its value or raise its error. When cancelled, let the flow record its progress first."""
        try:
            command = next(flow)
            while True:
                reply: Any = None
                failure: Exception | None = None
                sending: Sending | None = self.sending(command) if isinstance(command, Send) else None
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


async def _in_thread(work: AtomicCall) -> Any:
    """Run blocking work in a thread, and wait for it even when cancelled."""
    import anyio.to_thread  # noqa: PLC0415 -- httpx depends on it; only the async side needs it

    with anyio.CancelScope(shield=True):
        return await anyio.to_thread.run_sync(work)
