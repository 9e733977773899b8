"""The store: memories and export jobs in one SQLite file, through SQLAlchemy Core.

Transactions are explicit: `read()` sees one state, `write()` excludes other writers from its start. In a file, readers
and one writer work at the same time (WAL), from any number of threads and processes; the in-memory store has one
connection, which its users take in turn.
"""

from __future__ import annotations

import contextlib
import threading

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from sqlalchemy import event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from mem0_exports.errors import ConfigurationError
from mem0_exports.local import json_sql


if TYPE_CHECKING:
    import sqlite3

    from collections.abc import Iterator
    from pathlib import Path

SCHEMA_VERSION: Final = 1
"""Kept in the file as PRAGMA user_version."""

tables: Final = sa.MetaData()

memories: Final = sa.Table(
    "memories",
    tables,
    sa.Column("seq", sa.Integer, primary_key=True, comment="the order of arrival"),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("memory", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text),
    sa.Column("agent_id", sa.Text),
    sa.Column("app_id", sa.Text),
    sa.Column("run_id", sa.Text),
    sa.Column("metadata", sa.Text, comment="a JSON object"),
    sa.Column("categories", sa.Text, comment="a JSON array of strings"),
    sa.Column("created_at", sa.Text, nullable=False, comment="ISO 8601, as it was given"),
    sa.Column("created_us", sa.BigInteger, nullable=False, comment="the same in microseconds since 1970"),
    sa.Column("updated_at", sa.Text, nullable=False),
    sa.Column("updated_us", sa.BigInteger, nullable=False),
    sa.Column("expiration_date", sa.Text, comment="the last day on which it counts"),
    sa.Column("expires_us", sa.BigInteger, comment="the first microsecond of that day; null where it is no date"),
    sa.Column("text_key", sa.Text, nullable=False, comment="a digest of the text and whose it is"),
    sa.Column("record_key", sa.Text, nullable=False, unique=True, comment="a digest of all that was given"),
    sa.Index("memories_user", "user_id", "created_us", "seq"),
    sa.Index("memories_agent", "agent_id", "created_us", "seq"),
    sa.Index("memories_app", "app_id", "created_us", "seq"),
    sa.Index("memories_run", "run_id", "created_us", "seq"),
    sa.Index("memories_text", "text_key"),
)

exports: Final = sa.Table(
    "exports",
    tables,
    sa.Column("seq", sa.Integer, primary_key=True, comment="the order of arrival"),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("schema", sa.Text, nullable=False, comment="JSON, as it was sent"),
    sa.Column("filters", sa.Text, nullable=False, comment="JSON, in the rooted form"),
    sa.Column("instructions", sa.Text),
    sa.Column("org_id", sa.Text),
    sa.Column("project_id", sa.Text),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("expires_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="PENDING, RUNNING, DONE or FAILED"),
    sa.Column("attempt", sa.Integer, nullable=False, comment="the fence: a worker writes only under its own number"),
    sa.Column("available_us", sa.BigInteger, comment="when a worker may take it; null once it is finished"),
    sa.Column("result", sa.Text, comment="JSON"),
    sa.Column("report", sa.Text, comment="JSON: what stayed empty, and why"),
    sa.Column("reason", sa.Text, comment="why it failed"),
    sa.Index("exports_waiting", "available_us", sqlite_where=sa.text("available_us IS NOT NULL")),
    sa.Index("exports_filters", "filters", "seq"),
    sa.Index("exports_expiry", "expires_us"),
)


class Store:
    """One SQLite database. `path` is a file or ":memory:"."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._closed = False
        if not self.path:
            raise ConfigurationError("the path of a store is not empty; ':memory:' keeps it in memory")
        in_memory = self.path == ":memory:"
        self._turn: contextlib.AbstractContextManager[Any] = (
            threading.RLock() if in_memory else contextlib.nullcontext()
        )
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=self.path),
            connect_args={"check_same_thread": False, "timeout": 30.0},
            **({"poolclass": StaticPool} if in_memory else {}),
        )
        event.listen(self._engine, "connect", _on_connect)
        event.listen(self._engine, "begin", _on_begin)
        try:
            self._migrate()
        except DatabaseError as error:
            self._engine.dispose()
            raise ConfigurationError(f"cannot open the store {self.path!r}: {error.orig}") from None

    def _migrate(self) -> None:
        with self.write() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version > SCHEMA_VERSION:
                raise ConfigurationError(
                    f"the store {self.path!r} was written by a newer mem0-exports (version {version}, this one knows "
                    f"{SCHEMA_VERSION}); upgrade this one"
                )
            if version == 0 and sa.inspect(connection).get_table_names():
                raise ConfigurationError(f"{self.path!r} is a database of something else; it was not changed")
            if version == 0:
                tables.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

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
    json_sql.register(connection)


def _on_begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("mem0_exports_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
