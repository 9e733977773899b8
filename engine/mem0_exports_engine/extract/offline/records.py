"""A property of the root that is a list of objects: one record for each memory, or the records in lists of memories.

The usual memory has values that fit as they are, and is taken as a whole once the whole record is known to be valid;
only the others are looked at value by value. Where nothing but the records themselves can be wrong with the list, it
goes into parts as it grows; and where all memories of a batch have a value at the same paths, the database writes the
records, which are then only checked, or not even that: the types of a memory's own fields are known.
"""

from __future__ import annotations

import re

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.extract.frame import ListInSink
from mem0_exports_engine.extract.offline.fit import Mismatch, Shape
from mem0_exports_engine.extract.offline.lookup import Lookup, Plans, Record, first_fit, values
from mem0_exports_engine.extract.offline.values import MAX_TRACED, MISSING, Field, misfit
from mem0_exports_engine.json_text import dump, load


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mem0_exports_engine.extract.offline.lookup import Steps
    from mem0_exports_engine.ports import FieldPath, ListSink, MemoryBatch, WrittenRecords

_MAX_RECORDS: Final = 2000
"""Records that are kept in memory before they go into parts."""

_SAYS_NOTHING: Final = frozenset({"title", "description", "default", "examples", "$comment", "deprecated"})
"""Keywords that no value can violate."""

_TEXTS: Final[dict[str, set[str | None]]] = {
    "id": {None, "uuid"},
    "memory": {None},
    "user_id": {None},
    "agent_id": {None},
    "app_id": {None},
    "run_id": {None},
    "expiration_date": {None},
    "created_at": {None, "date-time"},
    "updated_at": {None, "date-time"},
}
"""Own fields of memories that are texts, with the formats that they are known to have."""

_MAX_FAILURES: Final = 3
"""Batches that the database may write in vain: then the memories are not of the kind."""

_MAX_COLUMNS: Final = 50
"""Properties of a record that the database writes: SQLite takes up to 127 arguments of a function, two for each."""

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_ -]+")
"""Metadata keys that stand in a path of SQL as they are."""


