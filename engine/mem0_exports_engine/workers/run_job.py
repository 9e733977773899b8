"""Run one claimed job: read its memories, fill its schema, and store the result and the report.

A run normally ends in one of four ways: the job is done, it has failed, it is handed back, or another worker has taken
it over (Fenced). If the worker has to stop while the store is busy or full, the job stays as it is and is claimed again
when its lease ends.
"""

from __future__ import annotations

import logging
import threading

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports.filters.tree import restore
from mem0_exports_engine import ports
from mem0_exports_engine.ports import Fenced, StoreBusy, StoreFull, Unfillable


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from mem0_exports_engine.ports import Extractor, Frame, Job, JobStore, MemoryBatch, MemoryReader

GRACE: Final = 10.0
"""Seconds that a running job has to finish after its worker was told to stop. After that it is handed back."""

POLL_INTERVAL: Final = 1.0
"""Seconds between an idle worker's checks for new jobs, and between attempts to write to a store that is full or busy.

New jobs of the same process wake the worker at once. Only jobs of other processes, and jobs whose lease has ended, wait
for the next check.
"""

MAX_CRASHED_ATTEMPTS: Final = 5
"""The number of crashed or stalled attempts after which a job fails.

After so many attempts, the job is probably what crashes its workers. Without a limit, it would crash them forever.
"""

_log = logging.getLogger("mem0_exports_engine.jobs")


class Stop:
    """Tells a worker to stop: `soon`, after the running job, or `at_once`, which also hands the running job back."""

    def __init__(self) -> None:
        self.soon = threading.Event()
        self.at_once = False


class _HandBack(Exception):
    """Raised between two batches to end a job that has to be handed back."""


class _Lease:
    """Hold the lease of a job while it runs, and retry writes while the store is busy or full.

    The lease is renewed once a quarter of it has passed. This leaves three quarters for a slow batch or a busy store
    before another worker can claim the job. If another worker does claim it, the fence keeps the result correct, but
    the work of this worker is lost.
    """

    def __init__(self, jobs: JobStore, job: Job, now: Callable[[], datetime], stop: Stop, started: datetime) -> None:
        self._jobs = jobs
        self._job = job
        self._now = now
        self._stop = stop
        self._renewed = started

    def keep(self) -> None:
        """Renew the lease if a quarter of it has passed.

        Raises Fenced if another worker has the job, and _HandBack if this worker must stop. This is called before each
        batch. A running job can be interrupted only here, and therefore never in the middle of a write.
        """
        if self._stop.at_once:
            raise _HandBack
        if self._now() - self._renewed >= ports.LEASE / 4:
            self.write_and_renew(lambda moment: self._jobs.renew(self._job, moment))

    def write_and_renew(self, call: Callable[[datetime], None]) -> None:
        """Write with `call`, which also renews the lease. The lease counts from the time that `call` gets.

        The clock is read again for every attempt. After a long wait for the store, an older time would set a lease that
        has already ended, and another worker could claim the job at once.
        """

        def attempt() -> None:
            moment = self._now()
            call(moment)
            self._renewed = moment

        self.write(attempt)

    def write(self, call: Callable[[], None]) -> None:
        """Call `call` until the store accepts the write. Raise the store's error if the worker has to stop.

        A full disk or a busy store is temporary, and giving up would waste the work already done. If the lease ends
        meanwhile, the write still succeeds, unless another worker has claimed the job; then it raises Fenced.
        """
        while True:
            try:
                call()
            except (StoreBusy, StoreFull) as error:
                if self._stop.soon.is_set():
                    raise
                _log.warning("cannot write to the store, retrying in %g s: %s", POLL_INTERVAL, error)
                self._stop.soon.wait(POLL_INTERVAL)
            else:
                return


