"""Fill top-level properties with values. Lists of records are in `records`."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any, Final

import attrs

from mem0_exports_engine.extract.offline.lookup import Lookup, first_fit, values
from mem0_exports_engine.extract.offline.mismatch import Mismatch
from mem0_exports_engine.extract.offline.work import ITEM, TooMuch, size_of
from mem0_exports_engine.limits import MAX_STEPS


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.lookup import Steps
    from mem0_exports_engine.extract.offline.memories import Keys, Memories

MAX_TRACED: Final = 100
"""The most memory ids per field in the report. If there are many fields, each has fewer."""

_MAX_GAPS: Final = 100
"""The most different gaps per field in the report. If there are many fields, each has fewer."""

MAX_OF_ALL: Final = 5000
"""The most memory ids in the report, and the most different gaps, unless there are more fields than that."""

_MAX_EXAMPLE: Final = 60
"""The most characters of a value in the report."""


def shown(value: Any) -> str:
    """Return a value as short JSON text for the report."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > _MAX_EXAMPLE:
            return f"{text[: _MAX_EXAMPLE - 1]}…"
    return text


def _pieces(value: Any) -> Iterator[str]:
    """Iterate over pieces of the JSON text of a value. A string that is too long to be shown is cut."""
    if isinstance(value, dict | list) and value:
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        pairs = (
            ((f"{_scalar(key)}: ", value[key]) for key in value)
            if isinstance(value, dict)
            else (("", item) for item in value)
        )
        for number, (name, item) in enumerate(pairs):
            yield f"{', ' if number else opening}{name}"
            yield from _pieces(item)
        yield closing
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:
    shown = value[: _MAX_EXAMPLE + 1] if isinstance(value, str) else value
    return json.dumps(shown, ensure_ascii=False)


@attrs.define(slots=True)
class Noted:
    """A gap, while it is counted."""

    path: str
    why: str
    example: str | None
    times: int

    def reason(self, why: str) -> str:
        """Return the sentence for the report. `why` is the final reason."""
        if self.example is None:
            return why
        others = self.times - 1
        also = "" if not others else ", and 1 other value too" if others == 1 else f", and {others} other values too"
        return f"{self.example} was left out{also}: {why}"


class Missing:
    """The type of MISSING."""


MISSING: Final = Missing()
"""Means that there is no value. None cannot be used for this, because null can be a value."""


class Field:
    """A top-level property. It sees every memory once, oldest first, and collects its value."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.lookup = Lookup(name, shape)
        self.memory_ids: list[str] = []
        self.gaps: dict[tuple[str, str], Noted] = {}
        """The gaps by their path and cause, so that values with one cause make one gap."""
        self.max_traced = MAX_TRACED
        self.max_gaps = _MAX_GAPS
        self.held = 0
        """About how many bytes the collected values take."""
        self.left_out = 0
        """How many records of a list were left out although they had some value."""

    @property
    def fields(self) -> set[str]:
        """The fields of memories that have to be read, except metadata."""
        return self.lookup.fields

    def see(self, memories: Memories, steps: Mapping[Keys, Steps]) -> None:
        """Collect the values of these memories. `steps` has the places to look for each kind of metadata."""
        if not any(steps.values()):
            return
        for record, keys in zip(memories.records, memories.keys, strict=True):
            record_steps = steps[keys]
            if not record_steps:
                continue
            self.shape.work.begin(record["id"])
            candidates = [record_steps[0].take(record)] if len(record_steps) == 1 else values(record_steps, record)
            if candidates and candidates[0] is not None:
                self.take(candidates, record["id"])

    def take(self, candidates: list[Any], memory_id: str) -> None:
        """Collect the value of one memory: the first of the candidates that fits."""
        raise NotImplementedError

    def result(self) -> Any:
        """Return the collected value, or MISSING."""
        raise NotImplementedError

    def settled(self) -> Any:
        """Return the result if it matches the property's schema. Otherwise report a gap and return MISSING."""
        value = self.result()
        if value is not MISSING and self.shape.work.steps_for(value) > MAX_STEPS:
            self.note(self.name, "the value collected from all memories is too large to be checked against this schema")
            self.memory_ids = []
            return MISSING
        if value is not MISSING and (problem := self.shape.problem(value)) is not None:
            self.note(self.name, f"the value collected from all memories does not match the schema: {problem}")
            self.memory_ids = []
            return MISSING
        return value

    def note(
        self, path: str, why: str, times: int = 1, *, cause: str | None = None, example: str | None = None
    ) -> None:
        """Report a gap: a field that stayed empty, or a value or record that was left out.

        Args:
            path: the field, such as `age` or `items[].age`.
            why: the reason.
            times: how often it happened.
            cause: what is the same for all gaps that are counted together. Default: the reason.
            example: the value that was left out, as JSON text. The report shows the first one for each cause, which
                does not depend on where a batch of memories ends.

        """
        key = (path, cause or why)
        if key not in self.gaps and len(self.gaps) >= self.max_gaps:
            why, example = "more values or records were left out, for other reasons", None
            key = (self.name, why)
        noted = self.gaps.get(key)
        if noted is None:
            self.gaps[key] = Noted(key[0], why, example, times)
        else:
            noted.times += times

    def sorted_gaps(self) -> list[Noted]:
        """Return the gaps in an order that does not depend on where a batch of memories ends."""
        return sorted(self.gaps.values(), key=lambda noted: (self.position(noted.path), noted.why))

    def position(self, path: str) -> int:
        """Return the place of a path among the gaps of this property."""
        return 0

    def lookup_of(self, path: str) -> Lookup:
        """Return the lookup of the property at the path of a gap."""
        return self.lookup

    def misfit(self, value: Any, error: Mismatch, path: str | None = None) -> None:
        """Report a value that was left out. `path` is the field that it was for, if that is not this property."""
        path, cause = path or self.name, f"misfit {error.cause}"
        noted = self.gaps.get((path, cause))
        if noted is not None:  # the report shows only the first value
            noted.times += 1
        else:
            self.note(path, str(error), cause=cause, example=shown(value))

    def trace(self, memory_id: str) -> None:
        """Record that the value comes from this memory."""
        if len(self.memory_ids) < self.max_traced:
            self.memory_ids.append(memory_id)


