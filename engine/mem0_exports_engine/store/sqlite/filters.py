"""The part of the SQL of filters that only SQLite understands, with the functions of `functions`."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.filters.tree import AllOf, AnyOf, Condition, Filter, Not
from mem0_exports_engine.json_text import dump
from mem0_exports_engine.store.filter_sql import compile_filter
from mem0_exports_engine.store.sqlite.functions import Expected, holds


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mem0_exports_engine.store.filter_sql import Add

_MANY: Final = 500
"""A list with more values than this is one parameter."""

_MANY_CONDITIONS: Final = 8
"""So many conditions on metadata, with nothing else between them, are one call of a function. It parses the metadata once,
where a call for each condition would have to read them again. Fewer are faster each on its own; see `metadata`."""


def clause(tree: Filter, values: list[Any]) -> str:
    """Return the WHERE clause for a filter, and append its values to `values`."""
    return compile_filter(tree, _DIALECT, values)


class _Sqlite:
    placeholder = "?"

    def among(self, column: str, values: Sequence[Any], add: Add) -> str:
        """Return the condition that a column has one of these values.

        SQLite limits the number of parameters, and every length of a list would make a statement of its own, which is
        kept prepared. So a long list is one parameter, which SQLite reads as JSON. Its JSON functions cut a text at a
        NUL character; a list with such a text is compared in Python.
        """
        if len(values) <= _MANY:
            return f"{column} IN ({', '.join(map(add, values))})"
        if any(isinstance(value, str) and "\0" in value for value in values):
            return f"mem0_among({column}, {add(Expected.of({*values}))}) = 1"
        return f"{column} IN (SELECT value FROM json_each({add(json.dumps(values, ensure_ascii=False))}))"

    def keyword(self, condition: Condition, add: Add) -> str:
        """Return the condition on the text of a memory."""
        if condition.operator == "contains":
            return f"instr(memory, {add(condition.value)}) > 0"
        return f"instr(mem0_fold(memory), {add(condition.value.casefold())}) > 0"

    def category(self, condition: Condition, add: Add) -> str:
        """Return the condition on categories."""
        value = {*condition.value} if condition.operator == "in" else condition.value
        return f"mem0_categories(categories, {add(condition.operator)}, {add(Expected.of(value))}) = 1"

    def metadata(self, condition: Condition, add: Add) -> str:
        """Return the condition on a value of the metadata."""
        operator = "contains" if condition.operator == "contains" else "eq"
        # This cheap test skips most memories without the key, so that Python does not have to parse their metadata. The
        # key can also occur in a nested object or a string, so mem0_metadata has to decide.
        has_key = f"coalesce(instr(metadata, {add(f'{dump(condition.key).decode()}:')}), 0) > 0"
        equal = (
            f"mem0_metadata(metadata, {add(operator)}, {add(condition.key)}, {add(Expected.of(condition.value))}) = 1"
        )
        holds = f"({has_key} AND {equal})"
        return f"NOT {holds}" if condition.operator == "ne" else holds

    def at_once(self, tree: Filter, add: Add) -> str | None:
        """Return one call of a function for a filter of many conditions on metadata."""
        conditions = [*tree.conditions()]
        if len(conditions) < _MANY_CONDITIONS or any(each.field != "metadata" for each in conditions):
            return None
        return f"mem0_matches(metadata, {add(Expected.of(_predicate(tree)))}) = 1"


_DIALECT: Final = _Sqlite()


def _predicate(tree: Filter) -> Callable[[dict[str, Any]], bool]:
    """Return a function that says whether metadata satisfy a filter all of whose conditions are on metadata."""
    if isinstance(tree, AllOf | AnyOf):
        parts, decide = [*map(_predicate, tree.parts)], all if isinstance(tree, AllOf) else any
        return lambda metadata: decide(part(metadata) for part in parts)
    if isinstance(tree, Not):
        inner = _predicate(tree.part)
        return lambda metadata: not inner(metadata)
    assert isinstance(tree, Condition)  # there are no other filters
    operator, key, value = tree.operator, str(tree.key), tree.value
    if operator == "contains":
        return lambda metadata: holds(metadata, "contains", key, value)
    if operator == "ne":
        return lambda metadata: not holds(metadata, "eq", key, value)
    return lambda metadata: holds(metadata, "eq", key, value)
