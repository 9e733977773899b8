"""Decide which metadata keys fill an object whose schema names no properties, such as that of `dict[str, Any]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.schemas.validate import validator
from mem0_exports_engine.extract.offline.mismatch import Mismatch


if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from mem0_exports_engine.extract.offline.fit import Shape

_DECLARING: Final = frozenset({"additionalProperties", "patternProperties", "propertyNames"})
"""The keywords that describe properties without naming them."""

_PATTERN: Final = 10
"""The steps of calling the validator for one pattern; see `work`."""

_MAX_KNOWN: Final = 10_000
"""The most names whose shapes are remembered. Memories repeat their keys, and there can be many patterns to try."""


class FreeNames:
    """The undeclared properties that an object may have: their names, their number, and the shape of each value."""

    def __init__(self, shape: Shape) -> None:
        patterns = shape.node.get("patternProperties", {})
        self._by_pattern = [
            (validator({"pattern": pattern}, linear=True), shape.part(schema)) for pattern, schema in patterns.items()
        ]
        # With patterns, other properties are allowed too, but nothing says that they are wanted.
        self._others = shape.free if "additionalProperties" in shape.node or not patterns else None
        names = shape.node.get("propertyNames")
        self._names = None if names is None else shape.part(names)
        self.limit: int | None = None if (limit := shape.node.get("maxProperties")) is None else int(limit)
        """The largest number of properties."""
        self._known: dict[str, Shape | None] = {}
        self._work = shape.work

    @classmethod
    def declared(cls, shape: Shape) -> FreeNames | None:
        """Return what a schema says about properties without naming them; None if it says nothing or allows none."""
        if not shape.node.keys() & _DECLARING:
            return None
        names = cls(shape)
        return names if names._others is not None or names._by_pattern else None

    def _shape_of(self, name: str) -> Shape | None:
        """Return the shape of the property of this name, or None if the object is not to have it."""
        if name not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[name] = self._decided(name)
        return self._known[name]

    def _decided(self, name: str) -> Shape | None:
        if self._names is not None and not self._names.accepts(name):
            return None
        return next((shape for pattern, shape in self._by_pattern if pattern.is_valid(name)), self._others)

    def wanted(self, metadata: dict[str, Any] | None) -> list[tuple[str, Any, Shape]]:
        """Return the name, value and shape of each metadata key that the object may have.

        Raises Mismatch if it would take too long to find out.
        """
        metadata = metadata or {}
        if not self._work.affords(self._steps(metadata.keys() - self._known.keys())):
            raise Mismatch("the memory has too many metadata keys for the propertyNames and patterns of this schema")
        return [(name, value, shape) for name, value in metadata.items() if (shape := self._shape_of(name)) is not None]

    def _steps(self, names: AbstractSet[str]) -> int:
        """Return the steps of deciding about these names."""
        if self._names is None and not self._by_pattern:
            return 0
        return self._work.steps(len(names), sum(map(len, names))) + _PATTERN * len(names) * len(self._by_pattern)
