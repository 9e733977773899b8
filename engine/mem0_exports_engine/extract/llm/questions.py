"""Turn a schema into what a model is asked for: a strict JSON Schema, and a tree with which its answer is read.

The strict schema is the part of JSON Schema that endpoints agree on: every property is required, and one without a value
is null; no other property is allowed; references and allOf are resolved. The user's own schema has the last word on every
value, so a constraint that cannot be said here is not lost.

What cannot be asked for: objects without named properties, properties that From takes from elsewhere, tuples, and
whatever refers to itself. Booleans are asked for only if a judge decides about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from mem0_exports.schemas.annotations import TUPLE, source_of
from mem0_exports_engine.json_text import dump


if TYPE_CHECKING:
    from collections.abc import Mapping

    from mem0_exports_engine.extract.offline.fit import Shape

MAX_DEPTH: Final = 5
"""How deep objects and lists are nested at most. OpenAI's strict schemas allow 5 to 10 levels."""

MAX_ITEMS: Final = 20
"""The most items of a list in one answer. Without a limit, a small model repeats an item until its tokens are used up. A list
that is full is asked for again with fewer memories at once."""

MAX_PARTS: Final = 5000
"""The most parts of all that is asked for: properties, lists and their items. OpenAI's strict schemas allow as many properties."""

MAX_PARTS_OF_ONE: Final = 1000
"""The most parts of one property."""

_SCALARS: Final = {"string", "integer", "number"}
_FORMATS: Final = {"date", "date-time", "time", "uuid"}
_MAX_LENGTH: Final = 500
"""The most characters of a string, so that a model that repeats itself comes to an end."""

_TOKENS_OF_A_STRING: Final = 30
_TOKENS_OF_A_NUMBER: Final = 12
_TOKENS_OF_A_MEMBER: Final = 6


@attrs.frozen(eq=False)
class Leaf:
    """A string, a number, or in judge mode a boolean."""

    shape: Shape

    def schema(self) -> dict[str, Any]:
        """Return the strict schema."""
        return _described(self.shape, _scalar(self.shape))

    @property
    def tokens(self) -> int:
        """About how many tokens a value takes at most."""
        return _TOKENS_OF_A_STRING if "string" in _kinds(self.shape) else _TOKENS_OF_A_NUMBER


@attrs.frozen(eq=False)
class Group:
    """An object with named members."""

    shape: Shape
    members: Mapping[str, Node]
    tags: Mapping[str, Any]
    """Required members that can have only one value, which is not asked for."""

    def schema(self) -> dict[str, Any]:
        """Return the strict schema."""
        properties: dict[str, Any] = {name: {"enum": [tag]} for name, tag in self.tags.items()}
        for name, member in self.members.items():
            properties[name] = member.schema() if isinstance(member, Many) else _or_null(member.schema())
        return _described(
            self.shape,
            {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False},
        )

    @property
    def tokens(self) -> int:
        """About how many tokens an object takes at most."""
        return tokens_of(self.members)


@attrs.frozen(eq=False)
class Either:
    """One of several objects."""

    shape: Shape
    options: tuple[Group, ...]

    def schema(self) -> dict[str, Any]:
        """Return the strict schema."""
        return _described(self.shape, {"anyOf": [option.schema() for option in self.options]})

    @property
    def tokens(self) -> int:
        """About how many tokens an object takes at most."""
        return max(option.tokens for option in self.options)


@attrs.frozen(eq=False)
class Many:
    """A list."""

    shape: Shape
    item: Leaf | Group | Either

    def schema(self) -> dict[str, Any]:
        """Return the strict schema."""
        most = self.shape.node.get("maxItems", MAX_ITEMS)
        most = min(MAX_ITEMS, int(most)) if isinstance(most, int | float) and most >= 1 else MAX_ITEMS
        return _described(self.shape, {"type": "array", "items": self.item.schema(), "maxItems": most})

    @property
    def tokens(self) -> int:
        """About how many tokens a list takes at most."""
        return MAX_ITEMS * (2 + self.item.tokens)


Node: TypeAlias = Leaf | Group | Either | Many


def tokens_of(members: Mapping[str, Node]) -> int:
    """Return about how many tokens the members of an object take at most."""
    return sum(_TOKENS_OF_A_MEMBER + member.tokens for member in members.values())


