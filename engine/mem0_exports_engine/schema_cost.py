"""Bound the cost of checking values against a schema, so that no schema can keep a process busy.

Three things can make a small schema expensive. Sub-schemas for the same value can refer to each other, so that their
number doubles with each reference. Sub-schemas for nested values can multiply: if two branches of a union each describe
the inner value, it is checked twice, the value inside it four times, and so on. And a pattern of a few characters can
need megabytes once it is compiled.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jsonschema_rs

from mem0_exports.schemas.validate import CACHE_OF_A_PATTERN, Unusable, check
from mem0_exports_engine.json_text import dump, load
from mem0_exports_engine.limits import (
    MAX_CHECKS,
    MAX_MERGED,
    MAX_NESTED_CHECKS,
    MAX_NESTING,
    MAX_PATTERN,
    MAX_PATTERNS,
)
from mem0_exports_engine.schema_graph import Graph


if TYPE_CHECKING:
    from collections.abc import Iterator

    from mem0_exports_engine.schema_graph import Node

_PATTERN_SIZES: Final = (16_000, 128_000, MAX_PATTERN)
"""The sizes of compiled patterns that are told apart."""

_MIN_NESTING: Final = 2
"""How deep the values that fill an object have to be allowed to be nested at least."""

_OUTER: Final = 2
"""How many levels the whole object has besides the values that fill it: itself, and a list of records."""

_MAX_ROUNDS_TIMES_NODES: Final = 500_000
"""Bounds the work of finding out how deep values can be nested. A large recursive schema gets less than the maximum."""


class Cost(NamedTuple):
    """What checking a value against a schema, or against any part of it, takes at most."""

    max_depth: int
    """How deep a value can be nested."""
    checks: int
    """The number of sub-schemas against which each value inside a value of that depth is checked."""
    matches: int
    """The same for patterns: for each character of a value, the steps of matching all patterns for it."""

    def steps(self, values: int, characters: int) -> int:
        """Return the most steps that checking a value takes, which has so many values and characters in it."""
        return values * self.checks + characters * self.matches


MAX_REMEMBERED: Final = 10_000
"""The most characters of a schema whose checks are remembered. Programs use few schemas, again and again."""


def admit(schema: dict[str, Any]) -> None:
    """Raise Unusable if a schema cannot describe an export, or could cost too much; see `limits`."""
    text = dump(schema).decode()
    problem = _remembered(text) if len(text) <= MAX_REMEMBERED else _problem(schema)
    if problem is not None:
        raise Unusable(problem)


@lru_cache(maxsize=256)
def _remembered(text: str) -> str | None:
    return _problem(load(text))


def _problem(schema: dict[str, Any]) -> str | None:
    try:
        _check(schema)
    except Unusable as error:
        return str(error)
    return None


def _check(schema: dict[str, Any]) -> None:
    try:
        measure(Graph(schema))
    except ValueError as error:
        raise Unusable(str(error)[:400]) from None
    check(schema, linear=True)


def measure(graph: Graph) -> Cost:
    """Return the cost of a schema. Raises ValueError if it is over a limit."""
    order = graph.in_order()
    patterns = _Patterns()
    matches = [sum(map(patterns.steps, _patterns(node))) for node in graph.nodes]
    checks = [_weight(node) + steps for node, steps in zip(graph.nodes, matches, strict=True)]
    if max(_in_place(graph, order, checks)) > MAX_CHECKS:
        raise ValueError(f"a single value would be checked against more than {MAX_CHECKS} sub-schemas")
    _limit_merged(graph, order)
    levels = [*_levels(graph, order, checks)]
    allowed = [most for most in levels if most <= MAX_NESTED_CHECKS]
    is_flat = len(levels) < _rounds(graph) and len(allowed) == len(levels)  # deeper values are not described
    depth = MAX_NESTING if is_flat else len(allowed) - 1 - _OUTER
    if depth < _MIN_NESTING:
        raise ValueError(
            f"a value nested {_MIN_NESTING} levels deep would be checked against more than {MAX_NESTED_CHECKS} "
            "sub-schemas, because unions contain each other; simplify them"
        )
    return Cost(depth, allowed[-1], max(_levels(graph, order, matches)) if any(matches) else 0)


def _rounds(graph: Graph) -> int:
    return min(MAX_NESTING + _OUTER + 1, max(2 * _MIN_NESTING, _MAX_ROUNDS_TIMES_NODES // len(graph.nodes)))


def _levels(graph: Graph, order: list[int], weights: list[int]) -> Iterator[int]:
    """Iterate over the checks of one value at each depth: 0 for a value with nothing inside it, then 1 and so on.

    The iteration ends when the schema describes nothing deeper, when the number is over the limit, or after `_rounds`.
    """
    total = _in_place(graph, order, weights)
    for _ in range(_rounds(graph)):
        yield max(total)
        inside = [weight + _of_parts(node, total, weights) for node, weight in zip(graph.nodes, weights, strict=True)]
        deeper = _in_place(graph, order, inside)
        if deeper == total or max(total) > MAX_NESTED_CHECKS:
            return
        total = deeper


def _of_parts(node: Node, total: list[int], weights: list[int]) -> int:
    """Return against how many sub-schemas each part of a value is checked because of one sub-schema for the value."""
    checks = 0
    for keyword, others in node.parts:
        checks += max(total[other] for other in others)
        if keyword.startswith("unevaluated"):  # they have to find out what the other sub-schemas have evaluated
            checks += sum(weights[other] for other in node.in_place)
    return checks


def _in_place(graph: Graph, order: list[int], weights: list[int], most: int = MAX_NESTED_CHECKS) -> list[int]:
    """Return for each node the sum of its weight and those of all nodes that apply to the same value.

    A sum over `most` is cut to `most + 1`: it could have thousands of digits.
    """
    total = [0] * len(order)
    for number in order:
        total[number] = weights[number] + sum(total[other] for other in graph.nodes[number].in_place)
        total[number] = min(total[number], most + 1)
    return total


def _weight(node: Node) -> int:
    """Return the checks of one sub-schema. Only an enum of texts and the names of properties are looked up at once."""
    choices = node.schema.get("enum")
    slow = isinstance(choices, list) and not all(isinstance(choice, str) for choice in choices)
    required = node.schema.get("required")
    return 1 + (len(choices) if slow and choices else 0) + (len(required) // 10 if isinstance(required, list) else 0)


def _limit_merged(graph: Graph, order: list[int]) -> None:
    """Refuse a schema if its properties are too many once each reference has those of its target beside its own.

    A property that is a list also counts for the properties of its items, because each such property is filled on its
    own, even if all of them refer to the same list.
    """
    own = [len(_nodes_of(node, "properties")) for node in graph.nodes]
    of_items = _in_place(graph, order, own, MAX_MERGED)
    lists = [max((of_items[item] for item in _nodes_of(node, "items")), default=0) for node in graph.nodes]
    of_lists = _in_place(graph, order, lists, MAX_MERGED)
    for number, node in enumerate(graph.nodes):
        own[number] += sum(of_lists[value] for value in _nodes_of(node, "properties"))
    total = _in_place(graph, order, own, MAX_MERGED)
    merged = sum(total[number] for number, node in enumerate(graph.nodes) if node.schema.keys() != {"$ref"})
    if merged > MAX_MERGED:
        raise ValueError(
            f"its sub-schemas have more than {MAX_MERGED} properties once their references are written out; refer to "
            "large schemas less often"
        )


def _nodes_of(node: Node, keyword: str) -> list[int]:
    """Return the numbers of the sub-schemas under a keyword that describes parts of a value."""
    return [number for part in node.parts if part.keyword == keyword for number in part.nodes]


def _patterns(node: Node) -> Iterator[str]:
    if isinstance(node.schema.get("pattern"), str):
        yield node.schema["pattern"]
    named = node.schema.get("patternProperties")
    if isinstance(named, dict):
        yield from named


class _Patterns:
    """Measures the patterns of a schema."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._sum = 0

    def steps(self, pattern: str) -> int:
        """Return the steps for each character of a text that is matched, in units of a small pattern."""
        if pattern not in self._sizes:
            self._sizes[pattern] = _size(pattern)
        size = self._sizes[pattern]
        self._sum += size + CACHE_OF_A_PATTERN
        if self._sum > MAX_PATTERNS:
            raise ValueError(f"its patterns need more than {MAX_PATTERNS // 10**6} MB once they are compiled")
        return 2 * size // _PATTERN_SIZES[0]


def _size(pattern: str) -> int:
    """Return about how many bytes a pattern takes once it is compiled. Raises ValueError for more than MAX_PATTERN."""
    for size in _PATTERN_SIZES:
        options = jsonschema_rs.RegexOptions(size_limit=size, dfa_size_limit=CACHE_OF_A_PATTERN)
        try:
            jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=options)
        except jsonschema_rs.ValidationError:
            continue
        return size
    raise ValueError(
        f"the pattern {pattern[:100]!r} is not a regular expression that can be matched in linear time (without "
        f"look-around and back-references) and takes at most {MAX_PATTERN // 10**6} MB once it is compiled"
    )
