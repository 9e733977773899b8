"""Fills a schema from memories; `lookup` says where from, `fit` how. What a property becomes:

- an array of objects: the records in the lists that memories have under this name; where none has any, one record for
  each memory, filled from that memory alone;
- an array of anything else: the distinct values over all memories, oldest first;
- anything else: the value of the newest memory that has one that fits.

Values are only fitted without loss, and nothing is read out of the text of a memory. What is filled but does not fit as
a whole is left out and reported, and fails the export only where it is required.
"""

from __future__ import annotations

import difflib

from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.schemas.annotations import source_of
from mem0_exports_engine.extract.frame import ListInSink, frame_of
from mem0_exports_engine.extract.offline.fit import Shape, folded
from mem0_exports_engine.extract.offline.lookup import NO_SOURCE, Plans, Record
from mem0_exports_engine.extract.offline.records import RecordList
from mem0_exports_engine.extract.offline.values import MISSING, Count, Distinct, Field, Newest
from mem0_exports_engine.ports import Extraction, Unfillable
from mem0_exports_engine.report import Gap, Report


if TYPE_CHECKING:
    from collections.abc import Iterable

    from mem0_exports_engine.extract.offline.lookup import Steps
    from mem0_exports_engine.ports import ListSink, MemoryBatch

_NOT_FOLLOWED: Final = "export_instructions were not followed: that takes a language model, which this extractor is not"

_OF_PROPERTIES: Final = frozenset(
    {"type", "properties", "required", "additionalProperties", "title", "description", "default", "examples", "$defs"}
    | {"$schema", "$id", "$comment"}
)
"""Keywords of an object that are no more than its properties."""


def _field(name: str, shape: Shape, sink: ListSink, list_index: int, *, may_be_in_sink: bool) -> Field:
    said = source_of(shape.node)
    if said is not None and said.kind == "count":
        return Count(name, shape)
    if shape.kinds == {"array"} and "prefixItems" not in shape.node and isinstance(shape.node.get("items", {}), dict):
        if shape.items.node.get("properties"):
            return RecordList(name, shape, sink, list_index, may_be_in_sink=may_be_in_sink)
        return Distinct(name, shape)
    return Newest(name, shape)


class _Filling:
    """A schema that is being filled: one branch of the root, or the whole where it is no union."""

    def __init__(self, shape: Shape, root: Shape, sink: ListSink, first_list: int) -> None:
        self._shape = shape
        self._root = root
        # Nothing of the root looks into the values of its properties but the properties themselves.
        may_be_in_sink = shape is root and not shape.node.keys() - _OF_PROPERTIES and not shape.hidden
        self._fields = [
            _field(name, each, sink, index, may_be_in_sink=may_be_in_sink)
            for index, (name, each) in enumerate(shape.properties.items(), first_list)
        ]
        self._plans = Plans([field.lookup for field in self._fields])
        self.next_list = first_list + len(self._fields)

    @property
    def fields(self) -> set[str]:
        """The fields of memories that are looked at."""
        return {"id", "metadata"}.union(*(field.fields for field in self._fields))

    def see(self, records: list[Record]) -> None:
        """Take what some memories have."""
        if not records:
            return
        plans = [*map(self._plans.of, records)]
        if plans.count(plans[0]) == len(plans):  # memories of one kind, as nearly always
            of_fields: Iterable[Iterable[Steps]] = map(repeat, plans[0].steps)
        else:
            of_fields = zip(*(plan.steps for plan in plans), strict=True)
        for field, steps in zip(self._fields, of_fields, strict=True):
            field.see(records, steps)

    def see_as_written(self, batch: MemoryBatch) -> bool:
        """Take a whole batch without looking at its memories; False where that cannot be done."""
        lists = [field for field in self._fields if isinstance(field, RecordList)]
        counts = [field for field in self._fields if isinstance(field, Count)]
        # One list: where a second one refuses, the first would have taken the batch already.
        if len(lists) != 1 or len(lists) + len(counts) < len(self._fields) or not lists[0].see_as_written(batch):
            return False
        for count in counts:
            count.add(batch.size)
        return True

    def finish(self, count: int, notes: list[str]) -> tuple[Record, Report]:
        """The object, and what there is to say of it; Unfillable where something required has no value."""
        data: Record = {}
        lacking: list[str] = []
        gaps: list[Gap] = []
        keys = self._plans.keys
        for field in self._fields:
            value = field.settled()
            if value is MISSING and not field.gaps:
                field.note(field.name, field.lookup.absent)
            gaps += [Gap(path, why, times, _nearest(path, why, keys)) for (path, why), times in field.gaps.items()]
            if value is not MISSING:
                data[field.name] = value
            elif field.name in self._shape.required:
                if field.shape.nullable:
                    data[field.name] = None
                elif field.shape.kinds == {"array"} and field.shape.problem([]) is None:
                    data[field.name] = []
                else:
                    lacking.append(field.name)
        report = Report(
            count, {field.name: field.memory_ids for field in self._fields if field.memory_ids}, gaps, notes
        )
        if lacking:
            raise Unfillable(
                f"no memory fills the required {', '.join(lacking)}: give these fields a default (such as None), or "
                "add memories with metadata keys of these names",
                report,
            )
        # What is in the sink was checked item by item, and nothing else can be wrong with it.
        seen = {name: [] if isinstance(value, ListInSink) else value for name, value in data.items()}
        problem = self._shape.problem(seen) or self._root.problem(seen)
        if problem is not None:
            raise Unfillable(f"what the memories say does not fit the schema: {problem}", report)
        return data, report


class OfflineExtractor:
    """A `ports.Extractor` without a language model."""

    def extract(
        self,
        schema: dict[str, Any],
        batches: Iterable[MemoryBatch],
        sink: ListSink,
        *,
        instructions: str | None = None,
    ) -> Extraction:
        """Fill the schema from memories, oldest first.

        Of a union of objects, the first that can be filled. Raises Unfillable where a required property has no value
        that fits, or the whole does not fit the schema.
        """
        root = Shape.of(schema)
        fillings: list[_Filling] = []
        for each in ([] if root.properties else root.branches) or [root]:
            fillings.append(_Filling(each, root, sink, fillings[-1].next_list if fillings else 0))
        fields: set[str] = set().union(*(filling.fields for filling in fillings))
        count = 0
        for batch in batches:
            if not (len(fillings) == 1 and fillings[0].see_as_written(batch)):
                records = batch.records(fields)
                for filling in fillings:
                    filling.see(records)
            count += batch.size
        notes = [_NOT_FOLLOWED] if instructions is not None else []
        for filling in fillings[:-1]:
            try:
                data, report = filling.finish(count, notes)
            except Unfillable:
                continue
            return Extraction(frame_of(data), report)
        data, report = fillings[-1].finish(count, notes)
        return Extraction(frame_of(data), report)


def _nearest(path: str, reason: str, keys: set[str]) -> str | None:
    if reason != NO_SOURCE:
        return None  # the author said where to look
    name = path.rpartition(".")[2]
    others = sorted(key for key in keys if folded(key) != folded(name))
    close = difflib.get_close_matches(name, others, 1, 0.7)
    return close[0] if close else None
