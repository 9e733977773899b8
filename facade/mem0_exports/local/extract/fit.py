"""Fits a value to a JSON Schema without losing or adding anything, or says why it does not fit.

"79" fits an integer as 79, 79 fits a string as "79", "true" a boolean; "about 80" fits no number. A value that is
already valid stays as it is. Nothing is rounded, cut or guessed.
"""

from __future__ import annotations

import json
import math
import re

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mem0_exports._json_schema import check, validator


if TYPE_CHECKING:
    import jsonschema_rs


class Mismatch(ValueError):
    """A value that does not fit; the text says why."""


_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


def check_schema(schema: dict[str, Any]) -> None:
    """Unusable where no export can be made with `schema`."""
    check(schema, linear=True)


class Shape:
    """A part of a schema, with its references resolved and its nulls set apart."""

    def __init__(self, schema: Any, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self.written = schema
        node, self.nullable = _without_null(_resolved(schema, definitions), definitions)
        self.node: dict[str, Any] = node if isinstance(node, dict) else {}

    @cached_property
    def kinds(self) -> set[str]:
        """The types that the schema names; empty where it names none."""
        kinds = self.node.get("type", [])
        return {kinds} if isinstance(kinds, str) else set(kinds)

    @property
    def has_default(self) -> bool:
        """Whether the type fills a missing value itself."""
        return isinstance(self.written, dict) and "default" in self.written

    @cached_property
    def properties(self) -> dict[str, Shape]:
        """The declared properties of an object."""
        declared = self.node.get("properties", {})
        return {name: Shape(schema, self._definitions) for name, schema in declared.items()}

    @cached_property
    def required(self) -> set[str]:
        """The names of required properties."""
        return set(self.node.get("required", ()))

    @cached_property
    def items(self) -> Shape:
        """The items of an array."""
        return Shape(self.node.get("items", {}), self._definitions)

    @cached_property
    def branches(self) -> list[Shape]:
        """The alternatives of a union."""
        return [Shape(each, self._definitions) for key in ("anyOf", "oneOf") for each in self.node.get(key, ())]

    @cached_property
    def _validator(self) -> jsonschema_rs.Validator:
        return validator(self._with_definitions(self.written), linear=True)

    def _with_definitions(self, schema: Any) -> Any:
        return {**schema, "$defs": self._definitions} if isinstance(schema, dict) and self._definitions else schema

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        return _first(self._validator, value)

    def fit(self, value: Any) -> Any:
        """`value`, or the value of this shape that says the same; Mismatch where there is none."""
        problem = self.problem(value)
        if problem is None and not (isinstance(value, dict) and self._renames(value)):
            return value
        for candidate in self._candidates(value):
            if self.problem(candidate) is None:
                return candidate
        if problem is None:
            return value
        if self.nullable:  # "not of type integer" says more than "not valid under any of two schemas"
            problem = _first(validator(self._with_definitions(self.node), linear=True), value) or problem
        raise Mismatch(problem)

    def _candidates(self, value: Any) -> list[Any]:
        """What `value` may be written as in this shape."""
        for branch in self.branches:
            try:
                return [branch.fit(value)]
            except Mismatch:
                continue
        if isinstance(value, dict):
            return self._objects(value)
        if isinstance(value, list):
            return [self._list(value)] if "items" in self.node else []
        if "array" in self.kinds:
            return [self._list([value])]
        return [*_written_as(value, self.kinds), *self._choices(value)]

    def _renames(self, value: dict[str, Any]) -> dict[str, str]:
        """Declared names that `value` lacks, each with the one key of `value` that is the same name otherwise spelled."""
        found: dict[str, str] = {}
        for name in self.properties.keys() - value.keys():
            alike = [key for key in value if folded(key) == folded(name) and key not in self.properties]
            if len(alike) == 1:
                found[name] = alike[0]
        return found

    def _objects(self, value: dict[str, Any]) -> list[dict[str, Any]]:
        """`value` with declared names and fitted values: with its other keys, and without them."""
        renames = self._renames(value)
        declared = {
            name: shape.fit(value[renames.get(name, name)])
            for name, shape in self.properties.items()
            if renames.get(name, name) in value
        }
        others = {key: each for key, each in value.items() if key not in declared and key not in renames.values()}
        return [{**declared, **others}, declared] if self.properties else []

    def _list(self, value: list[Any]) -> list[Any]:
        items = self.items
        return [items.fit(each) for each in value]

    def _choices(self, value: Any) -> list[Any]:
        """The one enum member that is spelled like `value` but for case, spaces and underscores."""
        if not isinstance(value, str):
            return []
        alike = [each for each in self.node.get("enum", ()) if isinstance(each, str) and folded(each) == folded(value)]
        return alike if len(alike) == 1 else []


def _first(checker: jsonschema_rs.Validator, value: Any) -> str | None:
    """The first thing that is wrong with `value`, and where in it."""
    for error in checker.iter_errors(value):
        at = "/".join(map(str, error.instance_path))
        return f"{at}: {error.message[:200]}" if at else error.message[:200]
    return None


def _written_as(value: Any, kinds: set[str]) -> list[Any]:
    """A scalar in other types, where nothing is lost."""
    if isinstance(value, str):
        found: list[Any] = []
        text = value.strip()
        if "integer" in kinds and _INTEGER.fullmatch(text):
            found.append(int(text))
        if "number" in kinds and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
            found.append(int(text) if _INTEGER.fullmatch(text) else float(text))
        if "boolean" in kinds and text.casefold() in {"true", "false"}:
            found.append(text.casefold() == "true")
        return found
    if "string" in kinds and isinstance(value, bool | int | float):
        return [json.dumps(value)]
    return []


def folded(name: str) -> str:
    """A name without what naming styles differ in: case, underscores, hyphens, spaces."""
    return re.sub(r"[_\-\s]", "", name).casefold()


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    """`schema` behind its local references; siblings of $ref stay."""
    for _ in range(32):  # a chain of references that is longer is a loop
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            return schema
        reference = schema["$ref"]
        target = definitions.get(reference.removeprefix("#/$defs/")) if reference.startswith("#/$defs/") else None
        if not isinstance(target, dict):
            return schema
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return {}


def _without_null(schema: Any, definitions: dict[str, Any]) -> tuple[Any, bool]:
    """`schema` less its null alternative, and whether it had one."""
    if not isinstance(schema, dict):
        return schema, False
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        return {**schema, "type": [kind for kind in kinds if kind != "null"]}, True
    if kinds == "null":
        return schema, True
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key)
        if not isinstance(branches, list) or {"type": "null"} not in branches:
            continue
        others = [each for each in branches if each != {"type": "null"}]
        rest = {name: value for name, value in schema.items() if name != key}
        if len(others) == 1 and isinstance(others[0], dict):
            return _resolved({**rest, **others[0]}, definitions), True
        return {**rest, key: others}, True
    return schema, False
