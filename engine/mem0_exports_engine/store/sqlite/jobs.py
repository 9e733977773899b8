"""Store export jobs as rows with a lease and a fencing token.

A worker claims a row for a limited time (the lease) and raises its attempt number. Every write of the worker carries
that number (the fence) and has no effect once the row has a newer one. So a worker cannot write if it was paused for
longer than its lease and another worker has taken the job over. Without the fence, two workers would mix their parts,
or one would mark as done a result that the other is still writing.

A result is stored as a frame: its JSON text with gaps for lists that could be too long for memory. These lists are
stored in parts, which the worker writes as it goes and readers fetch one at a time.
"""

from __future__ import annotations

import contextlib
import json

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mem0_exports_engine import clock, ports
from mem0_exports_engine.failures import Fenced, Gone
from mem0_exports_engine.ports import ExportState, Job, StoredExport


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.ports import Frame, Lane
    from mem0_exports_engine.store.sqlite.connections import Connection
    from mem0_exports_engine.store.sqlite.database import Database

_LONGEST_LEASE: Final = timedelta(minutes=15)
"""No version of this package takes a longer lease."""

MAX_ROWS: Final = 200
"""The most rows that one transaction deletes. Those of parts can have megabytes."""

_COLUMNS: Final = (
    *("project", "id", "schema", "filters", "instructions", "created_us", "expires_us"),
    *("state", "attempt", "lost", "available_us", "lane"),
)
_INSERT: Final = f"INSERT INTO exports ({', '.join(_COLUMNS)}) VALUES (:{', :'.join(_COLUMNS)})"

_STORED: Final = "seq, id, state, frame, report, reason"
"""The columns of a StoredExport."""

_STATE: Final = "id, state, created_us, expires_us, reason"
"""The columns of an ExportState."""

_JOB: Final = "seq, id, project, attempt, lost, schema, filters, instructions, lane"
"""The columns of a Job."""

_MINE: Final = "project = ? AND id = ? AND expires_us > ?"

_OF_EXPORT: Final = "export = (SELECT seq FROM exports WHERE seq = ? AND id = ?)"
"""The condition for the parts of an export. Its seq alone would be wrong: SQLite reuses the seq of a purged export for a
new one, and a slow reader would continue with the parts of another export."""

_FENCE: Final = "seq = ? AND id = ? AND attempt = ? AND state = 'RUNNING'"

# If a lease seems to end too late, the clock was ahead when it was taken, and the job would wait for that long.
_DUE: Final = """
available_us IS NOT NULL AND expires_us > :now
AND (available_us <= :now OR available_us > :longest OR (state = 'PENDING' AND attempt = 0))
"""

# A job that is still RUNNING after its lease has ended was left behind by a worker that crashed or stalled. A job that
# was handed back is PENDING, so restarts of a server do not count as crashes. Selecting and claiming is a single UPDATE,
# so two workers cannot claim the same job.
_CLAIM: Final = """
UPDATE exports
SET state = 'RUNNING', attempt = attempt + 1, lost = lost + (state = 'RUNNING'), available_us = :lease_end
WHERE id = (SELECT id FROM exports WHERE {due} ORDER BY available_us, seq LIMIT 1)
RETURNING {columns}
"""

_Where: TypeAlias = tuple[str, tuple[Any, ...]]
"""A condition and its values."""


