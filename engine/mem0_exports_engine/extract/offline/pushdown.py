"""Pushdown: lets the store write the records of a list, which is several times as fast as making them in Python.

That is done only where it gives the same: where each value stands at one known path, where no value can be nested deeper
than is checked, and where the memories have no lists, which would be records themselves. Another store may have no such
thing; then `MemoryBatch.written` is always None.
"""

from __future__ import annotations

import re

from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Sequence

    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.lookup import Lookup
    from mem0_exports_engine.ports import FieldPath

ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "$comment", "deprecated"})
"""Keywords that no value can violate."""

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
"""Own fields of memories that are texts, with the formats that they are known to have."""

_MAX_FAILURES: Final = 3
"""Batches that the database may write in vain: then the memories are not of the kind."""

_MAX_COLUMNS: Final = 50
"""Properties of a record that the database writes: SQLite takes up to 127 arguments of a function, two for each."""

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_ -]+")
"""Metadata keys that stand in a path of SQL as they are."""


class Pushdown:
    """How a store can write the records of one list."""

    def __init__(self, paths: dict[str, FieldPath], *, always_valid: bool) -> None:
        self.paths = paths
        """For each property of a record, where its value stands in a memory."""
        self.always_valid = always_valid
        """Whether whatever stands at these paths makes a valid record, so that nobody needs to look."""
        self._failures = 0

    @classmethod
    def of(cls, item: Shape, columns: Sequence[tuple[Lookup, Shape]]) -> Pushdown | None:
        """Return the pushdown for records of the shape `item`, or None where there cannot be one."""
        paths: dict[str, FieldPath] = {}
        if len(columns) > _MAX_COLUMNS:
            return None
        for lookup, shape in columns:
            path = lookup.path
            scalar = shape.kinds and not shape.kinds & {"object", "array"}
            if path is None or not (scalar or path.own == "categories"):
                return None  # what is nested may be so deeper than is checked
            if path.key is not None and not _PLAIN_KEY.fullmatch(path.key):
                return None
            paths[lookup.name] = path
        return cls(paths, always_valid=_is_always_valid(item, columns, paths)) if paths else None

    def gives_up(self) -> bool:
        """Note that the store has written a batch in vain; return whether to stop trying."""
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
    """Whether every value that the own field of a memory can have is valid by `shape`."""
    node = shape.node
    if shape.hidden - ANNOTATIONS:
        return False
    said = node.keys() - ANNOTATIONS - {"x-mem0-source"}
    if field == "categories":
        items = shape.items
        return (
            shape.kinds == {"array"} and said == {"type", "items"} and items.kinds == {"string"} and not items.hidden
            and not items.node.keys() - ANNOTATIONS - {"type"}
        )  # fmt: skip
    if field not in _TEXTS:
        return False  # metadata may be nested deeper than is checked
    return "string" in shape.kinds and said <= {"type", "format"} and node.get("format") in _TEXTS[field]
