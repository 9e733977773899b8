"""Do several things at the same time, in threads, and get the results in order."""

from __future__ import annotations

import threading

from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")

_CHECK: Final = 0.2
"""Seconds between two checks of whether to go on, while nothing finishes."""

_AHEAD: Final = 4
"""How many results may wait for the one before them, for each thread."""


class _Slot:
    """One thing to do, and its result."""

    def __init__(self) -> None:
        self.is_done = False
        self.result: Any = None
        self.error: BaseException | None = None


class Pool:
    """Threads that end with the process. Unlike those of concurrent.futures, nothing waits for them at the end."""

    def __init__(self, size: Callable[[], int], check: Callable[[], object]) -> None:
        """Create the pool. `size` says how many threads there may be now; `check` raises if no more must be done."""
        self._size = size
        self._check = check
        self._changed = threading.Condition()

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield `function(item)` for each item, in order. Raises what `function` or `check` raises.

        Items are taken as they are needed. After an error, no further call begins; those that have begun are left alone.
        """
        waiting = iter(items)
        slots: deque[_Slot] = deque()
        more = True
        while more or slots:
            self._check()
            while more and self._has_room(slots):
                try:
                    item = next(waiting)
                except StopIteration:
                    more = False
                else:
                    slots.append(self._begin(function, item))
            with self._changed:
                if slots and not slots[0].is_done:
                    self._changed.wait(_CHECK)
                    continue
            if slots:
                slot = slots.popleft()
                if slot.error is not None:
                    raise slot.error
                yield slot.result

    def _has_room(self, slots: deque[_Slot]) -> bool:
        size = self._size()
        return sum(not slot.is_done for slot in slots) < size and len(slots) < _AHEAD * size

    def _begin(self, function: Callable[[T], R], item: T) -> _Slot:
        slot = _Slot()

        def run() -> None:
            try:
                slot.result = function(item)
            except BaseException as error:  # noqa: BLE001 -- raised in the thread that asked for the results
                slot.error = error
            with self._changed:
                slot.is_done = True
                self._changed.notify()

        threading.Thread(target=run, name="mem0-exports-llm", daemon=True).start()
        return slot
