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

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.local.extract.fit import Mismatch, folded
from mem0_exports.sources import MEMORY_FIELDS, source_of


if TYPE_CHECKING:
    from mem0_exports.local.extract.fit import Shape

Record = dict[str, Any]

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

    def values(self, record: Record) -> list[Any]:
        """What the memory has, the first choice first. A null is nothing."""
        found = self._by_name(record) if self.said is None else [self._as_said(record, *self.said)]
        return [value for value in found if value is not None]

    def _as_said(self, record: Record, kind: str, name: str) -> Any:
        if kind == "metadata":
            return (record["metadata"] or {}).get(name)
        if kind == "memory":
            return record.get(name)
        if kind == "category":
            fits = any(each.casefold() == name.casefold() for each in record["categories"] or ())
            return record["memory"] if fits else None
        return None  # a count is of no single memory

    def _by_name(self, record: Record) -> list[Any]:
        metadata = record["metadata"] or {}
        alike = [key for key in metadata if folded(key) == self._folded]
        key = self.name if self.name in metadata else alike[0] if len(alike) == 1 else None
        return [
            record.get(self._own) if self._own else None,
            None if key is None else metadata[key],
            record.get(self._also) if self._also else None,
        ]


def first_fit(shape: Shape, values: list[Any]) -> Any:
    """The first of the values that fits; the Mismatch of the first where none does."""
    mismatch: Mismatch | None = None
    for value in values:
        try:
            return shape.fit(value)
        except Mismatch as error:
            mismatch = mismatch or error
    raise mismatch or Mismatch("there is no value")
