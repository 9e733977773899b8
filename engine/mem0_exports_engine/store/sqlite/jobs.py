"""Export jobs: leased, fenced rows.

A worker takes a row for a while (the lease) and raises its attempt number. Every write of the worker carries that
number (the fence), so that a worker which was paused past its lease, and whose job another one took over, can write
nothing: without the fence two workers would mix their results, or one would finish what the other is still writing.

The result is kept as a frame, which is its text, but for lists that are too long for memory: those are in parts, which
the worker writes as it goes and readers read one by one.
"""

from __future__ import annotations

import contextlib
import json

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from mem0_exports_engine import clock, ports
from mem0_exports_engine.ports import Fenced, Gone, Job, StoredExport
from mem0_exports_engine.store.sqlite.tables import exports, parts


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.ports import Frame
    from mem0_exports_engine.store.sqlite.database import Database

_INSERT: Final = sa.insert(exports)


class SqliteJobs:
    """A `ports.JobStore`."""

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
    ) -> None:
        """Write a job down. Once this returns it survives a crash; after `retention` the export is gone."""
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
        }
        with self._database.write() as connection:
            connection.execute(_INSERT, row)

    def find(
        self, project: str, now: datetime, *, export_id: str | None = None, filters: Filter | None = None
    ) -> StoredExport | None:
        """Return an export that has not expired: by its id, or the newest with these filters."""
        wanted = [exports.c.project == project, exports.c.expires_us > clock.microseconds(now)]
        if export_id is not None:
            wanted.append(exports.c.id == export_id)
        elif filters is not None:
            wanted.append(exports.c.filters == filters_key(filters))
        columns = [exports.c[name] for name in StoredExport._fields]
        query = sa.select(*columns).where(*wanted).order_by(exports.c.seq.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else StoredExport(*row)

    def result(self, export: StoredExport) -> bytes | Iterator[bytes]:
        """Return the JSON text of a finished export: at once, or piece by piece where parts of it are kept apart.

        Iterating raises Gone where the export expires meanwhile.
        """
        frame: Frame = json.loads(export.frame or "[]")
        if len(frame) == 1:
            return str(frame[0]).encode()
        return self._pieces(export.seq, export.id, frame)

    def _pieces(self, seq: int, export_id: str, frame: Frame) -> Iterator[bytes]:
        # The seq alone is not enough: SQLite gives that of an export which is gone to the next one.
        export = sa.select(exports.c.seq).where(exports.c.seq == seq, exports.c.id == export_id).scalar_subquery()
        for piece in frame:
            if isinstance(piece, str):
                yield piece.encode()
                continue
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

    def claim(self, now: datetime) -> Job | None:
        """Take the job that has waited longest, for one lease."""
        moment = clock.microseconds(now)
        due = sa.and_(exports.c.available_us <= moment, exports.c.expires_us > moment)
        # Most of the time there is none, and a look keeps no writer waiting.
        with self._database.read() as connection:
            if connection.execute(sa.select(exports.c.seq).where(due).limit(1)).first() is None:
                return None
        waiting = sa.select(exports.c.id).where(due).order_by(exports.c.available_us, exports.c.seq).limit(1)
        # A job whose state is still RUNNING when its lease is over was left by a worker that vanished.
        crashed = sa.case((exports.c.state == "RUNNING", 1), else_=0)
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
        """A transaction of the worker that has the job, which sets `values`; Fenced where it has it no more.

        Look and write are one statement, so that nobody can take the job over between them.
        """
        with self._database.write() as connection:
            done = connection.execute(
                sa.update(exports)
                .where(exports.c.seq == job.seq, exports.c.id == job.id)
                .where(exports.c.attempt == job.attempt, exports.c.state == "RUNNING")
                .values(**values)
            )
            if done.rowcount == 0:
                raise Fenced(job.id)
            yield connection

    def renew(self, job: Job, now: datetime) -> None:
        """Keep the job for another lease."""
        with self._fenced(job, available_us=_lease_end(now)):
            pass

    def clear(self, job: Job, now: datetime) -> None:
        """Delete what an earlier attempt has written of the result, and keep the job for another lease."""
        with self._fenced(job, available_us=_lease_end(now)) as connection:
            connection.execute(sa.delete(parts).where(parts.c.export == job.seq))

    def put(self, job: Job, now: datetime, list_index: int, number: int, items: bytes) -> None:
        """Write part `number` of a list of the result, and keep the job for another lease."""
        with self._fenced(job, available_us=_lease_end(now)) as connection:
            connection.execute(
                sa.insert(parts), {"export": job.seq, "list_index": list_index, "number": number, "content": items}
            )

    def drop(self, job: Job, list_index: int) -> None:
        """Delete the parts of a list: it is not in the result after all."""
        with self._fenced(job, state="RUNNING") as connection:
            connection.execute(sa.delete(parts).where(parts.c.export == job.seq, parts.c.list_index == list_index))

    def finish(self, job: Job, frame: Frame, report: str) -> None:
        """Write the result: the job is done."""
        text = json.dumps(frame, ensure_ascii=False)
        with self._fenced(job, state="DONE", available_us=None, frame=text, report=report):
            pass

    def fail(self, job: Job, reason: str, report: str | None = None) -> None:
        """Write why there will be no result."""
        with self._fenced(job, state="FAILED", available_us=None, reason=reason, report=report) as connection:
            connection.execute(sa.delete(parts).where(parts.c.export == job.seq))

    def hand_back(self, job: Job, now: datetime) -> None:
        """Leave the job to whoever takes it next, at once."""
        with self._fenced(job, state="PENDING", available_us=clock.microseconds(now)):
            pass

    def purge(self, now: datetime) -> int:
        """Delete the exports that have expired; return how many there were."""
        expired = sa.select(exports.c.seq).where(exports.c.expires_us <= clock.microseconds(now))
        with self._database.read() as connection:
            if connection.execute(expired.limit(1)).first() is None:
                return 0
        with self._database.write() as connection:
            connection.execute(sa.delete(parts).where(parts.c.export.in_(expired)))
            return connection.execute(sa.delete(exports).where(exports.c.seq.in_(expired))).rowcount


def _lease_end(now: datetime) -> int:
    return clock.microseconds(now + ports.LEASE)


def filters_key(filters: Filter) -> str:
    """Return filters as the text that exports are found by: the same in whatever order they were written."""
    return json.dumps(_sorted(filters.to_dict()), ensure_ascii=False, sort_keys=True)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda each: json.dumps(each, sort_keys=True))
    return value
