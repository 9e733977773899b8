"""A worker thread that claims jobs and runs them, one at a time, until it is stopped."""

from __future__ import annotations

import logging
import threading

from typing import TYPE_CHECKING

from mem0_exports_engine.ports import Fenced
from mem0_exports_engine.workers.run_job import GRACE, POLL_INTERVAL, Stop, run_job


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mem0_exports_engine.ports import Extractor, JobStore, MemoryReader

_log = logging.getLogger("mem0_exports_engine.jobs")


class WorkerThread:
    """Run the jobs of a store in a separate thread, which starts at once."""

    def __init__(
        self, jobs: JobStore, memories: MemoryReader, extractor: Extractor, now: Callable[[], datetime]
    ) -> None:
        self._jobs = jobs
        self._memories = memories
        self._extractor = extractor
        self._now = now
        self._wake = threading.Event()
        self._stop = Stop()
        self._thread = threading.Thread(target=self._work, name="mem0-exports-worker", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Tell the worker that there is a new job. Otherwise it checks only every `POLL_INTERVAL` seconds."""
        self._wake.set()

    def take_no_more(self) -> None:
        """Claim no more jobs. The running job continues; waiting jobs stay in the store for other workers."""
        self._stop.soon.set()
        self._wake.set()

    def stop(self, grace: float = GRACE) -> None:
        """Stop the thread and wait for it. A job that takes longer than `grace` seconds is handed back."""
        self.take_no_more()
        self._thread.join(grace)
        self._stop.at_once = True
        # No timeout here, because the thread must stop before the store is closed. It stops before the next batch.
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.soon.is_set():
            # Clear the event before looking for jobs. If it were cleared afterwards, a wake() in between would be lost,
            # and its job would wait for the next poll.
            self._wake.clear()
            try:
                while not self._stop.soon.is_set() and (job := self._jobs.claim(self._now())) is not None:
                    run_job(self._jobs, self._memories, self._extractor, job, self._now, self._stop)
                self._jobs.purge(self._now())
            except Fenced as fenced:
                _log.warning("export %s was taken over by another worker", fenced)
            except BaseException:  # noqa: BLE001 -- the thread must survive any error: nothing else runs the jobs
                _log.exception("unexpected error in the worker; continuing with the next job")
            if not self._stop.soon.is_set():
                self._wake.wait(POLL_INTERVAL)
