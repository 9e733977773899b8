"""Looks a property up in a memory.

Where its value comes from, in this order:

0. what an annotation of the schema says (`mem0_exports.schemas.annotations`), and then nothing else;
1. the memory's own field of that name: id, memory, user_id, agent_id, app_id, run_id, metadata, categories, created_at,
   updated_at, expiration_date;
2. the metadata key of that name;
3. another common name of an own field: text and content (memory), session_id (run_id), timestamp (created_at),
   tags (categories), memory_id (id).

Names are equal when they differ only in case, underscores, hyphens and spaces. A value that does not fit gives way to
the next source.
"""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 -- a NamedTuple's
from functools import cached_property, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from mem0_exports.schemas.annotations import MEMORY_FIELDS, source_of
from mem0_exports_engine.extract.offline.fit import Mismatch, folded
from mem0_exports_engine.ports import FieldPath


if TYPE_CHECKING:
    from collections.abc import Sequence

    from mem0_exports_engine.extract.offline.fit import Shape

Record: TypeAlias = dict[str, Any]


class Step(NamedTuple):
    """One look into a memory. What it finds may be None, which is nothing."""

    take: Callable[[Record], Any]
    path: FieldPath | None = None
    """Where it looks; None where that is more than one field."""


Steps: TypeAlias = tuple[Step, ...]
"""Where to look, the first choice first."""

NO_SOURCE: Final = "no field and no metadata key of this name"

_OWN: Final = {folded(name): name for name in MEMORY_FIELDS}
_ALSO: Final = {
    folded(alias): name
    for alias, name in {
        "text": "memory",
        "content": "memory",
        "session_id": "run_id",
        "timestamp": "created_at",
        "tags": "categories",
        "memory_id": "id",
    }.items()
}


class Lookup:
    """Where the value of a property is looked up."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.annotation = source_of(shape.node) or source_of(shape.items.node)
        self._folded = folded(name)
        self._own = _OWN.get(self._folded)
        self._also = _ALSO.get(self._folded)

    @property
    def absent(self) -> str:
        """Why there is no value, where no memory has one."""
        return NO_SOURCE if self.annotation is None else f"no memory has {self.annotation}"

    @property
    def path(self) -> FieldPath | None:
        """Where a memory that has the value under the very name has it; None where that is more than one field."""
        if self.annotation is not None:
            kind, name = self.annotation
            return FieldPath(own=name) if kind == "memory" else FieldPath(key=name) if kind == "metadata" else None
        return FieldPath(key=self.name) if self._own is None else FieldPath(own=self._own)

    @property
    def fields(self) -> set[str]:
        """The own fields of memories that are looked at, metadata apart."""
        if self.annotation is None:
            return {field for field in (self._own, self._also) if field is not None}
        kind, name = self.annotation
        return {"memory": {name}, "category": {"memory", "categories"}}.get(kind, set())

    def steps(self, keys: tuple[str, ...]) -> Steps:
        """Where to look in a memory whose metadata have these keys."""
        if self.annotation is not None:
            kind, name = self.annotation
            if kind == "memory":
                return (_own_field(name),)
            if kind == "metadata":
                return (_metadata_key(name),) if name in keys else ()
            # A count is of no single memory.
            return (Step(partial(_text_of_category, name.casefold())),) if kind == "category" else ()
        alike = [key for key in keys if folded(key) == self._folded]
        key = self.name if self.name in keys else alike[0] if len(alike) == 1 else None
        found = [_own_field(self._own)] if self._own is not None else []
        found += [_metadata_key(key)] if key is not None else []
        found += [_own_field(self._also)] if self._also is not None else []
        return tuple(found)


def _own_field(name: str) -> Step:
    return Step(itemgetter(name), FieldPath(own=name))


def _metadata_key(key: str) -> Step:
    return Step(lambda record: record["metadata"][key], FieldPath(key=key))


def _text_of_category(name: str, record: Record) -> Any:
    return record["memory"] if any(each.casefold() == name for each in record["categories"] or ()) else None


class Plan:
    """Where several lookups look in memories whose metadata have the same keys."""

    def __init__(self, lookups: Sequence[Lookup], keys: tuple[str, ...]) -> None:
        self.steps = [lookup.steps(keys) for lookup in lookups]
        """For each lookup, where to look."""
        self.empty = [index for index, steps in enumerate(self.steps) if not steps]
        """The lookups that find nothing in these memories."""
        self.names = [lookup.name for lookup, steps in zip(lookups, self.steps, strict=True) if steps]
        """The names of the others."""

    @cached_property
    def first_values(self) -> Callable[[Record], tuple[Any, ...]] | None:
        """Gives the first choice for each of `names` at once; None where one of them is a category."""
        paths = [steps[0].path for steps in self.steps if steps]
        if None in paths:
            return None
        # All own fields are taken at once, and all metadata, and then put into the order of the names.
        take_own = _taker([path.own for path in paths if path is not None and path.own is not None])
        take_metadata = _taker([path.key for path in paths if path is not None and path.own is None])
        taken = sorted(range(len(paths)), key=lambda index: paths[index].own is None)  # type: ignore[union-attr]
        arrange = _taker([taken.index(index) for index in range(len(paths))])

        def first_values(record: Record) -> tuple[Any, ...]:
            return arrange(take_own(record) + take_metadata(record["metadata"]))

        return first_values


def _taker(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Takes these out of a mapping or a tuple."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return (lambda given: (given[keys[0]],)) if keys else (lambda _given: ())


class Plans:
    """The plans for all kinds of memories, made as they come."""

    _max_known = 1000

    def __init__(self, lookups: Sequence[Lookup]) -> None:
        self._lookups = lookups
        self._known: dict[tuple[str, ...], Plan] = {}
        self.keys: set[str] = set()
        """Metadata keys that there are, or many of them."""

    def of(self, record: Record) -> Plan:
        """The plan for a memory."""
        keys = tuple(record["metadata"] or ())
        found = self._known.get(keys)
        if found is None:
            if len(self._known) >= self._max_known:
                self._known.clear()
            if len(self.keys) < 10 * self._max_known:
                self.keys.update(keys)
            found = self._known[keys] = Plan(self._lookups, keys)
        return found


def values(steps: Steps, record: Record) -> list[Any]:
    """What the memory has, the first choice first."""
    return [value for step in steps if (value := step.take(record)) is not None]


def first_fit(shape: Shape, values: list[Any]) -> Any:
    """The first of the values that fits; the Mismatch of the first where none does."""
    mismatch: Mismatch | None = None
    for value in values:
        try:
            return shape.fit(value)
        except Mismatch as error:
            mismatch = mismatch or error
    raise mismatch or Mismatch("there is no value")
