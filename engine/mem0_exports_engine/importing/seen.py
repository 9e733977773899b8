"""Remember which ids were seen, however many they are."""

from __future__ import annotations

import sqlite3

from typing import TYPE_CHECKING, Self


if TYPE_CHECKING:
    from collections.abc import Iterable


class Seen:
    """The ids that a source has. They are in a temporary file, so that millions of them need no memory."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # "" is a temporary file
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")
        self.count = 0

    def add(self, ids: Iterable[str]) -> None:
        """Mark ids as seen."""
        listed = [(each,) for each in ids]
        self.count += len(listed)
        self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?)", listed)

    def not_among(self, ids: list[str]) -> list[str]:
        """Return those of the ids that were not seen."""
        return [
            each
            for each in ids
            if self._database.execute("SELECT 1 FROM seen WHERE id = ?", (each,)).fetchone() is None
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
