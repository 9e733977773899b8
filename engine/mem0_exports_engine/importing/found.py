"""A record of a file, as the readers of all formats yield it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Found(NamedTuple):
    """A record of a file, or what is wrong in its place."""

    number: int
    """The number of the line, or in a document of the record, from 1."""
    record: Any
    problem: str | None
    size: int
    """The number of bytes in the file."""
