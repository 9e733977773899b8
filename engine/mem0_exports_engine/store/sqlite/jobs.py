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
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from mem0_exports_engine import clock, ports
from mem0_exports_engine.failures import Fenced, Gone
from mem0_exports_engine.ports import ExportState, Job, StoredExport
from mem0_exports_engine.store.sqlite.tables import exports, parts


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.ports import Frame, Lane
    from mem0_exports_engine.store.sqlite.database import Database

_LONGEST_LEASE: Final = timedelta(minutes=15)
"""No version of this package takes a longer lease."""

MAX_ROWS: Final = 200
"""The most rows that one transaction deletes. Those of parts can have megabytes."""

_ROWID: Final = sa.literal_column("rowid", sa.Integer)

_INSERT: Final = sa.insert(exports)

_STATE: Final = [exports.c[name] for name in ExportState._fields]


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
            "crashed_attempts": 0,
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
        conditions = [exports.c.project == project, exports.c.expires_us > clock.microseconds(now)]
        if export_id is not None:
            conditions.append(exports.c.id == export_id)
        elif filters is not None:
            conditions.append(exports.c.filters == filters_key(filters))
        columns = [exports.c[name] for name in StoredExport._fields]
        query = sa.select(*columns).where(*conditions).order_by(exports.c.seq.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else StoredExport(*row)

    def page(self, project: str, now: datetime, *, offset: int, limit: int) -> tuple[int, list[ExportState]]:
        """Return the number of exports that have not expired, and at most `limit` from `offset` on, newest first."""
        mine = sa.and_(exports.c.project == project, exports.c.expires_us > clock.microseconds(now))
        with self._database.read() as connection:
            count = connection.scalar(sa.select(sa.func.count()).select_from(exports).where(mine)) or 0
            rows = connection.execute(
                sa.select(*_STATE)
                .where(mine)
                .order_by(exports.c.created_us.desc(), exports.c.seq.desc())
                .offset(min(offset, count))  # SQLite takes no more than 64 bits
                .limit(limit)
            )
            return count, [ExportState(*row) for row in rows]

    def cancel(self, project: str, now: datetime, export_id: str, reason: str) -> ExportState | None:
        """Mark an export that is not finished as failed, and return its state. None if there is none.

        The worker that may be making it is fenced, because it can only write to a job that is RUNNING. The parts that
        it has stored so far are deleted.
        """
        mine = self._mine(project, now, export_id)
        with self._database.write() as connection:
            cancelled = connection.execute(
                sa.update(exports)
                .where(mine, exports.c.state.in_(("PENDING", "RUNNING")))
                .values(state="FAILED", available_us=None, reason=reason)
            ).rowcount
            row = connection.execute(sa.select(*_STATE, exports.c.seq).where(mine)).first()
        if row is None:
            return None
        if cancelled:
            self._delete_parts(self._database.write, self._parts_of(row.seq, export_id))
        return ExportState._make(row[:-1])

    def delete(self, project: str, now: datetime, export_id: str) -> bool:
        """Delete an export with its result. Return whether there was one that had not expired.

        It first becomes one that has failed, so that no worker stores another part of it. The row goes last: parts
        without a row would stay for good, and could later belong to another export with the same seq.
        """
        if self.cancel(project, now, export_id, "it was deleted") is None:
            return False
        mine = self._mine(project, now, export_id)
        with self._database.read() as connection:
            seq = connection.scalar(sa.select(exports.c.seq).where(mine))
        if seq is None:
            return False
        self._delete_parts(self._database.write, self._parts_of(seq, export_id))
        with self._database.write() as connection:
            return connection.execute(sa.delete(exports).where(mine)).rowcount > 0

    @staticmethod
    def _mine(project: str, now: datetime, export_id: str) -> sa.ColumnElement[bool]:
        return sa.and_(
            exports.c.project == project, exports.c.id == export_id, exports.c.expires_us > clock.microseconds(now)
        )

    @staticmethod
    def _parts_of(seq: int, export_id: str) -> sa.ColumnElement[bool]:
        """Return the condition for the parts of an export. Its seq alone could mean a newer one, as in `_pieces`."""
        export = sa.select(exports.c.seq).where(exports.c.seq == seq, exports.c.id == export_id)
        return parts.c.export.in_(export)

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
        # Matching the seq alone would be wrong: SQLite reuses the seq of a purged export for a new one, and a slow
        # reader would continue with the parts of another export.
        export = sa.select(exports.c.seq).where(exports.c.seq == seq, exports.c.id == export_id).scalar_subquery()
        for piece in frame:
            if isinstance(piece, str):
                yield piece.encode()
                continue
            # Each part is read in a short transaction. A single long transaction would keep SQLite from truncating the
            # WAL for as long as the slowest client reads. The count is read first to notice parts that vanish. An empty
            # list was never put into parts, so a count of 0 means that the export is gone.
            number = 0
            of_list = sa.select(parts.c.content).where(parts.c.export == export, parts.c.list_index == piece)
            with self._database.read() as connection:
                count = connection.scalar(sa.select(sa.func.count()).select_from(of_list.subquery()))
            while number < (count or 1):
                with self._database.read() as connection:
                    items = connection.scalar(of_list.where(parts.c.number == number))
                if items is None:
                    raise Gone(export_id)
                yield items if number == 0 else b"," + items
                number += 1

    def claim(self, now: datetime, *, take_over: bool = True, lanes: Collection[Lane] | None = None) -> Job | None:
        """Claim the job of some lanes that has waited longest, for the length of one lease. None if no job is waiting.

        `take_over` says whether a job may be claimed because the lease of another worker has ended. A worker without a
        language model (no `lanes`) leaves the others' jobs alone, but not for ever: their engine may be gone for good.
        """
        due = _due(now, take_over=take_over)
        if lanes is not None:
            due = sa.and_(due, exports.c.lane.in_(lanes))
        else:
            forsaken = exports.c.available_us <= clock.microseconds(now - ports.LEASE)
            due = sa.and_(due, sa.or_(exports.c.lane == "short", forsaken))
        # Usually no job is waiting. Checking with a read first avoids taking the write lock every second.
        with self._database.read() as connection:
            if connection.execute(sa.select(exports.c.seq).where(due).limit(1)).first() is None:
                return None
        waiting = sa.select(exports.c.id).where(due).order_by(exports.c.available_us, exports.c.seq).limit(1)
        # A job that is still RUNNING after its lease has ended was left behind by a worker that crashed or stalled. A
        # job that was handed back is PENDING, so restarts of a server do not count as crashes.
        crashed = sa.case((exports.c.state == "RUNNING", 1), else_=0)
        # Selecting and claiming is a single UPDATE, so two workers cannot claim the same job.
        take = (
            sa.update(exports)
            .where(exports.c.id == waiting.scalar_subquery())
            .values(
                state="RUNNING",
                attempt=exports.c.attempt + 1,
                crashed_attempts=exports.c.crashed_attempts + crashed,
                available_us=_lease_end(now),
            )
            .returning(*(exports.c[name] for name in Job._fields))
        )
        with self._database.write() as connection:
            row = connection.execute(take).first()
        if row is None:
            return None
        job = Job(*row)
        return job._replace(schema=json.loads(row.schema), filters=json.loads(row.filters))

    @contextlib.contextmanager
    def _fenced(self, job: Job, **values: Any) -> Iterator[sa.Connection]:
        """Open a transaction that sets `values` in the row of the job. Raises Fenced if another worker has the job.

        The attempt number is checked by the UPDATE itself, so no other worker can claim the job between check and
        write. The state is checked too, so that not even the same worker can write after `finish`, `fail` or
        `hand_back`.
        """
        with self._database.write() as connection:
            updated = connection.execute(
                sa.update(exports)
                .where(exports.c.seq == job.seq, exports.c.id == job.id)
                .where(exports.c.attempt == job.attempt, exports.c.state == "RUNNING")
                .values(**values)
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
        self._delete_parts(lambda: self._fenced(job, available_us=_lease_end(now)), parts.c.export == job.seq)

    def put(self, job: Job, now: datetime, list_index: int, number: int, items: bytes) -> None:
        """Store part `number` of a list of the result, and renew the lease."""
        with self._fenced(job, available_us=_lease_end(now)) as connection:
            connection.execute(
                sa.insert(parts), {"export": job.seq, "list_index": list_index, "number": number, "content": items}
            )

    def drop(self, job: Job, list_index: int) -> None:
        """Delete the parts of a list that will not be in the result."""
        of_list = sa.and_(parts.c.export == job.seq, parts.c.list_index == list_index)
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
        self._delete_parts(lambda: self._fenced(job, state="RUNNING"), parts.c.export == job.seq)
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
                sa.update(exports)
                .where(exports.c.seq == job.seq, exports.c.id == job.id, exports.c.attempt > job.attempt)
                .where(exports.c.crashed_attempts > 0)
                .values(crashed_attempts=exports.c.crashed_attempts - 1)
            )

    def purge(self, now: datetime) -> int:
        """Delete the exports that have expired, and return how many there were."""
        expired = sa.select(exports.c.seq).where(exports.c.expires_us <= clock.microseconds(now))
        with self._database.read() as connection:
            if connection.execute(expired.limit(1)).first() is None:
                return 0
        # Each transaction looks again at what has expired: another worker could purge an export meanwhile, and its seq
        # be used for a new one.
        self._delete_parts(self._database.write, parts.c.export.in_(expired))
        without_parts = expired.where(~sa.exists().where(parts.c.export == exports.c.seq)).limit(MAX_ROWS)
        count, deleted = 0, MAX_ROWS
        while deleted == MAX_ROWS:
            with self._database.write() as connection:
                deleted = connection.execute(sa.delete(exports).where(exports.c.seq.in_(without_parts))).rowcount
            count += deleted
        return count

    def _delete_parts(
        self,
        transaction: Callable[[], contextlib.AbstractContextManager[sa.Connection]],
        condition: sa.ColumnElement[bool],
    ) -> None:
        """Delete parts, in transactions that are so short that other writers need not wait long."""
        chosen = sa.select(_ROWID).select_from(parts).where(condition).limit(MAX_ROWS).correlate(None)
        deleted = MAX_ROWS
        while deleted == MAX_ROWS:
            with transaction() as connection:
                deleted = connection.execute(sa.delete(parts).where(_ROWID.in_(chosen))).rowcount


def _due(now: datetime, *, take_over: bool) -> sa.ColumnElement[bool]:
    """Return the condition for jobs that can be claimed."""
    moment = clock.microseconds(now)
    available = exports.c.available_us
    # If a lease seems to end too late, the clock was ahead when it was taken, and the job would wait for that long.
    is_bogus = available > clock.microseconds(now + _LONGEST_LEASE)
    is_new = sa.and_(exports.c.state == "PENDING", exports.c.attempt == 0)
    due = sa.and_(available.is_not(None), sa.or_(available <= moment, is_bogus, is_new), exports.c.expires_us > moment)
    return due if take_over else sa.and_(due, exports.c.state == "PENDING")


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
