"""Find the line of the user's code that a call came from, so that a warning can point at it."""

from __future__ import annotations

import sys
import warnings

from typing import TYPE_CHECKING, Any, Final, NamedTuple


if TYPE_CHECKING:
    from types import FrameType

_PACKAGE: Final = __name__.partition(".")[0]

_SCHEDULERS: Final = frozenset({"anyio", "asyncio", "concurrent", "threading", "trio"})
"""Packages that run the user's code in threads or tasks. A warning that points at their lines would not help."""


class CallSite(NamedTuple):
    """A line of the user's code."""

    filename: str
    lineno: int
    module: str
    registry: dict[Any, Any]
    """The module's `__warningregistry__`. Python stores shown warnings in it, so as not to repeat them."""

    def warn(self, warning: Warning) -> None:
        """Issue a warning that points at this line."""
        warnings.warn_explicit(warning, type(warning), self.filename, self.lineno, self.module, self.registry)


def call_site() -> CallSite:
    """Return the innermost line on the stack that belongs neither to this package nor to an event loop.

    Python 3.12 can do this with `warnings.warn(..., skip_file_prefixes=...)`, but this package also supports 3.11.

    For an awaited coroutine, this is the line of the `await`. A coroutine in a task of its own (`asyncio.gather`,
    `create_task`) is called by the event loop, so this is the line that started the loop. The stack of a thread can
    lack any line of the user's code, so call this function before you start the thread.
    """
    start = sys._getframe(1)  # noqa: SLF001 -- the only way to walk the stack without reading source files
    # If the whole stack belongs to this package and the schedulers, return a line of a scheduler.
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
