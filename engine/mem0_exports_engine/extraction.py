"""Protocols between the workers and the extractors, which do not import each other.

A worker passes the memories of an export to an `Extractor`, together with a `Workbench` on which it can put what must not
be lost. To add an extractor, write a class with the method of `Extractor` and pass it to `Engine(extractor=...)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol


if TYPE_CHECKING:
    from collections.abc import Iterable

    from mem0_exports_engine.ports import Frame, MemoryBatch
    from mem0_exports_engine.report import Report


class ListSink(Protocol):
    """Takes the long lists of a result in pieces, so that no list has to fit in memory."""

    def put(self, list_index: int, items: bytes) -> None:
        """Append items to a list: JSON texts separated by commas."""
        ...

    def drop(self, list_index: int) -> None:
        """Delete all items of a list."""
        ...


class Workbench(ListSink, Protocol):
    """What a worker offers to an extractor, and most of all to one whose work is long and dear.

    All methods but `put` and `drop` can be called from any thread.
    """

    def begin_long_work(self) -> bool:
        """Say that what follows asks a language model, and can take minutes. Return False if this export must not do that.

        Raises if the job has to wait for the worker that has time for it.
        """
        ...

    def check(self) -> None:
        """Raise if the worker must not go on with this job. Call it before every step that costs something."""
        ...

    def recall(self, key: bytes, *, of_job: bool = False) -> bytes | None:
        """Return what an export of this project has kept under a key. `of_job`: only what this export itself has kept."""
        ...

    def keep(self, key: bytes, answer: bytes, *, of_job: bool = False) -> None:
        """Keep an answer under a key. Once this returns, it survives a crash."""
        ...

    def progress(self, done: int, total: int | None) -> None:
        """Say how many steps of the long work are done, and how many there are, if that is known."""
        ...


class Extraction(NamedTuple):
    """The result of an export, and its report."""

    frame: Frame
    report: Report


class Unfillable(Exception):
    """The schema cannot be filled from these memories. The message, which users see, says why."""

    def __init__(self, reason: str, report: Report) -> None:
        super().__init__(reason)
        self.report = report


class Extractor(Protocol):
    """Fills a schema from memories."""

    def extract(
        self,
        schema: dict[str, Any],
        batches: Iterable[MemoryBatch],
        sink: Workbench,
        *,
        instructions: str | None = None,
    ) -> Extraction:
        """Fill the schema from memories, which come oldest first. Raises Unfillable if that is not possible.

        `batches` can be iterated over more than once, and reads the memories again each time. The schema was checked when
        the export was created. Items that were put into the sink are kept only if this method returns, and not if it
        raises.
        """
        ...
