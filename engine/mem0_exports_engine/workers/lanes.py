"""The workers of an engine: one for all jobs, or one for short jobs and one for those that ask a language model."""

from __future__ import annotations

import time

from typing import TYPE_CHECKING

from mem0_exports_engine.workers.run_job import GRACE
from mem0_exports_engine.workers.thread import WorkerThread


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mem0_exports_engine.extraction import Extractor
    from mem0_exports_engine.ports import Lane, Store
    from mem0_exports_engine.workers.workbench import Steps


class Workers:
    """Run the jobs of a store in threads, which start at once."""

    def __init__(self, store: Store, extractor: Extractor, now: Callable[[], datetime], *, with_lanes: bool) -> None:
        """Start the workers.

        `with_lanes` is for an extractor that asks a language model. Every job begins with the worker of the short lane,
        which passes it on to the other one if the model is needed. Without it, one worker runs the jobs of both lanes,
        as an engine with a model may have left some.
        """
        lanes: list[Lane | None] = ["short", "long"] if with_lanes else [None]
        self._threads: list[WorkerThread] = []
        for lane in lanes:
            self._threads.append(WorkerThread(store, extractor, now, lane=lane, moved=self.wake))

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
