"""Collect the records of a top-level list, in memory or in the sink.

If any memory has a list under the name of the property, the result contains the records of those lists. Otherwise it
contains one record per memory. If the items of the list have to be validated, but not the list as a whole, it is put
into the sink while it grows. `records` has a faster version for the usual kind of record.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.extract.frame import ListInSink
from mem0_exports_engine.extract.offline.free_names import FreeNames
from mem0_exports_engine.extract.offline.lookup import values
from mem0_exports_engine.extract.offline.makers import FreeMaker, PropertyMaker
from mem0_exports_engine.extract.offline.mismatch import Mismatch
from mem0_exports_engine.extract.offline.pushdown import ANNOTATIONS
from mem0_exports_engine.extract.offline.values import MISSING, Field
from mem0_exports_engine.extract.offline.work import ITEM, TooMuch, size_of
from mem0_exports_engine.json_text import dump


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.lookup import Lookup, Steps
    from mem0_exports_engine.extract.offline.makers import Made, Maker
    from mem0_exports_engine.extract.offline.memories import Keys, KnownKeys, Memories
    from mem0_exports_engine.extraction import ListSink
    from mem0_exports_engine.ports import Record

_MAX_RECORDS: Final = 2000
"""The number of records that are collected in memory before they are put into the sink."""

_MAX_HELD: Final = 10_000_000
"""The number of bytes of records that are collected in memory before they are put into the sink."""


class Records(Field):
    """Collect records. If there are several makers, for a union, the first whose record fits makes it."""

    def __init__(
        self,
        name: str,
        shape: Shape,
        sink: ListSink,
        list_index: int,
        *,
        makers: Sequence[Maker],
        may_be_in_sink: bool,
    ) -> None:
        """Create the field. `may_be_in_sink` says that no keyword of the root constrains the list as a whole."""
        super().__init__(name, shape)
        self._item = shape.items
        self._makers = makers
        self._has_others = not all(map(_is_object, self._item.alternatives))
        self._records: list[Any] = []
        self._lists = self.lookup.annotation is not None
        self._sink = sink
        self._list_index = list_index
        other_keywords = shape.node.keys() - ANNOTATIONS - {"type", "items"} | shape.hidden - ANNOTATIONS
        self._has_plain_items = not other_keywords
        """Whether the list is valid if each of its items is."""
        self._may_be_in_sink = may_be_in_sink and self._has_plain_items
        self._is_in_sink = False

    @property
    def fields(self) -> set[str]:
        """See `Field.fields`."""
        return self.lookup.fields.union(*(lookup.fields for maker in self._makers for lookup in maker.lookups))

    def see(self, memories: Memories, steps: Mapping[Keys, Steps]) -> None:
        """See `Field.see`."""
        if any(steps.values()):  # most memories have nothing of this name
            for record, keys in zip(memories.records, memories.keys, strict=True):
                items = self._items_of(record, steps[keys])
                if items is not None:
                    self._switch_to_lists()
                    self._see_list(items, record["id"])
        if not self._lists:
            self.see_memories(memories)

    def _items_of(self, record: Record, steps: Steps) -> list[Any] | None:
        """Return the items of the list that a memory has at these places, or None if it has none."""
        found = values(steps, record)
        items = next((value for value in found if isinstance(value, list)), None)
        if items is None and self._has_others:  # a single value is a list of one, as in a list of scalars
            return found[:1] or None
        return items

    def see_memories(self, memories: Memories) -> None:
        """Collect one record per memory."""
        for record, keys in zip(memories.records, memories.keys, strict=True):
            self.see_memory(record, keys)

    def see_memory(self, record: Record, keys: Keys) -> None:
        """Collect one record of a memory with these metadata keys, made value by value."""
        self.shape.work.begin(record["id"])
        self.take_made(self._made(record, keys), record["id"])

    def _made(self, record: Record, keys: Keys) -> Made:
        """Make a record with the first alternative that takes all values of a memory, or else the first that fits."""
        attempts: list[Made] = []
        for maker in self._makers:
            made = maker.make(record, keys, self._item)
            if made.is_exact:
                return made
            attempts.append(made)
        # `max` returns the first of equals. If none fits, a reason that is about the memory is the best one.
        return max(attempts, key=lambda made: (made.record is not None, made.is_about))

    def take_made(self, made: Made, memory_id: str) -> None:
        """Collect the record that was made from a memory, and report what it lacks, or why there is none."""
        for lookup, value, error in made.notes:
            path = f"{self.name}[]" if lookup is None else f"{self.name}[].{lookup.name}"
            if error is not None:
                self.misfit(value, error, path)
            elif lookup is not None:
                self.note(path, lookup.absent)
        if made.record is not None:
            self.take_record(made.record, memory_id)
            return
        # A memory that has none of the values is not about the records of this list. It is reported, but not counted as
        # a record that was left out.
        self.note(f"{self.name}[]", made.problem or "")
        self.left_out += made.is_about

    def position(self, path: str) -> int:
        """See `Field.position`: the fields of a record come in their order, and the record as a whole comes last."""
        if path == f"{self.name}[]":
            return len(self._columns_by_path) + 1
        return self._columns_by_path[path][0] if path in self._columns_by_path else 0

    def lookup_of(self, path: str) -> Lookup:
        """See `Field.lookup_of`."""
        return self._columns_by_path[path][1] if path in self._columns_by_path else self.lookup

    @cached_property
    def _columns_by_path(self) -> dict[str, tuple[int, Lookup]]:
        """For each field of the records, its place among them, from 1, and its lookup."""
        lookups = {lookup.name: lookup for maker in reversed(self._makers) for lookup in reversed(maker.lookups)}
        names = dict.fromkeys(lookup.name for maker in self._makers for lookup in maker.lookups)
        return {f"{self.name}[].{name}": (place, lookups[name]) for place, name in enumerate(names, 1)}

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
        self.held = 0
        self.memory_ids = []
        self.gaps.clear()
        self.left_out = 0
        if self._is_in_sink:
            self._sink.drop(self._list_index)
            self._is_in_sink = False

    def _see_list(self, items: list[Any], memory_id: str) -> None:
        self.shape.work.begin(memory_id)
        if not self.shape.work.affords(ITEM * len(items)):
            self.misfit(items, Mismatch(TooMuch.reason))
            self.left_out += len(items)
            return
        for item in items:
            try:
                self.take_record(self._item.fit(item), memory_id)
            except Mismatch as error:
                self.misfit(item, error)
                self.left_out += 1

    def take_record(self, item: Any, memory_id: str) -> None:
        """Collect a record that matches its schema."""
        self._records.append(item)
        self.held += size_of(item)
        if memory_id not in self.memory_ids[-1:]:
            self.trace(memory_id)
        self._flush_if_long()

    def _flush_if_long(self) -> None:
        if self._may_be_in_sink and (len(self._records) >= _MAX_RECORDS or self.held > _MAX_HELD):
            self._flush()

    def _flush(self) -> None:
        if self._records:
            self._put(dump(self._records)[1:-1])
            self._records = []
            self.held = 0

    def _put(self, items: bytes) -> None:
        self._is_in_sink = True
        self._sink.put(self._list_index, items)


def makers_of(item: Shape, known: KnownKeys) -> list[Maker]:
    """Return the makers for records of this shape: one, or one for each object of a union. Empty if it is no object."""
    if item.properties:
        return [PropertyMaker(item, known)]
    if item.alternatives:
        return [maker for branch in item.alternatives for maker in makers_of(branch, known)]
    return [FreeMaker(FreeNames(item))] if _is_object(item) else []


def _is_object(item: Shape) -> bool:
    """Return whether a shape is an object, or a union with one."""
    if item.properties:
        return True
    if item.alternatives:
        return any(map(_is_object, item.alternatives))
    return item.kinds == {"object"} and item.free is not None
