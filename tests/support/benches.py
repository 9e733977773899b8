"""What an extractor needs besides a store: a workbench and batches of memories, both in memory."""

from __future__ import annotations

import threading

from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Bench:
    """Implement `extraction.Workbench` in memory."""

    def __init__(self, *, check: Callable[[], object] = lambda: None) -> None:
        self.kept: dict[tuple[bytes, bool], bytes] = {}
        self.lists: dict[int, bytes] = {}
        self.steps: list[tuple[int, int | None]] = []
        self.is_long = False
        self.check = check
        self._lock = threading.Lock()

    def put(self, list_index: int, items: bytes) -> None:
        before = self.lists.get(list_index)
        self.lists[list_index] = items if before is None else before + b"," + items

    def drop(self, list_index: int) -> None:
        self.lists.pop(list_index, None)

    def begin_long_work(self) -> bool:
        self.is_long = True
        return True

    def recall(self, key: bytes, *, of_job: bool = False) -> bytes | None:
        with self._lock:
            return self.kept.get((key, of_job))

    def keep(self, key: bytes, answer: bytes, *, of_job: bool = False) -> None:
        with self._lock:
            self.kept.setdefault((key, of_job), answer)

    def progress(self, done: int, total: int | None) -> None:
        self.steps.append((done, total))


class _Batch:
    def __init__(self, records: list[dict[str, Any]]) -> None:
        self._records = records

    @property
    def size(self) -> int:
        return len(self._records)

    def records(self, fields: object) -> list[dict[str, Any]]:
        return self._records

    def written(self, paths: object) -> None:
        return None


class Batches:
    """Batches that can be read more than once."""

    def __init__(self, records: list[dict[str, Any]], size: int) -> None:
        self._records = records
        self._size = size

    def __iter__(self) -> Iterator[_Batch]:
        for start in range(0, len(self._records), self._size):
            yield _Batch(self._records[start : start + self._size])


def batches_of(records: Sequence[dict[str, Any]], size: int = 100) -> Batches:
    """Return batches of records, whose ids are their places: "0", "1" and so on."""
    empty = dict.fromkeys(("agent_id", "app_id", "run_id", "metadata", "categories", "expiration_date"))
    return Batches([{**empty, **record, "id": str(order)} for order, record in enumerate(records)], size)
