"""Hold the lease of a job while it runs, and retry writes while the store is busy or full.

A thread renews the lease for as long as the process lives, whatever the job is doing: reading, calling a language model,
or waiting for the store. So only a worker that crashed, or was paused, loses its job. If another worker does claim the
job, the fence keeps the result correct, but the work of this worker is lost.
"""

from __future__ import annotations

import logging
import threading

from typing import TYPE_CHECKING, Final, Self

from mem0_exports.errors import ConfigurationError
from mem0_exports_engine import ports
from mem0_exports_engine.failures import Fenced, StoreBusy, StoreError, StoreFull


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mem0_exports_engine.ports import Job, JobStore

POLL_INTERVAL: Final = 1.0
"""Seconds between an idle worker's checks for new jobs, and between attempts to write to a store that is full or busy.

New jobs of the same process wake the worker at once. Only jobs of other processes, and jobs whose lease has ended, wait
for the next check.
"""

_log = logging.getLogger("mem0_exports_engine.jobs")


class Stop:
    """Tells a worker to stop: `soon`, after the running job, or `at_once`, which also hands the running job back."""

    def __init__(self) -> None:
        self.soon = threading.Event()
        self.at_once = False
        self.cancelled: str | None = None
        """The id of a job that was cancelled. The worker that runs it ends it, and goes on with others."""


class HandBack(Exception):
    """Raised to end a job that has to be handed back."""


class Lease:
    """The lease of one job. Use it in a with statement, in which a thread renews it."""

    def __init__(self, jobs: JobStore, job: Job, now: Callable[[], datetime], stop: Stop) -> None:
        self._jobs = jobs
        self._job = job
        self.now = now
        self._stop = stop
        self._lost = False
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._beat, name="mem0-exports-lease", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # The thread is not waited for: it could be waiting for the store. A late renewal is fenced.
        self._over.set()

    def _beat(self) -> None:
        """Renew the lease four times in its length, so that it survives a few failures.

        The time between is measured by `Event.wait`, which follows the monotonic clock: setting the system clock neither
        delays a renewal nor makes the thread renew without pause.
        """
        pause = ports.LEASE.total_seconds() / 4
        wait = pause
        while not self._over.wait(wait):
            if self._stop.at_once:
                return  # the job is about to be handed back
            try:
                self._jobs.renew(self._job, self.now())
            except Fenced:
                self._lost = not self._over.is_set()
                return
            except (StoreError, ConfigurationError) as error:  # ConfigurationError if the store was closed meanwhile
                if not self._over.is_set():
                    _log.warning("cannot renew the lease of export %s: %s", self._job.id, error)
                wait = min(POLL_INTERVAL, pause)
            else:
                wait = pause

    def is_over(self) -> bool:
        """Return whether the worker must not go on with the job."""
        return self._is_lost() or self._stop.at_once

    def _is_lost(self) -> bool:
        return self._lost or self._stop.cancelled == self._job.id

    def check(self) -> None:
        """Raise Fenced if another worker has the job or it was cancelled, and HandBack if this worker must stop."""
        if self._is_lost():
            raise Fenced(self._job.id)
        if self._stop.at_once:
            raise HandBack

    def write_and_renew(self, call: Callable[[datetime], None]) -> None:
        """Write with `call`, which also renews the lease. The lease counts from the time that `call` gets.

        The clock is read again for every attempt. After a long wait for the store, an older time would set a lease that
        has already ended, and another worker could claim the job at once.
        """
        self.write(lambda: call(self.now()))

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
