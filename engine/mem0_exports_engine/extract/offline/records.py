"""Fill a top-level list of records that have declared properties.

There are three ways from memories to records:

1. The store writes them as JSON text; see `pushdown`. This is the fastest way, but only records that are always valid can
   go it.
2. The records of a batch are put together from the first choices for their properties, column by column, and are validated
   all at once. Those that are valid are exactly what the third way would have made.
3. Any other record is made value by value, with conversions and second choices, and with a reason for each value that is
   left out; see `makers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.extract.offline.lookup import first_choices
from mem0_exports_engine.extract.offline.makers import REQUIRED, PropertyMaker
from mem0_exports_engine.extract.offline.memories import Keys
from mem0_exports_engine.extract.offline.pushdown import Pushdown
from mem0_exports_engine.extract.offline.record_lists import Records
from mem0_exports_engine.extract.offline.values import MISSING
from mem0_exports_engine.json_text import dump


if TYPE_CHECKING:
    from collections.abc import Sequence

    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.memories import Memories
    from mem0_exports_engine.extraction import ListSink
    from mem0_exports_engine.ports import MemoryBatch, Record

_MAX_UNMEASURED: Final = 1_000_000
"""The most bytes of a batch of records whose values are not measured, provided that their types do not require it."""


class RecordList(Records):
    """Collect records of one kind."""

    def __init__(
        self, name: str, shape: Shape, sink: ListSink, list_index: int, *, maker: PropertyMaker, may_be_in_sink: bool
    ) -> None:
        """Create the field; see `Records`."""
        super().__init__(name, shape, sink, list_index, makers=[maker], may_be_in_sink=may_be_in_sink)
        self._maker = maker
        self._names = [lookup.name for lookup in maker.lookups]
        self._all = [*range(len(self._names))]
        # Matching patterns can take long, and a list or object can need a conversion although it is valid.
        self._measured = [
            index for index in self._all if shape.work.has_patterns or not maker.shapes[index].is_plain_scalar
        ]
        # If the property has the name of a field of memories, such as categories, that field could contain the list.
        # The store does not look there, so such a list cannot be pushed down.
        possible = self._may_be_in_sink and not self.lookup.steps(Keys(()))
        self._pushdown = Pushdown.of(self._item, maker.lookups, maker.shapes) if possible else None

    def see_as_written(self, batch: MemoryBatch) -> bool:
        """Collect a batch as JSON text that the store writes. False if that is not possible."""
        if self._pushdown is None or self._lists or len(self.memory_ids) < self.max_traced:
            return False  # the report lists the ids of the first memories, which the JSON text does not have
        text = self._pushdown.text_of(batch)
        if text is None:
            return False
        self._flush()  # earlier records come first, because records are in the order of their memories
        self._put(text.encode())
        return True

    def see_memories(self, memories: Memories) -> None:
        """See `Records.see_memories`."""
        made: list[Record | None] = [None] * len(memories.keys)
        for keys, places in memories.groups.items():
            for place, record in zip(places, self._put_together(memories.at(places), keys), strict=True):
                made[place] = record
        for place, filled in enumerate(made):
            if filled is None:
                self.see_memory(memories.records[place], memories.keys[place])
                continue
            self._records.append(filled)
            if len(self.memory_ids) < self.max_traced:
                self.trace(memories.ids[place])
        self._flush_if_long()

    def _put_together(self, memories: Memories, keys: Keys) -> list[Record | None]:
        """Return a record for each of these memories, which have the same metadata keys.

        None stands for a record that has to be made value by value.
        """
        plan = self._maker.plans.of(keys)
        columns = [first_choices(steps, memories) for steps in plan.steps]
        lacking = [index for index, column in enumerate(columns) if None in column]
        rows = zip(*columns, strict=True)
        made: list[Record | None] = []
        if lacking:
            made += map(self._with_gaps, rows)
        else:
            made += (dict(zip(self._names, row, strict=False)) for row in rows)
        # If several properties can have the same large value, all are measured before that value is written many times.
        self._drop_changing(made, memories, columns, self._all if plan.repeats else self._measured)
        size = len(dump(made))
        if size > _MAX_UNMEASURED and not plan.repeats:
            self._drop_changing(made, memories, columns, self._all)
        self._drop_invalid(made)
        self.held += 100 * len(made) + 2 * size
        for index in lacking:
            times = sum(
                record is not None and value is None for record, value in zip(made, columns[index], strict=True)
            )
            if times:
                lookup = self._maker.lookups[index]
                self.note(f"{self.name}[].{lookup.name}", lookup.absent, times)
        return made

    def _with_gaps(self, row: tuple[Any, ...]) -> Record | None:
        """Return a record of these values, in which None stands for a value that the memory does not have."""
        filled: Record = {}
        for name, value, instead in zip(self._names, row, self._maker.defaults, strict=True):
            if value is not None:
                filled[name] = value
            elif instead is REQUIRED:
                return None
            elif instead is not MISSING:
                filled[name] = instead
        return filled if row.count(None) < len(row) else None

    def _drop_changing(
        self, made: list[Record | None], memories: Memories, columns: list[Sequence[Any]], measured: list[int]
    ) -> None:
        """Drop records with a value that would be converted although it is valid. Count the work on each memory."""
        if not measured:
            return
        work = self.shape.work
        for place, memory_id in enumerate(memories.ids):
            work.begin(memory_id)
            before = work.left
            values = ((self._maker.shapes[index], columns[index][place]) for index in measured)
            if made[place] is not None and not all(value is None or shape.keeps(value) for shape, value in values):
                made[place] = None
                work.left = before  # what was counted is counted again when the record is made value by value

    def _drop_invalid(self, made: list[Record | None]) -> None:
        """Drop records that do not match their schema."""
        if self._has_plain_items and self.shape.accepts([record for record in made if record is not None]):
            return
        for place, record in enumerate(made):
            if record is not None and not self._item.accepts(record):
                made[place] = None
