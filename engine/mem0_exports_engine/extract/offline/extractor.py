"""Fill a schema from memories. `lookup` decides where a value comes from, `fit` converts it.

The type of a top-level property decides what it is filled with:

- an array of objects: the records from the lists that memories have under the name of the property. If no memory has
  such a list, one record per memory, filled from that memory alone;
- any other array: the distinct values from all memories, oldest first;
- anything else: the value of the newest memory whose value fits.

A value is converted only if nothing is lost, and nothing is extracted from the text of a memory. A property whose
collected value does not match its schema is left out and reported; the export fails only if the property is required.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, Final

import attrs

from mem0_exports.schemas.annotations import source_of
from mem0_exports.schemas.keywords import KEYWORDS
from mem0_exports_engine.extract.frame import ListInSink, frame_of
from mem0_exports_engine.extract.offline.columns import Columns
from mem0_exports_engine.extract.offline.fit import Shape
from mem0_exports_engine.extract.offline.free_keys import ROOT, FreeKeys
from mem0_exports_engine.extract.offline.free_names import FreeNames
from mem0_exports_engine.extract.offline.hints import Hints
from mem0_exports_engine.extract.offline.lookup import NO_SOURCE, KnownKeys, Plans
from mem0_exports_engine.extract.offline.mismatch import Mismatch
from mem0_exports_engine.extract.offline.record_lists import Records, makers_of
from mem0_exports_engine.extract.offline.records import RecordList
from mem0_exports_engine.extract.offline.values import MISSING, Count, Distinct, Field, Newest, share_the_report, shown
from mem0_exports_engine.limits import MAX_HELD, MAX_STEPS
from mem0_exports_engine.ports import Extraction, Unfillable
from mem0_exports_engine.report import Gap, Report


if TYPE_CHECKING:
    from collections.abc import Iterable

    from mem0_exports_engine.extract.offline.lookup import Steps
    from mem0_exports_engine.extract.offline.work import Work
    from mem0_exports_engine.ports import ListSink, MemoryBatch, Record

_NOT_FOLLOWED: Final = "export_instructions were not followed: that needs a language model, and this engine has none"

_TOO_LARGE: Final = (
    f"the values of the export take more than {MAX_HELD // 10**6} MB; ask for fewer properties, select fewer memories, "
    "or write large lists as a property of the root without minItems, maxItems and uniqueItems"
)

_NO_MEMORY: Final = "no memory was selected; check the ids and conditions of the filter"

_CONDITIONAL: Final = frozenset({"unevaluatedProperties", "if", "then", "else", "dependentSchemas"})
"""Keywords that describe properties without naming them, or only under a condition."""

_MAX_UNFILLED: Final = 20
"""The most names in one reason, and the most properties of alternatives that are reported."""

_MAX_NAME: Final = 200
"""The most characters of a name in a report."""

_MAX_LEFT_OUT: Final = 50
"""The most properties that are left out because of what another part of the root says about them."""

_MAX_NAMED: Final = 5
"""The most unknown keywords that a reason names."""

_OF_PROPERTIES: Final = frozenset(
    {"type", "properties", "required", "additionalProperties", "title", "description", "default", "examples", "$defs"}
    | {"$schema", "$id", "$comment"}
)
"""Keywords of an object schema that constrain only which properties it has and what each of them contains."""


def _field(
    name: str, shape: Shape, known: KnownKeys, sink: ListSink, list_index: int, *, may_be_in_sink: bool
) -> Field:
    source = source_of(shape.node)
    if source is not None and source.kind == "count":
        return Count(name, shape)
    if shape.kinds == {"array"} and "prefixItems" not in shape.node and isinstance(shape.node.get("items", {}), dict):
        makers = makers_of(shape.items, known)
        if len(makers) == 1 and isinstance(makers[0], Columns):
            return RecordList(name, shape, sink, list_index, maker=makers[0], may_be_in_sink=may_be_in_sink)
        if makers:
            return Records(name, shape, sink, list_index, makers=makers, may_be_in_sink=may_be_in_sink)
        return Distinct(name, shape)
    return Newest(name, shape)


class _Filling:
    """The state of filling one object schema: the root, or one branch if the root is a union."""

    def __init__(self, shape: Shape, root: Shape, known: KnownKeys, sink: ListSink, first_list: int) -> None:
        self._shape = shape
        self._root = root
        # The items of a list in the sink are validated one by one. That is enough if no keyword of the root, such as
        # `not` or `if`, looks at the values of its properties.
        may_be_in_sink = shape is root and not shape.node.keys() - _OF_PROPERTIES and not shape.hidden
        self._fields = [
            _field(name, property_shape, known, sink, index, may_be_in_sink=may_be_in_sink)
            for index, (name, property_shape) in enumerate(shape.properties.items(), first_list)
        ]
        share_the_report(self._fields)
        self._plans = Plans([field.lookup for field in self._fields], known)
        names = None if self._fields else FreeNames.declared(shape)
        self._free = None if names is None else FreeKeys(shape, names)
        self.next_list = first_list + len(self._fields)

    @property
    def held(self) -> int:
        """About how many bytes the collected values take."""
        return sum(field.held for field in self._fields) + (0 if self._free is None else self._free.held)

    @property
    def fields(self) -> set[str]:
        """The fields of memories that have to be read."""
        return {"id", "metadata"}.union(*(field.fields for field in self._fields))

    def see(self, records: list[Record]) -> None:
        """Collect the values from some memories."""
        if not records:
            return
        if self._free is not None:
            self._free.see(records)
            return
        plans = [*map(self._plans.of, records)]
        if plans.count(plans[0]) == len(plans):  # the usual case: all have the same metadata keys
            of_fields: Iterable[Iterable[Steps]] = map(repeat, plans[0].steps)
        else:
            of_fields = zip(*(plan.steps for plan in plans), strict=True)
        for field, steps in zip(self._fields, of_fields, strict=True):
            field.see(records, steps)

    def see_as_written(self, batch: MemoryBatch) -> bool:
        """Collect a batch as JSON text that the store writes. Return False if that is not possible."""
        lists = [field for field in self._fields if isinstance(field, RecordList)]
        counts = [field for field in self._fields if isinstance(field, Count)]
        # Only one list is supported. With two, the first could take the batch and the second refuse it. The batch would
        # then be read as records, and the first list would contain it twice.
        if len(lists) != 1 or len(lists) + len(counts) < len(self._fields) or not lists[0].see_as_written(batch):
            return False
        for count in counts:
            count.add(batch.size)
        return True

    def finish(self, count: int, notes: list[str], hints: Hints) -> tuple[Record, Report]:
        """Return the filled object and its report. Raises Unfillable if a required property has no value."""
        gaps: list[Gap] = []
        missing: list[str] = []
        if self._free is not None:
            data, sources = self._free.values, self._free.sources
            gaps += self._free.gaps() if count else [Gap(ROOT, _NO_MEMORY)]
        else:
            data, missing = self._collected(gaps, count, hints)
            sources = {field.name: field.memory_ids for field in self._fields if field.memory_ids}
        if self._free is None and not self._fields:
            gaps.append(Gap(ROOT, _names_nothing(self._shape)))
        gaps += _not_filled(self._shape)
        mismatch = None if missing else self._leave_out_misfits(data, sources, gaps)
        report = Report(count, sources, gaps, notes, sum(field.left_out for field in self._fields))
        if missing:
            raise Unfillable(
                f"no memory has a value for these required fields: {_listed(missing)}; make them optional (give "
                "them a default such as None), or add memories with these metadata keys",
                report,
            )
        if mismatch is not None:
            raise Unfillable(f"the object filled from the memories does not match the schema: {mismatch}", report)
        return data, report

    def _leave_out_misfits(self, data: Record, sources: dict[str, list[str]], gaps: list[Gap]) -> Mismatch | None:
        """Leave out optional values that fit their own schema, but not what another part of the root says about them.

        Return why the object is invalid even so, or None if it is valid.
        """
        left_out = 0
        steps = self._shape.work.steps_for(_without_sink(data))
        if steps > MAX_STEPS:
            return Mismatch("it is too large to be checked; ask for fewer properties, or select fewer memories")
        while True:  # each round validates the whole object
            seen = _without_sink(data)
            mismatch = self._shape.mismatch(seen) or self._root.mismatch(seen)
            name = mismatch.path[0] if mismatch is not None and mismatch.path else None
            if name not in seen or name in self._shape.required or left_out >= min(_MAX_LEFT_OUT, MAX_STEPS // steps):
                return mismatch
            gaps.append(Gap(str(name), f"{shown(seen[name])} was left out: {mismatch}"))
            del data[name]
            sources.pop(str(name), None)
            left_out += 1

    def _collected(self, gaps: list[Gap], count: int, hints: Hints) -> tuple[Record, list[str]]:
        """Return the filled properties, and the names of the required ones without a value. Add the gaps to `gaps`."""
        data: Record = {}
        missing: list[str] = []
        for field in self._fields:
            value = field.settled()
            if value is MISSING and not field.gaps:
                field.note(field.name, field.lookup.absent)
            for gap in field.sorted_gaps():
                reason = gap.reason(field.lookup_of(gap.path).explained(gap.why))
                if count == 0 and reason == NO_SOURCE:
                    reason = _NO_MEMORY
                # An annotation names the source, so a similar key would not be used anyway.
                hint = hints.nearest(field.lookup_of(gap.path).name) if reason == NO_SOURCE else None
                gaps.append(Gap(gap.path[:_MAX_NAME], reason, gap.times, hint))
            if value is not MISSING:
                data[field.name] = value
            elif field.name in self._shape.required:
                if field.shape.nullable:
                    data[field.name] = None
                elif field.shape.kinds == {"array"} and field.shape.problem([]) is None:
                    data[field.name] = []
                else:
                    missing.append(field.name)
        return data, missing


class OfflineExtractor:
    """Implement `ports.Extractor` without a language model."""

    def extract(
        self,
        schema: dict[str, Any],
        batches: Iterable[MemoryBatch],
        sink: ListSink,
        *,
        instructions: str | None = None,
    ) -> Extraction:
        """Fill the schema from memories, which come oldest first.

        If the root is a union of objects, the first branch with a value from a memory is used. Raises Unfillable if a required
        property has no value that fits, or if the filled object does not match the schema.
        """
        root = _shape_of(schema)
        known = KnownKeys()
        fillings: list[_Filling] = []
        for shape in ([] if root.properties else root.alternatives) or [root]:
            fillings.append(_Filling(shape, root, known, sink, fillings[-1].next_list if fillings else 0))
        count = _collect(fillings, batches, known, root.work)
        hints = Hints(known.suggested)
        notes = [_NOT_FOLLOWED] if instructions is not None else []
        empty: list[tuple[Record, Report]] = []
        skipped: list[Gap] = []
        for filling in fillings:
            try:
                data, report = filling.finish(count, notes, hints)
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


def _shape_of(schema: dict[str, Any]) -> Shape:
    try:
        return Shape.of(schema)
    except ValueError as error:  # a version with other limits has accepted it
        raise _unfillable(f"the schema cannot be filled: {error}", 0) from None


def _collect(fillings: list[_Filling], batches: Iterable[MemoryBatch], known: KnownKeys, work: Work) -> int:
    """Show all memories to the fillings, and return their number."""
    fields: set[str] = set().union(*(filling.fields for filling in fillings))
    count = 0
    for batch in batches:
        count += _see(fillings, batch, fields)
        known.end_batch()
        work.end_batch()
        if sum(filling.held for filling in fillings) > MAX_HELD:
            raise _unfillable(_TOO_LARGE, count)
    return count


def _see(fillings: list[_Filling], batch: MemoryBatch, fields: set[str]) -> int:
    """Show the memories of a batch to the fillings, and return their number."""
    if len(fillings) == 1 and fillings[0].see_as_written(batch):
        return batch.size
    records = batch.records(fields)  # fewer than batch.size if some were deleted meanwhile
    for filling in fillings:
        filling.see(records)
    return len(records)


def _unfillable(reason: str, count: int) -> Unfillable:
    return Unfillable(reason, Report(count, {}, [Gap(ROOT, reason)], []))


def _without_sink(data: Record) -> Record:
    """Return the data with an empty list for each list in the sink.

    Their items were validated one by one, and only items can be invalid.
    """
    return {name: [] if isinstance(value, ListInSink) else value for name, value in data.items()}


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:_MAX_NAME] for name in names[:_MAX_UNFILLED])
    return shown if len(names) <= _MAX_UNFILLED else f"{shown} and {len(names) - _MAX_UNFILLED} others"


def _not_filled(shape: Shape) -> list[Gap]:
    """Return a gap for properties that stand only in alternatives beside the properties of the object."""
    if not shape.properties:
        return []
    names = sorted({name for each in shape.alternatives for name in each.properties} - shape.properties.keys())
    why = "it is only in an alternative (anyOf, oneOf), and the object has properties of its own; write it among these"
    return [Gap(name, why) for name in names[:_MAX_UNFILLED]]


def _names_nothing(shape: Shape) -> str:
    conditional = sorted(shape.node.keys() & _CONDITIONAL)
    if conditional:
        return f"the engine fills what stands in properties, not in {', '.join(conditional)}"
    unknown = sorted(key for key in shape.node.keys() - KEYWORDS if not key.startswith(("$", "x-")))[:_MAX_NAMED]
    hint = f"; these are no keywords of JSON Schema: {', '.join(map(repr, unknown))}" if unknown else ""
    return f'the schema names no properties to fill{hint}; write {{"type": "object", "properties": {{...}}}}'
