"""Connections, transactions and errors of one SQLite database, used through SQLAlchemy Core.

All transactions are explicit. `read()` sees one consistent snapshot; `write()` locks out other writers from its first
statement. A file is in WAL mode, so any number of readers and one writer can work at the same time, in any threads
and processes. An in-memory database has a single connection, so its transactions run one at a time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
import threading
import time

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from mem0_exports.errors import ConfigurationError
from mem0_exports.sqlite_files import looking_into
from mem0_exports_engine.failures import (
    Interrupted,
    NotAStore,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFailed,
    StoreFull,
    StoreReplaced,
)
from mem0_exports_engine.store.sqlite import functions
from mem0_exports_engine.store.sqlite.migrations import check_readable, is_foreign, migrate, schema_of
from mem0_exports_engine.store.sqlite.tables import metadata


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_MIN_VERSION: Final = (3, 35, 0)
"""The first SQLite with the RETURNING clause."""

_TIMEOUT: Final = 30.0
"""Seconds to wait for another process that holds the store."""

_LOOK: Final = 0.002
"""Seconds between two looks at the write lock, while another writer has it."""

_STEPS: Final = 10_000
"""How many steps of SQLite's virtual machine pass before it asks whether to stop: about a tenth of a millisecond's work."""

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY})
"""Result codes of failures that end once the disk has room again or is repaired."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_TABLE: Final = re.compile(rf"\b({'|'.join(metadata.tables)})\b")

_log = logging.getLogger("mem0_exports_engine")


