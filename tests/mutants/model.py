"""What a planted bug is, and how it gets into a copy of the project."""

from __future__ import annotations

import os

from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from pathlib import Path


class Mutant(NamedTuple):
    """One small fault: in one file, one piece of text in the place of another."""

    name: str
    """Area and fault, such as `filters.lte-as-lt`."""
    file: str
    old: str
    """Stands exactly once in the file; where it does not, the mutant is stale."""
    new: str
    why: str
    """Whom it would hurt, and how."""
    regenerate: bool = False
    """Whether generated/ is made anew from the changed openapi.yaml, so that the two agree in the fault."""
    survives: str | None = None
    """Why no suite can be expected to catch it. It counts as not caught all the same."""


class Stale(Exception):
    """The project has changed, and the text of a mutant is not there any more, or is there more than once."""


def problem(mutant: Mutant, root: Path) -> str | None:
    """Why the mutant cannot be planted in the project at `root`; None where it can be."""
    file = root / mutant.file
    if not file.is_file():
        return f"there is no {mutant.file}"
    times = file.read_text(encoding="utf-8").count(mutant.old)
    if times != 1:
        return f"its old text stands {times} times in {mutant.file}, not once"
    return "its new text is its old one" if mutant.new == mutant.old else None


def plant(mutant: Mutant, root: Path) -> None:
    """Put the fault into the project at `root`; Stale where that cannot be done."""
    why = problem(mutant, root)
    if why is not None:
        raise Stale(f"{mutant.name}: {why}")
    file = root / mutant.file
    before = file.stat().st_mtime
    file.write_text(file.read_text(encoding="utf-8").replace(mutant.old, mutant.new), encoding="utf-8")
    # Python takes compiled code for current if size and second are the same, as they may be where the text is as long.
    os.utime(file, (before + 10, before + 10))
