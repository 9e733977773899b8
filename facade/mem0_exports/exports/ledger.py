"""The ledger: make exports survive a crash, with an SQLite file of your own.

    with Ledger("exports.db") as ledger:
        profile = client.exports.run(Profile, F.user_id == "alex", ledger=ledger)

If you run the same code again, a finished export is returned from the ledger, a pending one is waited for, and nothing
is created twice. The ledger identifies an export by its fingerprint, a hash of service, schema, filters, instructions,
organization and project. A filter like `F.created_at.last(days=7)` is different each time it is evaluated, and so makes
a new export each time. Write out dates instead.

The states of an entry and the transitions between them:

    (none) ── intent ──> asking ── id ──> pending ── result ──> ready
                           │                 └── failed, or expired before it was fetched ──> open
                           ├── refused: no job was made ──> the state before
                           └── answer lost, or the process died ──> unknown ── on_unknown ──> asking

Each transition is on disk (fsync) before the next step begins. The ledger holds ids, times and results, so only its
owner can read the file. It holds no keys, schemas or filters.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
import weakref

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, NoReturn, Self, TypeAlias

import attrs

from mem0_exports import facts
from mem0_exports.errors import InputError, LedgerError, OutcomeUnknown
from mem0_exports.exports.ledger_file import file_path, never_close, open_ledger


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

OnUnknown: TypeAlias = Literal["raise", "skip", "ask_again"]
"""What to do about an export whose create was sent and whose answer was lost; see `Ledger`."""

State: TypeAlias = Literal["asking", "unknown", "pending", "ready", "open"]

RETENTION: Final = facts.RETENTION.total_seconds()
"""How long the service keeps an export, in seconds."""


@attrs.frozen(slots=True)
class LedgerEntry:
    """What a ledger knows about one export, except its result, which `Ledger.result(fingerprint)` returns."""

    fingerprint: str
    """64 hexadecimal digits that identify the export."""
    state: State
    """asking: a create is in progress. unknown: the answer to a create was lost. pending: there is a job.
    ready: there is a result. open: there is no job, and no create in progress."""
    export_id: str | None
    asked_at: datetime
    """When the last create was started."""
    expires_at: datetime | None
    """When the service deletes the export: 7 days after the create."""
    asks: int
    """How many creates were sent, or were about to be sent."""
    lost_answers: int
    """How many of those creates have an unknown outcome."""


class KnownExport(NamedTuple):
    """What the ledger knows about an export before anything is sent. An unknown id or result is None."""

    export_id: str | None
    result: bytes | None
    lost_answers: int


class Ledger:
    """A record of exports on disk, so that they survive a crash.

    Only one process at a time can have it open. The threads and tasks of that process can share it. Close it, or use it
    in a `with` block.

    with Ledger("exports.db") as ledger:
        for outcome in client.exports.run_many(requests, ledger=ledger):
            ...
    """

    def __init__(self, path: str | Path, *, on_unknown: OnUnknown = "raise", new_key: bool = False) -> None:
        """Open the ledger, or create it if the file does not exist.

        Args:
            path: the SQLite file.
            on_unknown: what to do about an export whose create was sent and whose answer was lost. "raise" (the
                default) raises OutcomeUnknown. "skip" makes `run_many` yield an outcome with the status "skipped"; a
                single `run` still raises, because it has nothing to return. "ask_again" sends the create again, which
                may make a second job.
            new_key: accept an API key other than the one that the ledger was written with. The new key must belong to
                the same account, because another account cannot use the jobs and results.

        Raises:
            LedgerError: another process has the file open, or it is not a ledger.
            InputError: `on_unknown` is none of the three, or `path` is not a file, such as ":memory:".

        """
        if on_unknown not in {"raise", "skip", "ask_again"}:
            raise InputError(
                f"on_unknown must be 'raise', 'skip' or 'ask_again', got {on_unknown!r}", field="on_unknown"
            )
        self.path = file_path(path)
        self.on_unknown: OnUnknown = on_unknown
        self.new_key = new_key
        self._now: Callable[[], float] = time.time
        self._lock = threading.Lock()
        self._forked = False
        self._asking: set[str] = set()
        """The fingerprints of the exports that calls of this process are creating now."""
        opened = open_ledger(self.path)
        if isinstance(opened, str):
            raise LedgerError(f"the ledger {self.path} cannot be opened: {opened}")
        self._connection: sqlite3.Connection | None = opened
        _ledgers.add(self)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run the block in a transaction, which is on disk when the block ends. Internal.

        Raises LedgerError if the ledger is closed, was opened before a fork, or cannot be read or written.
        """
        if self._forked:
            # The parent still uses the file, and an SQLite connection must not be used after a fork.
            raise LedgerError(f"the ledger {self.path} was opened before the process forked; open it after the fork")
        # Threads share the connection: without the lock, their statements would mix in one transaction.
        with self._lock:
            if self._connection is None:
                raise LedgerError(f"the ledger {self.path} is closed; open it again with Ledger(path)")
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
        """Return a writer for the entry of one export. Internal: used by `run` and `run_many`."""
        return EntryWriter(self, fingerprint, service, account)

    def entries(self) -> Iterator[LedgerEntry]:
        """Iterate over all entries in the order of `asked_at`. Reads 1000 at a time, as you iterate."""
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
        """Return the JSON text of a result as the service sent it, or None if there is no result (yet)."""
        with self.writing() as connection:
            row = connection.execute("SELECT result FROM exports WHERE fingerprint = ?", (fingerprint,)).fetchone()
        return None if row is None else row[0]

    def forget(self, fingerprint: str) -> bool:
        """Delete an entry and its result, so that the next run creates the export again. False if there is no entry."""
        with self.writing() as connection:
            return bool(connection.execute("DELETE FROM exports WHERE fingerprint = ?", (fingerprint,)).rowcount)

    def close(self) -> None:
        """Close the file, so that another process can open it."""
        if self._forked:
            return  # closing would delete the write-ahead log that the parent still uses
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

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
    """Writes the transitions of one entry, each in a transaction.

    A transition happens only if the entry is still in the state in which this writer left it. `asks` counts the creates
    of an entry, and the writer that started the last create owns the entry. If the entry has been deleted and created
    again, an earlier writer does not own it and must not change it.
    """

    def __init__(self, ledger: Ledger, fingerprint: str, service: str, account: str) -> None:
        self._ledger = ledger
        self._fingerprint = fingerprint
        self._service = service
        self._account = account
        self._ask: int | None = None
        """The number of the create that this writer started."""
        self._is_asking = False
        self._export_id: str | None = None

    @property
    def on_unknown(self) -> OnUnknown:
        """What to do about a create whose answer was lost."""
        return self._ledger.on_unknown

    def begin(self) -> KnownExport | None:
        """Return what the ledger knows about the export, or None while another call is creating it.

        If no id is known, this writes the intent to create the job to disk before anything is sent. If the intent were
        written later, a crash could leave a job that the ledger does not know about.

        Raises OutcomeUnknown if an earlier answer was lost, unless `on_unknown` is "ask_again".
        """
        try:
            return self._begin()
        except LedgerError:  # nothing must be sent unless the intent is certainly on disk
            self.leave()
            raise

    def _begin(self) -> KnownExport | None:
        asking = self._ledger._asking  # noqa: SLF001 -- an entry is a part of its ledger
        with self._ledger.writing() as connection:
            # Read the time while holding the ledger's lock, because the wait for it can be long.
            now = self._ledger._now()  # noqa: SLF001
            self._check_account(connection)
            row = connection.execute(
                "SELECT state, export_id, expires_at, result, asks, lost_answers, asked_at FROM exports"
                " WHERE fingerprint = ?",
                (self._fingerprint,),
            ).fetchone()
            if row is None and self._fingerprint in asking:  # `forget` was called while the create is in progress
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
                # If the clock was ahead at the create, `expires_at` is too late. The job is still the job: creating it
                # again would be a second one, possibly a paid one, without a word.
                if state == "ready" or (state == "pending" and now < expires_at):
                    self._export_id = export_id
                    return KnownExport(export_id, result, lost_answers)
                if state == "asking":  # the call that created it could not record the outcome
                    state, lost_answers = "unknown", lost_answers + 1
                if state == "unknown" and self.on_unknown != "ask_again":
                    raise OutcomeUnknown(
                        f"this export was requested at {_time(asked_at):%Y-%m-%d %H:%M:%S} UTC and the answer was "
                        "lost: a job may exist, but its id is unknown. To create the export again, which may make a "
                        'second job, use Ledger(..., on_unknown="ask_again")',
                        fingerprint=self._fingerprint,
                        lost_answers=lost_answers,
                    )
                connection.execute(
                    "UPDATE exports SET state = 'asking', before = ?, export_id = NULL, expires_at = NULL, asked_at = ?,"
                    " asks = asks + 1, lost_answers = ? WHERE fingerprint = ?",
                    ("unknown" if state == "unknown" else "open", now, lost_answers, self._fingerprint),
                )
            # Set these inside the transaction, while holding the lock. Otherwise another call of this process could see
            # the state 'asking' before `asking` has the fingerprint, and conclude that the answer was lost.
            self._ask, self._is_asking = asks + 1, True
            asking.add(self._fingerprint)
        return KnownExport(None, None, lost_answers)

    def _check_account(self, connection: sqlite3.Connection) -> None:
        row = connection.execute("SELECT account FROM accounts WHERE origin = ?", (self._service,)).fetchone()
        if row is None or (row[0] != self._account and self._ledger.new_key):
            connection.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (self._service, self._account))
        elif row[0] != self._account:
            raise LedgerError(
                f"the ledger {self._ledger.path} was written with another API key. For another account, use another "
                "file; for a new key of the same account, use Ledger(..., new_key=True)"
            )

    def created(self, export_id: str) -> None:
        """Write the id of the new job. It must be on disk before the wait begins: a crash would lose the job."""
        expires_at = self._ledger._now() + RETENTION  # noqa: SLF001
        self._export_id = export_id
        if not self._step("state = 'pending', export_id = ?, expires_at = ?", "asking", export_id, expires_at):
            self._check_written("pending")

    def refused(self) -> None:
        """Write that no job was made and none will be: restore the state before the create."""
        self._step("state = before", "asking")

    def lost(self) -> None:
        """Write that the answer was lost: a job may or may not exist."""
        self._step("state = 'unknown', lost_answers = lost_answers + 1", "asking")

    def ready(self, result: bytes) -> None:
        """Write the result. It must be on disk before the caller gets it: the service deletes it after 7 days."""
        # The fence is the id, not the state, because two calls may wait for the same job and both write its result.
        with self._ledger.writing() as connection:
            changed = connection.execute(
                "UPDATE exports SET state = 'ready', result = ? WHERE fingerprint = ? AND export_id = ?",
                (result, self._fingerprint, self._export_id),
            ).rowcount
        if not changed:
            self._check_written("ready")

    def failed(self) -> None:
        """Write that the job will never be ready, so that the next run creates the export again."""
        # The entry must still be 'pending': a result that another call has written must not be lost.
        with self._ledger.writing() as connection:
            connection.execute(
                "UPDATE exports SET state = 'open' WHERE fingerprint = ? AND state = 'pending' AND export_id = ?",
                (self._fingerprint, self._export_id),
            )

    def leave(self) -> None:
        """Release the entry at the end of the call.

        If the outcome of the create could not be recorded, the entry stays 'asking'. The next `begin` then treats the
        answer as lost.
        """
        if self._is_asking:
            self._is_asking = False
            self._ledger._asking.discard(self._fingerprint)  # noqa: SLF001

    def _step(self, change: str, state: State, *values: object) -> bool:
        if self._ask is None:
            return False
        # `state` and `asks` are the fence: no row matches for a writer that no longer owns the entry.
        with self._ledger.writing() as connection:
            changed = connection.execute(
                f"UPDATE exports SET {change} WHERE fingerprint = ? AND state = ? AND asks = ?",  # noqa: S608 -- from above
                (*values, self._fingerprint, state, self._ask),
            ).rowcount
            # Leave while holding the lock. Later, this could remove the mark of a create that another call has started.
            self.leave()
        return bool(changed)

    def _check_written(self, state: State) -> None:
        """Raise LedgerError unless the entry is already in this state. A write may be repeated but must not be lost."""
        with self._ledger.writing() as connection:
            row = connection.execute(
                "SELECT state, export_id FROM exports WHERE fingerprint = ?", (self._fingerprint,)
            ).fetchone()
        if row != (state, self._export_id):
            raise LedgerError(
                f"the ledger {self._ledger.path} no longer has an entry for this export, so its {state} state was not "
                f"recorded; its id is {self._export_id}"
            )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


_ledgers: weakref.WeakSet[Ledger] = weakref.WeakSet()


def _after_fork() -> None:
    """Make the ledgers of the parent unusable in the child of a fork, without closing them."""
    for ledger in list(_ledgers):
        if ledger._connection is not None:  # noqa: SLF001
            never_close(ledger._connection)  # noqa: SLF001
        ledger._forked = True  # noqa: SLF001


if sys.platform != "win32" and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