class Database:
    """One SQLite database. `path` is a file or ":memory:"."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._closed = False
        if not self.path:
            raise ConfigurationError("path must not be empty; use ':memory:' to keep the store in memory")
        if sqlite3.sqlite_version_info < _MIN_VERSION:
            raise ConfigurationError(
                f"SQLite must be {'.'.join(map(str, _MIN_VERSION))} or newer, but this Python has "
                f"{sqlite3.sqlite_version}; use a newer Python build"
            )
        in_memory = self.path == ":memory:"
        if not in_memory:
            self._refuse_dangling_link()
            self._refuse_foreign_file()
            # Create a missing file readable by its owner only; SQLite gives its -wal and -shm files the same mode. Only
            # SQLite opens an existing file: when a process closes any descriptor of a file, POSIX drops all locks of
            # the process on it, including those of SQLite. Other errors are ignored here because SQLite, which opens
            # the file next, reports them more precisely.
            with contextlib.suppress(OSError, ValueError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        self._turn: contextlib.AbstractContextManager[Any] = (
            threading.RLock() if in_memory else contextlib.nullcontext()
        )
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=self.path),
            # No statement is kept prepared, because it would keep the values of its last use, up to 10 MB each. Without
            # this, adding memories would be 15 % faster.
            connect_args={"check_same_thread": False, "timeout": _TIMEOUT, "cached_statements": 0},
            hide_parameters=True,  # errors are logged, and memories must not end up in a log
            # There are more connections than a server has threads, so readers need not wait for those of writers.
            **({"poolclass": StaticPool} if in_memory else {"pool_size": 8, "max_overflow": 120}),
        )
        event.listen(self._engine, "connect", _on_connect)
        event.listen(self._engine, "begin", _on_begin)
        self._damage: StoreDamaged | None = None
        self._file: tuple[int, int] | None = None
        try:
            self._open()
        except BaseException:
            self._engine.dispose()
            raise
        if not in_memory:
            self._file = _identity(self.path)
            self._warn_of_others()

    def _warn_of_others(self) -> None:
        """Warn if other users may use the file. Its -wal and -shm files have the same mode."""
        with contextlib.suppress(OSError):
            mode = Path(self.path).stat().st_mode & 0o777
            if os.name == "posix" and mode & 0o006:
                _log.warning("every user of this machine can use the store %r (mode %o); chmod 600", self.path, mode)

    def _refuse_dangling_link(self) -> None:
        """Raise NotAStore for a link that leads nowhere. SQLite would create its target, wherever that is."""
        path = Path(self.path)
        if path.is_symlink() and not path.exists():
            raise NotAStore(
                f"{self.path!r} is a link to a file that does not exist; remove the link, or create its target"
            )

    def _refuse_foreign_file(self) -> None:
        """Raise NotAStore or ConfigurationError for a file that is no store, before anything can change it.

        `migrate` checks this again in the transaction that creates the tables.
        """
        # A file that cannot be read here is left to SQLite, which reports the problem when it opens the file.
        with contextlib.suppress(sqlite3.Error, OSError), looking_into(Path(self.path)) as connection:
            if connection is not None:
                check_readable(*schema_of(connection), self.path)

    def _open(self) -> None:
        """Create or upgrade the tables.

        Raises StoreBusy if another process holds the file for too long, and NotAStore if the file is not a store.
        SQLite does not always wait for other processes here. It can answer "database is locked" at once while another
        process closes its last connection, or while several processes change the journal mode. So this tries again
        until `_TIMEOUT` seconds are over.
        """
        deadline = time.monotonic() + _TIMEOUT
        while True:
            try:
                with self._transaction(write=True) as connection:
                    migrate(connection, self.path)
            except (DatabaseError, sqlite3.Error) as error:
                busy = _code(error) in _BUSY
                problem = f"cannot open the store {self.path!r}: {_cause(error)}"
            else:
                return
            self._engine.dispose()
            # The errors here and in `_translated` are raised outside the except block. Inside it, Python would attach
            # the SQLAlchemy exception to them as context, and with it the SQL statement.
            if not busy:
                raise NotAStore(problem)
            if time.monotonic() >= deadline:
                raise StoreBusy(problem)
            time.sleep(0.02)

    @contextlib.contextmanager
    def read(self, should_stop: Callable[[], bool] | None = None, *, cached: bool = True) -> Iterator[sa.Connection]:
        """Open a transaction that only reads. Raises StoreError if the database fails.

        `should_stop` is asked every few milliseconds while a statement runs. Once it returns True, the statement is
        interrupted, and Interrupted is raised. `cached` says whether the SQL text of a query is kept for the next one
        like it, together with the values of the query, which should not be large then.
        """
        with self._translated(write=False) as connection:
            if not cached:
                connection.execution_options(compiled_cache=None)
            if should_stop is None:
                yield connection
                return
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(should_stop, _STEPS)
            try:
                yield connection
            finally:
                driver.set_progress_handler(None, 0)

    def write(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Open a transaction that locks out other writers from its start, and commit it at the end.

        Raises StoreError if the database fails. Nothing is written in this case.
        """
        return self._translated(write=True)

    @contextlib.contextmanager
    def _translated(self, *, write: bool) -> Iterator[sa.Connection]:
        """Open a transaction, and translate the errors of `_transaction` to StoreErrors."""
        try:
            with self._transaction(write=write) as connection:
                yield connection
        except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
            failure = _store_error(error)
        else:
            return
        if isinstance(failure, StoreDamaged):
            self._damage = failure
        raise failure

    def check(self) -> None:
        """Raise StoreError if the store cannot be read, is damaged, or is no longer the file at its path."""
        with self.read() as connection:
            connection.exec_driver_sql("SELECT 1 FROM exports LIMIT 1")
        if self._damage is not None:
            raise StoreDamaged(*self._damage.args)

    def _check_file(self) -> None:
        """Raise StoreReplaced if the file was deleted or replaced.

        What is written to a deleted file is gone when the last process closes it. And a new connection would open, or
        create, another file than the connections that are open already.
        """
        if self._file is not None and _identity(self.path) != self._file:
            raise StoreReplaced(
                "the file of the store was deleted or replaced while it was open, so it is not used any more; "
                "put it back, or restart the program to use the new one"
            )

    @contextlib.contextmanager
    def _transaction(self, *, write: bool) -> Iterator[sa.Connection]:
        """Open a transaction. Errors are SQLAlchemy's, and sqlite3's own from `_on_connect` and `_on_begin`."""
        with self._turn:
            if self._closed:
                raise ConfigurationError(f"the store {self.path!r} is closed")
            self._check_file()
            try:
                with self._engine.connect() as connection:
                    if not write:
                        yield connection
                        return
                    with connection.execution_options(mem0_exports_write=True).begin():
                        yield connection
            finally:
                functions.forget()

    def copy_to(self, path: Path) -> None:
        """Copy the database to a new file."""
        with self.read() as connection, contextlib.closing(sqlite3.connect(path)) as copy:
            source: Any = connection.connection.driver_connection
            source.backup(copy)

    def close(self) -> None:
        """Close all connections. For an in-memory database this waits for the current transaction."""
        with self._turn:
            self._closed = True
            self._engine.dispose()


