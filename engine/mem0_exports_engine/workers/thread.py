"""The worker: a thread that takes jobs and runs them, one after the other, until it is stopped."""

from __future__ import annotations

import logging
import threading

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mem0_exports.filters.tree import restore
from mem0_exports_engine import clock
from mem0_exports_engine.extract import Unfillable, extract
from mem0_exports_engine.store.sqlite import jobs, memories


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from mem0_exports_engine.store.sqlite.database import Store
    from mem0_exports_engine.store.sqlite.jobs import Job

GRACE: Final = 10.0
"""Seconds for which a running job may go on once its worker is to stop; then it is handed back."""

_LOOK: Final = 1.0
"""Seconds after which an idle worker looks for jobs of other processes, and a full disk is tried again."""

_log = logging.getLogger("mem0_exports_engine.jobs")


class Stop:
    """What a worker is told about stopping: to take no other job, and then to hand the running one back."""

    def __init__(self) -> None:
        self.soon = threading.Event()
        self.at_once = False


class _HandBack(Exception):
    """The worker stops, and the job is for another one."""


class _Run:
    """One job under way: its memories come from the store, the parts of its result go there, all under its lease."""

    def __init__(self, store: Store, job: Job, now: Callable[[], datetime], stop: Stop) -> None:
        self.store = store
        self.job = job
        self.now = now
        self._stop = stop
        self._renewed = clock.microseconds(now())
        self._numbers: dict[int, int] = {}

    def batches(self) -> Iterator[memories.Batch]:
        """The memories of the export."""
        filters = restore(self.job.filters)  # they were checked when the job was made
        for batch in memories.through(self.store, self.job.project, filters, self.now()):
            self._keep()
            yield batch

    def _keep(self) -> None:
        """Renew the lease before it ends; Fenced where another worker has the job."""
        if self._stop.at_once:
            raise _HandBack
        moment = self.now()
        if clock.microseconds(moment) - self._renewed >= jobs.LEASE // 4:
            self.insist(lambda: jobs.renew(self.store, self.job, moment))
            self._renewed = clock.microseconds(moment)

    def put(self, place: int, items: bytes) -> None:
        """Keep some items of a list of the result."""
        number = self._numbers.get(place, 0)

        def write() -> None:
            moment = self.now()
            jobs.put(self.store, self.job, moment, place, number, items)
            self._renewed = clock.microseconds(moment)

        self.insist(write)
        self._numbers[place] = number + 1

    def drop(self, place: int) -> None:
        """Forget the items of a list."""
        if self._numbers.pop(place, 0):
            self.insist(lambda: jobs.drop(self.store, self.job, place))

    def insist(self, write: Callable[[], None]) -> None:
        """Write, however often it takes: a disk that is full now may have room again, and the work is done already."""
        while True:
            try:
                write()
            except SQLAlchemyError as error:
                if self._stop.soon.is_set() or not _passes(error):
                    raise
                _log.warning("the store cannot be written, trying again: %s", getattr(error, "orig", error))
                self._stop.soon.wait(_LOOK)
            else:
                return


def run(store: Store, job: Job, now: Callable[[], datetime], stop: Stop | None = None) -> None:
    """Do a job that was claimed, and write its result; Fenced where another worker has taken it."""
    started = now()
    if job.lost >= jobs.MOST_LOST:
        reason = f"gave up after {jobs.MOST_LOST} attempts that ended without a word"
        jobs.fail(store, job, reason)
        _note(job, "failed", now() - started)
        return
    work = _Run(store, job, now, stop or Stop())
    try:
        if job.attempt > 1:
            work.insist(lambda: jobs.clear(store, job, started))
        frame, report = extract(job.schema, work.batches(), work, instructions=job.instructions)
    except Unfillable as error:
        reason, text = str(error), error.report.to_json()
        work.insist(lambda: jobs.fail(store, job, reason, text))
        _note(job, "failed", now() - started)
    except _HandBack:
        jobs.hand_back(store, job, now())
        _note(job, "handed back", now() - started)
    except (jobs.Fenced, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if isinstance(error, SQLAlchemyError) and _passes(error):
            raise  # no fault of the job: it is tried again
        _log.exception("export %s failed", job.id)
        jobs.fail(store, job, f"internal error: {type(error).__name__}")
    else:
        work.insist(lambda: jobs.finish(store, job, frame, report.to_json()))
        _note(job, "done", now() - started, memories=report.memories)


def _passes(error: SQLAlchemyError) -> bool:
    """Whether the store may work again by itself: it was held by another process, or its disk is full."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    return any(word in str(error.orig) for word in ("locked", "busy", "full", "I/O", "readonly"))


def _note(job: Job, event: str, took: timedelta, **more: Any) -> None:
    fields = {"export_id": job.id, "project": job.project, "attempt": job.attempt}
    fields |= {"ms": round(took.total_seconds() * 1000, 1), **more}
    _log.info("export %s %s", job.id, event, extra={"fields": {"event": f"export {event}", **fields}})


class Worker:
    """Runs the jobs of a store in a thread of its own."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._wake = threading.Event()
        self._stop = Stop()
        self._thread = threading.Thread(target=self._work, name="mem0-exports-worker", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._wake.set()

    def take_no_more(self) -> None:
        """Finish the running job, and leave the others to whoever comes next."""
        self._stop.soon.set()
        self._wake.set()

    def stop(self, grace: float = GRACE) -> None:
        """Finish the running job, and no other; hand it back where it takes longer than `grace` seconds."""
        self.take_no_more()
        self._thread.join(grace)
        self._stop.at_once = True
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.soon.is_set():
            self._wake.clear()
            try:
                while not self._stop.soon.is_set() and (job := jobs.claim(self._store, self._now())) is not None:
                    run(self._store, job, self._now, self._stop)
                jobs.purge(self._store, self._now())
            except jobs.Fenced as fenced:
                _log.warning("export %s was taken over by another worker", fenced)
            except BaseException:  # noqa: BLE001 -- whatever happens, the thread goes on: nobody else runs the jobs
                _log.exception("the worker stumbled; going on")
            if not self._stop.soon.is_set():
                self._wake.wait(_LOOK)
