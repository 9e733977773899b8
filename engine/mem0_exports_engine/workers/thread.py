"""A worker thread that claims jobs and runs them, one at a time, until it is stopped."""

from __future__ import annotations

import contextlib
import logging
import threading

from typing import TYPE_CHECKING, Final

from mem0_exports import facts
from mem0_exports.errors import ConfigurationError
from mem0_exports_engine import ports
from mem0_exports_engine.clock import ClockWatch
from mem0_exports_engine.failures import Fenced, StoreError
from mem0_exports_engine.workers.lease import POLL_INTERVAL, Stop
from mem0_exports_engine.workers.run_job import GRACE, run_job


if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from mem0_exports_engine.extraction import Extractor
    from mem0_exports_engine.ports import Job, Lane, Store
    from mem0_exports_engine.workers.workbench import Steps

_log = logging.getLogger("mem0_exports_engine.jobs")


THREAD_NAME: Final = "mem0-exports-worker"

_LAST: Final = 1.0
"""The most seconds of the grace period that are left for handing a job back."""


class WorkerThread:
    """Run the jobs of a store in a separate thread, which starts at once."""

    def __init__(
        self,
        store: Store,
        extractor: Extractor,
        now: Callable[[], datetime],
        *,
        lanes: Collection[Lane] | None = None,
        moved: Callable[[], object] | None = None,
        ended: Callable[[str], object] | None = None,
    ) -> None:
        """Start the thread.

        `lanes`: run only their jobs. `moved` is called after a job was passed on to another lane, and `ended` with the id
        of each job that was run.
        """
        self._store = store
        self._jobs = store.jobs
        self._extractor = extractor
        self._now = now
        self._lanes = lanes
        self._moved = moved
        self._ended = ended
        self._steps: Steps | None = None
        self._running: Job | None = None
        self._last_failure = ""
        self._wake = threading.Event()
        self._stop = Stop()
        self._thread = threading.Thread(target=self._work, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Tell the worker that there is a new job. Otherwise it checks only every `POLL_INTERVAL` seconds."""
        self._wake.set()

    def cancelled(self, export_id: str) -> None:
        """End the running job, if it is this one, which the store has been told is cancelled.

        Without this it would end at the next renewal of its lease, as it does if another process has cancelled it.
        """
        running = self._running
        if running is not None and running.id == export_id:
            self._stop.cancelled = export_id

    def progress(self, export_id: str) -> Steps | None:
        """Return how far the long work of this job is; None if it is not running here or does none."""
        running = self._running
        return self._steps if running is not None and running.id == export_id else None

    def take_no_more(self) -> None:
        """Claim no more jobs. The running job continues; waiting jobs stay in the store for other workers."""
        self._stop.soon.set()
        self._wake.set()

    def stop(self, grace: float = GRACE) -> None:
        """Stop the thread within `grace` seconds. A job that takes longer is handed back.

        If the thread is in the middle of something that cannot be interrupted, it is left behind. It can write nothing
        more, because it no longer has the job.
        """
        last = min(_LAST, grace / 4)
        self.take_no_more()
        self._thread.join(grace - last)
        self._stop.at_once = True
        self._thread.join(last)
        job = self._running
        if self._thread.is_alive() and job is not None:
            _log.warning("export %s is handed back, but the worker is still busy with it", job.id)
            with contextlib.suppress(Fenced, StoreError):
                self._jobs.hand_back(job, self._now())

    def _work(self) -> None:
        watch = ClockWatch(self._now, ports.LEASE)
        while not self._stop.soon.is_set():
            # Clear the event before looking for jobs. If it were cleared afterwards, a wake() in between would be lost,
            # and its job would wait for the next poll.
            self._wake.clear()
            try:
                self._run_all(watch)
                self._last_failure = ""
            except Fenced as fenced:
                if not self._stop.at_once:
                    _log.warning("export %s was taken over by another worker, or cancelled", fenced)
            except StoreError as error:
                if str(error) != self._last_failure:  # it can last, and is not worth a line every second
                    _log.error("the worker cannot use the store, and keeps trying: %s", error)
                self._last_failure = str(error)
            except BaseException as error:  # noqa: BLE001 -- the thread must survive any error: nothing else runs the jobs
                if not (self._stop.at_once and isinstance(error, ConfigurationError)):  # the store is closed already
                    _log.exception("unexpected error in the worker; continuing with the next job")
            if not self._stop.soon.is_set():
                self._wake.wait(POLL_INTERVAL)

    def _run_all(self, watch: ClockWatch) -> None:
        """Run the jobs that wait, and delete the exports that have expired."""
        while not self._stop.soon.is_set() and self._run_next(watch):
            pass
        now, steady = watch.read()
        if steady:
            self._jobs.purge(now)
            self._store.answers.purge(now - facts.RETENTION)

    def _run_next(self, watch: ClockWatch) -> bool:
        """Run the next job. Return False if none is waiting."""
        now, steady = watch.read()
        self._steps = None
        self._running = self._jobs.claim(now, take_over=steady, lanes=self._lanes)
        if self._running is None:
            return False
        try:
            is_here = run_job(
                self._jobs,
                self._store.memories,
                self._extractor,
                self._running,
                self._now,
                self._stop,
                answers=self._store.answers,
                lanes=self._lanes,
                on_progress=self._note_progress,
            )
        finally:
            ended, self._running = self._running, None
            if self._ended is not None:
                self._ended(ended.id)
        if not is_here and self._moved is not None:
            self._moved()
        return True

    def _note_progress(self, steps: Steps) -> None:
        self._steps = steps
