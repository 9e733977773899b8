"""The store: one SQLite file with the `tables`, through SQLAlchemy Core.

Transactions are explicit: `read()` sees one state, `write()` excludes other writers from its start. In a file, readers
and one writer work at the same time (WAL), from any number of threads and processes; the in-memory store has one
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
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from mem0_exports.errors import ConfigurationError
from mem0_exports_engine.store.sqlite import functions as json_sql
from mem0_exports_engine.store.sqlite.migrations import migrate


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_OLDEST: Final = (3, 35, 0)
"""The first SQLite that gives back what it has changed."""


class Store:
    """One SQLite database. `path` is a file or ":memory:"."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._closed = False
        if not self.path:
            raise ConfigurationError("the path of a store is not empty; ':memory:' keeps it in memory")
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigurationError(
                f"this Python has SQLite {sqlite3.sqlite_version}, and a store needs {'.'.join(map(str, _OLDEST))} or newer"
            )
        in_memory = self.path == ":memory:"
        if not in_memory:
            with contextlib.suppress(
                OSError
            ):  # SQLite says better what is wrong; it gives its other files the same mode
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
        try:
            with self.write() as connection:
                migrate(connection, self.path)
        except DatabaseError as error:
            self._engine.dispose()
            raise ConfigurationError(f"cannot open the store {self.path!r}: {error.orig}") from None

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that writes nothing."""
        with self._turn:
            self._check_open()
            with self._engine.connect() as connection:
                yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that excludes other writers from its start, committed at the end."""
        with self._turn:
            self._check_open()
            with (
                self._engine.connect().execution_options(mem0_exports_write=True) as connection,
                connection.begin(),
            ):
                yield connection

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigurationError(f"the store {self.path!r} is closed")

    def close(self) -> None:
        """Close all connections, once nobody is using the one of a store in memory."""
        with self._turn:
            self._closed = True
            self._engine.dispose()


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by _on_begin, not by the driver
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # what was answered survives a power cut too
    connection.execute("PRAGMA journal_size_limit = 67108864")  # bytes that a large export leaves behind
    json_sql.register(connection)


def _on_begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("mem0_exports_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