def share_the_report(fields: Sequence[Field]) -> None:
    """Limit what each of the fields of an object reports, so that the report does not become too long."""
    for field in fields:
        field.max_traced = min(MAX_TRACED, max(1, MAX_OF_ALL // len(fields)))
        field.max_gaps = min(_MAX_GAPS, max(1, MAX_OF_ALL // len(fields)))


class Newest(Field):
    """Keep the value of the newest memory whose value fits."""

    _value: Any = MISSING

    def take(self, candidates: list[Any], memory_id: str) -> None:
        """See `Field.take`. Memories come oldest first, so a later value replaces an earlier one."""
        try:
            self._value = first_fit(self.shape, candidates)
        except Mismatch as error:
            self.misfit(candidates[0], error)
        else:
            self.memory_ids = [memory_id]
            self.held = size_of(self._value)

    def result(self) -> Any:
        """See `Field.result`."""
        return self._value


class Count(Field):
    """Count the memories."""

    _count = 0

    def see(self, memories: Memories, steps: Mapping[Keys, Steps]) -> None:
        """See `Field.see`."""
        self.add(len(memories.keys))

    def add(self, more: int) -> None:
        """Count this many more memories."""
        self._count += more

    def result(self) -> Any:
        """See `Field.result`."""
        try:
            return self.shape.fit(self._count)
        except Mismatch as error:
            self.misfit(self._count, error)
            return MISSING


class Distinct(Field):
    """Collect the distinct values of all memories, in the order in which they first appear."""

    def __init__(self, name: str, shape: Shape) -> None:
        super().__init__(name, shape)
        self._item = shape.items
        self._values: dict[str, Any] = {}

    def take(self, candidates: list[Any], memory_id: str) -> None:
        """See `Field.take`. A list adds each of its items; only the first candidate counts."""
        value = candidates[0]
        if isinstance(value, str) and f"s{value}" in self._values:
            return  # a shortcut: this string is valid unchanged and already collected
        items = value if isinstance(value, list) else [value]
        if not self.shape.work.affords(ITEM * len(items)):
            self.misfit(value, Mismatch(TooMuch.reason))
            return
        for item in items:
            try:
                if "array" in self._item.kinds and not isinstance(item, list):
                    raise Mismatch("it must be a list, because the items of this array are lists")
                fitted = self._item.fit(item)
            except Mismatch as error:
                self.misfit(item, error)
                continue
            # The prefix keeps strings apart from other values: no JSON text begins with an s.
            key = f"s{fitted}" if isinstance(fitted, str) else json.dumps(_as_compared(fitted), sort_keys=True)
            if key not in self._values:
                self._values[key] = fitted
                self.held += 2 * size_of(fitted)
                self.trace(memory_id)

    def result(self) -> Any:
        """See `Field.result`."""
        return list(self._values.values()) or MISSING


def _as_compared(value: Any) -> Any:
    """Return a value as JSON Schema compares it: 1.0 equals 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
