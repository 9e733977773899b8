"""Run one claimed job: read its memories, fill its schema, and store the result and the report.

A run normally ends in one of five ways: the job is done, it has failed, it is handed back, it is passed on to the worker
that has time for it, or another worker has taken it over (Fenced). If the worker has to stop while the store cannot even take the job back, the job stays as it is and is
claimed again when its lease ends.
"""

from __future__ import annotations

import contextlib
import logging

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports.filters.tree import restore
from mem0_exports_engine.extraction import Unfillable
from mem0_exports_engine.failures import Fenced, StoreBusy, StoreDamaged, StoreError, StoreFull
from mem0_exports_engine.workers.lease import HandBack, Lease, Stop
from mem0_exports_engine.workers.workbench import LongWork, Workbench


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from datetime import datetime

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.extraction import Extractor
    from mem0_exports_engine.ports import AnswerStore, Frame, Job, JobStore, Lane, MemoryBatch, MemoryReader
    from mem0_exports_engine.workers.workbench import Steps

GRACE: Final = 10.0
"""Seconds that a running job has to finish after its worker was told to stop. After that it is handed back."""

_PAUSE: Final = timedelta(seconds=5)
"""How long a job waits after the store failed for a reason that passes, such as a full disk."""

MAX_CRASHED_ATTEMPTS: Final = 5
"""The number of crashed or stalled attempts after which a job fails.

After so many attempts, the job is probably what crashes its workers. Without a limit, it would crash them forever.
"""

_log = logging.getLogger("mem0_exports_engine.jobs")


class Rereadable:
    """The memories of an export, which can be read more than once."""

    def __init__(
        self, memories: MemoryReader, project: str, filters: Filter, now: datetime, lease: Lease | None = None
    ) -> None:
        self._memories = memories
        self._project = project
        self._filters = filters
        self._now = now
        self._lease = lease

    def __iter__(self) -> Iterator[MemoryBatch]:
        """Iterate over the memories in batches, for as long as the lease lasts."""
        is_over = None if self._lease is None else self._lease.is_over
        for batch in self._memories.batches(self._project, self._filters, self._now, is_over):
            if self._lease is not None:
                self._lease.check()
            yield batch


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
    *,
    answers: AnswerStore | None = None,
    lanes: Collection[Lane] | None = None,
    on_progress: Callable[[Steps], object] | None = None,
) -> bool:
    """Run a claimed job and store its result. Return False if it was passed on to the long lane instead.

    Raises Fenced if another worker has taken it over.

    Args:
        jobs: the store of the job.
        memories: the store of the memories.
        extractor: fills the schema.
        job: the job, which this worker has claimed.
        now: returns the current time.
        stop: tells this worker to stop.
        answers: where the extractor keeps answers.
        lanes: the lanes of this worker; None if it has no language model.
        on_progress: called with the progress of long work.

    """
    started = now()
    if job.crashed_attempts >= MAX_CRASHED_ATTEMPTS:
        jobs.fail(job, f"gave up after {MAX_CRASHED_ATTEMPTS} attempts that crashed or stalled")
        _note(job, "failed", now() - started)
        return True
    try:
        with Lease(jobs, job, now, stop or Stop()) as lease:
            bench = Workbench(jobs, job, lease, answers=answers, lanes=lanes, on_progress=on_progress)
            return _run(jobs, memories, extractor, job, now, lease, bench, started)
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
    bench: Workbench,
    started: datetime,
) -> bool:
    try:
        outcome = _attempt(jobs, memories, extractor, job, now, lease, bench)
    except LongWork:
        lease.write(lambda: jobs.hand_back(job, now(), lane="long"))
        _note(job, "passed on", now() - started)
        return False
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
    return True


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
    bench: Workbench,
) -> _Outcome:
    """Run the extractor, and check and serialize its result. Any defect of the result is an error of this job."""
    # Delete the parts of an earlier attempt first. Otherwise their numbers would collide with those of this attempt,
    # and any parts left over would end up in the result.
    if job.attempt > 1:
        lease.write_and_renew(lambda moment: jobs.clear(job, moment))
    batches = Rereadable(memories, job.project, restore(job.filters), now(), lease)
    try:
        frame, report = extractor.extract(job.schema, batches, bench, instructions=job.instructions)
    except Unfillable as error:
        return _Outcome(error.report.to_json(), None, str(error) or "the memories cannot fill the schema")
    except LongWork:
        raise
    except Exception:
        lease.check()  # the statement was interrupted, or the store closed, because the worker must not go on
        raise
    bench.check_frame(frame)
    return _Outcome(report.to_json(), frame, memories=report.memories)


def _note(job: Job, event: str, took: timedelta, **more: Any) -> None:
    fields = {"export_id": job.id, "project": job.project, "attempt": job.attempt}
    fields |= {"ms": round(took.total_seconds() * 1000, 1), **more}
    _log.info("export %s %s", job.id, event, extra={"fields": {"event": f"export {event}", **fields}})
