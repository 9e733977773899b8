"""Fill a schema from memories. `lookup` decides where a value comes from, `fit` converts it.

The type of a top-level property decides what it is filled with:

- an array of objects: the records from the lists that memories have under the name of the property. If no memory has
  such a list, one record per memory, filled from that memory alone;
- any other array: the distinct values from all memories, oldest first;
- anything else: the value of the newest memory whose value fits.

A value is converted only if nothing is lost, and nothing is extracted from the text of a memory. A property whose
collected value does not match its schema is left out and reported; the export fails only if the property is required.

The work has two steps, so that `extract.llm` can add what it finds in texts in between: `collect` and `Collected.finish`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from mem0_exports_engine.extract.frame import frame_of
from mem0_exports_engine.extract.offline.filling import Filling, FromTexts, Settled
from mem0_exports_engine.extract.offline.fit import Shape
from mem0_exports_engine.extract.offline.free_keys import ROOT
from mem0_exports_engine.extract.offline.hints import Hints
from mem0_exports_engine.extract.offline.memories import KnownKeys, Memories
from mem0_exports_engine.extraction import Extraction, Unfillable
from mem0_exports_engine.limits import MAX_HELD
from mem0_exports_engine.report import Gap, Report


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mem0_exports_engine.extract.offline.work import Work
    from mem0_exports_engine.extraction import ListSink
    from mem0_exports_engine.ports import MemoryBatch, Record

NOT_FOLLOWED: Final = "export_instructions were not followed: that needs a language model, and this engine has none"

_TOO_LARGE: Final = (
    f"the values of the export take more than {MAX_HELD // 10**6} MB; ask for fewer properties, select fewer memories, "
    "or write large lists as a property of the root without minItems, maxItems and uniqueItems"
)


class Collected:
    """What was collected from the metadata of all memories, one filling for each alternative of the root."""

    def __init__(self, fillings: list[Filling], known: KnownKeys, count: int) -> None:
        self.count = count
        """The number of memories."""
        self._fillings = fillings
        self._known = known

    def properties(self) -> list[Settled]:
        """Return the declared properties of the root with what was collected; none if the root is a union."""
        return [*self._fillings[0].settle()] if len(self._fillings) == 1 else []

    def finish(self, notes: list[str], texts: Mapping[str, FromTexts] | None = None) -> Extraction:
        """Return the filled object and its report.

        `texts` has what was found in the texts of the memories, for each property that was looked for there; it takes the
        place of what was collected. If the root is a union of objects, the first branch with a value from a memory is
        used. Raises Unfillable if a required property has no value that fits, or if the filled object does not match the
        schema.
        """
        fillings, hints = self._fillings, Hints(self._known.suggested)
        empty: list[tuple[Record, Report]] = []
        skipped: list[Gap] = []
        for filling in fillings:
            try:
                data, report = filling.finish(self.count, notes, hints, texts or {})
            except Unfillable as error:
                if filling is fillings[-1] and not empty:
                    raise
                skipped += error.report.gaps
                continue
            if report.filled:
                return Extraction(frame_of(data), report)
            empty.append((data, report))
        # No alternative has a value from a memory: the first that is valid, and why none of them has one.
        data, report = empty[0]
        gaps = [gap for _, each in empty for gap in each.gaps]
        return Extraction(frame_of(data), attrs.evolve(report, gaps=[*dict.fromkeys([*skipped, *gaps])]))


def collect(schema: dict[str, Any], batches: Iterable[MemoryBatch], sink: ListSink) -> Collected:
    """Collect the values for a schema from the metadata of memories, which come oldest first.

    Raises Unfillable if the values take too much memory.
    """
    root = _shape_of(schema)
    known = KnownKeys()
    fillings: list[Filling] = []
    for shape in ([] if root.properties else root.alternatives) or [root]:
        fillings.append(Filling(shape, root, known, sink, fillings[-1].next_list if fillings else 0))
    return Collected(fillings, known, _collect(fillings, batches, known, root.work))


class OfflineExtractor:
    """Implement `extraction.Extractor` without a language model."""

    def extract(
        self,
        schema: dict[str, Any],
        batches: Iterable[MemoryBatch],
        sink: ListSink,
        *,
        instructions: str | None = None,
    ) -> Extraction:
        """Fill the schema from memories, which come oldest first.

        Raises Unfillable if a required property has no value that fits, or if the filled object does not match the
        schema.
        """
        return collect(schema, batches, sink).finish([NOT_FOLLOWED] if instructions is not None else [])


def _shape_of(schema: dict[str, Any]) -> Shape:
    try:
        return Shape.of(schema)
    except ValueError as error:  # a version with other limits has accepted it
        raise _unfillable(f"the schema cannot be filled: {error}", 0) from None


def _collect(fillings: list[Filling], batches: Iterable[MemoryBatch], known: KnownKeys, work: Work) -> int:
    """Show all memories to the fillings, and return their number."""
    fields: set[str] = set().union(*(filling.fields for filling in fillings))
    count = 0
    for batch in batches:
        count += _see(fillings, batch, fields, known)
        work.end_batch()
        if sum(filling.held for filling in fillings) > MAX_HELD:
            raise _unfillable(_TOO_LARGE, count)
    return count


def _see(fillings: list[Filling], batch: MemoryBatch, fields: set[str], known: KnownKeys) -> int:
    """Show the memories of a batch to the fillings, and return their number."""
    if len(fillings) == 1 and fillings[0].see_as_written(batch):
        return batch.size
    memories = Memories.of(batch.columns(fields), known)  # fewer than batch.size if some were deleted meanwhile
    if memories.keys:
        for filling in fillings:
            filling.see(memories)
    return len(memories.keys)


def _unfillable(reason: str, count: int) -> Unfillable:
    return Unfillable(reason, Report(count, {}, [Gap(ROOT, reason)], []))
