"""Connections and transactions of one SQLite database.

All transactions are explicit. `read()` sees one consistent snapshot; `write()` locks out other writers from its first
statement. A file is in WAL mode, so any number of readers and one writer can work at the same time, in any threads
and processes. An in-memory database has a single connection, so its transactions run one at a time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.errors import ConfigurationError
from mem0_exports.sqlite_files import looking_into
from mem0_exports_engine.failures import NotAStore, StoreBusy, StoreDamaged, StoreReplaced
from mem0_exports_engine.store.sqlite import functions
from mem0_exports_engine.store.sqlite.connections import Pool, SharedConnection
from mem0_exports_engine.store.sqlite.errors import is_busy, store_error
from mem0_exports_engine.store.sqlite.migrations import check_readable, migrate, schema_of


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mem0_exports_engine.store.sqlite.connections import Connection


_MIN_VERSION: Final = (3, 35, 0)
"""The first SQLite with the RETURNING clause."""

_TIMEOUT: Final = 30.0
"""Seconds to wait for another process that holds the store."""

_LOOK: Final = 0.002
"""Seconds between two looks at the write lock, while another process has it."""

_STEPS: Final = 10_000
"""How many steps of SQLite's virtual machine pass before it asks whether to stop: about a tenth of a millisecond's work."""

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
        self._writing = threading.RLock()
        """Held by the thread that writes. Others of this process wait for it, instead of for SQLite's lock."""
        self._damage: StoreDamaged | None = None
        self._file: tuple[int, int] | None = None
        self._pool: Pool | SharedConnection = self._open(in_memory=in_memory)
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

    def _open(self, *, in_memory: bool) -> Pool | SharedConnection:
        """Create or upgrade the tables, and return the connections.

        Raises StoreBusy if another process holds the file for too long, and NotAStore if the file is not a store.
        SQLite does not always wait for other processes here. It can answer "database is locked" at once while another
        process closes its last connection, or while several processes change the journal mode. So this tries again
        until `_TIMEOUT` seconds are over.
        """
        deadline = time.monotonic() + _TIMEOUT
        while True:
            pool: Pool | SharedConnection | None = None
            try:
                pool = SharedConnection(_TIMEOUT) if in_memory else Pool(self.path, _TIMEOUT)
                with pool.connection(write=True) as connection, _committed(connection, "BEGIN IMMEDIATE"):
                    migrate(connection.driver, self.path)
            except sqlite3.Error as error:
                busy = is_busy(error)
                problem = f"cannot open the store {self.path!r}: {error}"
            except BaseException:
                if pool is not None:
                    pool.close()
                raise
            else:
                return pool
            if pool is not None:
                pool.close()
            # The errors here and in `_transaction` are raised outside the except block, so that they have no context.
            if not busy:
                raise NotAStore(problem)
            if time.monotonic() >= deadline:
                raise StoreBusy(problem)
            time.sleep(0.02)

    @contextlib.contextmanager
    def read(self, should_stop: Callable[[], bool] | None = None) -> Iterator[Connection]:
        """Open a transaction that only reads. Raises StoreError if the database fails.

        `should_stop` is asked every few milliseconds while a statement runs. Once it returns True, the statement is
        interrupted, and Interrupted is raised.
        """
        with self._transaction(write=False) as connection:
            if should_stop is None:
                yield connection
                return
            connection.driver.set_progress_handler(should_stop, _STEPS)
            try:
                yield connection
            finally:
                connection.driver.set_progress_handler(None, 0)

    def write(self) -> contextlib.AbstractContextManager[Connection]:
        """Open a transaction that locks out other writers from its start, and commit it at the end.

        Raises StoreError if the database fails. Nothing is written in this case.
        """
        return self._transaction(write=True)

    @contextlib.contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        connection: Connection | None = None
        try:
            with self._turn, self._turn_to_write() if write else contextlib.nullcontext():
                if self._closed:
                    raise ConfigurationError(f"the store {self.path!r} is closed")
                self._check_file()
                with self._pool.connection(write=write) as connection:
                    if write:
                        _lock(connection)
                    with _committed(connection, None if write else "BEGIN"):
                        yield connection
        except sqlite3.Error as error:
            failure = store_error(error, "" if connection is None else connection.statement)
        else:
            return
        finally:
            functions.forget()
        if isinstance(failure, StoreDamaged):
            self._damage = failure
        raise failure

    @contextlib.contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        if not self._writing.acquire(timeout=_TIMEOUT):
            raise StoreBusy("The store is busy: another thread is writing to it.")
        try:
            yield
        finally:
            self._writing.release()

    def check(self) -> None:
        """Raise StoreError if the store cannot be read, is damaged, or is no longer the file at its path."""
        with self.read() as connection:
            connection.row("SELECT 1 FROM exports LIMIT 1")
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

    def copy_to(self, path: Path) -> None:
        """Copy the database to a new file."""
        with self.read() as connection, contextlib.closing(sqlite3.connect(path)) as copy:
            connection.driver.backup(copy)

    def close(self) -> None:
        """Close all connections. For an in-memory database this waits for the current transaction."""
        with self._turn:
            self._closed = True
            self._pool.close()


def _identity(path: str) -> tuple[int, int] | None:
    """Return the device and the inode of a file, or None if there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 -- called before each transaction, and faster than Path.stat
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _committed(connection: Connection, begin: str | None) -> Iterator[None]:
    """Begin a transaction, unless it has begun, and commit it at the end."""
    driver = connection.driver
    if begin is not None:
        driver.execute(begin)
    try:
        yield
        connection.statement = ""
        driver.execute("COMMIT")
    except BaseException:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise


def _lock(connection: Connection) -> None:
    """Begin a transaction that writes, once no other process does.

    IMMEDIATE takes the write lock at once. After a plain BEGIN, the first write takes the lock. That write fails without
    waiting if another process has committed since this transaction's first read.
    """
    deadline = time.monotonic() + _TIMEOUT
    while True:
        try:
            connection.driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(_LOOK)
