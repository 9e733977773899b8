"""Show the progress of long commands on a terminal."""

from __future__ import annotations

import os
import sys

from contextlib import contextmanager
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import ProgressColumn


def is_shown(*, quiet: bool) -> bool:
    """Return whether to show progress: on a terminal only, and not with -q or NO_COLOR."""
    return not quiet and sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def progress(
    label: str, total: float | None = None, *, quiet: bool = False, of_bytes: bool = False
) -> Iterator[Callable[[float], None]]:
    """Show a line with what is done, the rate and the time left. Yields a function that takes what is done so far."""
    if not is_shown(quiet=quiet):
        yield lambda _done: None
        return
    from rich import progress as rich  # noqa: PLC0415 -- slow to import
    from rich.console import Console  # noqa: PLC0415

    counted: list[ProgressColumn] = (
        [rich.DownloadColumn(), rich.TransferSpeedColumn()]
        if of_bytes
        else [rich.MofNCompleteColumn(), rich.TextColumn("{task.speed:.0f}/s") if total else rich.TextColumn("")]
    )
    left = [rich.BarColumn(), rich.TimeRemainingColumn()] if total else [rich.TimeElapsedColumn()]
    console = Console(stderr=True)
    with rich.Progress(
        rich.SpinnerColumn(), rich.TextColumn("{task.description}"), *counted, *left, console=console, transient=True
    ) as shown:
        task = shown.add_task(label, total=total)

        def advance(done: float) -> None:
            shown.update(task, completed=done)

        yield advance
