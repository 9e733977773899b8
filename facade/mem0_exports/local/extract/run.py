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
import json

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.local.extract.fit import Mismatch, Shape, folded
from mem0_exports.local.extract.lookup import NO_SOURCE, Lookup, Record, first_fit
from mem0_exports.local.extract.report import Gap, Report
from mem0_exports.sources import source_of


if TYPE_CHECKING:
    from collections.abc import Iterable

_TRACED: Final = 100
"""Memory ids kept per field in the report."""


class Unfillable(Exception):
    """No export of this schema can be made of these memories; the text says why."""

    def __init__(self, reason: str, report: Report) -> None:
        super().__init__(reason)
        self.report = report


class _Missing:
    """No memory says it."""


_MISSING: Final = _Missing()


class _Field:
    """A property of the root, filled as the memories go by."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.source = Lookup(name, shape)
        self.memory_ids: list[str] = []
        self.gaps: Counter[tuple[str, str]] = Counter()

    def see(self, record: Record) -> None:
        """Take what the memory has for this property."""
        values = self.source.values(record)
        if values:
            self.take(values, record["id"])

    def take(self, values: list[Any], memory_id: str) -> None:
        """Take one of these values, the first that fits."""
        raise NotImplementedError

    def result(self) -> Any:
        """The value, or _MISSING."""
        raise NotImplementedError

    def settled(self) -> Any:
        """The result, if the whole of it fits the property; a gap and _MISSING otherwise."""
        value = self.result()
        if value is not _MISSING and (problem := self.shape.problem(value)) is not None:
            self.gaps[self.name, f"what the memories say together does not fit: {problem}"] += 1
            self.memory_ids = []
            return _MISSING
        return value

    def misfit(self, value: Any, error: Mismatch) -> None:
        """Note a value that was left out."""
        self.gaps[self.name, _misfit(value, error)] += 1

    def trace(self, memory_id: str) -> None:
        """Note a memory that the value comes from."""
        if len(self.memory_ids) < _TRACED:
            self.memory_ids.append(memory_id)


class _Newest(_Field):
    """The value of the newest memory that has one."""

    _value: Any = _MISSING

    def take(self, values: list[Any], memory_id: str) -> None:
        try:
            self._value = first_fit(self.shape, values)
        except Mismatch as error:
            self.misfit(values[0], error)
        else:
            self.memory_ids = [memory_id]

    def result(self) -> Any:
        return self._value


class _Count(_Field):
    """How many memories there are."""

    _count = 0

    def see(self, record: Record) -> None:
        self._count += 1

    def result(self) -> Any:
        try:
            return self.shape.fit(self._count)
        except Mismatch as error:
            self.misfit(self._count, error)
            return _MISSING


class _Distinct(_Field):
    """The distinct values over all memories."""

    def __init__(self, name: str, shape: Shape) -> None:
        super().__init__(name, shape)
        self._item = shape.items
        self._values: dict[str, Any] = {}

    def take(self, values: list[Any], memory_id: str) -> None:
        value = values[0]
        for each in value if isinstance(value, list) else [value]:
            try:
                if "array" in self._item.kinds and not isinstance(each, list):
                    raise Mismatch("is no list, as each value of this list has to be")
                fitted = self._item.fit(each)
            except Mismatch as error:
                self.misfit(each, error)
                continue
            key = json.dumps(_as_compared(fitted), sort_keys=True)
            if key not in self._values:
                self._values[key] = fitted
                self.trace(memory_id)

    def result(self) -> Any:
        return list(self._values.values()) or _MISSING


class _Records(_Field):
    """One record for each memory; or, where memories have lists of records under this name, those and no other."""

    def __init__(self, name: str, shape: Shape) -> None:
        super().__init__(name, shape)
        self._item = shape.items
        self._required = self._item.required
        self._columns = [(Lookup(key, each), each) for key, each in self._item.properties.items()]
        self._records: list[Record] = []
        self._listed: list[Any] = []
        self._listed_ids: list[str] = []
        self._lists = self.source.said is not None

    def see(self, record: Record) -> None:
        given = [value for value in self.source.values(record) if isinstance(value, list)]
        if given:
            self._lists = True
            self._see_list(given[0], record["id"])
        elif not self._lists:
            self._see_memory(record)

    def _see_list(self, given: list[Any], memory_id: str) -> None:
        for each in given:
            try:
                self._listed.append(self._item.fit(each))
            except Mismatch as error:
                self.misfit(each, error)
            else:
                self._listed_ids.append(memory_id)

    def _see_memory(self, record: Record) -> None:
        filled: Record = {}
        for source, shape in self._columns:
            path = f"{self.name}[].{source.name}"
            values = source.values(record)
            if values:
                try:
                    filled[source.name] = first_fit(shape, values)
                    continue
                except Mismatch as error:
                    self.gaps[path, _misfit(values[0], error)] += 1
            else:
                self.gaps[path, source.absent] += 1
            if source.name not in self._required:
                continue
            if shape.nullable:
                filled[source.name] = None
            elif shape.kinds == {"array"} and shape.problem([]) is None:
                filled[source.name] = []
            else:
                self.gaps[f"{self.name}[]", f"the memory has no {source.name}, which is required"] += 1
                return
        if not filled:
            self.gaps[f"{self.name}[]", "the memory has nothing for the record"] += 1
        elif (problem := self._item.problem(filled)) is not None:
            self.gaps[f"{self.name}[]", f"the record does not fit: {problem}"] += 1
        else:
            self._records.append(filled)
            self.trace(record["id"])

    def result(self) -> Any:
        if not self._lists:
            return self._records or _MISSING
        self.memory_ids = list(dict.fromkeys(self._listed_ids))[:_TRACED]
        # What was said of records of single memories is about records that are not in the result.
        self.gaps = Counter({key: times for key, times in self.gaps.items() if "[]" not in key[0]})
        return self._listed or _MISSING


def _field(name: str, shape: Shape) -> _Field:
    said = source_of(shape.node)
    if said is not None and said.kind == "count":
        return _Count(name, shape)
    if shape.kinds == {"array"} and "prefixItems" not in shape.node and isinstance(shape.node.get("items", {}), dict):
        return _Records(name, shape) if shape.items.node.get("properties") else _Distinct(name, shape)
    return _Newest(name, shape)


class _Filling:
    """A schema that is being filled: one branch of the root, or the whole where it is no union."""

    def __init__(self, shape: Shape, root: Shape) -> None:
        self._shape = shape
        self._root = root
        self._fields = [_field(name, each) for name, each in shape.properties.items()]

    def see(self, record: Record) -> None:
        """Take what a memory has."""
        for field in self._fields:
            field.see(record)

    def finish(self, count: int, keys: set[str], notes: list[str]) -> tuple[Record, Report]:
        """The object, and what there is to say of it; Unfillable where something required has no value."""
        data: Record = {}
        lacking: list[str] = []
        gaps: list[Gap] = []
        for field in self._fields:
            value = field.settled()
            if value is _MISSING and not field.gaps:
                field.gaps[field.name, field.source.absent] += 1
            gaps += [Gap(path, why, times, _nearest(path, why, keys)) for (path, why), times in field.gaps.items()]
            if value is not _MISSING:
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
        problem = self._shape.problem(data) or self._root.problem(data)
        if problem is not None:
            raise Unfillable(f"what the memories say does not fit the schema: {problem}", report)
        return data, report


def extract(schema: Record, records: Iterable[Record], *, instructions: str | None = None) -> tuple[Record, Report]:
    """The export of `schema` from memories, oldest first, and what there is to say of it.

    Of a union of objects, the first that can be filled. Raises Unfillable where a required property has no value that
    fits, or the whole does not fit the schema.
    """
    root = Shape.of(schema)
    unions = [] if root.properties else root.branches
    fillings = [_Filling(each, root) for each in unions] or [_Filling(root, root)]
    count = 0
    keys: set[str] = set()
    for record in records:
        count += 1
        keys.update(record["metadata"] or ())
        for filling in fillings:
            filling.see(record)
    notes = []
    if instructions is not None:
        notes.append("export_instructions were not followed: that takes a language model, which this extractor is not")
    for filling in fillings[:-1]:
        try:
            return filling.finish(count, keys, notes)
        except Unfillable:
            continue
    return fillings[-1].finish(count, keys, notes)


def _nearest(path: str, reason: str, keys: set[str]) -> str | None:
    if reason != NO_SOURCE:
        return None  # the author said where to look
    name = path.rpartition(".")[2]
    others = sorted(key for key in keys if folded(key) != folded(name))
    close = difflib.get_close_matches(name, others, 1, 0.7)
    return close[0] if close else None


def _as_compared(value: Any) -> Any:
    """A value as JSON Schema compares it: 1.0 is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _misfit(value: Any, error: Mismatch) -> str:
    text = json.dumps(value, ensure_ascii=False)
    problem = str(error).removeprefix(text).strip()
    return f"{text if len(text) <= 60 else text[:59] + '…'} was left out, it {problem}"
