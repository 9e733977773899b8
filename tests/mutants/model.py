"""Define a mutant (a planted bug), and plant it in a copy of the project."""

from __future__ import annotations

import os

from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from pathlib import Path


class Mutant(NamedTuple):
    """One small bug: in one file, one piece of text is replaced by another."""

    name: str
    """The area and the bug, such as `filters.lte-as-lt`."""
    file: str
    old: str
    """Must occur exactly once in the file; otherwise the mutant is stale."""
    new: str
    why: str
    """The effect of the bug for users."""
    regenerate: bool = False
    """Whether generated/ is regenerated from the changed openapi.yaml, so that both have the bug."""
    survives: str | None = None
    """Why no suite is expected to catch it. It still counts as not caught."""


class Stale(Exception):
    """The old text of a mutant does not occur in the file exactly once, because the project has changed."""


def problem(mutant: Mutant, root: Path) -> str | None:
    """Return why the mutant cannot be planted in the project at `root`, or None if it can be."""
    file = root / mutant.file
    if not file.is_file():
        return f"{mutant.file} does not exist"
    times = file.read_text(encoding="utf-8").count(mutant.old)
    if times != 1:
        return f"its old text occurs {times} times in {mutant.file}, instead of once"
    return "its new text is the same as its old text" if mutant.new == mutant.old else None


def plant(mutant: Mutant, root: Path) -> None:
    """Plant the mutant in the project at `root`. Raises Stale if that is not possible."""
    why = problem(mutant, root)
    if why is not None:
        raise Stale(f"{mutant.name}: {why}")
    file = root / mutant.file
    before = file.stat().st_mtime
    file.write_text(file.read_text(encoding="utf-8").replace(mutant.old, mutant.new), encoding="utf-8")
    # Python considers compiled code current if the size and the time in seconds of the source are unchanged, which is
    # likely if both texts have the same length.
    os.utime(file, (before + 10, before + 10))
