"""Fill a top-level list of records that have declared properties, fast.

A record whose first-choice values are valid is used unchanged. Any other is made value by value; see `columns`.
`pushdown` can let the store write the records.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from mem0_exports_engine.extract.offline.columns import REQUIRED, Columns
from mem0_exports_engine.extract.offline.lookup import Keys
from mem0_exports_engine.extract.offline.pushdown import Pushdown
from mem0_exports_engine.extract.offline.record_lists import Records
from mem0_exports_engine.extract.offline.values import MISSING
from mem0_exports_engine.extract.offline.work import size_of
from mem0_exports_engine.json_text import load


if TYPE_CHECKING:
    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.lookup import Steps
    from mem0_exports_engine.extraction import ListSink
    from mem0_exports_engine.ports import MemoryBatch, Record, WrittenRecords


_MAX_FAST: Final = 1_000_000
"""The most bytes of a record that is not made value by value."""

_MAX_MATCHED: Final = 100_000
"""The most characters of records that are matched against patterns at once. Longer ones are measured one by one."""


class RecordList(Records):
    """Collect records of one kind."""

    def __init__(
        self, name: str, shape: Shape, sink: ListSink, list_index: int, *, maker: Columns, may_be_in_sink: bool
    ) -> None:
        """Create the field; see `Records`."""
        super().__init__(name, shape, sink, list_index, makers=[maker], may_be_in_sink=may_be_in_sink)
        self._maker = maker
        self._columns, self._plans, self._defaults = maker.columns, maker.plans, maker.defaults
        # A valid scalar needs no conversion. A list or object might need one, which only `Shape.keeps` can tell.
        # Matching patterns can take long, so texts have to be measured before.
        self._has_patterns = shape.work.has_patterns
        self._scalars = not self._has_patterns and all(shape.is_plain_scalar for _, shape in self._columns)
        # If the property has the name of a field of memories, such as categories, that field could contain the list.
        # The store does not look there, so such a list cannot be pushed down.
        possible = self._may_be_in_sink and not self.lookup.steps(Keys(()))
        self._pushdown = Pushdown.of(self._item, self._columns) if possible else None

    def see_as_written(self, batch: MemoryBatch) -> bool:
        """Collect a batch as JSON text that the store writes. False if that is not possible."""
        pushdown = self._pushdown
        if pushdown is None or self._lists or len(self.memory_ids) < self.max_traced:
            return False  # the report lists the ids of the first memories, which the JSON text does not have
        written = batch.written(pushdown.paths)
        if written is None or (self._has_patterns and len(written.text) > _MAX_MATCHED):
            taken = False
        elif written.incomplete:
            taken = self._take_incomplete(written, pushdown)
        else:
            taken = self._take_complete(written, pushdown)
        if not taken and pushdown.gives_up():
            self._pushdown = None
        return taken

    def _take_complete(self, written: WrittenRecords, pushdown: Pushdown) -> bool:
        """Collect records in which no value is missing. False if a record is not valid unchanged."""
        if not pushdown.always_valid and not self.shape.accepts(load(f"[{written.text}]")):
            return False
        self._flush()  # earlier records come first, because records are in the order of their memories
        self._put(written.text.encode())
        return True

    def _take_incomplete(self, written: WrittenRecords, pushdown: Pushdown) -> bool:
        """Collect records in which some values are missing. False if it is not enough to leave them out."""
        records = load(f"[{written.text}]")
        absent: Counter[int] = Counter()
        for position, metadata in written.incomplete:
            record = records[position]
            steps = self._plans.of({"metadata": metadata}).steps
            for index, name in enumerate(pushdown.paths):
                if record[name] is None:
                    elsewhere = any(step.path != pushdown.paths[name] for step in steps[index])
                    if elsewhere or self._defaults[index] is not MISSING:
                        return False  # the value could be under a similar key, or the property is required
                    del record[name]
                    absent[index] += 1
            if not record:
                return False
        if not pushdown.always_valid and not self.shape.accepts(records):
            return False
        for index, times in sorted(absent.items()):
            lookup = self._columns[index][0]
            self.note(f"{self.name}[].{lookup.name}", lookup.absent, times)
        self._records += records
        self._flush_if_long()
        return True

    def see_memories(self, records: list[Record]) -> None:
        """See `Records.see_memories`."""
        absent = [0] * len(self._columns)
        accepts = self._item.accepts
        instead_of_nothing = {index for index, instead in enumerate(self._defaults) if instead is not MISSING}
        for record in records:
            self.shape.work.begin(record["id"])
            plan = self._plans.of(record)
            take = plan.first_values if self._scalars and instead_of_nothing.isdisjoint(plan.empty) else None
            if take is not None and None not in (first_choices := take(record)):
                filled: Record | None = dict(zip(plan.names, first_choices, strict=True))
                empty = plan.empty
            else:
                filled, empty = self._first_values(record, plan.steps)
            size = size_of(filled) if filled else 0
            # A large record is made value by value, which counts the work: many columns can have the same large text.
            if filled and size < _MAX_FAST and accepts(filled):
                self._records.append(filled)
                self.held += size
                if len(self.memory_ids) < self.max_traced:
                    self.trace(record["id"])
                for index in empty:
                    absent[index] += 1
            else:
                self.take_made(self._maker.made(record, plan.steps, self._item), record["id"])
        for (lookup, _), times in zip(self._columns, absent, strict=True):
            if times:
                self.note(f"{self.name}[].{lookup.name}", lookup.absent, times)
        self._flush_if_long()

    def _first_values(self, record: Record, steps: list[Steps]) -> tuple[Record | None, list[int]]:
        """Return the record of first-choice values, and the indexes of the columns that have none.

        The record is None if it cannot be used: a value may need conversion, or a required value or all values are
        missing.
        """
        filled: Record = {}
        empty: list[int] = []
        for index, (lookup, shape) in enumerate(self._columns):
            for step in steps[index]:
                value = step.take(record)
                if value is not None:
                    if not shape.keeps(value):
                        return None, empty
                    filled[lookup.name] = value
                    break
            else:
                empty.append(index)
                instead = self._defaults[index]
                if instead is REQUIRED:
                    return None, empty
                if instead is not MISSING:
                    filled[lookup.name] = instead
        return (filled if len(empty) < len(self._columns) else None), empty
