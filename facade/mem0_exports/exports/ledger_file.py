"""Open the SQLite file of a ledger, exclusively for this process, and create its tables."""

from __future__ import annotations

import os
import sqlite3

from pathlib import Path
from typing import Final

from mem0_exports.errors import InputError
from mem0_exports.sqlite_files import looking_into


_APPLICATION_ID: Final = 0x6D30_6C67  # "m0lg": marks an SQLite file as a ledger
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


def file_path(path: str | Path) -> Path:
    """Return the absolute path of a ledger; raise InputError if it is not a file, such as ":memory:"."""
    if str(path) in {"", ".", ":memory:"}:
        raise InputError(f"path must name a file that survives a crash, got {str(path)!r}", field="path")
    return Path(path).absolute()


def open_ledger(path: Path) -> sqlite3.Connection | str:
    """Return the connection to a ledger, or the reason why it cannot be opened.

    This function creates a missing file itself, so that only its owner can read it. Only SQLite opens an existing file:
    when a process closes any descriptor of a file, POSIX drops all locks of the process on that file, including those
    of SQLite.
    """
    try:
        with looking_into(path) as existing:  # a file of another program must stay unchanged
            problem = None if existing is None else _why_not_a_ledger(existing)
    except (sqlite3.Error, OSError) as error:
        problem = str(error)
    if problem is not None:
        return problem
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
        problem = _why_not_a_ledger(connection)
        if problem is None:
            # EXCLUSIVE keeps the lock until the connection closes. If two processes used one ledger, each would mistake
            # the other's unfinished creates for those of a process that crashed.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            # FULL syncs every commit to disk. Otherwise a power failure could undo an intent whose create was sent.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            _prepare(connection)
            connection.execute("COMMIT")
            return connection
    except BaseException as error:
        if not isinstance(error, sqlite3.Error):
            connection.close()
            raise
        is_locked = getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
        problem = "another process, or another Ledger in this process, has it open" if is_locked else str(error)
    connection.close()
    return problem


def never_close(connection: sqlite3.Connection) -> None:
    """Keep a connection of the parent open in the child of a fork, until the child ends.

    Closing it in the child, also by garbage collection, would delete the write-ahead log that the parent still uses.
    """
    import ctypes  # noqa: PLC0415 -- only the child of a fork that had a ledger open needs it

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))  # with one reference too many, it is never collected


def _why_not_a_ledger(connection: sqlite3.Connection) -> str | None:
    """Return why the file cannot be used as a ledger; None for a ledger and for an empty file."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application_id != _APPLICATION_ID:
        return "it is an SQLite file, but not a ledger"
    if tables and version != _VERSION:
        return f"it has format version {version}, but this version of mem0-exports reads only version {_VERSION}"
    return None


def _prepare(connection: sqlite3.Connection) -> None:
    """Create the tables in a new file. In an existing file, record that creates in progress have an unknown outcome.

    Only one process at a time has the file open, so an entry that is still 'asking' belongs to a process that died. Its
    create may have been carried out. If it were treated as not sent, a second job could be created.
    """
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        for table in _TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("UPDATE exports SET state = 'unknown', lost_answers = lost_answers + 1 WHERE state = 'asking'")