def _identity(path: str) -> tuple[int, int] | None:
    """Return the device and the inode of a file, or None if there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 -- called before each transaction, and faster than Path.stat
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _cause(error: BaseException) -> BaseException | None:
    """Return the error of sqlite3 that one of SQLAlchemy wraps, and any other error itself."""
    return error.orig if isinstance(error, DBAPIError) else error


def _code(error: BaseException) -> int:
    """Return SQLite's primary result code, which is the low byte of the extended one, or 0 if there is none."""
    return getattr(_cause(error), "sqlite_errorcode", 0) & 0xFF


def _table_of(statement: str | None) -> str:
    """Return what to call the table that a statement reads or changes."""
    found = _TABLE.search(statement or "")
    return f"the table {found[1]!r}" if found else "it"


def _store_error(error: DBAPIError | PoolTimeout | sqlite3.Error) -> StoreError:
    """Return the StoreError for an error of SQLAlchemy, by SQLite's result code: messages can differ by version."""
    if isinstance(error, PoolTimeout):
        return StoreBusy("The store is busy with other requests.")
    cause, code = _cause(error), _code(error)
    if code in _DAMAGED:
        table = _table_of(error.statement if isinstance(error, DBAPIError) else None)
        return StoreDamaged(
            f"the file of the store is damaged: {table} could not be read ({cause}); restore a backup, or save what can "
            "be read with: sqlite3 memories.db .recover | sqlite3 recovered.db"
        )
    if code in _BUSY:
        return StoreBusy("The store is busy: another process is writing to it.")
    if code == sqlite3.SQLITE_INTERRUPT:
        return Interrupted("the statement was interrupted")
    return (StoreFull if code in _FULL else StoreFailed)(str(cause))


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    try:
        _set_up(connection)
    except BaseException:
        connection.close()  # not all versions of SQLAlchemy do it
        raise


def _set_up(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None  # _on_begin begins transactions; the driver's own BEGIN would come too late
    # The journal mode is written into the file, so it is set only in a store. Another program may have made the file
    # since `_refuse_foreign_file` looked, and `migrate` is about to refuse it.
    if not is_foreign(*schema_of(connection)):
        connection.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the WAL at every commit, so that an acknowledged write survives a power cut. With
    # NORMAL, which is usual for WAL, the last commits could be lost.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")  # shrink the WAL to 64 MB after a large export
    functions.register(connection)


def _on_begin(connection: sa.Connection) -> None:
    # IMMEDIATE takes the write lock at once, and waits for it if necessary. After a plain BEGIN, the first write takes
    # the lock. That write fails without waiting if another process has committed since this transaction's first read.
    driver: Any = connection.connection.driver_connection
    if not connection.get_execution_options().get("mem0_exports_write"):
        driver.execute("BEGIN")
        return
    # SQLite itself would wait for up to 100 ms between two looks at the lock. A writer that makes many short pauses, as
    # an import does, would keep it waiting for as long as it writes.
    deadline = time.monotonic() + _TIMEOUT
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if _code(error) not in _BUSY or time.monotonic() >= deadline:
                    raise
            else:
                return
            time.sleep(_LOOK)
    finally:
        driver.execute(f"PRAGMA busy_timeout = {int(_TIMEOUT * 1000)}")