class RecordList(Field):
    """The property, and where its records go."""

    def __init__(self, name: str, shape: Shape, sink: ListSink, list_index: int, *, may_be_in_sink: bool) -> None:
        """`may_be_in_sink` says that the rest of the root does not care what is in the list."""
        super().__init__(name, shape)
        self._item = shape.items
        self._columns = [(Lookup(key, each), each) for key, each in self._item.properties.items()]
        # Where values may be lists or objects it takes more to know whether they can stay as they are.
        self._scalars = all(shape.kinds and not shape.kinds & {"object", "array"} for _, shape in self._columns)
        self._plans = Plans([source for source, _ in self._columns])
        self._absent = [
            _where_absent(shape) if source.name in self._item.required else MISSING for source, shape in self._columns
        ]
        self._records: list[Any] = []
        self._lists = self.source.annotation is not None
        self._sink = sink
        self._list_index = list_index
        other_keywords = shape.node.keys() - _SAYS_NOTHING - {"type", "items"} | shape.hidden - _SAYS_NOTHING
        self._may_be_in_sink = may_be_in_sink and not other_keywords
        self._is_in_sink = False
        self._paths = self._written_paths() if self._may_be_in_sink and not self.source.steps(()) else None
        self._failures = 0
        self._certain = self._paths is not None and self._always_valid(self._paths)

    @property
    def fields(self) -> set[str]:
        """As `Field`."""
        return self.source.fields.union(*(source.fields for source, _ in self._columns))

    def see(self, records: Sequence[Record], steps: Iterable[Steps]) -> None:
        """As `Field`."""
        plain: list[Record] = []
        for record, each in zip(records, steps, strict=False):
            given = next((value for value in values(each, record) if isinstance(value, list)), None) if each else None
            if given is not None:
                self._switch_to_lists()
                self._see_list(given, record["id"])
            elif not self._lists:
                plain.append(record)
        if not self._lists:
            self._see_memories(plain)

    def see_as_written(self, batch: MemoryBatch) -> bool:
        """Take a whole batch as the database writes it; False where that cannot be done."""
        paths = self._paths
        if paths is None or self._lists or len(self.memory_ids) < MAX_TRACED:
            return False  # the report names the first memories, which the database does not
        written = batch.written(paths)
        taken = written is not None and (
            self._take_lacking(written, paths) if written.incomplete else self._take_whole(written)
        )
        if not taken:
            self._failures += 1
            if self._failures == _MAX_FAILURES:
                self._paths = None
            return False
        return True

    def _take_whole(self, written: WrittenRecords) -> bool:
        """Take records that have all values; False where one of them does not fit as it is."""
        if not self._certain and not self.shape.accepts(load(f"[{written.text}]")):
            return False
        self._flush()
        self._put(written.text.encode())
        return True

    def _take_lacking(self, written: WrittenRecords, paths: dict[str, FieldPath]) -> bool:
        """Take records of which some have null for nothing; False where that is not all there is to say of one."""
        records = load(f"[{written.text}]")
        absent: Counter[int] = Counter()
        for position, metadata in written.incomplete:
            record = records[position]
            steps = self._plans.of({"metadata": metadata}).steps
            for index, name in enumerate(paths):
                if record[name] is None:
                    elsewhere = any(step.path != paths[name] for step in steps[index])
                    if elsewhere or self._absent[index] is not MISSING:
                        return False  # it may have something under another name, or has to have something
                    del record[name]
                    absent[index] += 1
            if not record:
                return False
        if not self._certain and not self.shape.accepts(records):
            return False
        for index, times in sorted(absent.items()):
            source = self._columns[index][0]
            self.note(f"{self.name}[].{source.name}", source.absent, times)
        self._records += records
        self._flush_if_long()
        return True

    def result(self) -> Any:
        """As `Field`."""
        if self._is_in_sink:
            self._flush()
            return ListInSink(self._list_index)
        return self._records or MISSING

    def settled(self) -> Any:
        """As `Field`."""
        return self.result() if self._is_in_sink else super().settled()

    def _switch_to_lists(self) -> None:
        """Some memory has a list of records, so that those of single memories are not wanted."""
        if self._lists:
            return
        self._lists = True
        self._records = []
        self.memory_ids = []
        self.gaps.clear()
        if self._is_in_sink:
            self._sink.drop(self._list_index)
            self._is_in_sink = False

    def _see_list(self, given: list[Any], memory_id: str) -> None:
        for each in given:
            try:
                self._take(self._item.fit(each), memory_id)
            except Mismatch as error:
                self.misfit(each, error)

    def _see_memories(self, records: list[Record]) -> None:
        absent = [0] * len(self._columns)
        accepts = self._item.accepts
        instead_of_nothing = {index for index, instead in enumerate(self._absent) if instead is not MISSING}
        for record in records:
            plan = self._plans.of(record)
            take = plan.first_values if self._scalars and instead_of_nothing.isdisjoint(plan.empty) else None
            if take is not None and None not in (found := take(record)):
                filled: Record | None = dict(zip(plan.names, found, strict=True))
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
        for (source, _), times in zip(self._columns, absent, strict=True):
            if times:
                self.note(f"{self.name}[].{source.name}", source.absent, times)
        self._flush_if_long()

    def _first_values(self, record: Record, steps: list[Steps]) -> tuple[Record | None, list[int]]:
        """The record with the first value for each name, and which names have none; None where that is not enough."""
        filled: Record = {}
        empty: list[int] = []
        for index, (source, shape) in enumerate(self._columns):
            for step in steps[index]:
                value = step.take(record)
                if value is not None:
                    if not shape.keeps(value):
                        return None, empty
                    filled[source.name] = value
                    break
            else:
                empty.append(index)
                instead = self._absent[index]
                if instead is _REFUSED:
                    return None, empty
                if instead is not MISSING:
                    filled[source.name] = instead
        return (filled if len(empty) < len(self._columns) else None), empty

    def _see_memory(self, record: Record, steps: list[Steps]) -> None:
        """Fill a record value by value, and note what does not fit."""
        filled: Record = {}
        for index, (source, shape) in enumerate(self._columns):
            path = f"{self.name}[].{source.name}"
            found = values(steps[index], record)
            if found:
                try:
                    filled[source.name] = first_fit(shape, found)
                    continue
                except Mismatch as error:
                    self.note(path, misfit(found[0], error))
            else:
                self.note(path, source.absent)
            instead = self._absent[index]
            if instead is MISSING:
                continue
            if instead is _REFUSED:
                self.note(f"{self.name}[]", f"the memory has no {source.name}, which is required")
                return
            filled[source.name] = instead
        if not filled:
            self.note(f"{self.name}[]", "the memory has nothing for the record")
        elif (problem := self._item.problem(filled)) is not None:
            self.note(f"{self.name}[]", f"the record does not fit: {problem}")
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

    def _written_paths(self) -> dict[str, FieldPath] | None:
        """Where the value of each name stands, as far as the database can write it; None where it cannot."""
        found: dict[str, FieldPath] = {}
        if len(self._columns) > _MAX_COLUMNS:
            return None
        for source, shape in self._columns:
            path = source.path
            scalar = shape.kinds and not shape.kinds & {"object", "array"}
            if path is None or not (scalar or path.own == "categories"):
                return None  # what is nested may be so deeper than is checked
            if path.key is not None and not _PLAIN_KEY.fullmatch(path.key):
                return None
            found[source.name] = path
        return found or None

    def _always_valid(self, paths: dict[str, FieldPath]) -> bool:
        """Whether whatever stands at these paths makes a valid record."""
        node = self._item.node
        simple = {"type", "properties", "required", "additionalProperties", "$defs", "$ref"}
        if (
            node.keys() - _SAYS_NOTHING - simple
            or self._item.hidden - _SAYS_NOTHING
            or self._item.required - paths.keys()
            or self._item.kinds != {"object"}
        ):
            return False
        return all(
            paths[source.name].own is not None and _always_fits(str(paths[source.name].own), shape)
            for source, shape in self._columns
        )


class _Refused:
    """A record that lacks this is none."""


_REFUSED: Final = _Refused()


def _where_absent(shape: Shape) -> Any:
    """What a required property gets that has no value: null or an empty list, if it may, else _REFUSED."""
    if shape.nullable:
        return None
    return [] if shape.kinds == {"array"} and shape.problem([]) is None else _REFUSED


def _always_fits(field: str, shape: Shape) -> bool:
    """Whether every value that the own field of a memory can have is valid by `shape`."""
    node = shape.node
    if shape.hidden - _SAYS_NOTHING:
        return False
    said = node.keys() - _SAYS_NOTHING - {"x-mem0-source"}
    if field == "categories":
        items = shape.items
        return (
            shape.kinds == {"array"} and said == {"type", "items"} and items.kinds == {"string"} and not items.hidden
            and not items.node.keys() - _SAYS_NOTHING - {"type"}
        )  # fmt: skip
    if field not in _TEXTS:
        return False  # metadata may be nested deeper than is checked
    return "string" in shape.kinds and said <= {"type", "format"} and node.get("format") in _TEXTS[field]
