"""The SQLite store: memories, jobs, answers and keys in one database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mem0_exports_engine.store.sqlite.answers import SqliteAnswers
from mem0_exports_engine.store.sqlite.database import Database
from mem0_exports_engine.store.sqlite.jobs import SqliteJobs
from mem0_exports_engine.store.sqlite.keys import SqliteKeys
from mem0_exports_engine.store.sqlite.memories import SqliteMemories
from mem0_exports_engine.store.sqlite.pulled import SqlitePulled


if TYPE_CHECKING:
    from pathlib import Path


class SqliteStore:
    """Implement `ports.Store` with SQLite. `path` is a file, created if it does not exist, or ":memory:"."""

    def __init__(self, path: str | Path) -> None:
        self.database = Database(path)
        self.memories = SqliteMemories(self.database)
        self.pulled = SqlitePulled(self.database, self.memories)
        self.jobs = SqliteJobs(self.database)
        self.answers = SqliteAnswers(self.database)
        self.keys = SqliteKeys(self.database)

    def check(self) -> None:
        """Raise StoreError if the store cannot be read, is damaged, or is no longer the file at its path."""
        self.database.check()

    def copy_to(self, path: Path) -> None:
        """Copy the whole store to a new file, while others may go on using it."""
        self.database.copy_to(path)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()
