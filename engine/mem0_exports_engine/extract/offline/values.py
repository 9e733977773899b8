"""Properties of the root that are filled with single values as the memories go by; `records` has the other kind."""

from __future__ import annotations

import json

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.extract.offline.fit import Mismatch, Shape
from mem0_exports_engine.extract.offline.lookup import Lookup, Record, first_fit, values


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mem0_exports_engine.extract.offline.lookup import Steps

MAX_TRACED: Final = 100
"""Memory ids kept per field in the report."""

_MAX_GAPS: Final = 100
"""Different things that the report says of one field."""


class Missing:
    """No memory says it."""


MISSING: Final = Missing()


class Field:
    """A property of the root."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.lookup = Lookup(name, shape)
        self.memory_ids: list[str] = []
        self.gaps: Counter[tuple[str, str]] = Counter()

    @property
    def fields(self) -> set[str]:
        """The own fields of memories that are looked at, metadata apart."""
        return self.lookup.fields

    def see(self, records: Sequence[Record], steps: Iterable[Steps]) -> None:
        """Take what the memories have for this property; `steps` say for each of them where that may be."""
        for record, each in zip(records, steps, strict=False):
            if not each:
                continue
            found = [each[0].take(record)] if len(each) == 1 else values(each, record)
            if found and found[0] is not None:
                self.take(found, record["id"])

    def take(self, found: list[Any], memory_id: str) -> None:
        """Take one of these values, the first that fits."""
        raise NotImplementedError

    def result(self) -> Any:
        """The value, or MISSING."""
        raise NotImplementedError

    def settled(self) -> Any:
        """The result, if the whole of it fits the property; a gap and MISSING otherwise."""
        value = self.result()
        if value is not MISSING and (problem := self.shape.problem(value)) is not None:
            self.note(self.name, f"what the memories say together does not fit: {problem}")
            self.memory_ids = []
            return MISSING
        return value

    def note(self, path: str, why: str, times: int = 1) -> None:
        """Note what was left out or stayed empty."""
        if (path, why) not in self.gaps and len(self.gaps) >= _MAX_GAPS:
            path, why = self.name, "more values and records were left out, for other reasons"
        self.gaps[path, why] += times

    def misfit(self, value: Any, error: Mismatch) -> None:
        """Note a value that was left out."""
        self.note(self.name, misfit(value, error))

    def trace(self, memory_id: str) -> None:
        """Note a memory that the value comes from."""
        if len(self.memory_ids) < MAX_TRACED:
            self.memory_ids.append(memory_id)


class Newest(Field):
    """The value of the newest memory that has one."""

    _value: Any = MISSING

    def take(self, found: list[Any], memory_id: str) -> None:
        """As `Field`."""
        try:
            self._value = first_fit(self.shape, found)
        except Mismatch as error:
            self.misfit(found[0], error)
        else:
            self.memory_ids = [memory_id]

    def result(self) -> Any:
        """As `Field`."""
        return self._value


class Count(Field):
    """How many memories there are."""

    _count = 0

    def see(self, records: Sequence[Record], steps: Iterable[Steps]) -> None:
        """As `Field`."""
        self.add(len(records))

    def add(self, more: int) -> None:
        """Count some more."""
        self._count += more

    def result(self) -> Any:
        """As `Field`."""
        try:
            return self.shape.fit(self._count)
        except Mismatch as error:
            self.misfit(self._count, error)
            return MISSING


class Distinct(Field):
    """The distinct values over all memories."""

    def __init__(self, name: str, shape: Shape) -> None:
        super().__init__(name, shape)
        self._item = shape.items
        self._values: dict[str, Any] = {}

    def take(self, found: list[Any], memory_id: str) -> None:
        """As `Field`."""
        value = found[0]
        if isinstance(value, str) and f"s{value}" in self._values:
            return  # as it is, and known
        for each in value if isinstance(value, list) else [value]:
            try:
                if "array" in self._item.kinds and not isinstance(each, list):
                    raise Mismatch("is no list, as each value of this list has to be")
                fitted = self._item.fit(each)
            except Mismatch as error:
                self.misfit(each, error)
                continue
            # No JSON begins with an s.
            key = f"s{fitted}" if isinstance(fitted, str) else json.dumps(_as_compared(fitted), sort_keys=True)
            if key not in self._values:
                self._values[key] = fitted
                self.trace(memory_id)

    def result(self) -> Any:
        """As `Field`."""
        return list(self._values.values()) or MISSING


def _as_compared(value: Any) -> Any:
    """A value as JSON Schema compares it: 1.0 is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def misfit(value: Any, error: Mismatch) -> str:
    """What is said of a value that was left out."""
    text = json.dumps(value, ensure_ascii=False)
    problem = str(error).removeprefix(text).strip()
    return f"{text if len(text) <= 60 else text[:59] + '…'} was left out, it {problem}"
