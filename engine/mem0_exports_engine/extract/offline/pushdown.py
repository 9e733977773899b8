"""Pushdown: let the store write the records of a list as JSON, faster than any record can be built in Python.

It is possible only for records whose types alone say that they are valid, which is decided once, from the schema: each
property is a field that memories have themselves, such as `memory` or `created_at`, and any value of that field matches.

The store writes a batch only if every memory has a value for each property, and none can have a list of records. Other
batches are read as records, and so are all if a store cannot write JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Sequence

    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.lookup import Lookup
    from mem0_exports_engine.ports import MemoryBatch

ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "$comment", "deprecated"})
"""Keywords that do not restrict values."""

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
"""The fields of memories that are strings, with the values of `format` that they always satisfy."""

_MAX_FAILURES: Final = 3
"""The store is no longer asked after so many batches that it could not write: later ones are likely to be alike."""


class Pushdown:
    """Lets a store write the records of one list."""

    def __init__(self, fields: dict[str, str]) -> None:
        """Create it. `fields` has the field of memories for each property of a record."""
        self._fields = fields
        self._failures = 0

    @classmethod
    def of(cls, item: Shape, lookups: Sequence[Lookup], shapes: Sequence[Shape]) -> Pushdown | None:
        """Return the pushdown for records of the shape `item`, or None if some of them might be invalid.

        `lookups` and `shapes` are those of their properties.
        """
        fields: dict[str, str] = {}
        for lookup, shape in zip(lookups, shapes, strict=True):
            field = lookup.own_field
            if field is None or not _always_fits(field, shape):
                return None
            fields[lookup.name] = field
        simple = {"type", "properties", "required", "additionalProperties", "$defs", "$ref"}
        if (
            item.node.keys() - ANNOTATIONS - simple
            or item.hidden - ANNOTATIONS
            or item.required - fields.keys()
            or item.kinds != {"object"}
        ):
            return None
        return cls(fields)

    def text_of(self, batch: MemoryBatch) -> str | None:
        """Return the records of a batch as JSON objects separated by commas, or None if the store cannot write them."""
        if self._failures >= _MAX_FAILURES:
            return None
        text = batch.written(self._fields)
        self._failures += text is None
        return text


def _always_fits(field: str, shape: Shape) -> bool:
    """Return whether every value that this field of a memory can have is valid in `shape`."""
    node = shape.node
    if shape.hidden - ANNOTATIONS:
        return False
    keywords = node.keys() - ANNOTATIONS - {"x-mem0-source", "x-mem0-names"}
    if field == "categories":
        items = shape.items
        return (
            shape.kinds == {"array"} and keywords == {"type", "items"} and items.kinds == {"string"} and not items.hidden
            and not items.node.keys() - ANNOTATIONS - {"type"}
        )  # fmt: skip
    if field not in _TEXTS:
        return False  # metadata can have any value
    return "string" in shape.kinds and keywords <= {"type", "format"} and node.get("format") in _TEXTS[field]