class _Parts:
    """Implement `ports.ListSink`: store the lists as numbered parts."""

    def __init__(self, jobs: JobStore, job: Job, lease: _Lease) -> None:
        self._jobs = jobs
        self._job = job
        self._lease = lease
        self._counts: dict[int, int] = {}

    def put(self, list_index: int, items: bytes) -> None:
        """Store items as the next part of a list. This also renews the lease."""
        number = self._counts.get(list_index, 0)
        self._lease.write_and_renew(lambda moment: self._jobs.put(self._job, moment, list_index, number, items))
        self._counts[list_index] = number + 1

    def drop(self, list_index: int) -> None:
        """Delete the parts of a list."""
        if self._counts.pop(list_index, 0):
            self._lease.write(lambda: self._jobs.drop(self._job, list_index))

    def check(self, frame: Frame) -> None:
        """Raise TypeError if `frame` is not made of texts and lists of this sink. No reader could use such a frame."""
        texts = [piece for piece in frame if isinstance(piece, str)]
        lists = [piece for piece in frame if not isinstance(piece, str)]
        if not texts or not all(type(index) is int and index in self._counts for index in lists):
            raise TypeError("the extractor returned a frame that is not made of JSON texts and of lists in the sink")
        "".join(texts).encode()  # raises UnicodeEncodeError for an unpaired surrogate, which cannot be stored


class _Outcome(NamedTuple):
    """The outcome of an attempt, in the form in which it is stored."""

    report: str
    frame: Frame | None
    """None if the export failed."""
    failure: str = ""
    memories: int = 0


def run_job(
    jobs: JobStore,
    memories: MemoryReader,
    extractor: Extractor,
    job: Job,
    now: Callable[[], datetime],
    stop: Stop | None = None,
) -> None:
    """Run a claimed job and store its result. Raises Fenced if another worker has taken it over."""
    started = now()
    if job.crashed_attempts >= MAX_CRASHED_ATTEMPTS:
        jobs.fail(job, f"gave up after {MAX_CRASHED_ATTEMPTS} attempts that crashed or stalled")
        _note(job, "failed", now() - started)
        return
    lease = _Lease(jobs, job, now, stop or Stop(), started)
    try:
        outcome = _attempt(jobs, memories, extractor, job, now, lease)
    except _HandBack:
        # This is not retried, because the process is about to end. If it fails, the job is claimed again when its lease
        # ends.
        jobs.hand_back(job, now())
        _note(job, "handed back", now() - started)
    except (Fenced, StoreBusy, StoreFull, KeyboardInterrupt, SystemExit):
        raise  # not caused by the job, which stays claimed and runs again when its lease ends
    except BaseException as error:  # noqa: BLE001 -- a panic of native code is not an Exception
        # Users see only the type of the error, because its message could contain memories.
        _log.exception("export %s failed", job.id)
        jobs.fail(job, f"internal error: {type(error).__name__}")
    else:
        report, frame, failure, count = outcome
        if frame is None:
            lease.write(lambda: jobs.fail(job, failure, report))
            _note(job, "failed", now() - started)
        else:
            lease.write(lambda: jobs.finish(job, frame, report))
            _note(job, "done", now() - started, memories=count)


def _attempt(
    jobs: JobStore,
    memories: MemoryReader,
    extractor: Extractor,
    job: Job,
    now: Callable[[], datetime],
    lease: _Lease,
) -> _Outcome:
    """Run the extractor, and check and serialize its result. Any defect of the result is an error of this job."""

    def batches() -> Iterator[MemoryBatch]:
        for batch in memories.batches(job.project, restore(job.filters), now()):
            lease.keep()
            yield batch

    # Delete the parts of an earlier attempt first. Otherwise their numbers would collide with those of this attempt,
    # and any parts left over would end up in the result.
    if job.attempt > 1:
        lease.write_and_renew(lambda moment: jobs.clear(job, moment))
    sink = _Parts(jobs, job, lease)
    try:
        frame, report = extractor.extract(job.schema, batches(), sink, instructions=job.instructions)
    except Unfillable as error:
        return _Outcome(error.report.to_json(), None, str(error) or "the memories cannot fill the schema")
    sink.check(frame)
    return _Outcome(report.to_json(), frame, memories=report.memories)


def _note(job: Job, event: str, took: timedelta, **more: Any) -> None:
    fields = {"export_id": job.id, "project": job.project, "attempt": job.attempt}
    fields |= {"ms": round(took.total_seconds() * 1000, 1), **more}
    _log.info("export %s %s", job.id, event, extra={"fields": {"event": f"export {event}", **fields}})
