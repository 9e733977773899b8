"""The worker: a thread that takes jobs and runs them, one after the other, until it is stopped."""

from __future__ import annotations

import logging
import threading

from typing import TYPE_CHECKING

from mem0_exports_engine.ports import Fenced
from mem0_exports_engine.workers.run_job import GRACE, POLL_INTERVAL, Stop, run_job


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mem0_exports_engine.ports import Extractor, Store

_log = logging.getLogger("mem0_exports_engine.jobs")


class WorkerThread:
    """Runs the jobs of a store in a thread of its own."""

    def __init__(self, store: Store, extractor: Extractor, now: Callable[[], datetime]) -> None:
        self._store = store
        self._extractor = extractor
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
                while not self._stop.soon.is_set() and (job := self._store.jobs.claim(self._now())) is not None:
                    run_job(self._store, self._extractor, job, self._now, self._stop)
                self._store.jobs.purge(self._now())
            except Fenced as fenced:
                _log.warning("export %s was taken over by another worker", fenced)
            except BaseException:  # noqa: BLE001 -- whatever happens, the thread goes on: nobody else runs the jobs
                _log.exception("the worker stumbled; going on")
            if not self._stop.soon.is_set():
                self._wake.wait(POLL_INTERVAL)
