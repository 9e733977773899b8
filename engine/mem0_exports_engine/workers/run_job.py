"""Runs one job: memories in, a result and its report out, all of it under the job's lease.

Whatever happens, the job ends in one of these ways: done, failed, handed back, or left to the worker that has taken it
over (Fenced). Where the store is busy or full it stays as it is, and is tried again when its lease is over.
"""

from __future__ import annotations

import logging
import threading

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.filters.tree import restore
from mem0_exports_engine import ports
from mem0_exports_engine.ports import Fenced, StoreBusy, StoreFull, Unfillable


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from mem0_exports_engine.ports import Extractor, Job, JobStore, MemoryBatch, Store

GRACE: Final = 10.0
"""Seconds for which a running job may go on once its worker is to stop; then it is handed back."""

POLL_INTERVAL: Final = 1.0
"""Seconds after which an idle worker looks for jobs of other processes, and a full disk is tried again."""

MAX_CRASHED_ATTEMPTS: Final = 5
"""Attempts at one job whose workers vanished without a word. Then it is the job that kills them, and it fails."""

_log = logging.getLogger("mem0_exports_engine.jobs")


class Stop:
    """What a worker is told about stopping: to take no other job, and then to hand the running one back."""

    def __init__(self) -> None:
        self.soon = threading.Event()
        self.at_once = False


class _HandBack(Exception):
    """The worker stops, and the job is for another one."""


class _Lease:
    """Keeps a job while it is being worked on. Every write of the worker goes through here.

    The lease is renewed once a quarter of it is over, so that a worker which is only slow is not taken for a dead one.
    Without it another worker would take the job over, and this one's work would be lost to the fence.
    """

    def __init__(self, jobs: JobStore, job: Job, now: Callable[[], datetime], stop: Stop) -> None:
        self._jobs = jobs
        self._job = job
        self._now = now
        self._stop = stop
        self._renewed = now()

    def keep(self) -> None:
        """Renew the lease before it ends; Fenced where another worker has the job."""
        if self._stop.at_once:
            raise _HandBack
        moment = self._now()
        if moment - self._renewed >= ports.LEASE / 4:
            self.write(lambda: self._jobs.renew(self._job, moment))
            self.renewed(moment)

    def renewed(self, moment: datetime) -> None:
        """Note that a write has renewed the lease."""
        self._renewed = moment

    def write(self, call: Callable[[], None]) -> None:
        """Write, however often it takes: a disk that is full now may have room again, and the work is done already."""
        while True:
            try:
                call()
            except (StoreBusy, StoreFull) as error:
                if self._stop.soon.is_set():
                    raise
                _log.warning("the store cannot be written, trying again: %s", error)
                self._stop.soon.wait(POLL_INTERVAL)
            else:
                return


class _Parts:
    """A `ports.ListSink` that keeps the lists in the store, in numbered parts."""

    def __init__(self, jobs: JobStore, job: Job, now: Callable[[], datetime], lease: _Lease) -> None:
        self._jobs = jobs
        self._job = job
        self._now = now
        self._lease = lease
        self._counts: dict[int, int] = {}

    def put(self, list_index: int, items: bytes) -> None:
        """Keep some items of a list of the result."""
        number = self._counts.get(list_index, 0)

        def write() -> None:
            moment = self._now()
            self._jobs.put(self._job, moment, list_index, number, items)
            self._lease.renewed(moment)

        self._lease.write(write)
        self._counts[list_index] = number + 1

    def drop(self, list_index: int) -> None:
        """Forget the items of a list."""
        if self._counts.pop(list_index, 0):
            self._lease.write(lambda: self._jobs.drop(self._job, list_index))


def run_job(
    store: Store, extractor: Extractor, job: Job, now: Callable[[], datetime], stop: Stop | None = None
) -> None:
    """Do a job that was claimed, and write its result; Fenced where another worker has taken it."""
    jobs = store.jobs
    started = now()
    if job.crashed_attempts >= MAX_CRASHED_ATTEMPTS:
        jobs.fail(job, f"gave up: {MAX_CRASHED_ATTEMPTS} attempts at this export crashed or stalled")
        _note(job, "failed", now() - started)
        return
    lease = _Lease(jobs, job, now, stop or Stop())

    def batches() -> Iterator[MemoryBatch]:
        for batch in store.memories.batches(job.project, restore(job.filters), now()):
            lease.keep()
            yield batch

    try:
        if job.attempt > 1:
            lease.write(lambda: jobs.clear(job, started))
        sink = _Parts(jobs, job, now, lease)
        frame, report = extractor.extract(job.schema, batches(), sink, instructions=job.instructions)
    except Unfillable as error:
        reason, text = str(error), error.report.to_json()
        lease.write(lambda: jobs.fail(job, reason, text))
        _note(job, "failed", now() - started)
    except _HandBack:
        jobs.hand_back(job, now())
        _note(job, "handed back", now() - started)
    except (Fenced, StoreBusy, StoreFull, KeyboardInterrupt, SystemExit):
        raise  # no fault of the job: it is tried again
    except BaseException as error:  # noqa: BLE001 -- a panic of native code is no Exception
        _log.exception("export %s failed", job.id)
        jobs.fail(job, f"internal error: {type(error).__name__}")
    else:
        lease.write(lambda: jobs.finish(job, frame, report.to_json()))
        _note(job, "done", now() - started, memories=report.memories)


def _note(job: Job, event: str, took: timedelta, **more: Any) -> None:
    fields = {"export_id": job.id, "project": job.project, "attempt": job.attempt}
    fields |= {"ms": round(took.total_seconds() * 1000, 1), **more}
    _log.info("export %s %s", job.id, event, extra={"fields": {"event": f"export {event}", **fields}})
