"""A workbench without a job, for estimates and measurements: everything is in memory, and gone afterwards."""

from __future__ import annotations

import threading

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable


class Notebook:
    """Implement `extraction.Workbench` in memory."""

    def __init__(self, recall: Callable[[bytes], bytes | None] | None = None) -> None:
        """Create it. `recall` returns answers that were kept elsewhere."""
        self.answers: dict[bytes, bytes] = {}
        """The answers that were kept here, in the order of their calls."""
        self._recall = recall
        self._lock = threading.Lock()

    def put(self, list_index: int, items: bytes) -> None:
        """Take a list of the result, which nobody reads."""

    def drop(self, list_index: int) -> None:
        """Drop a list of the result."""

    def begin_long_work(self) -> bool:
        """Return True: this is the only work there is."""
        return True

    def check(self) -> None:
        """Do nothing: nobody can cancel it."""

    def recall(self, key: bytes, *, of_job: bool = False) -> bytes | None:
        """Return what was kept under a key."""
        with self._lock:
            found = self.answers.get(key)
        return self._recall(key) if found is None and self._recall is not None and not of_job else found

    def keep(self, key: bytes, answer: bytes, *, of_job: bool = False) -> None:
        """Keep an answer."""
        with self._lock:
            self.answers.setdefault(key, answer)

    def progress(self, done: int, total: int | None) -> None:
        """Do nothing."""
