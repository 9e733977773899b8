"""Fill one object schema: the root, or one alternative if the root is a union."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports.schemas.annotations import source_of
from mem0_exports.schemas.keywords import KEYWORDS
from mem0_exports_engine.extract.frame import ListInSink
from mem0_exports_engine.extract.offline.free_keys import ROOT, FreeKeys
from mem0_exports_engine.extract.offline.free_names import FreeNames
from mem0_exports_engine.extract.offline.lookup import NO_SOURCE, Plans
from mem0_exports_engine.extract.offline.makers import PropertyMaker
from mem0_exports_engine.extract.offline.mismatch import Mismatch
from mem0_exports_engine.extract.offline.record_lists import Records, makers_of
from mem0_exports_engine.extract.offline.records import RecordList
from mem0_exports_engine.extract.offline.values import (
    MAX_OF_ALL,
    MISSING,
    Count,
    Distinct,
    Field,
    Newest,
    share_the_report,
    shown,
)
from mem0_exports_engine.extraction import Unfillable
from mem0_exports_engine.limits import MAX_STEPS
from mem0_exports_engine.report import Evidence, Gap, Report


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.hints import Hints
    from mem0_exports_engine.extract.offline.memories import KnownKeys, Memories
    from mem0_exports_engine.extract.offline.values import Noted
    from mem0_exports_engine.extraction import ListSink
    from mem0_exports_engine.ports import MemoryBatch, Record

_NOT_IN_TEXTS: Final = "no text of a memory says it, as far as the language model has found"

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
        if len(makers) == 1 and isinstance(makers[0], PropertyMaker):
            return RecordList(name, shape, sink, list_index, maker=makers[0], may_be_in_sink=may_be_in_sink)
        if makers:
            return Records(name, shape, sink, list_index, makers=makers, may_be_in_sink=may_be_in_sink)
        return Distinct(name, shape)
    return Newest(name, shape)


class Settled(NamedTuple):
    """A declared property and what was collected for it."""

    name: str
    shape: Shape
    value: Any
    """The value, or MISSING."""
    source: str | None
    """The id of the memory that the value comes from, if it is the newest one that has it."""
    can_be_read: bool
    """Whether the value may be taken from the text of a memory: no annotation says that it comes from elsewhere."""


class FromTexts(NamedTuple):
    """What was found for a property in the texts of memories."""

    value: Any = MISSING
    memory_ids: Sequence[str] = ()
    evidence: Sequence[Evidence] = ()


def _can_be_read(field: Field) -> bool:
    return field.lookup.annotation is None or field.lookup.annotation.kind == "text"


class Filling:
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
        self._settled: dict[str, Any] = {}

    def settle(self) -> Iterator[Settled]:
        """Iterate over the declared properties and the values that were collected for them."""
        for field in self._fields:
            if field.name not in self._settled:
                self._settled[field.name] = field.settled()
            value = self._settled[field.name]
            newest = field.memory_ids[0] if isinstance(field, Newest) and field.memory_ids else None
            yield Settled(field.name, field.shape, value, newest, can_be_read=_can_be_read(field))

    @property
    def held(self) -> int:
        """About how many bytes the collected values take."""
        return sum(field.held for field in self._fields) + (0 if self._free is None else self._free.held)

    @property
    def fields(self) -> set[str]:
        """The fields of memories that have to be read."""
        return {"id", "metadata"}.union(*(field.fields for field in self._fields))

    def see(self, memories: Memories) -> None:
        """Collect the values from some memories."""
        if self._free is not None:
            self._free.see(memories.records)
            return
        plans = {keys: self._plans.of(keys) for keys in memories.groups}
        for index, field in enumerate(self._fields):
            steps = {keys: plan.steps[index] for keys, plan in plans.items()}
            field.see(memories, steps)

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

    def finish(
        self, count: int, notes: list[str], hints: Hints, texts: Mapping[str, FromTexts]
    ) -> tuple[Record, Report]:
        """Return the filled object and its report. Raises Unfillable if a required property has no value."""
        gaps: list[Gap] = []
        missing: list[str] = []
        if self._free is not None:
            data, sources = self._free.values, self._free.sources
            gaps += self._free.gaps() if count else [Gap(ROOT, _NO_MEMORY)]
        else:
            data, missing = self._collected(gaps, count, hints, texts)
            sources = {field.name: field.memory_ids for field in self._fields if field.memory_ids}
            sources |= {name: [*found.memory_ids] for name, found in texts.items() if found.value is not MISSING}
        if self._free is None and not self._fields:
            gaps.append(Gap(ROOT, _names_nothing(self._shape)))
        gaps += _not_filled(self._shape)
        mismatch = None if missing else self._leave_out_misfits(data, sources, gaps)
        evidence = self._evidence(sources, texts)
        report = Report(count, sources, gaps, notes, sum(field.left_out for field in self._fields), evidence)
        if missing:
            raise Unfillable(
                f"no memory has a value for these required fields: {_listed(missing)}; make them optional (give "
                "them a default such as None), or add memories with these metadata keys",
                report,
            )
        if mismatch is not None:
            raise Unfillable(f"the object filled from the memories does not match the schema: {mismatch}", report)
        return data, report

    def _evidence(self, sources: dict[str, list[str]], texts: Mapping[str, FromTexts]) -> list[Evidence]:
        """Return where the values come from that are filled."""
        evidence: list[Evidence] = []
        lists = {field.name for field in self._fields if field.shape.kinds == {"array"}}
        for name, ids in sources.items():
            if name in texts and texts[name].value is not MISSING:
                evidence += texts[name].evidence
            else:
                path = f"{name}[]" if name in lists else name
                evidence += [Evidence(path, "metadata", memory_id) for memory_id in ids]
        return evidence[:MAX_OF_ALL]

    def _gaps_of(self, field: Field, count: int, hints: Hints, *, was_read: bool) -> Iterator[tuple[Gap, Noted]]:
        """Iterate over the gaps of a property, with what was noted. `was_read`: its value was looked for in the texts, too."""
        for gap in field.sorted_gaps():
            lookup = field.lookup_of(gap.path)
            reason = gap.reason(lookup.explained(gap.why))
            if count == 0 and reason == NO_SOURCE:
                reason = _NO_MEMORY
            # An annotation names the source, so a similar key would not be used anyway.
            hint = hints.nearest(lookup.name) if reason == NO_SOURCE else None
            if was_read and gap.why == lookup.absent and count:
                reason = f"{reason}, and {_NOT_IN_TEXTS}"
            yield Gap(gap.path[:_MAX_NAME], reason, gap.times, hint), gap

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

    def _collected(
        self, gaps: list[Gap], count: int, hints: Hints, texts: Mapping[str, FromTexts]
    ) -> tuple[Record, list[str]]:
        """Return the filled properties, and the names of the required ones without a value. Add the gaps to `gaps`."""
        data: Record = {}
        missing: list[str] = []
        settled = {each.name: each for each in self.settle()}
        for field in self._fields:
            value = collected = settled[field.name].value
            in_texts = texts.get(field.name)
            if in_texts is not None and in_texts.value is not MISSING:
                value = in_texts.value
            elif value is MISSING and not field.gaps:
                field.note(field.name, field.lookup.absent)
            found = self._gaps_of(field, count, hints, was_read=in_texts is not None)
            # If the texts have a value, it does not matter that the metadata have none.
            gaps += (gap for gap, noted in found if value is collected or noted.example is not None)
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
