"""Limit the cost of checking a value against a schema, so that no schema can keep a process busy forever.

Two things can make the cost grow exponentially. First, keywords that apply to the same value can refer to each other,
so that the number of checks doubles with every reference. Second, unions can be recursive. Every combination of their
branches is then tried at every level of a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.strict_json import follow


if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHECKS: Final = 5_000
"""The largest number of sub-schemas against which a single value is checked."""

_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLE: Final = ("not", "if", "then", "else")


def max_value_depth(schema: Any) -> int:
    """Return how many levels deep a value can be nested and still be checked against `schema`.

    Raises ValueError if checking even a flat value could take too many steps, or would never end.
    """
    costs: dict[int, int] = {}
    for node in _nodes(schema):
        _cost(node, schema, costs, set())
    # Null has nothing to descend into, so a union of one type and null does not multiply the cost.
    branching = any(
        sum(branch != {"type": "null"} for branch in node.get(key, ())) > 1
        for node in _nodes(schema)
        for key in _LISTS
        if isinstance(node.get(key), list)
    )
    return 8 if branching and _is_recursive(schema) else 64


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Iterate over every object in a document."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack += node.values()
        elif isinstance(node, list):
            stack += node


def _in_place(node: dict[str, Any], schema: Any) -> list[Any]:
    """Return the sub-schemas that are checked against the same value as `node`."""
    subschemas = [branch for key in _LISTS if isinstance(node.get(key), list) for branch in node[key]]
    subschemas += [node[key] for key in _SINGLE if key in node]
    for key in ("$ref", "$dynamicRef"):
        if isinstance(node.get(key), str):
            subschemas.append(follow(schema, node[key]))
    dependent = node.get("dependentSchemas", node.get("dependencies"))
    subschemas += dependent.values() if isinstance(dependent, dict) else []
    return subschemas


def _cost(node: Any, schema: Any, costs: dict[int, int], open_: set[int]) -> int:
    """Return how many sub-schemas are applied when a value is validated against `node`.

    `open_` holds the nodes being counted.
    """
    if not isinstance(node, dict):
        return 1
    key = id(node)
    if key in open_:
        raise ValueError("a reference leads back to itself without descending into the value")
    if key not in costs:
        open_.add(key)
        costs[key] = 1 + sum(_cost(subschema, schema, costs, open_) for subschema in _in_place(node, schema))
        open_.discard(key)
        if costs[key] > MAX_CHECKS:
            raise ValueError(f"a single value would be checked against more than {MAX_CHECKS} sub-schemas")
    return costs[key]


def _is_recursive(schema: Any) -> bool:
    """Return whether a reference leads to something that contains the same reference."""
    references = [node["$ref"] for node in _nodes(schema) if isinstance(node.get("$ref"), str)]
    reached = {
        reference: {node["$ref"] for node in _nodes(follow(schema, reference)) if isinstance(node.get("$ref"), str)}
        for reference in set(references)
    }
    for start, direct in reached.items():
        stack, seen = list(direct), set()
        while stack:
            reference = stack.pop()
            if reference == start:
                return True
            if reference not in seen:
                seen.add(reference)
                stack += reached.get(reference, ())
    return False
