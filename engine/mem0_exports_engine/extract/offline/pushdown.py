"""Pushdown: let the store write the records of a list as JSON, several times faster than building them in Python.

A pushed-down batch must give exactly the records and gaps that the extractor would have made from the same memories.
Pushdown is therefore used only if

- every property has one known path, at which its value is found if the memory has a value;
- every property is a scalar, or `categories`, so that no value can be nested deeper than is allowed;
- no memory of the batch has a list in its metadata, since its items could be the records;
- the records are valid as they are, so that no value has to be converted or left out.

If any of these does not hold for a batch, it is read as records instead. A store that cannot write JSON returns None
from `MemoryBatch.written`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Sequence

    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.lookup import Lookup
    from mem0_exports_engine.ports import FieldPath

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
"""Pushdown is no longer tried after so many batches for which it was not possible: later batches would be alike."""


class Pushdown:
    """Describes how a store can write the records of one list."""

    def __init__(self, paths: dict[str, FieldPath], *, always_valid: bool) -> None:
        self.paths = paths
        """For each property of a record, where memories have its value."""
        self.always_valid = always_valid
        """Whether any values at these paths make a valid record, so that records need no validation."""
        self._failures = 0

    @classmethod
    def of(cls, item: Shape, columns: Sequence[tuple[Lookup, Shape]]) -> Pushdown | None:
        """Return the pushdown for records of the shape `item`, or None if it would not be exact."""
        paths: dict[str, FieldPath] = {}
        for lookup, shape in columns:
            path = lookup.path
            if path is None or not (shape.is_plain_scalar or path.own == "categories"):
                return None  # the value could be nested deeper than `Shape.fit` allows
            paths[lookup.name] = path
        return cls(paths, always_valid=_is_always_valid(item, columns, paths)) if paths else None

    def gives_up(self) -> bool:
        """Count a batch that could not be used, and return whether to stop trying."""
        self._failures += 1
        return self._failures >= _MAX_FAILURES


def _is_always_valid(item: Shape, columns: Sequence[tuple[Lookup, Shape]], paths: dict[str, FieldPath]) -> bool:
    simple = {"type", "properties", "required", "additionalProperties", "$defs", "$ref"}
    if (
        item.node.keys() - ANNOTATIONS - simple
        or item.hidden - ANNOTATIONS
        or item.required - paths.keys()
        or item.kinds != {"object"}
    ):
        return False
    own_fields = [(paths[lookup.name].own, shape) for lookup, shape in columns]
    return all(field is not None and _always_fits(field, shape) for field, shape in own_fields)


def _always_fits(field: str, shape: Shape) -> bool:
    """Return whether every value that this field of a memory can have is valid in `shape`."""
    node = shape.node
    if shape.hidden - ANNOTATIONS:
        return False
    keywords = node.keys() - ANNOTATIONS - {"x-mem0-source"}
    if field == "categories":
        items = shape.items
        return (
            shape.kinds == {"array"} and keywords == {"type", "items"} and items.kinds == {"string"} and not items.hidden
            and not items.node.keys() - ANNOTATIONS - {"type"}
        )  # fmt: skip
    if field not in _TEXTS:
        return False  # metadata could be nested deeper than `Shape.fit` allows
    return "string" in shape.kinds and keywords <= {"type", "format"} and node.get("format") in _TEXTS[field]
