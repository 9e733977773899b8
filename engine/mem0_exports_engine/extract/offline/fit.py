"""Fits a value to a JSON Schema without losing or adding anything, or says why it does not fit.

"79" fits an integer as 79, 79 fits a string as "79", "true" a boolean; "about 80" fits no number. A value that is
already valid stays as it is. Nothing is rounded, cut or guessed.
"""

from __future__ import annotations

import json
import math
import re

from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.schemas.cost import max_value_depth
from mem0_exports.schemas.validate import validator, validator_map
from mem0_exports.strict_json import follow
from mem0_exports.strict_json import pointer as pointer_of


if TYPE_CHECKING:
    import jsonschema_rs


class Mismatch(ValueError):
    """A value that does not fit; the text says why."""


_MAX_REMEMBERED: Final = 100
"""Characters of a text whose fitting is remembered."""

_MAX_KNOWN: Final = 1000
"""Values of one shape whose fitting is remembered."""

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


class _Document:
    """A whole schema. Each part is validated where it stands, so that its draft, its ids and its references hold."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.max_depth = max_value_depth(schema)
        self._validators = validator_map(schema)

    def validator(self, pointer: str, schema: Any) -> jsonschema_rs.Validator:
        """Return the validator of the part `schema`, which stands at `pointer`."""
        return self._validators.get(pointer) or validator(schema, linear=True)


class Shape:
    """A part of a schema, with its references resolved and its null alternative set apart."""

    def __init__(self, document: _Document, pointer: str, schema: Any) -> None:
        self._document = document
        self._pointer = pointer
        self._schema = schema
        node, self._pointers, hidden = _resolved(document, schema, pointer)
        self.node, self._inner, more_hidden = _without_null(document, node, self._pointers)
        self.hidden = hidden | more_hidden
        """Keywords that are written twice, differently, of which `node` has one; only a validator knows both."""
        self._known: dict[tuple[type, str | int], tuple[Any] | Mismatch] = {}

    @classmethod
    def of(cls, schema: dict[str, Any]) -> Shape:
        """The shape of a whole schema."""
        return cls(_Document(schema), "#", schema)

    def _part(self, key: str, schema: Any, *names: str | int) -> Shape:
        """The shape of what stands below the keyword `key`."""
        return Shape(self._document, self._pointers.get(key, self._pointer) + pointer_of([key, *names]), schema)

    @cached_property
    def kinds(self) -> set[str]:
        """The types that the schema names, other than null; empty where it names none."""
        kinds = self.node.get("type", [])
        return ({kinds} if isinstance(kinds, str) else set(kinds)) - {"null"}

    @cached_property
    def nullable(self) -> bool:
        """Whether null is a value of this shape."""
        return self.problem(None) is None

    @cached_property
    def properties(self) -> dict[str, Shape]:
        """The declared properties of an object."""
        return {name: self._part("properties", each, name) for name, each in self.node.get("properties", {}).items()}

    @cached_property
    def required(self) -> set[str]:
        """The names of required properties."""
        return set(self.node.get("required", ()))

    @cached_property
    def items(self) -> Shape:
        """The items of an array."""
        return self._part("items", self.node.get("items", {}))

    @cached_property
    def branches(self) -> list[Shape]:
        """The alternatives of a union, other than null."""
        return [
            self._part(key, each, index)
            for key in ("anyOf", "oneOf")
            for index, each in enumerate(self.node.get(key, ()))
            if each != _NULL
        ]

    @cached_property
    def _validator(self) -> jsonschema_rs.Validator:
        return self._document.validator(self._pointer, self._schema)

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        return _first(self._validator, value)

    def accepts(self, value: Any) -> bool:
        """Whether nothing is wrong with `value`."""
        return self._validator.is_valid(value)

    def keeps(self, value: Any) -> bool:
        """Whether `fit` gives `value` back as it is, provided that it is valid."""
        if not isinstance(value, dict | list):
            return True
        return not (isinstance(value, dict) and self.properties) and _depth(value) <= self._document.max_depth

    def fit(self, value: Any) -> Any:
        """`value`, or the value of this shape that says the same; Mismatch where there is none."""
        kind = type(value)
        if kind is str or kind is int or kind is bool:
            # Memories say the same few words again and again.
            known = self._known.get((kind, value))
            if known is None:
                known = self._remembered(value)
            if isinstance(known, Mismatch):
                raise Mismatch(*known.args)
            return known[0]
        if _depth(value) > self._document.max_depth:
            raise Mismatch(f"is nested more than {self._document.max_depth} deep")
        return self._fit(value)

    def _remembered(self, value: str | int) -> tuple[Any] | Mismatch:
        """What `value` fits as, or why it does not; remembered where it is short."""
        try:
            found: tuple[Any] | Mismatch = (self._fit(value),)
        except Mismatch as error:
            found = error
        if isinstance(value, int) or len(value) <= _MAX_REMEMBERED:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[type(value), value] = found
        return found

    def _fit(self, value: Any) -> Any:
        if self.accepts(value):
            if not (isinstance(value, dict) and self._renames(value)):
                return value
            problem = None
        else:
            problem = self.problem(value)
        for candidate in self._candidates(value):
            if self.problem(candidate) is None:
                return candidate
        if problem is None:
            return value
        if self._inner is not None:  # "not of type integer" says more than "not valid under any of two schemas"
            problem = _first(self._document.validator(*self._inner), value) or problem
        raise Mismatch(problem)

    def _candidates(self, value: Any) -> list[Any]:
        """What `value` may be written as in this shape."""
        for branch in self.branches:
            try:
                return [branch._fit(value)]
            except Mismatch:
                continue
        if isinstance(value, dict):
            return self._objects(value)
        if isinstance(value, list):
            return [self._list(value)] if "items" in self.node else []
        if "array" in self.kinds:
            # One value stands for a list of one, where it is clear what a list of one is.
            return [self._list([value])] if self.items.kinds and "array" not in self.items.kinds else []
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
            name: shape._fit(value[renames.get(name, name)])
            for name, shape in self.properties.items()
            if renames.get(name, name) in value
        }
        others = {key: each for key, each in value.items() if key not in declared and key not in renames.values()}
        return [{**declared, **others}, declared] if self.properties else []

    def _list(self, value: list[Any]) -> list[Any]:
        items = self.items
        return [items._fit(each) for each in value]

    def _choices(self, value: Any) -> list[Any]:
        """The one enum member that is spelled like `value` but for case, spaces and underscores."""
        if not isinstance(value, str):
            return []
        alike = [each for each in self.node.get("enum", ()) if isinstance(each, str) and folded(each) == folded(value)]
        return alike if len(alike) == 1 else []


def _depth(value: Any) -> int:
    """How deep a JSON value is nested; a scalar not at all."""
    depth = 0
    level = [value]
    while level := [each for each in level if isinstance(each, dict | list) and each]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


def _first(checker: jsonschema_rs.Validator, value: Any) -> str | None:
    """The first thing that is wrong with `value`, and where in it."""
    for error in checker.iter_errors(value):
        path = "/".join(map(str, error.instance_path))
        return f"{path}: {error.message[:200]}" if path else error.message[:200]
    return None


def _written_as(value: Any, kinds: set[str]) -> list[Any]:
    """A scalar in other types, where nothing is lost."""
    if isinstance(value, str):
        found: list[Any] = []
        text = value.strip()
        if "integer" in kinds and _INTEGER.fullmatch(text):
            found.append(int(text))
        if "number" in kinds and _NUMBER.fullmatch(text) and len(text) <= 40:
            found += _exactly(text)
        if "boolean" in kinds and text.casefold() in {"true", "false"}:
            found.append(text.casefold() == "true")
        return found
    if "string" in kinds and isinstance(value, bool | int | float):
        return [json.dumps(value)]
    return []


def _exactly(text: str) -> list[int | float]:
    """The number that a text says, where a number can say the same: 0.1 can, and 0.12345678901234567890 cannot."""
    exact = Decimal(text)
    if not any(mark in text for mark in ".eE"):
        return [int(text)]
    number = float(text)
    return [number] if math.isfinite(number) and Decimal(repr(number)) == exact else []


@lru_cache(maxsize=10_000)
def folded(name: str) -> str:
    """A name without what naming styles differ in: case, underscores, hyphens, spaces."""
    return re.sub(r"[_\-\s]", "", name).casefold()


_NULL: Final = {"type": "null"}


def _resolved(document: _Document, schema: Any, pointer: str) -> tuple[dict[str, Any], dict[str, str], set[str]]:
    """`schema` behind its references, siblings of $ref included; for each keyword the pointer of where it stands; and
    keywords that stand there again, saying something else.
    """
    node: dict[str, Any] = {}
    pointers: dict[str, str] = {}
    hidden: set[str] = set()
    for _ in range(32):  # a chain of references that is longer is a loop
        if not isinstance(schema, dict):
            break
        for key, each in schema.items():
            if key not in node:
                node[key], pointers[key] = each, pointer
            elif node[key] != each and key != "$ref":
                hidden.add(key)
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            break
        schema, pointer = follow(document.schema, reference), reference.rstrip("/")
    return node, pointers, hidden


def _without_null(
    document: _Document, node: dict[str, Any], pointers: dict[str, str]
) -> tuple[dict[str, Any], tuple[str, Any] | None, set[str]]:
    """`node` with the one alternative that it has beside null taken in; the pointer and the schema of that; and keywords
    that now hide others.
    """
    for key in ("anyOf", "oneOf"):
        branches = node.get(key)
        if not isinstance(branches, list) or _NULL not in branches:
            continue
        others = [(index, each) for index, each in enumerate(branches) if each != _NULL]
        if len(others) != 1 or not isinstance(others[0][1], dict):
            continue
        index, other = others[0]
        pointer = f"{pointers[key]}/{key}/{index}"
        inner, inner_pointers, hidden = _resolved(document, other, pointer)
        pointers.update(inner_pointers)
        around = {name: each for name, each in node.items() if name != key}
        hidden |= {name for name in around.keys() & inner.keys() if around[name] != inner[name]} - {"$ref"}
        return {**around, **inner}, (pointer, other), hidden
    return node, None, set()
