"""Read the bodies of requests, and bound what all of them take in memory."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc

from typing import TYPE_CHECKING, Final

from mem0_exports_engine.limits import MAX_BODIES, MAX_BYTES, MAX_SMALL_BODY


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request


_LARGE: Final = 1_000_000
"""The bytes of a body after which memory is given back to the operating system."""

_PAUSE: Final = 0.2
"""Seconds after which that is done. The request still holds its body when it is answered."""


class TooManyBodies(Exception):
    """The bodies of all open requests are too large together."""


class Bodies:
    """Counts the bytes of the large bodies of all open requests, until they are answered."""

    def __init__(self) -> None:
        self._size = 0
        self._trimming: asyncio.TimerHandle | None = None

    def _trim(self) -> None:
        """Give the memory of answered requests back to the operating system. It takes some ten milliseconds.

        Objects that refer to each other in a circle, such as an error with its traceback,
        wait for Python's collector, which counts objects and not their size. And glibc, where it is the C library,
        keeps what is free, for each of the dozens of threads.
        """
        self._trimming = None
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)

    @contextlib.contextmanager
    def one(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that is called with the size of a body while it grows. It raises TooManyBodies.

        Small bodies are not counted, so that clients with large ones cannot lock all others out.
        """
        counted = 0

        def grow(size: int) -> None:
            nonlocal counted
            large = max(0, size - MAX_SMALL_BODY)
            if large > counted and self._size + large - counted > MAX_BODIES:
                raise TooManyBodies
            self._size += large - counted
            counted = large

        try:
            yield grow
        finally:
            self._size -= counted
            if counted > _LARGE and self._trimming is None:
                self._trimming = asyncio.get_running_loop().call_later(_PAUSE, self._trim)


async def read(request: Request, grow: Callable[[int], None]) -> bytes:
    """Return the body. Reading stops as soon as the body exceeds the maximum size; the engine then refuses it."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        grow(size)
        chunks.append(chunk)
        if size > MAX_BYTES:
            break
    return b"".join(chunks)
