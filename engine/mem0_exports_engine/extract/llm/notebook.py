"""A workbench and memories without a job and a store, for estimates and measurements: all is in memory, and gone afterwards."""

from __future__ import annotations

import threading

from typing import TYPE_CHECKING, NamedTuple

from mem0_exports.schemas.annotations import MEMORY_FIELDS


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from typing import Any

    from mem0_exports_engine.ports import Record


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


class _Batch(NamedTuple):
    """Implement `ports.MemoryBatch` in memory."""

    all: list[Record]

    @property
    def size(self) -> int:
        """The number of memories."""
        return len(self.all)

    def columns(self, fields: Collection[str]) -> dict[str, Sequence[Any]]:
        """Return the values of these fields."""
        return {field: [record[field] for record in self.all] for field in fields}

    def written(self, fields: Mapping[str, str]) -> str | None:
        """Return None: the memories are not written as JSON."""
        return None


class Memories:
    """Records as batches that can be read more than once. Their ids are their places: "0", "1" and so on."""

    def __init__(self, records: Sequence[Mapping[str, Any]], size: int = 100) -> None:
        """Create it. `size` is the number of memories in a batch."""
        empty = dict.fromkeys(MEMORY_FIELDS)
        self._records = [{**empty, **record, "id": str(place)} for place, record in enumerate(records)]
        self._size = size

    def __iter__(self) -> Iterator[_Batch]:
        """Iterate over the batches, the oldest memories first."""
        for start in range(0, len(self._records), self._size):
            yield _Batch(self._records[start : start + self._size])
