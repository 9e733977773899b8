"""Open, set up and keep the connections to one SQLite database."""

from __future__ import annotations

import contextlib
import sqlite3
import threading

from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.failures import StoreBusy
from mem0_exports_engine.store.sqlite import functions
from mem0_exports_engine.store.sqlite.migrations import is_foreign, schema_of


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Values = Sequence[Any] | Mapping[str, Any]

_STATEMENTS: Final = 64
"""How many statements a connection keeps prepared."""

_LARGE: Final = 50_000
"""A value with more characters or bytes than this is not kept by a prepared statement."""

MAX_CONNECTIONS: Final = 128
"""More than a server has threads, so that readers need not wait for writers."""

_MAX_IDLE: Final = 8
"""The most connections of a kind that stay open while nobody uses them."""


class Connection:
    """A connection of a store, for one transaction at a time."""

    __slots__ = ("_has_large", "driver", "statement")

    def __init__(self, driver: sqlite3.Connection) -> None:
        self.driver = driver
        self.statement = ""
        """The last statement, to say in an error which table it was about."""
        self._has_large = False

    def execute(self, statement: str, values: Values = ()) -> sqlite3.Cursor:
        """Execute a statement. Values are never part of its text."""
        self.statement = statement
        for value in values.values() if isinstance(values, dict) else values:
            if isinstance(value, str | bytes) and len(value) > _LARGE:
                self._has_large = True
        return self.driver.execute(statement, values)

    def execute_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Execute a statement for each row, without a look at its values."""
        self.statement = statement
        self._has_large = True
        self.driver.executemany(statement, rows)

    def row(self, statement: str, values: Values = ()) -> tuple[Any, ...] | None:
        """Return the first row, or None if there is none."""
        found: tuple[Any, ...] | None = self.execute(statement, values).fetchone()
        return found

    def rows(self, statement: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Return all rows."""
        return self.execute(statement, values).fetchall()

    def value(self, statement: str, values: Values = ()) -> Any:
        """Return the first value of the first row, or None if there is no row."""
        found = self.row(statement, values)
        return None if found is None else found[0]

    def forget_large(self) -> None:
        """Let go of large values. A prepared statement keeps those of its last use, up to 10 MB each."""
        if self._has_large:
            self._has_large = False
            for number in range(_STATEMENTS):  # these take the place of all prepared statements
                self.driver.execute(f"SELECT {number}").close()


class Pool:
    """The connections to one file.

    Those for writing do not wait for the lock of another process: SQLite would wait for up to 100 ms between two looks
    at it. A writer that makes many short pauses, as an import does, would keep them waiting for as long as it writes.
    """

    def __init__(self, path: str, timeout: float) -> None:
        """Create an empty pool. `timeout`: how many seconds to wait for a connection or for another process."""
        self._path = path
        self._timeout = timeout
        self._closed = False
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._idle: dict[bool, list[Connection]] = {False: [], True: []}

    @contextlib.contextmanager
    def connection(self, *, write: bool) -> Iterator[Connection]:
        """Lend a connection. Raises StoreBusy if all are in use for too long."""
        if not self._free.acquire(timeout=self._timeout):
            raise StoreBusy("The store is busy with other requests.")
        try:
            idle = self._idle[write]
            try:
                connection = idle.pop()
            except IndexError:
                connection = opened(self._path, self._timeout)
                if write:
                    connection.driver.execute("PRAGMA busy_timeout = 0")
            try:
                yield connection
            finally:
                self._put_back(connection, idle)
        finally:
            self._free.release()

    def _put_back(self, connection: Connection, idle: list[Connection]) -> None:
        """Keep a connection for the next user, unless it cannot be used again."""
        usable = not connection.driver.in_transaction
        with contextlib.suppress(sqlite3.Error):
            connection.forget_large()
            if usable and not self._closed and len(idle) < _MAX_IDLE:
                idle.append(connection)
                if self._closed:  # it was closed just now
                    self._close_idle()
                return
        connection.driver.close()

    def _close_idle(self) -> None:
        """Close the connections that nobody uses."""
        for idle in self._idle.values():
            while idle:
                with contextlib.suppress(IndexError):
                    idle.pop().driver.close()

    def close(self) -> None:
        """Close all connections: those that are in use, as soon as they are returned."""
        self._closed = True
        self._close_idle()


class SharedConnection:
    """The single connection to a database in memory. The caller makes sure that it has one user at a time."""

    def __init__(self, timeout: float) -> None:
        self._connection = opened(":memory:", timeout)

    @contextlib.contextmanager
    def connection(self, *, write: bool) -> Iterator[Connection]:
        """Lend the connection."""
        try:
            yield self._connection
        finally:
            self._connection.forget_large()

    def close(self) -> None:
        """Close the connection, and with it the database."""
        self._connection.driver.close()


def opened(path: str, timeout: float) -> Connection:
    """Return a new connection, which waits `timeout` seconds for other processes."""
    driver = sqlite3.connect(path, timeout=timeout, check_same_thread=False, cached_statements=_STATEMENTS)
    try:
        _set_up(driver)
    except BaseException:
        driver.close()
        raise
    return Connection(driver)


def _set_up(driver: sqlite3.Connection) -> None:
    driver.isolation_level = None  # Database begins transactions; the driver's own BEGIN would come too late
    # The journal mode is written into the file, so it is set only in a store. Another program may have made the file
    # since the Database has looked, and `migrate` is about to refuse it.
    if not is_foreign(*schema_of(driver)):
        driver.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the WAL at every commit, so that an acknowledged write survives a power cut. With
    # NORMAL, which is usual for WAL, the last commits could be lost.
    driver.execute("PRAGMA synchronous = FULL")
    driver.execute("PRAGMA journal_size_limit = 67108864")  # shrink the WAL to 64 MB after a large export
    functions.register(driver)
