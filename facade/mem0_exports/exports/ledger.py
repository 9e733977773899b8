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
import weakref

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, NoReturn, Self, TypeAlias

import attrs

from mem0_exports import facts
from mem0_exports.errors import InputError, LedgerError, OutcomeUnknown
from mem0_exports.exports.ledger_file import open_ledger


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

OnUnknown: TypeAlias = Literal["raise", "skip", "ask_again"]
"""What to do about a create whose answer was lost."""

State: TypeAlias = Literal["asking", "unknown", "pending", "ready", "open"]

RETENTION: Final = facts.RETENTION.total_seconds()
"""Seconds for which the service keeps an export."""


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


class KnownExport(NamedTuple):
    """What the ledger knows of an export before anything is sent: an id, and perhaps a result."""

    export_id: str | None
    result: bytes | None
    lost_answers: int


class Ledger:
    """Remembers exports on disk. One process at a time has it open; its threads and tasks may share it."""

    def __init__(self, path: str | Path, *, on_unknown: OnUnknown = "raise", new_key: bool = False) -> None:
        """Open the ledger, or make one.

        Args:
            path: the SQLite file.
            on_unknown: what to do about an export whose create was sent, and whose answer was lost: "raise"
                OutcomeUnknown, "skip" it (in `run_many`, an outcome with the status "skipped"; a single `run` raises
                all the same, having nothing to return), or "ask_again", which may make a second job.
            new_key: accept another API key than the one that the ledger was written with. It has to belong to the same
                account: jobs and results of one account are of no use to another.

        Raises:
            LedgerError: another process has it open, or it is no ledger.

        """
        if on_unknown not in {"raise", "skip", "ask_again"}:
            raise InputError(f"on_unknown is 'raise', 'skip' or 'ask_again', got {on_unknown!r}", field="on_unknown")
        self.path = Path(path).absolute()
        self.on_unknown: OnUnknown = on_unknown
        self.new_key = new_key
        self._now: Callable[[], float] = time.time
        self._lock = threading.Lock()
        self._forked = False
        self._asking: set[str] = set()
        """What calls of this process are asking for."""
        opened = open_ledger(self.path)
        if isinstance(opened, str):
            raise LedgerError(f"the ledger {self.path} cannot be opened: {opened}")
        self._connection: sqlite3.Connection | None = opened
        _ledgers.add(self)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, which is on disk at the end. For the entries of the ledger."""
        if self._forked:
            raise LedgerError(f"the ledger {self.path} was opened before the process was forked; open it after")
        with self._lock:
            if self._connection is None:
                raise LedgerError(f"the ledger {self.path} is closed")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                problem = str(error)
            else:
                return
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        raise LedgerError(f"the ledger {self.path} cannot be used: {problem}")

    def entry(self, fingerprint: str, service: str, account: str) -> EntryWriter:
        """Return what writes the entry of one export. Used by `run` and `run_many`."""
        return EntryWriter(self, fingerprint, service, account)

    def entries(self) -> Iterator[LedgerEntry]:
        """All entries, by the time when they were last asked for. Reads them as you iterate, a thousand at a time."""
        after: tuple[float, str] = (float("-inf"), "")
        while True:
            with self.writing() as connection:
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
        with self.writing() as connection:
            row = connection.execute("SELECT result FROM exports WHERE fingerprint = ?", (fingerprint,)).fetchone()
        return None if row is None else row[0]

    def forget(self, fingerprint: str) -> bool:
        """Drop an entry and its result, so that the export is asked for anew; False where there is none."""
        with self.writing() as connection:
            return bool(connection.execute("DELETE FROM exports WHERE fingerprint = ?", (fingerprint,)).rowcount)

    def close(self) -> None:
        """Close the file, for another process to open it."""
        if self._forked:
            return
        with self._lock:
            opened, self._connection = self._connection, None
        if opened is not None:
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


class EntryWriter:
    """One entry, and the steps that it takes. Each is a transaction.

    A step takes place only where the entry still is what this writer made of it: `asks` counts the creates of the entry,
    and the writer that began the last one owns it.
    """

    def __init__(self, ledger: Ledger, fingerprint: str, service: str, account: str) -> None:
        self._ledger = ledger
        self._fingerprint = fingerprint
        self._service = service
        self._account = account
        self._ask: int | None = None
        """The number of the create that this writer began."""
        self._is_asking = False
        self._export_id: str | None = None

    @property
    def on_unknown(self) -> OnUnknown:
        """What to do about a lost answer."""
        return self._ledger.on_unknown

    def begin(self) -> KnownExport | None:
        """What is known of the export. Without an id the intent to ask is written; None while another call asks.

        Raises OutcomeUnknown where an answer was lost, unless the ledger says "ask_again".
        """
        now = self._ledger._now()  # noqa: SLF001 -- an entry is a part of its ledger
        asking = self._ledger._asking  # noqa: SLF001
        with self._ledger.writing() as connection:
            self._check_account(connection)
            row = connection.execute(
                "SELECT state, export_id, expires_at, result, asks, lost_answers, asked_at FROM exports"
                " WHERE fingerprint = ?",
                (self._fingerprint,),
            ).fetchone()
            if row is None and self._fingerprint in asking:  # forgotten under way
                return None
            if row is None:
                connection.execute(
                    "INSERT INTO exports VALUES (?, 'asking', 'open', NULL, ?, NULL, 1, 0, NULL)",
                    (self._fingerprint, now),
                )
                asks = lost_answers = 0
            else:
                state, export_id, expires_at, result, asks, lost_answers, asked_at = row
                if state == "asking" and self._fingerprint in asking:
                    return None
                # A clock that was ahead at the create does not make its job live longer.
                if state == "ready" or (state == "pending" and now < expires_at <= now + RETENTION):
                    self._export_id = export_id
                    return KnownExport(export_id, result, lost_answers)
                if state == "asking":  # and nobody does: its call ended without a trace
                    state, lost_answers = "unknown", lost_answers + 1
                if state == "unknown" and self.on_unknown != "ask_again":
                    raise OutcomeUnknown(
                        f"this export was asked for at {_time(asked_at):%Y-%m-%d %H:%M:%S} UTC, and the answer was lost: "
                        'a job may exist, but nobody knows its id. Ledger(..., on_unknown="ask_again") asks again',
                        fingerprint=self._fingerprint,
                        lost_answers=lost_answers,
                    )
                connection.execute(
                    "UPDATE exports SET state = 'asking', before = ?, export_id = NULL, expires_at = NULL, asked_at = ?,"
                    " asks = asks + 1, lost_answers = ? WHERE fingerprint = ?",
                    ("unknown" if state == "unknown" else "open", now, lost_answers, self._fingerprint),
                )
        self._ask, self._is_asking = asks + 1, True
        asking.add(self._fingerprint)
        return KnownExport(None, None, lost_answers)

    def _check_account(self, connection: sqlite3.Connection) -> None:
        row = connection.execute("SELECT account FROM accounts WHERE origin = ?", (self._service,)).fetchone()
        if row is None or (row[0] != self._account and self._ledger.new_key):
            connection.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (self._service, self._account))
        elif row[0] != self._account:
            raise LedgerError(
                f"the ledger {self._ledger.path} was written with another API key. For another account use another "
                "ledger; for a new key of the same account, Ledger(..., new_key=True)"
            )

    def created(self, export_id: str) -> None:
        """The service gave the export an id."""
        expires_at = self._ledger._now() + RETENTION  # noqa: SLF001
        self._export_id = export_id
        if not self._step("state = 'pending', export_id = ?, expires_at = ?", "asking", export_id, expires_at):
            self._check_written("pending")

    def refused(self) -> None:
        """Nothing was made, and nothing will be: as if it had not been asked."""
        self._step("state = before", "asking")

    def lost(self) -> None:
        """Nobody knows whether a job was made."""
        self._step("state = 'unknown', lost_answers = lost_answers + 1", "asking")

    def ready(self, result: bytes) -> None:
        """The result came."""
        with self._ledger.writing() as connection:
            changed = connection.execute(
                "UPDATE exports SET state = 'ready', result = ? WHERE fingerprint = ? AND export_id = ?",
                (result, self._fingerprint, self._export_id),
            ).rowcount
        if not changed:
            self._check_written("ready")

    def failed(self) -> None:
        """The job will never be ready."""
        with self._ledger.writing() as connection:
            connection.execute(
                "UPDATE exports SET state = 'open' WHERE fingerprint = ? AND state = 'pending' AND export_id = ?",
                (self._fingerprint, self._export_id),
            )

    def leave(self) -> None:
        """The call ends. If it was asking and did not write how that ended, it has left without a trace."""
        if self._is_asking:
            self._is_asking = False
            self._ledger._asking.discard(self._fingerprint)  # noqa: SLF001

    def _step(self, change: str, state: State, *values: object) -> bool:
        if self._ask is None:
            return False
        with self._ledger.writing() as connection:
            done = connection.execute(
                f"UPDATE exports SET {change} WHERE fingerprint = ? AND state = ? AND asks = ?",  # noqa: S608 -- from above
                (*values, self._fingerprint, state, self._ask),
            ).rowcount
        self.leave()
        return bool(done)

    def _check_written(self, state: State) -> None:
        """LedgerError unless the entry is in this state already: a step may be taken twice, but not be lost."""
        with self._ledger.writing() as connection:
            row = connection.execute(
                "SELECT state, export_id FROM exports WHERE fingerprint = ?", (self._fingerprint,)
            ).fetchone()
        if row != (state, self._export_id):
            raise LedgerError(
                f"the ledger {self._ledger.path} has no entry for this export any more; it is export {self._export_id}"
            )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


_ledgers: weakref.WeakSet[Ledger] = weakref.WeakSet()


def _after_fork() -> None:
    """Keep the child of a fork from closing what its parent uses: closing would delete the parent's write-ahead log."""
    import ctypes  # noqa: PLC0415 -- only the child of a fork that had a ledger open needs it

    for ledger in list(_ledgers):
        connection = ledger._connection  # noqa: SLF001
        if connection is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))  # it lives as long as the process
        ledger._forked = True  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
