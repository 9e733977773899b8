"""What checking a value against a schema may cost, so that no schema can keep a process busy for ever.

Two things make it grow out of hand: keywords that are checked in the same place and double at every level, and unions
that contain themselves, which are tried in every combination at every level of a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.strict_json import follow


if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHECKS: Final = 5_000
"""Sub-schemas that one place of a value may be checked against."""

_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLE: Final = ("not", "if", "then", "else")


def max_value_depth(schema: Any) -> int:
    """How deep a value may be nested to be checked against `schema`.

    ValueError where checking even a flat one could take too many steps, or would never end.
    """
    costs: dict[int, int] = {}
    for node in _nodes(schema):
        _cost(node, schema, costs, set())
    branching = any(
        sum(each != {"type": "null"} for each in node.get(key, ())) > 1
        for node in _nodes(schema)
        for key in _LISTS
        if isinstance(node.get(key), list)
    )
    return 8 if branching and _is_recursive(schema) else 64


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _in_place(node: dict[str, Any], schema: Any) -> list[Any]:
    """The sub-schemas that are checked against the same value as `node`."""
    found = [each for key in _LISTS if isinstance(node.get(key), list) for each in node[key]]
    found += [node[key] for key in _SINGLE if key in node]
    for key in ("$ref", "$dynamicRef"):
        if isinstance(node.get(key), str):
            found.append(follow(schema, node[key]))
    dependent = node.get("dependentSchemas", node.get("dependencies"))
    found += dependent.values() if isinstance(dependent, dict) else []
    return found


def _cost(node: Any, schema: Any, costs: dict[int, int], open_: set[int]) -> int:
    if not isinstance(node, dict):
        return 1
    key = id(node)
    if key in open_:
        raise ValueError("a reference leads back to itself without going into the value")
    if key not in costs:
        open_.add(key)
        costs[key] = 1 + sum(_cost(each, schema, costs, open_) for each in _in_place(node, schema))
        open_.discard(key)
        if costs[key] > MAX_CHECKS:
            raise ValueError(f"one value would be checked against more than {MAX_CHECKS} sub-schemas")
    return costs[key]


def _is_recursive(schema: Any) -> bool:
    """Whether a reference leads to something that contains it."""
    references = [node["$ref"] for node in _nodes(schema) if isinstance(node.get("$ref"), str)]
    reached = {
        reference: {each["$ref"] for each in _nodes(follow(schema, reference)) if isinstance(each.get("$ref"), str)}
        for reference in set(references)
    }
    for start, first in reached.items():
        waiting, seen = list(first), set()
        while waiting:
            each = waiting.pop()
            if each == start:
                return True
            if each not in seen:
                seen.add(each)
                waiting += reached.get(each, ())
    return False