class SqliteJobs:
    """Implement `ports.JobStore` with SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        project: str,
        export_id: str,
        now: datetime,
        retention: timedelta,
        *,
        schema: Any,
        filters: Filter,
        instructions: str | None = None,
        lane: Lane = "short",
    ) -> None:
        """Store a new job. Once this returns, the job survives a crash. The export expires after `retention`."""
        created = clock.microseconds(now)
        row = {
            "project": project,
            "id": export_id,
            "schema": json.dumps(schema, ensure_ascii=False),
            "filters": filters_key(filters),
            "instructions": instructions,
            "created_us": created,
            "expires_us": created + clock.length(retention),
            "state": "PENDING",
            "attempt": 0,
            "lost": 0,
            "available_us": created,
            "lane": lane,
        }
        with self._database.write() as connection:
            connection.execute(_INSERT, row)

    def find(
        self, project: str, now: datetime, *, export_id: str | None = None, filters: Filter | None = None
    ) -> StoredExport | None:
        """Return the export with this id, or the newest with these filters. None if there is none or it has expired."""
        # An export expires by the clock, not when `purge` happens to run.
        values: tuple[Any, ...]
        condition, values = "project = ? AND expires_us > ?", (project, clock.microseconds(now))
        if export_id is not None:
            condition, values = f"{condition} AND id = ?", (*values, export_id)
        elif filters is not None:
            condition, values = f"{condition} AND filters = ?", (*values, filters_key(filters))
        with self._database.read() as connection:
            row = connection.row(
                f"SELECT {_STORED} FROM exports WHERE {condition} ORDER BY seq DESC LIMIT 1",
                values,
            )
        return None if row is None else StoredExport(*row)

    def page(self, project: str, now: datetime, *, offset: int, limit: int) -> tuple[int, list[ExportState]]:
        """Return the number of exports that have not expired, and at most `limit` from `offset` on, newest first."""
        mine = (project, clock.microseconds(now))
        with self._database.read() as connection:
            count = connection.value("SELECT count(*) FROM exports WHERE project = ? AND expires_us > ?", mine)
            rows = connection.execute(
                f"SELECT {_STATE} FROM exports WHERE project = ? AND expires_us > ? "
                "ORDER BY created_us DESC, seq DESC LIMIT ? OFFSET ?",
                (*mine, limit, min(offset, count)),  # SQLite takes no more than 64 bits
            )
            return count, [ExportState(*row) for row in rows]

    def cancel(self, project: str, now: datetime, export_id: str, reason: str) -> ExportState | None:
        """Mark an export that is not finished as failed, and return its state. None if there is none.

        The worker that may be making it is fenced, because it can only write to a job that is RUNNING. The parts that
        it has stored so far are deleted.
        """
        mine = (project, export_id, clock.microseconds(now))
        with self._database.write() as connection:
            cancelled = connection.execute(
                "UPDATE exports SET state = 'FAILED', available_us = NULL, reason = ? "
                f"WHERE {_MINE} AND state IN ('PENDING', 'RUNNING')",
                (reason, *mine),
            ).rowcount
            row = connection.row(f"SELECT {_STATE}, seq FROM exports WHERE {_MINE}", mine)
        if row is None:
            return None
        if cancelled:
            self._delete_parts(self._database.write, (_OF_EXPORT, (row[-1], export_id)))
        return ExportState._make(row[:-1])

    def delete(self, project: str, now: datetime, export_id: str) -> bool:
        """Delete an export with its result. Return whether there was one that had not expired.

        It first becomes one that has failed, so that no worker stores another part of it. The row goes last: parts
        without a row would stay for good, and could later belong to another export with the same seq.
        """
        if self.cancel(project, now, export_id, "it was deleted") is None:
            return False
        mine = (project, export_id, clock.microseconds(now))
        with self._database.read() as connection:
            seq = connection.value(f"SELECT seq FROM exports WHERE {_MINE}", mine)
        if seq is None:
            return False
        self._delete_parts(self._database.write, (_OF_EXPORT, (seq, export_id)))
        with self._database.write() as connection:
            return connection.execute(f"DELETE FROM exports WHERE {_MINE}", mine).rowcount > 0

    def result(self, export: StoredExport) -> bytes | Iterator[bytes]:
        """Return the JSON text of a finished export: whole, or in pieces if it has lists that are stored in parts.

        Reading the pieces raises Gone if the export expires and is purged meanwhile. A reader then notices that the
        result is incomplete, instead of mistaking the first half of a list for all of it.
        """
        frame: Frame = json.loads(export.frame or "[]")
        if len(frame) == 1:
            return str(frame[0]).encode()
        return self._pieces(export.seq, export.id, frame)

    def _pieces(self, seq: int, export_id: str, frame: Frame) -> Iterator[bytes]:
        mine = (seq, export_id)
        for piece in frame:
            if isinstance(piece, str):
                yield piece.encode()
                continue
            # Each part is read in a short transaction. A single long transaction would keep SQLite from truncating the
            # WAL for as long as the slowest client reads. The count is read first to notice parts that vanish. An empty
            # list was never put into parts, so a count of 0 means that the export is gone.
            number = 0
            with self._database.read() as connection:
                count = connection.value(
                    f"SELECT count(*) FROM export_parts WHERE {_OF_EXPORT} AND place = ?",
                    (*mine, piece),
                )
            while number < (count or 1):
                with self._database.read() as connection:
                    items: bytes | None = connection.value(
                        f"SELECT content FROM export_parts WHERE {_OF_EXPORT} AND place = ? AND number = ?",
                        (*mine, piece, number),
                    )
                if items is None:
                    raise Gone(export_id)
                yield items if number == 0 else b"," + items
                number += 1

    def claim(self, now: datetime, *, take_over: bool = True, lanes: Collection[Lane] | None = None) -> Job | None:
        """Claim the job of some lanes that has waited longest, for the length of one lease. None if no job is waiting.

        `take_over` says whether a job may be claimed because the lease of another worker has ended. A worker without a
        language model (no `lanes`) leaves the others' jobs alone, but not for ever: their engine may be gone for good.
        """
        moment = clock.microseconds(now)
        values: dict[str, Any] = {
            "now": moment,
            "longest": clock.microseconds(now + _LONGEST_LEASE),
            "forsaken": clock.microseconds(now - ports.LEASE),
            "lease_end": _lease_end(now),
        }
        due = _DUE if take_over else f"{_DUE} AND state = 'PENDING'"
        if lanes is None:
            due = f"{due} AND (lane = 'short' OR available_us <= :forsaken)"
        else:
            chosen = [f":lane{number}" for number, _ in enumerate(lanes)]
            due = f"{due} AND lane IN ({', '.join(chosen)})"
            values |= {f"lane{number}": lane for number, lane in enumerate(lanes)}
        # Usually no job is waiting. Checking with a read first avoids taking the write lock every second.
        with self._database.read() as connection:
            if connection.row(f"SELECT 1 FROM exports WHERE {due} LIMIT 1", values) is None:
                return None
        with self._database.write() as connection:
            row = connection.row(_CLAIM.format(due=due, columns=_JOB), values)
        if row is None:
            return None
        job = Job(*row)
        return job._replace(schema=json.loads(row[5]), filters=json.loads(row[6]))

    @contextlib.contextmanager
    def _fenced(self, job: Job, **values: Any) -> Iterator[Connection]:
        """Open a transaction that sets `values` in the row of the job. Raises Fenced if another worker has the job.

        The attempt number is checked by the UPDATE itself, so no other worker can claim the job between check and
        write. The state is checked too, so that not even the same worker can write after `finish`, `fail` or
        `hand_back`.
        """
        changes = ", ".join(f"{name} = ?" for name in values)
        with self._database.write() as connection:
            updated = connection.execute(
                f"UPDATE exports SET {changes} WHERE {_FENCE}",
                (*values.values(), job.seq, job.id, job.attempt),
            )
            if updated.rowcount == 0:
                raise Fenced(job.id)
            yield connection

    def renew(self, job: Job, now: datetime) -> None:
        """Extend the lease: it now ends `ports.LEASE` after `now`."""
        with self._fenced(job, available_us=_lease_end(now)):
            pass

    def clear(self, job: Job, now: datetime) -> None:
        """Delete the parts that an earlier attempt has stored, and renew the lease."""
        self._delete_parts(lambda: self._fenced(job, available_us=_lease_end(now)), ("export = ?", (job.seq,)))

    def put(self, job: Job, now: datetime, list_index: int, number: int, items: bytes) -> None:
        """Store part `number` of a list of the result, and renew the lease."""
        with self._fenced(job, available_us=_lease_end(now)) as connection:
            connection.execute(
                "INSERT INTO export_parts (export, place, number, content) VALUES (?, ?, ?, ?)",
                (job.seq, list_index, number, items),
            )

    def drop(self, job: Job, list_index: int) -> None:
        """Delete the parts of a list that will not be in the result."""
        of_list = ("export = ? AND place = ?", (job.seq, list_index))
        # Setting the state changes nothing; the UPDATE is there to check the fence.
        self._delete_parts(lambda: self._fenced(job, state="RUNNING"), of_list)

    def finish(self, job: Job, frame: Frame, report: str) -> None:
        """Store the result and mark the job as done."""
        # All parts are stored before this commit makes the result visible, so readers never see half of it.
        text = json.dumps(frame, ensure_ascii=False)
        with self._fenced(job, state="DONE", available_us=None, frame=text, report=report):
            pass

    def fail(self, job: Job, reason: str, report: str | None = None) -> None:
        """Mark the job as failed, with the reason that users will see, and delete its parts."""
        self._delete_parts(lambda: self._fenced(job, state="RUNNING"), ("export = ?", (job.seq,)))
        with self._fenced(job, state="FAILED", available_us=None, reason=reason, report=report):
            pass

    def hand_back(self, job: Job, available: datetime, *, lane: Lane | None = None) -> None:
        """Give up the lease, so that any worker can claim the job from this time on. `lane`: move it to this lane."""
        moved = {} if lane is None else {"lane": lane}
        with self._fenced(job, state="PENDING", available_us=clock.microseconds(available), **moved):
            pass

    def not_crashed(self, job: Job) -> None:
        """Say that an attempt did not crash, although another worker has taken the job over."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE exports SET lost = lost - 1 WHERE seq = ? AND id = ? AND attempt > ? AND lost > 0",
                (job.seq, job.id, job.attempt),
            )

    def purge(self, now: datetime) -> int:
        """Delete the exports that have expired, and return how many there were."""
        moment = (clock.microseconds(now),)
        with self._database.read() as connection:
            if connection.row("SELECT 1 FROM exports WHERE expires_us <= ? LIMIT 1", moment) is None:
                return 0
        # Each transaction looks again at what has expired: another worker could purge an export meanwhile, and its seq
        # be used for a new one.
        expired = "export IN (SELECT seq FROM exports WHERE expires_us <= ?)"
        self._delete_parts(self._database.write, (expired, moment))
        count, deleted = 0, MAX_ROWS
        while deleted == MAX_ROWS:
            with self._database.write() as connection:
                deleted = connection.execute(
                    "DELETE FROM exports WHERE seq IN (SELECT seq FROM exports WHERE expires_us <= ? "
                    "AND NOT EXISTS (SELECT 1 FROM export_parts WHERE export = exports.seq) LIMIT ?)",
                    (*moment, MAX_ROWS),
                ).rowcount
            count += deleted
        return count

    def _delete_parts(
        self, transaction: Callable[[], contextlib.AbstractContextManager[Connection]], where: _Where
    ) -> None:
        """Delete parts, in transactions that are so short that other writers need not wait long."""
        condition, values = where
        deleted = MAX_ROWS
        while deleted == MAX_ROWS:
            with transaction() as connection:
                deleted = connection.execute(
                    "DELETE FROM export_parts WHERE rowid IN "
                    f"(SELECT rowid FROM export_parts WHERE {condition} LIMIT ?)",
                    (*values, MAX_ROWS),
                ).rowcount


def _lease_end(now: datetime) -> int:
    return clock.microseconds(now + ports.LEASE)


def filters_key(filters: Filter) -> str:
    """Return filters as text, the key for finding exports. The order of the conditions does not change it."""
    return json.dumps(_sorted(filters.to_dict()), ensure_ascii=False, sort_keys=True)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(member) for key, member in value.items()}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda item: json.dumps(item, sort_keys=True))
    return value
