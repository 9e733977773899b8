"""Read the SQLite files of other programs, which may be using them."""

from __future__ import annotations

import contextlib
import sqlite3

from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from mem0_exports_engine.sources.source import unreadable


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Read: TypeAlias = Callable[..., Iterator[tuple[Any, ...]]]


@contextlib.contextmanager
def opened(file: Path) -> Iterator[Read]:
    """Open a SQLite file for reading, in one transaction: all rows are of the same moment.

    Yields a function that returns the rows of a statement. Raises InputError if the file cannot be read.
    """
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=30)
        ) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN")
            yield connection.execute
    except sqlite3.Error as error:
        raise unreadable(f"{str(file)!r} cannot be read: {error}") from None