def asked(root: Mapping[str, Node]) -> bytes:
    """Return the strict schema of an answer that has these members, as JSON text."""
    properties = {
        name: node.schema() if isinstance(node, Many) else _or_null(node.schema()) for name, node in root.items()
    }
    return dump({"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False})


class _TooMany(Exception):
    """Raised for a property that has too many parts to be asked for."""


class Questions:
    """Decides what can be asked for the properties of one schema.

    What is asked for is a tree, and a schema is not: what many properties refer to is written out for each of them. So
    the parts are counted, for each property and for all together.
    """

    def __init__(self, *, with_booleans: bool) -> None:
        self._scalars = _SCALARS | {"boolean"} if with_booleans else _SCALARS
        self._left_of_all = MAX_PARTS
        self._left = 0

    def of(self, shape: Shape) -> Node | None:
        """Return what can be asked for a property, or None if nothing can be."""
        before = self._left = min(MAX_PARTS_OF_ONE, self._left_of_all)
        try:
            return self._node(shape, ())
        except _TooMany:
            return None
        finally:
            self._left_of_all -= before - self._left

    def _node(self, shape: Shape, outer: tuple[Shape, ...]) -> Node | None:
        if not self._left:
            raise _TooMany
        self._left -= 1
        source = source_of(shape.node)
        if (source is not None and source.kind != "text") or shape in outer or len(outer) > MAX_DEPTH:
            return None
        if self._is_scalar(shape):
            return Leaf(shape)
        inside = (*outer, shape)
        return self._list(shape, inside) if shape.kinds == {"array"} else self._object(shape, inside)

    def _list(self, shape: Shape, inside: tuple[Shape, ...]) -> Many | None:
        if "prefixItems" in shape.node or not isinstance(shape.node.get("items", {}), dict):
            return None
        item = self._node(shape.items, inside)
        return None if item is None or isinstance(item, Many) else Many(shape, item)

    def _object(self, shape: Shape, inside: tuple[Shape, ...]) -> Group | Either | None:
        if shape.node.get(TUPLE) is True:
            return None
        if shape.properties:
            return self._group(shape, inside)
        options = [self._node(option, inside) for option in shape.alternatives]
        groups = tuple(option for option in options if isinstance(option, Group))
        return Either(shape, groups) if groups and len(groups) == len(options) else None

    def _group(self, shape: Shape, inside: tuple[Shape, ...]) -> Group | None:
        tags = {
            name: tag[0]
            for name, member in shape.properties.items()
            if name in shape.required and (tag := _only_value(member)) is not None
        }
        members = {
            name: node
            for name, member in shape.properties.items()
            if name not in tags and (node := self._node(member, inside)) is not None
        }
        return Group(shape, members, tags) if members else None

    def _is_scalar(self, shape: Shape) -> bool:
        if shape.content is not None:
            return False
        if not shape.kinds and shape.branches:
            return all(map(self._is_scalar, shape.branches))
        if not shape.kinds and not shape.node.keys() & {"enum", "const"}:
            return False
        kinds = _kinds(shape)
        return bool(kinds) and kinds <= self._scalars


def has_full_list(node: Node, given: Any) -> bool:
    """Return whether a list in an answer could have been longer: it is full of different items."""
    if isinstance(node, Many) and isinstance(given, list):
        return len(given) >= MAX_ITEMS and len({dump(item) for item in given}) >= MAX_ITEMS
    if isinstance(node, Group) and isinstance(given, dict):
        return any(has_full_list(member, given.get(name)) for name, member in node.members.items())
    return False


def _only_value(shape: Shape) -> tuple[Any] | None:
    """Return the only value that a schema allows, in a tuple, or None."""
    if "const" in shape.node:
        return (shape.node["const"],)
    values = shape.node.get("enum")
    return (values[0],) if isinstance(values, list) and len(values) == 1 else None


def _kinds(shape: Shape) -> set[str]:
    """Return the types of the values of a scalar."""
    if shape.kinds:
        return shape.kinds
    if shape.branches:
        return set[str]().union(*(_kinds(branch) for branch in shape.branches))
    values = shape.node.get("enum", [shape.node.get("const")])
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return {names.get(type(value), "object") for value in values} - {"null"}


def _scalar(shape: Shape) -> dict[str, Any]:
    if not shape.kinds and shape.branches:
        return {"anyOf": [_scalar(branch) for branch in shape.branches]}
    node = shape.node
    if "const" in node:
        return {"enum": [node["const"]]}
    if isinstance(node.get("enum"), list):
        return {"enum": [value for value in node["enum"] if value is not None]}
    kinds = sorted(shape.kinds)
    return _of_kind(kinds[0], node) if len(kinds) == 1 else {"anyOf": [_of_kind(kind, node) for kind in kinds]}


def _of_kind(kind: str, node: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": kind}
    if kind == "string" and node.get("format") in _FORMATS:
        schema["format"] = node["format"]
    elif kind == "string":
        longest = node.get("maxLength", _MAX_LENGTH)
        schema["maxLength"] = int(min(longest, _MAX_LENGTH)) if isinstance(longest, int | float) else _MAX_LENGTH
    elif kind == "integer":
        schema |= {name: node[name] for name in ("minimum", "maximum") if isinstance(node.get(name), int)}
    return schema


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _described(shape: Shape, schema: dict[str, Any]) -> dict[str, Any]:
    text = shape.node.get("description")
    return {"description": text, **schema} if isinstance(text, str) and text else schema
