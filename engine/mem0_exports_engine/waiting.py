"""Answer a request for an unfinished export once the export has ended, instead of at once.

A client asks for this with the header `Prefer: wait=N` of RFC 7240 (long polling). So it learns of the result at once, and
need not ask again and again. Nothing looks at the store in the meantime: the worker that ends a job calls `ended`, and
wakes those who wait for it. Exports that another process makes wake nobody; the request is answered when its time is over.
"""

from __future__ import annotations

import contextlib
import re
import threading

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from mem0_exports.facts import MAX_WAIT


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping


class Answer(Protocol):
    """An answer that may be about an export that has not ended."""

    @property
    def pending(self) -> str | None:
        """The id of that export."""
        ...


A = TypeVar("A", bound=Answer)

MAX_WAITING: Final = 1000
"""The most requests that wait at the same time. Others are answered at once."""

_WAIT: Final = re.compile(r"(?:^|[,\s])wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:$|[,;])", re.IGNORECASE)


def asked_wait(headers: Mapping[str, str]) -> int:
    """Return for how many seconds a request may be held: those of `Prefer: wait=N`, but at most MAX_WAIT; 0 without one.

    As RFC 7240 says, a preference that cannot be understood is ignored.
    """
    found = _WAIT.search(headers.get("prefer", ""))
    return 0 if found is None else min(int(found[1]), MAX_WAIT)


class Waiting:
    """Those who wait for the end of an export. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[str, list[Callable[[], object]]] = {}
        self._count = 0
        self._ended = 0
        self._closed = False

    def ended(self, export_id: str) -> None:
        """Wake those who wait for an export, which has ended or was cancelled or deleted."""
        with self._lock:
            self._ended += 1
            calls = [*self._calls.get(export_id, ())]
        for call in calls:
            call()

    def close(self) -> None:
        """Wake everybody; from now on nobody waits, because the server is about to stop."""
        with self._lock:
            self._closed = True
            calls = [call for each in self._calls.values() for call in each]
        for call in calls:
            call()

    @contextlib.contextmanager
    def _listening(self, export_id: str, call: Callable[[], object]) -> Iterator[bool]:
        """Call `call` when an export ends. Yield whether that is so: False if there are too many who wait."""
        with self._lock:
            is_on = not self._closed and self._count < MAX_WAITING
            if is_on:
                self._count += 1
                self._calls.setdefault(export_id, []).append(call)
        try:
            yield is_on
        finally:
            if is_on:
                with self._lock:
                    self._count -= 1
                    self._calls[export_id].remove(call)
                    if not self._calls[export_id]:
                        del self._calls[export_id]

    def hold(self, perform: Callable[[], A], seconds: float) -> A:
        """Return the answer of `perform`, once the export that it is about has ended or `seconds` are over."""
        before = self._ended
        answer = perform()
        if answer.pending is None or seconds <= 0:
            return answer
        woken = threading.Event()
        with self._listening(answer.pending, woken.set) as is_on:
            if self._ended != before:  # between the look at the store and the start of listening; perhaps this export
                answer = perform()
            if is_on and answer.pending is not None and woken.wait(seconds):
                answer = perform()
        return answer

    async def hold_async(self, perform: Callable[[], Awaitable[A]], seconds: float) -> A:
        """Do the same on an event loop, asyncio's or trio's. No thread is held."""
        before = self._ended
        answer = await perform()
        if answer.pending is None or seconds <= 0:
            return answer
        import anyio  # noqa: PLC0415 -- only the async side needs it

        woken = anyio.Event()
        with self._listening(answer.pending, _on_this_loop(woken.set)) as is_on:
            if self._ended != before:
                answer = await perform()
            if is_on and answer.pending is not None:
                with anyio.move_on_after(seconds):
                    await woken.wait()
                    answer = await perform()
        return answer


def _on_this_loop(call: Callable[[], object]) -> Callable[[], object]:
    """Return a function that makes a call on the running event loop, from any thread."""
    import asyncio  # noqa: PLC0415 -- only the async side needs it

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio  # noqa: PLC0415 -- there is no other event loop

        run_soon = trio.lowlevel.current_trio_token().run_sync_soon
        return _unless_over(run_soon, call, trio.RunFinishedError)
    return _unless_over(loop.call_soon_threadsafe, call, RuntimeError)


def _unless_over(
    run_soon: Callable[[Callable[[], object]], object], call: Callable[[], object], over: type[Exception]
) -> Callable[[], object]:
    def wake() -> None:
        with contextlib.suppress(over):  # the event loop has ended, and with it those who waited on it
            run_soon(call)

    return wake
