"""The SQLite file of a ledger: its tables, and how it is opened for one process alone."""

from __future__ import annotations

import os
import sqlite3

from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from pathlib import Path

_APPLICATION_ID: Final = 0x6D30_6C67  # "m0lg", so that no other SQLite file is taken for a ledger
_VERSION: Final = 1

_TABLES: Final = (
    """
CREATE TABLE exports (
    fingerprint TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    before TEXT NOT NULL,
    export_id TEXT,
    asked_at REAL NOT NULL,
    expires_at REAL,
    asks INTEGER NOT NULL,
    lost_answers INTEGER NOT NULL,
    result BLOB
) WITHOUT ROWID
""",
    """
CREATE TABLE accounts (
    origin TEXT PRIMARY KEY,
    account TEXT NOT NULL
) WITHOUT ROWID
""",
)


def open_ledger(path: Path) -> sqlite3.Connection | str:
    """The connection, or why there is none.

    An existing file is opened by SQLite only: closing another descriptor of it would give up SQLite's lock.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except (OSError, ValueError) as error:
        return str(error)
    try:
        connection = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        return str(error)
    try:
        problem = _foreign(connection)
        if problem is None:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            _prepare(connection)
            connection.execute("COMMIT")
            return connection
    except sqlite3.Error as error:
        held = "locked" in str(error)
        problem = "another process, or another Ledger of this one, has it open" if held else str(error)
    connection.close()
    return problem


def _foreign(connection: sqlite3.Connection) -> str | None:
    """Why the file is no ledger; None for a ledger, and for an empty file."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application_id != _APPLICATION_ID:
        return "it is an SQLite file, but no ledger"
    if tables and version != _VERSION:
        return f"it has version {version}, and this mem0-exports reads version {_VERSION}"
    return None


def _prepare(connection: sqlite3.Connection) -> None:
    """Tables in a new file; in one that a dead process left, its creates under way are of unknown outcome."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        for table in _TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("UPDATE exports SET state = 'unknown', lost_answers = lost_answers + 1 WHERE state = 'asking'")
