"""The sub-schemas of a JSON Schema, and which of them apply to the same value or to a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

import attrs

from mem0_exports.strict_json import escape, follow
from mem0_exports_engine.limits import MAX_NAMES, MAX_SUBSCHEMAS


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_IN_PLACE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_IN_PLACE: Final = ("not", "if", "then", "else")
_IN_PLACE_MAPS: Final = ("dependentSchemas", "dependencies")

_OF_PARTS: Final = (
    *("items", "additionalItems", "unevaluatedItems", "contains", "additionalProperties", "unevaluatedProperties"),
    *("propertyNames", "contentSchema"),
)
"""The keywords with one schema, for parts of the value."""

_OF_NAMED_PARTS: Final = ("properties", "prefixItems", "items")
"""The keywords with several schemas, each for another part of the value."""

_DEFINITIONS: Final = ("$defs", "definitions")

_OTHER_REFERENCES: Final = ("$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor")


class Parts(NamedTuple):
    """Sub-schemas for the parts of a value. At most one of them applies to each part."""

    keyword: str
    nodes: list[int]


@attrs.define(slots=True)
class Node:
    """A sub-schema. Other nodes are given by their numbers."""

    schema: dict[str, Any]
    pointer: str
    """Where the schema is in the document. If it is in several places, one of them."""
    in_place: list[int] = attrs.Factory(list)
    """The sub-schemas that apply to the same value: targets of $ref, branches of unions, and so on."""
    parts: list[Parts] = attrs.Factory(list)
    """The sub-schemas that apply to the parts of the value."""


class Graph:
    """All sub-schemas of a document. The root has the number 0."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Find the sub-schemas, without recursion.

        Raises ValueError for a reference that is not a JSON pointer to a place in the document, or if there is too much
        of something.
        """
        self._document = document
        self.nodes: list[Node] = []
        self.numbers: dict[int, int] = {}
        """The number of each sub-schema, by the id() of its dict."""
        self._targets: dict[str, Any] = {}
        self._names = 0
        self._add(document, "")
        done = 0
        while done < len(self.nodes):
            node = self.nodes[done]
            _check(node)
            self._connect_in_place(node)
            self._connect_parts(node)
            done += 1

    def _add(self, schema: Any, pointer: str) -> list[int]:
        """Return the number of a sub-schema in a list; an empty list for true and false, which cost nothing."""
        if not isinstance(schema, dict):
            return []
        number = self.numbers.get(id(schema))
        if number is None:
            number = self.numbers[id(schema)] = len(self.nodes)
            self.nodes.append(Node(schema, pointer))
            self._names += len(pointer)
            if number >= MAX_SUBSCHEMAS:
                raise ValueError(f"it has more than {MAX_SUBSCHEMAS} sub-schemas; export into several smaller ones")
            if self._names > MAX_NAMES:
                raise ValueError("the names of its properties are too long for how deep they are nested; shorten them")
        return [number]

    def _connect_in_place(self, node: Node) -> None:
        schema, pointer = node.schema, node.pointer
        for key in _IN_PLACE_LISTS:
            node.in_place += self._all(_items(schema.get(key)), f"{pointer}/{key}")
        for key in _IN_PLACE_MAPS:
            node.in_place += self._all(_members(schema.get(key)), f"{pointer}/{key}")
        for key in _IN_PLACE:
            node.in_place += self._add(schema.get(key), f"{pointer}/{key}")
        if isinstance(schema.get("$ref"), str):
            node.in_place += self._target(schema["$ref"], pointer)

    def _connect_parts(self, node: Node) -> None:
        schema, pointer = node.schema, node.pointer
        for key in _OF_PARTS:
            self._put(node, key, self._add(schema.get(key), f"{pointer}/{key}"))
        for key in _OF_NAMED_PARTS:
            several = schema.get(key)
            pairs = _items(several) if isinstance(several, list) else _members(several) if key == "properties" else ()
            self._put(node, key, self._all(pairs, f"{pointer}/{key}"))
        for name, subschema in _members(schema.get("patternProperties")):  # several can apply to one property
            self._put(node, "patternProperties", self._add(subschema, f"{pointer}/patternProperties/{escape(name)}"))
        for key in _DEFINITIONS:
            self._all(_members(schema.get(key)), f"{pointer}/{key}")

    def _all(self, pairs: Iterable[tuple[Any, Any]], pointer: str) -> list[int]:
        return [number for name, schema in pairs for number in self._add(schema, f"{pointer}/{escape(name)}")]

    @staticmethod
    def _put(node: Node, keyword: str, numbers: list[int]) -> None:
        if numbers:
            node.parts.append(Parts(keyword, numbers))

    def _target(self, reference: str, pointer: str) -> list[int]:
        if reference not in self._targets:
            is_pointer = reference == "#" or reference.startswith("#/")
            self._targets[reference] = follow(self._document, reference) if is_pointer else None
        target = self._targets[reference]
        if isinstance(target, dict | bool):
            return self._add(target, unquote(reference[1:]).rstrip("/"))
        raise ValueError(
            f"{pointer or 'the root'}: the reference {reference[:200]!r} leads nowhere; it must be a JSON pointer to a "
            "schema in the same document, such as '#/$defs/Address', and others are never opened"
        )

    def in_order(self) -> list[int]:
        """Return the numbers of all nodes, each after the nodes that apply to the same value.

        Raises ValueError if a sub-schema applies to the same value as itself, which would never end.
        """
        order: list[int] = []
        opened: set[int] = set()
        closed: set[int] = set()
        for start in range(len(self.nodes)):
            stack = [start]
            while stack:
                number = stack[-1]
                if number in closed:
                    stack.pop()
                elif number in opened:
                    stack.pop()
                    closed.add(number)
                    order.append(number)
                else:
                    opened.add(number)
                    for other in self.nodes[number].in_place:
                        if other in opened and other not in closed:
                            raise ValueError(
                                f"{self.nodes[other].pointer or 'the root'}: a reference leads back to itself without "
                                "descending into the value"
                            )
                        if other not in closed:
                            stack.append(other)
        return order


def _check(node: Node) -> None:
    """Refuse keywords that would give references another meaning."""
    other = next((key for key in _OTHER_REFERENCES if isinstance(node.schema.get(key), str)), None)
    if other is not None:
        raise ValueError(f"{node.pointer or 'the root'}: {other} is not supported; use $ref with a JSON pointer")
    if node.pointer and isinstance(node.schema.get("$id"), str):
        raise ValueError(f"{node.pointer}: only the root can have an $id")


def _items(value: Any) -> Iterator[tuple[int, Any]]:
    yield from enumerate(value if isinstance(value, list) else ())


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    yield from (value if isinstance(value, dict) else {}).items()
