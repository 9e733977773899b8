"""What an extractor works on: the lists of the result, what it keeps, and whether it may go on."""

from __future__ import annotations

import hashlib

from typing import TYPE_CHECKING, NamedTuple

from mem0_exports_engine.ports import LANES


if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mem0_exports_engine.ports import AnswerStore, Frame, Job, JobStore, Lane
    from mem0_exports_engine.workers.lease import Lease


class LongWork(Exception):
    """Raised to end a job that has to wait for the worker of the long lane."""


class Steps(NamedTuple):
    """How far the long work of a job is."""

    done: int
    total: int | None
    """How many steps there are; None if that is not known yet."""


class Workbench:
    """Implement `extraction.Workbench`: store the lists as numbered parts, and the answers beside the jobs."""

    def __init__(
        self,
        jobs: JobStore,
        job: Job,
        lease: Lease,
        *,
        answers: AnswerStore | None = None,
        lanes: Collection[Lane] | None = None,
        on_progress: Callable[[Steps], object] | None = None,
    ) -> None:
        self._jobs = jobs
        self._job = job
        self._lease = lease
        self._answers = answers
        self._lanes = LANES if lanes is None else lanes
        self._on_progress = on_progress
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

    def begin_long_work(self) -> bool:
        """Return whether a model may be asked. Raises LongWork if another worker has the time for it."""
        if {*self._lanes} < {*LANES}:
            if self._job.lane == "short":
                return False
            if "long" not in self._lanes:
                raise LongWork
        self.check()
        return True

    def check(self) -> None:
        """Raise Fenced or HandBack if the worker must not go on; see `Lease.check`."""
        self._lease.check()

    def recall(self, key: bytes, *, of_job: bool = False) -> bytes | None:
        """Return what was kept under a key."""
        if self._answers is None:
            return None
        return self._answers.recall(self._job.project, self._key(key, of_job=of_job), self._lease.now())

    def keep(self, key: bytes, answer: bytes, *, of_job: bool = False) -> None:
        """Keep an answer."""
        answers, kept = self._answers, self._key(key, of_job=of_job)
        if answers is not None:
            self._lease.write(lambda: answers.keep(self._job.project, kept, answer, self._lease.now()))

    def progress(self, done: int, total: int | None) -> None:
        """Tell those who wait."""
        if self._on_progress is not None:
            self._on_progress(Steps(done, total))

    def check_frame(self, frame: Frame) -> None:
        """Raise TypeError if `frame` is not made of texts and of lists that were put here. No reader could use it."""
        texts = [piece for piece in frame if isinstance(piece, str)]
        lists = [piece for piece in frame if not isinstance(piece, str)]
        if not texts or not all(type(index) is int and index in self._counts for index in lists):
            raise TypeError("the extractor returned a frame that is not made of JSON texts and of lists in the sink")
        "".join(texts).encode()  # raises UnicodeEncodeError for an unpaired surrogate, which cannot be stored

    def _key(self, key: bytes, *, of_job: bool) -> bytes:
        return hashlib.sha256(self._job.id.encode() + key).digest() if of_job else key
