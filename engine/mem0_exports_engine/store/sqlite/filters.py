"""The part of the SQL of filters that only SQLite understands, with the functions of `functions`."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.filters.tree import AllOf, AnyOf, Condition, Filter, Not
from mem0_exports_engine.json_text import dump
from mem0_exports_engine.store.filter_sql import compile_filter
from mem0_exports_engine.store.sqlite.functions import PLAIN_KEY, Expected, holds


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mem0_exports_engine.store.filter_sql import Add

_MANY: Final = 500
"""A list with more values than this is one parameter."""

_MANY_CONDITIONS: Final = 8
"""So many conditions on metadata, with nothing else between them, are one call of a function. It parses the metadata once,
where a call for each condition would have to read them again. Fewer are faster each on its own; see `metadata`."""


_MAX_SEARCHES: Final = 20
"""More categories than this are looked for by a function, with a set."""


def _is_ascii(column: str) -> str:
    """Return the condition that a text has only ASCII characters, and no NUL, at which length() would stop.

    SQLite's lower() knows only ASCII, where it is what casefold() does in Python.
    """
    return f"length({column}) = length(CAST({column} AS BLOB))"


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
        folded = condition.value.casefold()
        plainly = f"instr(lower(memory), {add(folded)}) > 0" if folded.isascii() else "0"
        return f"CASE WHEN {_is_ascii('memory')} THEN {plainly} ELSE instr(mem0_fold(memory), {add(folded)}) > 0 END"

    def category(self, condition: Condition, add: Add) -> str:
        """Return the condition on categories.

        They are a JSON array of strings. If no quote is escaped in it, a string with its quotes stands in the text only
        where it is an item.
        """
        several = condition.operator == "in"
        value: Any = {*condition.value} if several else condition.value
        wanted = sorted(value) if several else [value.casefold()]
        if len(wanted) > _MAX_SEARCHES:
            return self._category(condition, value, add)
        lowered, is_plain = "categories", "instr(categories, '\\\"') = 0"
        if not several:
            lowered, is_plain = "lower(categories)", f"{is_plain} AND {_is_ascii('categories')}"
            wanted = [each for each in wanted if each.isascii()]
        found = [f"instr({lowered}, {add(dump(each).decode())}) > 0" for each in wanted]
        plainly = f"({' OR '.join(found)})" if found else "0"
        return (
            f"(categories IS NOT NULL AND CASE WHEN {is_plain} THEN {plainly} "
            f"ELSE {self._category(condition, value, add)} END)"
        )

    @staticmethod
    def _category(condition: Condition, value: Any, add: Add) -> str:
        return f"mem0_categories(categories, {add(condition.operator)}, {add(Expected.of(value))}) = 1"

    def metadata(self, condition: Condition, add: Add) -> str:
        """Return the condition on a value of the metadata."""
        holds = self._in_metadata("contains" if condition.operator == "contains" else "eq", condition, add)
        return f"NOT {holds}" if condition.operator == "ne" else holds

    @staticmethod
    def _in_metadata(operator: str, condition: Condition, add: Add) -> str:
        key, value = str(condition.key), condition.value
        is_text = operator == "eq" and isinstance(value, str) and "\0" not in value
        is_number = operator == "eq" and type(value) is int and abs(value) < 2**53
        # This cheap test skips most memories without the key, or without the text as its value. Both can also occur in a
        # nested object or in a string, so something else has to decide.
        # A float that equals an integer of this size is written with its digits, as in 17.0. Zero can also be -0.0.
        piece = f"{dump(key).decode()}:{dump(value).decode() if is_text or (is_number and value) else ''}"
        possible = f"coalesce(instr(metadata, {add(piece)}), 0) > 0"
        if operator == "contains" and isinstance(value, str):
            possible = f"{possible} AND instr(metadata, {add(dump(value).decode()[1:-1])}) > 0"
        if not ((is_text or is_number) and PLAIN_KEY.fullmatch(key)):
            exact = f"mem0_metadata(metadata, {add(operator)}, {add(key)}, {add(Expected.of(value))}) = 1"
            return f"({possible} AND {exact})"
        # SQLite can look by itself. But it cuts texts at a NUL character, and reads true as 1 and a list as its text.
        path, kinds = f'$."{key}"', "'text'" if is_text else "'integer', 'real'"
        simple = (
            f"coalesce(json_extract(metadata, {add(path)}) = {add(value)}, 0) "
            f"AND json_type(metadata, {add(path)}) IN ({kinds})"
        )
        exact = f"mem0_metadata(metadata, {add(operator)}, {add(key)}, {add(Expected.of(value))}) = 1"
        return f"({possible} AND CASE WHEN instr(metadata, '\\u0000') = 0 THEN {simple} ELSE {exact} END)"

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
