"""Export jobs: leased, fenced rows. The `worker` takes and runs them.

A worker takes a row for a while (the lease) and raises its attempt number. Every write of the worker carries that
number, so that a worker which was paused past its lease, and whose job another one took over, can write nothing. A job
whose workers vanish again and again fails after MOST_LOST.

The result is kept as a frame, which is its text, but for lists that are too long for memory: those are in parts, which
the worker writes as it goes and readers read one by one.
"""

from __future__ import annotations

import contextlib
import json

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from mem0_exports_engine import clock
from mem0_exports_engine.store.sqlite.tables import exports, parts


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.store.sqlite.database import Store

LEASE: Final = 60_000_000
"""Microseconds for which a worker has a job before another one may take it."""

MOST_LOST: Final = 5
"""Attempts that may end without a word."""

_INSERT: Final = sa.insert(exports)


class Job(NamedTuple):
    """A job that a worker has: what to do, and the fence."""

    seq: int
    id: str
    project: str
    attempt: int
    lost: int
    schema: dict[str, Any]
    filters: dict[str, Any]
    instructions: str | None


class Fenced(Exception):
    """The job is another worker's by now."""


class Gone(Exception):
    """A part of a result is not there any more: the export expired while it was read."""


def create(
    store: Store,
    project: str,
    export_id: str,
    now: datetime,
    kept: timedelta,
    *,
    schema: Any,
    filters: Filter,
    instructions: str | None = None,
) -> None:
    """Write down a job, whose export is kept for so long; once this returns it survives."""
    created = clock.microseconds(now)
    row = {
        "project": project,
        "id": export_id,
        "schema": json.dumps(schema, ensure_ascii=False),
        "filters": filters_key(filters),
        "instructions": instructions,
        "created_us": created,
        "expires_us": created + clock.length(kept),
        "state": "PENDING",
        "attempt": 0,
        "lost": 0,
        "available_us": created,
    }
    with store.write() as connection:
        connection.execute(_INSERT, row)


def filters_key(filters: Filter) -> str:
    """Filters as the text that exports are found by, which is the same in whatever order they were written."""
    return json.dumps(_sorted(filters.to_dict()), ensure_ascii=False, sort_keys=True)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


def find(store: Store, project: str, now: datetime, *, export_id: str | None, filters: Filter | None) -> Any:
    """The row of an export of the project that has not expired: by id, or the newest with these filters; or None."""
    wanted = [exports.c.project == project, exports.c.expires_us > clock.microseconds(now)]
    if export_id is not None:
        wanted.append(exports.c.id == export_id)
    elif filters is not None:
        wanted.append(exports.c.filters == filters_key(filters))
    query = sa.select(exports).where(*wanted).order_by(exports.c.seq.desc()).limit(1)
    with store.read() as connection:
        return connection.execute(query).mappings().first()


def result(store: Store, row: Any) -> bytes | Iterator[bytes]:
    """The JSON text of a finished export: at once, or piece by piece where parts of it are kept apart.

    Iterating raises Gone where the export expires meanwhile.
    """
    frame = json.loads(row["frame"])
    if len(frame) == 1:
        return str(frame[0]).encode()
    return _pieces(store, row["seq"], row["id"], frame)


def _pieces(store: Store, seq: int, export_id: str, frame: list[str | int]) -> Iterator[bytes]:
    # The seq alone is not enough: SQLite gives that of an export which is gone to the next one.
    export = sa.select(exports.c.seq).where(exports.c.seq == seq, exports.c.id == export_id).scalar_subquery()
    for piece in frame:
        if isinstance(piece, str):
            yield piece.encode()
            continue
        number = 0
        of_list = sa.select(parts.c.content).where(parts.c.export == export, parts.c.place == piece)
        with store.read() as connection:
            count = connection.scalar(sa.select(sa.func.count()).select_from(of_list.subquery()))
        while number < (count or 1):
            with store.read() as connection:
                items = connection.scalar(of_list.where(parts.c.number == number))
            if items is None:
                raise Gone(export_id)
            yield items if number == 0 else b"," + items
            number += 1


