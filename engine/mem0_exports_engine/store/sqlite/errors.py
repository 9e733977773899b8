"""Translate the errors of SQLite to those of a store."""

from __future__ import annotations

import re
import sqlite3

from typing import Final

from mem0_exports_engine.failures import Interrupted, StoreBusy, StoreDamaged, StoreError, StoreFailed, StoreFull
from mem0_exports_engine.store.sqlite.tables import TABLES


_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY})
"""Result codes of failures that end once the disk has room again or is repaired."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_TABLE: Final = re.compile(rf"\b({'|'.join(TABLES)})\b")


def _code(error: BaseException) -> int:
    """Return SQLite's primary result code, which is the low byte of the extended one, or 0 if there is none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: BaseException) -> bool:
    """Return whether another process holds the database."""
    return _code(error) in _BUSY


def store_error(error: sqlite3.Error, statement: str) -> StoreError:
    """Return the StoreError for an error of SQLite, by its result code: messages can differ by version."""
    code = _code(error)
    if code in _DAMAGED:
        found = _TABLE.search(statement)
        table = f"the table {found[1]!r}" if found else "it"
        return StoreDamaged(
            f"the file of the store is damaged: {table} could not be read ({error}); restore a backup, or save what can "
            "be read with: sqlite3 memories.db .recover | sqlite3 recovered.db"
        )
    if code in _BUSY:
        return StoreBusy("The store is busy: another process is writing to it.")
    if code == sqlite3.SQLITE_INTERRUPT:
        return Interrupted("the statement was interrupted")
    return (StoreFull if code in _FULL else StoreFailed)(str(error))
