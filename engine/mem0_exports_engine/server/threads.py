"""Run blocking calls in threads that keep nothing of them.

A thread of anyio's keeps the function, the arguments and the result of its last call until the next one. For dozens of
threads and bodies of megabytes, that is most of the memory of a server at rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


T = TypeVar("T")

_END = object()


async def in_thread(call: Callable[[], T], limiter: anyio.CapacityLimiter | None = None) -> T:
    """Return the result of a call that is made in a thread."""
    box: list[Any] = [call]
    del call

    def run() -> None:
        box.append(box.pop()())

    await anyio.to_thread.run_sync(run, limiter=limiter)
    result: T = box.pop()
    return result


async def iterate_in_threads(pieces: Iterator[T]) -> AsyncIterator[T]:
    """Yield the items of an iterator, each of which is taken in a thread."""
    while (piece := await in_thread(lambda: next(pieces, _END))) is not _END:
        yield piece  # type: ignore[misc]
