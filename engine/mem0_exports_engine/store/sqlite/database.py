"""One SQLite database, through SQLAlchemy Core: its connections, its transactions, and its errors.

Transactions are explicit: `read()` sees one state, `write()` excludes other writers from its start. In a file, readers
and one writer work at the same time (WAL), from any number of threads and processes; a database in memory has one
connection, which its users take in turn.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from mem0_exports.errors import ConfigurationError
from mem0_exports_engine.ports import NotAStore, StoreBusy, StoreError, StoreFailed, StoreFull
from mem0_exports_engine.store.sqlite import functions
from mem0_exports_engine.store.sqlite.migrations import is_foreign, migrate


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_MIN_VERSION: Final = (3, 35, 0)
"""The first SQLite that returns what it has changed."""

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY})
"""What passes when there is room again, or the disk is mended."""


class Database:
    """One SQLite database. `path` is a file or ":memory:"."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._closed = False
        if not self.path:
            raise ConfigurationError("the path of a store is not empty; ':memory:' keeps it in memory")
        if sqlite3.sqlite_version_info < _MIN_VERSION:
            raise ConfigurationError(
                f"this Python has SQLite {sqlite3.sqlite_version}, and a store needs "
                f"{'.'.join(map(str, _MIN_VERSION))} or newer"
            )
        in_memory = self.path == ":memory:"
        if not in_memory:
            # SQLite says better what is wrong; it gives its other files the same mode.
            with contextlib.suppress(OSError):
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        self._turn: contextlib.AbstractContextManager[Any] = (
            threading.RLock() if in_memory else contextlib.nullcontext()
        )
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=self.path),
            connect_args={"check_same_thread": False, "timeout": 30.0},
            hide_parameters=True,  # errors are logged, and what people store is nothing for a log
            # More connections than a server has threads: readers never wait for one that a waiting writer holds.
            **({"poolclass": StaticPool} if in_memory else {"pool_size": 8, "max_overflow": 120}),
        )
        event.listen(self._engine, "connect", _on_connect)
        event.listen(self._engine, "begin", _on_begin)
        problem = None
        try:
            with self._transaction(write=True) as connection:
                migrate(connection, self.path)
        except DatabaseError as error:
            problem = f"cannot open the store {self.path!r}: {error.orig}"
        if problem is not None:
            self._engine.dispose()
            raise NotAStore(problem)

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that writes nothing."""
        try:
            with self._transaction(write=False) as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            failure = _store_error(error)
        else:
            return
        raise failure

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that excludes other writers from its start, committed at the end."""
        try:
            with self._transaction(write=True) as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            failure = _store_error(error)
        else:
            return
        raise failure

    @contextlib.contextmanager
    def _transaction(self, *, write: bool) -> Iterator[sa.Connection]:
        """A transaction, with the errors of SQLAlchemy."""
        with self._turn:
            if self._closed:
                raise ConfigurationError(f"the store {self.path!r} is closed")
            with self._engine.connect() as connection:
                if not write:
                    yield connection
                    return
                with connection.execution_options(mem0_exports_write=True).begin():
                    yield connection

    def close(self) -> None:
        """Close all connections, once nobody is using the one of a store in memory."""
        with self._turn:
            self._closed = True
            self._engine.dispose()


def _store_error(error: DBAPIError | PoolTimeout) -> StoreError:
    """Return the error of the engine's own for one of SQLAlchemy's, told by SQLite's result code and never by words."""
    if isinstance(error, PoolTimeout):
        return StoreBusy("The store is busy with other requests.")
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # the higher bits tell kinds of one code apart
    if code in _BUSY:
        return StoreBusy("The store is busy: another process holds it.")
    return (StoreFull if code in _FULL else StoreFailed)(str(error.orig))


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by _on_begin, not by the driver
    # The mode is written into the file. A database of something else, which `migrate` refuses, is to stay as it was.
    if not is_foreign({name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # what was answered survives a power cut too
    connection.execute("PRAGMA journal_size_limit = 67108864")  # bytes that a large export leaves behind
    functions.register(connection)


def _on_begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("mem0_exports_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
