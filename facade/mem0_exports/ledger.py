"""The ledger: exports that survive a crash, in an SQLite file of your own.

    with Ledger("exports.db") as ledger:
        profile = client.exports.run(Profile, F.user_id == "alex", ledger=ledger)

Run the same again, after a crash or not: what is finished is read from the ledger, what is pending is waited for, and
nothing is asked for twice. An export is known by its fingerprint (service, schema, filters, instructions, organization
and project), so that a filter which says "the last 7 days" is another export tomorrow; write dates out instead.

The states of an entry, and what leads from one to the next:

    (none) ── intent ──> asking ── id ──> pending ── result ──> ready
                           │                 └── failed, or expired unfetched ──> open
                           ├── refused: nothing was made ──> what it was before
                           └── answer lost, or the process died ──> unknown ── on_unknown ──> asking

Each step is on disk (fsync) before the next one begins. The ledger holds ids, times and results, so the file is made
readable for its owner only. It holds neither keys nor schemas nor filters.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, NoReturn, Self, TypeAlias

import attrs

from mem0_exports.errors import InputError, LedgerError, OutcomeUnknown


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

OnUnknown: TypeAlias = Literal["raise", "skip", "ask_again"]
"""What to do about a create whose answer was lost."""

State: TypeAlias = Literal["asking", "unknown", "pending", "ready", "open"]

KEPT: Final = 7 * 24 * 3600
"""Seconds for which the service keeps an export (its documentation: "expires after 7 days")."""

_APPLICATION_ID: Final = 0x6D30_6C67  # "m0lg", so that no other SQLite file is taken for a ledger
_VERSION: Final = 1

_TABLE: Final = """
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
"""


@attrs.frozen(slots=True)
class LedgerEntry:
    """What a ledger knows of one export. Its result is not part of it: `Ledger.result(fingerprint)`."""

    fingerprint: str
    state: State
    """asking: a create is under way. unknown: its answer was lost. pending: there is a job. ready: there is a result.
    open: nothing is under way."""
    export_id: str | None
    asked_at: datetime
    """When it was last asked for."""
    expires_at: datetime | None
    """When the service forgets the export: 7 days after the create."""
    asks: int
    """How many creates were sent, or were about to be."""
    lost_answers: int
    """How many of them are of unknown outcome."""


class Known(NamedTuple):
    """What is known before anything is asked: an id, and perhaps a result."""

    export_id: str | None
    result: bytes | None
    lost_answers: int


class Ledger:
    """Remembers exports on disk. One process at a time has it open; its threads and tasks may share it."""

    def __init__(self, path: str | Path, *, on_unknown: OnUnknown = "raise") -> None:
        """Open the ledger, or make one.

        Args:
            path: the SQLite file.
            on_unknown: what to do about an export whose create was sent, and whose answer was lost: "raise"
                OutcomeUnknown, "skip" it (in `run_many`, an outcome with the status "skipped"; a single `run` raises
                all the same, having nothing to return), or "ask_again", which may make a second job.

        Raises:
            LedgerError: another process has it open, or it is no ledger.

        """
        if on_unknown not in {"raise", "skip", "ask_again"}:
            raise InputError(f"on_unknown is 'raise', 'skip' or 'ask_again', got {on_unknown!r}", field="on_unknown")
        self.path = Path(path)
        self.on_unknown: OnUnknown = on_unknown
        self._now: Callable[[], float] = time.time
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = self._opened()

    def _opened(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = sqlite3.connect(self.path, timeout=0.5, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(f"the ledger {self.path} cannot be opened: {error}") from None
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            self._prepare(connection)
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            connection.close()
            held = "locked" in str(error)
            why = "another process, or another Ledger of this one, has it open" if held else str(error)
            raise LedgerError(f"the ledger {self.path} cannot be opened: {why}") from None
        except (sqlite3.DatabaseError, LedgerError) as error:
            connection.close()
            raise LedgerError(f"the ledger {self.path} cannot be opened: {error}") from None
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """The table in a new file; in one that a dead process left, its creates under way are of unknown outcome."""
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        elif application_id != _APPLICATION_ID:
            raise LedgerError("it is an SQLite file, but no ledger")
        elif version != _VERSION:
            raise LedgerError(f"it has version {version}, and this mem0-exports reads version {_VERSION}")
        connection.execute(
            "UPDATE exports SET state = 'unknown', lost_answers = lost_answers + 1 WHERE state = 'asking'"
        )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, which is on disk at the end."""
        with self._lock:
            if self._connection is None:
                raise LedgerError(f"the ledger {self.path} is closed")
            if self._pid != os.getpid():
                raise LedgerError(f"the ledger {self.path} was opened before the process was forked; open it after")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise LedgerError(f"the ledger {self.path} cannot be used: {error}") from None
                raise

    def page(self, fingerprint: str) -> Page:
        """The entry for one export, to be written. Used by `run` and `run_many`."""
        return Page(self, fingerprint)

    def entries(self) -> Iterator[LedgerEntry]:
        """All entries, by the time when they were last asked for. Reads them as you iterate, a thousand at a time."""
        after: tuple[float, str] = (float("-inf"), "")
        while True:
            with self._writing() as connection:
                rows = connection.execute(
                    "SELECT fingerprint, state, export_id, asked_at, expires_at, asks, lost_answers FROM exports"
                    " WHERE (asked_at, fingerprint) > (?, ?) ORDER BY asked_at, fingerprint LIMIT 1000",
                    after,
                ).fetchall()
            if not rows:
                return
            for fingerprint, state, export_id, asked_at, expires_at, asks, lost_answers in rows:
                after = (asked_at, fingerprint)
                expires = None if expires_at is None else _time(expires_at)
                yield LedgerEntry(fingerprint, state, export_id, _time(asked_at), expires, asks, lost_answers)

    def result(self, fingerprint: str) -> bytes | None:
        """The JSON text of a result as the service sent it; None where there is none (yet)."""
        with self._writing() as connection:
            row = connection.execute("SELECT result FROM exports WHERE fingerprint = ?", (fingerprint,)).fetchone()
        return None if row is None else row[0]

    def forget(self, fingerprint: str) -> bool:
        """Drop an entry and its result, so that the export is asked for anew; False where there is none."""
        with self._writing() as connection:
            return bool(connection.execute("DELETE FROM exports WHERE fingerprint = ?", (fingerprint,)).rowcount)

    def close(self) -> None:
        """Close the file, for another process to open it."""
        with self._lock:
            opened, self._connection = self._connection, None
        if opened is not None and self._pid == os.getpid():
            opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({str(self.path)!r}, on_unknown={self.on_unknown!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Ledger holds an open file and cannot be pickled; open it by its path in one process")


class Page:
    """One entry, and the steps that it takes. Each is a transaction, and harmless the second time."""

    def __init__(self, ledger: Ledger, fingerprint: str) -> None:
        self._ledger = ledger
        self.fingerprint = fingerprint

    @property
    def on_unknown(self) -> OnUnknown:
        """What to do about a lost answer."""
        return self._ledger.on_unknown

    def begin(self) -> Known | None:
        """What is known of the export. Without an id the intent to ask is written; None while another call asks.

        Raises OutcomeUnknown where an answer was lost, unless the ledger says "ask_again".
        """
        now = self._ledger._now()  # noqa: SLF001 -- a page is a part of its ledger
        with self._ledger._writing() as connection:  # noqa: SLF001
            row = connection.execute(
                "SELECT state, export_id, expires_at, result, lost_answers, asked_at FROM exports WHERE fingerprint = ?",
                (self.fingerprint,),
            ).fetchone()
            if row is None:
                connection.execute(
                    "INSERT INTO exports VALUES (?, 'asking', 'open', NULL, ?, NULL, 1, 0, NULL)",
                    (self.fingerprint, now),
                )
                return Known(None, None, 0)
            state, export_id, expires_at, result, lost_answers, asked_at = row
            if state == "asking":
                return None
            if state == "ready" or (state == "pending" and now < expires_at):
                return Known(export_id, result, lost_answers)
            if state == "unknown" and self.on_unknown != "ask_again":
                raise OutcomeUnknown(
                    f"this export was asked for at {_time(asked_at):%Y-%m-%d %H:%M:%S} UTC, and the answer was lost: a "
                    'job may exist, but nobody knows its id. Ledger(..., on_unknown="ask_again") asks again',
                    fingerprint=self.fingerprint,
                )
            connection.execute(
                "UPDATE exports SET state = 'asking', before = ?, export_id = NULL, expires_at = NULL, asked_at = ?,"
                " asks = asks + 1 WHERE fingerprint = ?",
                ("unknown" if state == "unknown" else "open", now, self.fingerprint),
            )
            return Known(None, None, lost_answers)

    def created(self, export_id: str) -> None:
        """The service gave the export an id."""
        expires_at = self._ledger._now() + KEPT  # noqa: SLF001
        self._step("state = 'pending', export_id = ?, expires_at = ?", "asking", export_id, expires_at)

    def refused(self) -> None:
        """Nothing was made, and nothing will be: as if it had not been asked."""
        self._step("state = before", "asking")

    def lost(self) -> None:
        """Nobody knows whether a job was made."""
        self._step("state = 'unknown', lost_answers = lost_answers + 1", "asking")

    def ready(self, result: bytes) -> None:
        """The result came."""
        self._step("state = 'ready', result = ?", "pending", result)

    def failed(self) -> None:
        """The job will never be ready."""
        self._step("state = 'open'", "pending")

    def _step(self, change: str, state: State, *values: object) -> None:
        with self._ledger._writing() as connection:  # noqa: SLF001
            connection.execute(
                f"UPDATE exports SET {change} WHERE fingerprint = ? AND state = ?",  # noqa: S608 -- from above
                (*values, self.fingerprint, state),
            )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
