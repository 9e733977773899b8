"""Export jobs: leased, fenced rows, and the worker that runs them.

A worker takes a row for a while (the lease) and raises its attempt number. Every write of the worker carries that
number, so that a worker which was paused past its lease, and whose job another one took over, can write nothing. A job
whose workers vanish again and again fails after MOST_ATTEMPTS.
"""

from __future__ import annotations

import json
import logging
import threading

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from sqlalchemy.exc import SQLAlchemyError

from mem0_exports._filter_documents import parse
from mem0_exports._filter_rules import CAREFUL
from mem0_exports.local import clock, memories
from mem0_exports.local.extract import Unfillable, extract
from mem0_exports.local.store import exports


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mem0_exports._filter_tree import Filter
    from mem0_exports.local.store import Store

LEASE: Final = 60_000_000
"""Microseconds for which a worker has a job before another one may take it."""

KEPT: Final = 7 * 24 * 3600 * 1_000_000
"""Microseconds for which an export is kept: 7 days, as the Platform keeps it."""

MOST_ATTEMPTS: Final = 5

_LOOK: Final = 1.0
"""Seconds after which an idle worker looks for jobs of other processes."""

_INSERT: Final = sa.insert(exports)
_DELETE_EXPIRED: Final = sa.delete(exports).where(exports.c.expires_us <= sa.bindparam("now"))

_log = logging.getLogger("mem0_exports.local")


class Job(NamedTuple):
    """A job that a worker has: what to do, and the fence."""

    id: str
    attempt: int
    schema: dict[str, Any]
    filters: dict[str, Any]
    instructions: str | None


class Fenced(Exception):
    """The job is another worker's by now."""


def create(store: Store, export_id: str, now: datetime, *, schema: Any, filters: Filter, **fields: Any) -> None:
    """Write down a job; once this returns it survives."""
    created = clock.microseconds(now)
    row = {
        "id": export_id,
        "schema": json.dumps(schema, ensure_ascii=False),
        "filters": filters_key(filters),
        "created_us": created,
        "expires_us": created + KEPT,
        "state": "PENDING",
        "attempt": 0,
        "available_us": created,
        **fields,
    }
    with store.write() as connection:
        connection.execute(_DELETE_EXPIRED, {"now": created})
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


def filters_of(document: dict[str, Any]) -> Filter:
    """The filters of a job, which were checked when it was made."""
    return parse(document, CAREFUL, deepest=None)


def find(store: Store, now: datetime, *, export_id: str | None, filters: Filter | None, **filed: str | None) -> Any:
    """The row of an export that has not expired: by id, or the newest with these filters. None where there is none.

    `filed` are the organization and project; None asks for any.
    """
    wanted = [exports.c.expires_us > clock.microseconds(now)]
    wanted += [exports.c[name] == value for name, value in filed.items() if value is not None]
    if export_id is not None:
        wanted.append(exports.c.id == export_id)
    elif filters is not None:
        wanted.append(exports.c.filters == filters_key(filters))
    query = sa.select(exports).where(*wanted).order_by(exports.c.seq.desc()).limit(1)
    with store.read() as connection:
        return connection.execute(query).mappings().first()


def claim(store: Store, now: datetime) -> Job | None:
    """Take the job that has waited longest, or None."""
    moment = clock.microseconds(now)
    waiting = (
        sa.select(exports.c.id)
        .where(exports.c.available_us <= moment)
        .order_by(exports.c.available_us, exports.c.seq)
        .limit(1)
        .scalar_subquery()
    )
    with store.write() as connection:
        row = (
            connection.execute(
                sa.update(exports)
                .where(exports.c.id == waiting)
                .values(state="RUNNING", attempt=exports.c.attempt + 1, available_us=moment + LEASE)
                .returning(exports)
            )
            .mappings()
            .first()
        )
    if row is None:
        return None
    return Job(row["id"], row["attempt"], json.loads(row["schema"]), json.loads(row["filters"]), row["instructions"])


def _write(store: Store, job: Job, **values: Any) -> None:
    """A write of the worker that has the job; Fenced where it has it no more."""
    with store.write() as connection:
        done = connection.execute(
            sa.update(exports)
            .where(exports.c.id == job.id, exports.c.attempt == job.attempt, exports.c.state == "RUNNING")
            .values(**values)
        )
        if done.rowcount == 0:
            raise Fenced(job.id)


def run(store: Store, job: Job, now: Callable[[], datetime]) -> None:
    """Do the job and write the result; Fenced where another worker has taken it."""
    if job.attempt > MOST_ATTEMPTS:
        _fail(store, job, f"gave up after {MOST_ATTEMPTS} attempts that ended without a word")
        return
    renewed = clock.microseconds(now())

    def keep() -> None:
        """Renew the lease before it ends; Fenced where another worker has the job."""
        nonlocal renewed
        moment = clock.microseconds(now())
        if moment - renewed >= LEASE // 4:
            _write(store, job, available_us=moment + LEASE)
            renewed = moment

    def records() -> Iterator[dict[str, Any]]:
        for batch in memories.through(store, filters_of(job.filters), now()):
            for row in batch:
                keep()
                yield memories.record_of(row)

    try:
        data, report = extract(job.schema, records(), instructions=job.instructions)
    except Unfillable as error:
        _fail(store, job, str(error), report=error.report.to_json())
        return
    except (Fenced, SQLAlchemyError, KeyboardInterrupt, SystemExit):
        raise  # no fault of the job: it is tried again
    except BaseException as error:  # noqa: BLE001 -- a panic of native code is no Exception, and would come again
        _log.exception("export %s failed", job.id)
        _fail(store, job, f"internal error: {type(error).__name__}")
        return
    result = json.dumps(data, ensure_ascii=False)
    _write(store, job, state="DONE", available_us=None, result=result, report=report.to_json())


def _fail(store: Store, job: Job, reason: str, report: str | None = None) -> None:
    _write(store, job, state="FAILED", available_us=None, reason=reason, report=report)


class Worker:
    """A thread that runs jobs, one after the other, until it is stopped."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="mem0-exports-worker", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    def stop(self) -> None:
        """Finish the running job, and no other."""
        self._stopped = True
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped:
            self._wake.clear()
            try:
                while not self._stopped and (job := claim(self._store, self._now())) is not None:
                    run(self._store, job, self._now)
            except Fenced as fenced:
                _log.warning("export %s was taken over by another worker", fenced)
            except BaseException:  # noqa: BLE001 -- whatever happens, the thread goes on: nobody else runs the jobs
                _log.exception("the worker stumbled; going on")
            if not self._stopped:
                self._wake.wait(_LOOK)
