"""Read the bodies of requests, and bound what all of them take in memory."""

from __future__ import annotations

import contextlib

from typing import TYPE_CHECKING

from mem0_exports_engine.limits import MAX_BODIES, MAX_BYTES, MAX_SMALL_BODY


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request


class TooManyBodies(Exception):
    """The bodies of all open requests are too large together."""


class Bodies:
    """Counts the bytes of the large bodies of all open requests, until they are answered."""

    def __init__(self) -> None:
        self._size = 0

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
