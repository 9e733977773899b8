"""Find the line of the user's code that a call came from, so that a warning can point at it."""

from __future__ import annotations

import sys
import warnings

from typing import TYPE_CHECKING, Any, Final, NamedTuple


if TYPE_CHECKING:
    from types import FrameType

_PACKAGE: Final = __name__.partition(".")[0]

_SCHEDULERS: Final = frozenset({"anyio", "asyncio", "concurrent", "threading", "trio"})
"""Packages that run code on somebody else's behalf: their lines tell a user nothing."""


class CallSite(NamedTuple):
    """A line of the user's code."""

    filename: str
    lineno: int
    module: str
    registry: dict[Any, Any]
    """The module's record of the warnings it has shown, in which Python looks up whether to show one again."""

    def warn(self, message: str, category: type[Warning]) -> None:
        """Issue a warning that points at this line."""
        warnings.warn_explicit(message, category, self.filename, self.lineno, self.module, self.registry)


def call_site() -> CallSite:
    """Return the innermost line on the stack that belongs neither to this package nor to an event loop.

    `warnings.warn(..., skip_file_prefixes=...)` does this from Python 3.12 on; this package supports 3.11.

    An awaited coroutine has its awaiter on the stack, so this finds the line of the `await`. A coroutine in a task of
    its own (`asyncio.gather`, `create_task`) has only the event loop below it, so this finds the line that started the
    loop. In a thread there may be no such line at all: call this before starting the thread.
    """
    start = sys._getframe(1)  # noqa: SLF001 -- the only way to walk the stack without reading source files
    # If only this package and an event loop or thread are on the stack, settle for a line of the latter.
    for hidden in ({_PACKAGE} | _SCHEDULERS, {_PACKAGE}):
        frame: FrameType | None = start
        while frame is not None and _top_level_package(frame) in hidden:
            frame = frame.f_back
        if frame is not None:
            return _site(frame)
    return _site(start)


def _top_level_package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _site(frame: FrameType) -> CallSite:
    module = str(frame.f_globals.get("__name__", "<unknown>"))
    registry: dict[Any, Any] = frame.f_globals.setdefault("__warningregistry__", {})
    return CallSite(frame.f_code.co_filename, frame.f_lineno, module, registry)
