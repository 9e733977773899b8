"""Looks a property up in a memory.

Where its value comes from, in this order:

0. what an annotation of the schema says (`mem0_exports.sources`), and then nothing else;
1. the memory's own field of that name: id, memory, user_id, agent_id, app_id, run_id, metadata, categories, created_at,
   updated_at, expiration_date;
2. the metadata key of that name;
3. another common name of an own field: text and content (memory), session_id (run_id), timestamp (created_at),
   tags (categories), memory_id (id).

Names are equal when they differ only in case, underscores, hyphens and spaces. A value that does not fit gives way to
the next source.
"""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mem0_exports.local.extract.fit import Mismatch, folded
from mem0_exports.sources import MEMORY_FIELDS, source_of


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mem0_exports.local.extract.fit import Shape

Record: TypeAlias = dict[str, Any]

Steps: TypeAlias = "tuple[Callable[[Record], Any], ...]"
"""Where to look in a memory, the first choice first. What is found there may be None, which is nothing."""

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
        self.said = source_of(shape.node) or source_of(shape.items.node)
        self._folded = folded(name)
        self._own = _OWN.get(self._folded)
        self._also = _ALSO.get(self._folded)

    @property
    def absent(self) -> str:
        """Why there is no value, where no memory has one."""
        return NO_SOURCE if self.said is None else f"no memory has {self.said}"

    @property
    def own_field(self) -> str | None:
        """The own field of a memory that the value comes from, where it has one."""
        if self.said is None:
            return self._own
        return self.said.name if self.said.kind == "memory" else None

    def steps(self, keys: tuple[str, ...]) -> Steps:
        """Where to look in a memory whose metadata have these keys."""
        if self.said is not None:
            kind, name = self.said
            if kind == "memory":
                return (itemgetter(name),)
            if kind == "metadata":
                return (partial(_in_metadata, name),) if name in keys else ()
            # A count is of no single memory.
            return (partial(_text_of_category, name.casefold()),) if kind == "category" else ()
        alike = [key for key in keys if folded(key) == self._folded]
        key = self.name if self.name in keys else alike[0] if len(alike) == 1 else None
        found: list[Callable[[Record], Any]] = []
        if self._own is not None:
            found.append(itemgetter(self._own))
        if key is not None:
            found.append(partial(_in_metadata, key))
        if self._also is not None:
            found.append(itemgetter(self._also))
        return tuple(found)


def _in_metadata(key: str, record: Record) -> Any:
    return record["metadata"][key]


def _text_of_category(name: str, record: Record) -> Any:
    return record["memory"] if any(each.casefold() == name for each in record["categories"] or ()) else None


class Plans:
    """The steps of several lookups, worked out once for all memories whose metadata have the same keys."""

    _most = 1000

    def __init__(self, lookups: Sequence[Lookup]) -> None:
        self._lookups = lookups
        self._known: dict[tuple[str, ...], list[Steps]] = {}
        self.keys: set[str] = set()
        """Metadata keys that there are, or many of them."""

    def steps(self, record: Record) -> list[Steps]:
        """For each lookup, where to look in this memory."""
        keys = tuple(record["metadata"] or ())
        found = self._known.get(keys)
        if found is None:
            if len(self._known) >= self._most:
                self._known.clear()
            if len(self.keys) < 10 * self._most:
                self.keys.update(keys)
            found = self._known[keys] = [lookup.steps(keys) for lookup in self._lookups]
        return found


def values(steps: Steps, record: Record) -> list[Any]:
    """What the memory has, the first choice first."""
    return [value for step in steps if (value := step(record)) is not None]


def first_fit(shape: Shape, values: list[Any]) -> Any:
    """The first of the values that fits; the Mismatch of the first where none does."""
    mismatch: Mismatch | None = None
    for value in values:
        try:
            return shape.fit(value)
        except Mismatch as error:
            mismatch = mismatch or error
    raise mismatch or Mismatch("there is no value")
