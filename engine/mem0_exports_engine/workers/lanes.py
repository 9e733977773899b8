"""The workers of an engine: one for all jobs, or one for short jobs and one for those that ask a language model."""

from __future__ import annotations

import time

from typing import TYPE_CHECKING

from mem0_exports_engine.workers.run_job import GRACE
from mem0_exports_engine.workers.thread import WorkerThread


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from mem0_exports_engine.extraction import Extractor
    from mem0_exports_engine.ports import Lane, Store
    from mem0_exports_engine.workers.workbench import Steps


class Workers:
    """Run the jobs of a store in threads, which start at once."""

    def __init__(
        self,
        store: Store,
        extractor: Extractor,
        now: Callable[[], datetime],
        *,
        lanes: Sequence[Collection[Lane] | None] = (None,),
        ended: Callable[[str], object] | None = None,
    ) -> None:
        """Start the workers.

        `lanes` are those of each worker; see `ports.JobStore.claim`. With a language model there are two workers: one finds out
        whether a job needs the model, and passes it on to the other if it does. `ended` is called with the id of each
        export that has ended.
        """
        self._threads: list[WorkerThread] = []
        try:
            for each in lanes:
                self._threads.append(WorkerThread(store, extractor, now, lanes=each, moved=self.wake, ended=ended))
        except BaseException:
            self.stop()  # the store is about to be closed
            raise

    def wake(self) -> None:
        """Tell the workers that there is a job."""
        for thread in self._threads:
            thread.wake()

    def cancelled(self, export_id: str) -> None:
        """End this job, if it is running; the store has been told that it is cancelled."""
        for thread in self._threads:
            thread.cancelled(export_id)

    def progress(self, export_id: str) -> Steps | None:
        """Return how far the long work of a running job is, or None if it does none."""
        return next((steps for thread in self._threads if (steps := thread.progress(export_id)) is not None), None)

    def take_no_more(self) -> None:
        """Claim no more jobs. Running jobs continue; waiting jobs stay in the store for other workers."""
        for thread in self._threads:
            thread.take_no_more()

    def stop(self, grace: float = GRACE) -> None:
        """Stop the threads within `grace` seconds, which they share. A job that takes longer is handed back."""
        self.take_no_more()
        end = time.monotonic() + grace
        for thread in self._threads:
            thread.stop(max(0.0, end - time.monotonic()))
