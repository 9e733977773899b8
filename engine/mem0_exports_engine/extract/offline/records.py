"""Fill a top-level list of records.

If any memory has a list under the name of the property, the result contains the records of those lists. Otherwise it
contains one record per memory. A record whose first-choice values are valid is used unchanged. The values of any other
record are converted one by one, and those that do not fit are left out and reported. If the items of the list have to
be validated, but not the list as a whole, it is put into the sink while it grows, and `pushdown` can let the store
write it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.extract.frame import ListInSink
from mem0_exports_engine.extract.offline.fit import Mismatch, Shape
from mem0_exports_engine.extract.offline.lookup import Lookup, Plans, first_fit, values
from mem0_exports_engine.extract.offline.pushdown import ANNOTATIONS, Pushdown
from mem0_exports_engine.extract.offline.values import MAX_TRACED, MISSING, Field
from mem0_exports_engine.json_text import dump, load


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mem0_exports_engine.extract.offline.lookup import Steps
    from mem0_exports_engine.ports import ListSink, MemoryBatch, Record, WrittenRecords

_MAX_RECORDS: Final = 2000
"""The number of records that are collected in memory before they are put into the sink."""


class RecordList(Field):
    """Collect the records of a top-level list, in memory or in the sink."""

    def __init__(self, name: str, shape: Shape, sink: ListSink, list_index: int, *, may_be_in_sink: bool) -> None:
        """Create the field. `may_be_in_sink` says that no keyword of the root constrains the list as a whole."""
        super().__init__(name, shape)
        self._item = shape.items
        self._columns = [(Lookup(key, column), column) for key, column in self._item.properties.items()]
        # A valid scalar needs no conversion. A list or object might need one, which only `Shape.keeps` can tell.
        self._scalars = all(shape.kinds and not shape.kinds & {"object", "array"} for _, shape in self._columns)
        self._plans = Plans([lookup for lookup, _ in self._columns])
        self._defaults = [
            _default_for(shape) if lookup.name in self._item.required else MISSING for lookup, shape in self._columns
        ]
        self._records: list[Any] = []
        self._lists = self.lookup.annotation is not None
        self._sink = sink
        self._list_index = list_index
        other_keywords = shape.node.keys() - ANNOTATIONS - {"type", "items"} | shape.hidden - ANNOTATIONS
        self._may_be_in_sink = may_be_in_sink and not other_keywords
        self._is_in_sink = False
        # If the property has the name of a field of memories, such as categories, that field could contain the list.
        # The store does not look there, so such a list cannot be pushed down.
        possible = self._may_be_in_sink and not self.lookup.steps(())
        self._pushdown = Pushdown.of(self._item, self._columns) if possible else None

    @property
    def fields(self) -> set[str]:
        """See `Field.fields`."""
        return self.lookup.fields.union(*(lookup.fields for lookup, _ in self._columns))

    def see(self, records: Sequence[Record], steps: Iterable[Steps]) -> None:
        """See `Field.see`."""
        plain: list[Record] = []
        for record, record_steps in zip(records, steps, strict=False):
            items = None
            if record_steps:  # most memories have nothing of this name
                items = next((value for value in values(record_steps, record) if isinstance(value, list)), None)
            if items is not None:
                self._switch_to_lists()
                self._see_list(items, record["id"])
            elif not self._lists:
                plain.append(record)
        if not self._lists:
            self._see_memories(plain)

    def see_as_written(self, batch: MemoryBatch) -> bool:
        """Collect a batch as JSON text that the store writes. False if that is not possible."""
        pushdown = self._pushdown
        if pushdown is None or self._lists or len(self.memory_ids) < MAX_TRACED:
            return False  # the report lists the ids of the first memories, which the JSON text does not have
        written = batch.written(pushdown.paths)
        if written is None:
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

    def lookup_of(self, path: str) -> Lookup:
        """See `Field.lookup_of`."""
        by_path = {f"{self.name}[].{lookup.name}": lookup for lookup, _ in self._columns}
        return by_path.get(path, self.lookup)

    def result(self) -> Any:
        """See `Field.result`."""
        if self._is_in_sink:
            self._flush()
            return ListInSink(self._list_index)
        return self._records or MISSING

    def settled(self) -> Any:
        """See `Field.settled`. Items in the sink have been validated already."""
        return self.result() if self._is_in_sink else super().settled()

    def _switch_to_lists(self) -> None:
        """Collect only records of lists from now on, and discard the records made from single memories."""
        if self._lists:
            return
        self._lists = True
        self._records = []
        self.memory_ids = []
        self.gaps.clear()
        self.left_out = 0
        if self._is_in_sink:
            self._sink.drop(self._list_index)
            self._is_in_sink = False

    def _see_list(self, items: list[Any], memory_id: str) -> None:
        for item in items:
            try:
                self._take(self._item.fit(item), memory_id)
            except Mismatch as error:
                self.misfit(item, error)
                self.left_out += 1

    def _see_memories(self, records: list[Record]) -> None:
        absent = [0] * len(self._columns)
        accepts = self._item.accepts
        instead_of_nothing = {index for index, instead in enumerate(self._defaults) if instead is not MISSING}
        for record in records:
            plan = self._plans.of(record)
            take = plan.first_values if self._scalars and instead_of_nothing.isdisjoint(plan.empty) else None
            if take is not None and None not in (first_choices := take(record)):
                filled: Record | None = dict(zip(plan.names, first_choices, strict=True))
                empty = plan.empty
            else:
                filled, empty = self._first_values(record, plan.steps)
            if filled and accepts(filled):
                self._records.append(filled)
                if len(self.memory_ids) < MAX_TRACED:
                    self.trace(record["id"])
                for index in empty:
                    absent[index] += 1
            else:
                self._see_memory(record, plan.steps)
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
                if instead is _REQUIRED:
                    return None, empty
                if instead is not MISSING:
                    filled[lookup.name] = instead
        return (filled if len(empty) < len(self._columns) else None), empty

    def _see_memory(self, record: Record, steps: list[Steps]) -> None:
        """Fill a record value by value, and report what does not fit."""
        filled: Record = {}
        # A memory that has none of the values is not about the records of this list. It is reported, but not counted
        # as a record that was left out.
        is_about = any(values(places, record) for places in steps)
        for index, (lookup, shape) in enumerate(self._columns):
            path = f"{self.name}[].{lookup.name}"
            candidates = values(steps[index], record)
            if candidates:
                try:
                    filled[lookup.name] = first_fit(shape, candidates)
                    continue
                except Mismatch as error:
                    self.misfit(candidates[0], error, path)
            else:
                self.note(path, lookup.absent)
            instead = self._defaults[index]
            if instead is MISSING:
                continue
            if instead is _REQUIRED:
                self.note(f"{self.name}[]", f"the memory has no value for the required field {lookup.name}")
                self.left_out += is_about
                return
            filled[lookup.name] = instead
        if not filled:
            self.note(f"{self.name}[]", "the memory has no value for any field of the record")
            self.left_out += is_about
        elif (problem := self._item.problem(filled)) is not None:
            self.note(f"{self.name}[]", f"the record does not match its schema: {problem}")
            self.left_out += 1
        else:
            self._take(filled, record["id"])

    def _take(self, item: Any, memory_id: str) -> None:
        self._records.append(item)
        if len(self.memory_ids) < MAX_TRACED and memory_id not in self.memory_ids[-1:]:
            self.trace(memory_id)
        self._flush_if_long()

    def _flush_if_long(self) -> None:
        if self._may_be_in_sink and len(self._records) >= _MAX_RECORDS:
            self._flush()

    def _flush(self) -> None:
        if self._records:
            self._put(dump(self._records)[1:-1])
            self._records = []

    def _put(self, items: bytes) -> None:
        self._is_in_sink = True
        self._sink.put(self._list_index, items)


class _Required:
    """The type of _REQUIRED, which means that a record without the value is left out."""


_REQUIRED: Final = _Required()


def _default_for(shape: Shape) -> Any:
    """Return what a required property gets if it has no value: null or [] if the schema allows it, else _REQUIRED."""
    if shape.nullable:
        return None
    return [] if shape.kinds == {"array"} and shape.problem([]) is None else _REQUIRED