def claim(store: Store, now: datetime) -> Job | None:
    """Take the job that has waited longest, or None."""
    moment = clock.microseconds(now)
    due = sa.and_(exports.c.available_us <= moment, exports.c.expires_us > moment)
    with store.read() as connection:  # most of the time there is none, and asking keeps no other writer waiting
        if connection.execute(sa.select(exports.c.seq).where(due).limit(1)).first() is None:
            return None
    waiting = sa.select(exports.c.id).where(due).order_by(exports.c.available_us, exports.c.seq).limit(1)
    with store.write() as connection:
        row = (
            connection.execute(
                sa.update(exports)
                .where(exports.c.id == waiting.scalar_subquery())
                .values(
                    state="RUNNING",
                    attempt=exports.c.attempt + 1,
                    lost=exports.c.lost + sa.case((exports.c.state == "RUNNING", 1), else_=0),
                    available_us=moment + LEASE,
                )
                .returning(exports)
            )
            .mappings()
            .first()
        )
    if row is None:
        return None
    return Job(
        row["seq"],
        row["id"],
        row["project"],
        row["attempt"],
        row["lost"],
        json.loads(row["schema"]),
        json.loads(row["filters"]),
        row["instructions"],
    )


@contextlib.contextmanager
def _fenced(store: Store, job: Job, **values: Any) -> Iterator[sa.Connection]:
    """A transaction of the worker that has the job, which sets `values`; Fenced where it has it no more."""
    with store.write() as connection:
        done = connection.execute(
            sa.update(exports)
            .where(exports.c.seq == job.seq, exports.c.id == job.id)
            .where(exports.c.attempt == job.attempt, exports.c.state == "RUNNING")
            .values(**values)
        )
        if done.rowcount == 0:
            raise Fenced(job.id)
        yield connection


def renew(store: Store, job: Job, now: datetime) -> None:
    """Have the job for another lease."""
    with _fenced(store, job, available_us=clock.microseconds(now) + LEASE):
        pass


def clear(store: Store, job: Job, now: datetime) -> None:
    """Take away what an earlier attempt left, and have the job for another lease."""
    with _fenced(store, job, available_us=clock.microseconds(now) + LEASE) as connection:
        connection.execute(sa.delete(parts).where(parts.c.export == job.seq))


def put(store: Store, job: Job, now: datetime, place: int, number: int, items: bytes) -> None:
    """Write a part of the result, and have the job for another lease."""
    with _fenced(store, job, available_us=clock.microseconds(now) + LEASE) as connection:
        connection.execute(sa.insert(parts), {"export": job.seq, "place": place, "number": number, "content": items})


def drop(store: Store, job: Job, place: int) -> None:
    """Take the parts of a list away: it is not in the result after all."""
    with _fenced(store, job, state="RUNNING") as connection:
        connection.execute(sa.delete(parts).where(parts.c.export == job.seq, parts.c.place == place))


def finish(store: Store, job: Job, frame: list[str | int], report: str) -> None:
    """Write the result: the job is done."""
    text = json.dumps(frame, ensure_ascii=False)
    with _fenced(store, job, state="DONE", available_us=None, frame=text, report=report):
        pass


def fail(store: Store, job: Job, reason: str, report: str | None = None) -> None:
    """Write why there will be no result."""
    with _fenced(store, job, state="FAILED", available_us=None, reason=reason, report=report) as connection:
        connection.execute(sa.delete(parts).where(parts.c.export == job.seq))


def hand_back(store: Store, job: Job, now: datetime) -> None:
    """Leave the job to whoever takes it next, at once."""
    with _fenced(store, job, state="PENDING", available_us=clock.microseconds(now)):
        pass


def purge(store: Store, now: datetime) -> int:
    """Take away the exports that have expired, and say how many there were."""
    expired = sa.select(exports.c.seq).where(exports.c.expires_us <= clock.microseconds(now))
    with store.read() as connection:
        if connection.execute(expired.limit(1)).first() is None:
            return 0
    with store.write() as connection:
        connection.execute(sa.delete(parts).where(parts.c.export.in_(expired)))
        return connection.execute(sa.delete(exports).where(exports.c.seq.in_(expired))).rowcount
