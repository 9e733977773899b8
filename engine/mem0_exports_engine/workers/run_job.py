"""Run one claimed job: read its memories, fill its schema, and store the result and the report.

A run normally ends in one of four ways: the job is done, it has failed, it is handed back, or another worker has taken
it over (Fenced). If the worker has to stop while the store cannot even take the job back, the job stays as it is and is
claimed again when its lease ends.
"""

from __future__ import annotations

import contextlib
import logging

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports.filters.tree import restore
from mem0_exports_engine.failures import Fenced, StoreBusy, StoreDamaged, StoreError, StoreFull
from mem0_exports_engine.ports import Unfillable
from mem0_exports_engine.workers.lease import HandBack, Lease, Stop


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mem0_exports_engine.ports import Extractor, Frame, Job, JobStore, MemoryBatch, MemoryReader

GRACE: Final = 10.0
"""Seconds that a running job has to finish after its worker was told to stop. After that it is handed back."""

_PAUSE: Final = timedelta(seconds=5)
"""How long a job waits after the store failed for a reason that passes, such as a full disk."""

MAX_CRASHED_ATTEMPTS: Final = 5
"""The number of crashed or stalled attempts after which a job fails.

After so many attempts, the job is probably what crashes its workers. Without a limit, it would crash them forever.
"""

_log = logging.getLogger("mem0_exports_engine.jobs")


class _Parts:
    """Implement `ports.ListSink`: store the lists as numbered parts."""

    def __init__(self, jobs: JobStore, job: Job, lease: Lease) -> None:
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
    try:
        with Lease(jobs, job, now, stop or Stop()) as lease:
            _run(jobs, memories, extractor, job, now, lease, started)
    except Fenced:
        # The worker that claimed the job has counted this attempt as a crash. This process lives, so it was none.
        with contextlib.suppress(StoreError):
            jobs.not_crashed(job)
        raise


def _run(
    jobs: JobStore,
    memories: MemoryReader,
    extractor: Extractor,
    job: Job,
    now: Callable[[], datetime],
    lease: Lease,
    started: datetime,
) -> None:
    try:
        outcome = _attempt(jobs, memories, extractor, job, now, lease)
    except HandBack:
        # This is not retried, because the process is about to end. If it fails, the job is claimed again when its lease
        # ends.
        jobs.hand_back(job, now())
        _note(job, "handed back", now() - started)
    except (StoreBusy, StoreFull) as error:
        # Not caused by the job, and it passes, so the job waits for a while and is not counted as crashed.
        _log.warning("export %s waits, because the store failed: %s", job.id, error)
        lease.write(lambda: jobs.hand_back(job, now() + _PAUSE))
        _note(job, "handed back", now() - started)
    except (Fenced, KeyboardInterrupt, SystemExit):
        raise  # not caused by the job, which stays claimed and runs again when its lease ends
    except BaseException as error:  # noqa: BLE001 -- a panic of native code is not an Exception
        _log.exception("export %s failed", job.id)
        reason = _reason(error)
        lease.write(lambda: jobs.fail(job, reason))
        _note(job, "failed", now() - started)
    else:
        report, frame, failure, count = outcome
        if frame is None:
            lease.write(lambda: jobs.fail(job, failure, report))
            _note(job, "failed", now() - started)
        else:
            lease.write(lambda: jobs.finish(job, frame, report))
            _note(job, "done", now() - started, memories=count)


def _reason(error: BaseException) -> str:
    """Return the reason that users see. It has only the type of most errors, as messages could have memories in them."""
    if isinstance(error, StoreDamaged):
        return str(error)
    return f"internal error: {type(error).__name__}"


def _attempt(
    jobs: JobStore,
    memories: MemoryReader,
    extractor: Extractor,
    job: Job,
    now: Callable[[], datetime],
    lease: Lease,
) -> _Outcome:
    """Run the extractor, and check and serialize its result. Any defect of the result is an error of this job."""

    def batches() -> Iterator[MemoryBatch]:
        for batch in memories.batches(job.project, restore(job.filters), now(), lease.is_over):
            lease.check()
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
    except Exception:
        lease.check()  # the statement was interrupted, or the store closed, because the worker must not go on
        raise
    sink.check(frame)
    return _Outcome(report.to_json(), frame, memories=report.memories)


def _note(job: Job, event: str, took: timedelta, **more: Any) -> None:
    fields = {"export_id": job.id, "project": job.project, "attempt": job.attempt}
    fields |= {"ms": round(took.total_seconds() * 1000, 1), **more}
    _log.info("export %s %s", job.id, event, extra={"fields": {"event": f"export {event}", **fields}})
