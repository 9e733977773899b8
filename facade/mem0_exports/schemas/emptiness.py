"""Decide whether a result contains anything, or only what its schema gives when nothing was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mem0_exports.schemas.annotations import KEY
from mem0_exports.strict_json import follow


_COMBINING: Final = frozenset({"$ref", "anyOf", "oneOf", "allOf"})
"""The keywords with other schemas for the same value."""

_MAX_REFERENCES: Final = 32
"""The longest chain of references that is followed; a longer one is a loop."""


def is_empty(data: Any, schema: Any, document: Mapping[str, Any]) -> bool:
    """Return whether a JSON value holds nothing that was found.

    Such a value is null, "", an empty list or object, the default or the constant of its schema, or an object or list
    that holds only such values. The number of memories (`From.count`) alone does not count as found, unless the object
    has no other properties.
    """
    nodes = [*_applied(schema, document)]
    if data in (None, "", [], {}) or any(_is_given(data, node) for node in nodes):
        return True
    if isinstance(data, list):
        items: Any = next((node["items"] for node in nodes if "items" in node), {})
        return all(is_empty(item, items, document) for item in data)
    if not isinstance(data, dict):
        return False
    properties = {name: part for node in nodes for name, part in node.get("properties", {}).items()}
    counts = {name for name, node in properties.items() if _is_count(node)}
    if counts == properties.keys():
        counts = set()
    return all(
        is_empty(value, properties.get(name, {}), document) for name, value in data.items() if name not in counts
    )


def _applied(schema: Any, document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Iterate over the schemas that apply to a value: the schema, what it refers to, and the branches of its unions."""
    if isinstance(schema, Mapping) and not schema.keys() & _COMBINING:  # the usual case
        yield schema
        return
    waiting = [schema]
    for _ in range(_MAX_REFERENCES):
        if not waiting:
            return
        node = waiting.pop()
        if not isinstance(node, Mapping):
            continue
        yield node
        if isinstance(node.get("$ref"), str):
            waiting.append(follow(document, node["$ref"]))
        for key in ("anyOf", "oneOf", "allOf"):
            waiting += node.get(key, ())


def _is_given(data: Any, node: Mapping[str, Any]) -> bool:
    """Return whether the schema itself gives this value, as a default or a constant."""
    return any(key in node and node[key] == data and type(node[key]) is type(data) for key in ("default", "const"))


def _is_count(node: Any) -> bool:
    return isinstance(node, Mapping) and isinstance(node.get(KEY), Mapping) and "count" in node[KEY]
