"""Translate filters to SQL. Values and metadata keys are always bound parameters, never part of the SQL text.

Every condition is true or false, never NULL; otherwise NOT would lose rows, since NOT NULL is NULL in SQL. A missing
value equals nothing, is different from everything, and is neither before nor after anything.
"""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from mem0_exports.filters import times as _times
from mem0_exports.filters.tree import AllOf, AnyOf, Condition, Filter, Not
from mem0_exports_engine.clock import microseconds
from mem0_exports_engine.json_text import dump
from mem0_exports_engine.store.sqlite.functions import Expected, holds
from mem0_exports_engine.store.sqlite.tables import memories


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Clause = sa.ColumnElement[bool]

_TIME_COLUMNS = {
    "created_at": memories.c.created_us,
    "timestamp": memories.c.created_us,
    "updated_at": memories.c.updated_us,
    "expiration_date": memories.c.expires_us,
}


def clause(tree: Filter) -> Clause:
    """Return the WHERE clause for a filter tree."""
    if _conditions_on_metadata(tree) >= _MANY_CONDITIONS:
        return sa.func.mem0_matches(memories.c.metadata, Expected.of(_predicate(tree))) == 1
    if isinstance(tree, AllOf):
        return sa.and_(*map(clause, tree.parts))
    if isinstance(tree, AnyOf):
        return sa.or_(*map(clause, tree.parts))
    if isinstance(tree, Not):
        return sa.not_(clause(tree.part))
    if isinstance(tree, Condition):
        return _CONDITIONS.get(tree.field, _compared)(tree)
    raise TypeError(f"expected a filter, got {tree!r}")


_MANY_CONDITIONS: Final = 8
"""So many conditions on metadata, with nothing else between them, are one call of a function. It parses the metadata once,
where a call for each condition would have to read them again. Fewer are faster each on its own; see `_metadata`."""


def _conditions_on_metadata(tree: Filter) -> int:
    """Return how many conditions a filter has, if all of them are on metadata; otherwise 0."""
    conditions = [*tree.conditions()]
    return len(conditions) if all(each.field == "metadata" for each in conditions) else 0


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


def is_large(tree: Filter) -> bool:
    """Return whether the values of a filter are too large to be kept after the request."""
    return len(json.dumps(tree.to_dict())) > _LARGE


_LARGE: Final = 10_000


def _compared(condition: Condition) -> Clause:  # noqa: PLR0911 -- one return for each operator
    """Return the clause of a condition on an entity id or a time."""
    column: sa.ColumnElement[Any]
    value: Any = condition.value
    if condition.field in _TIME_COLUMNS:
        column = _TIME_COLUMNS[condition.field]
        value = [*map(_moment, value)] if condition.operator == "in" else _moment(value)
    else:
        column = memories.c[condition.field]
    present = column.is_not(None)
    match condition.operator:
        case "exists":
            return present
        case "eq":
            return sa.and_(present, column == value)
        case "ne":
            return sa.or_(column.is_(None), column != value)
        case "in":
            return sa.and_(present, _in(column, value))
        case "lt":
            return sa.and_(present, column < value)
        case "lte":
            return sa.and_(present, column <= value)
        case "gt":
            return sa.and_(present, column > value)
        case "gte":
            return sa.and_(present, column >= value)
    raise TypeError(f"unknown operator {condition.operator!r} in {condition!r}")


def _in(column: sa.ColumnElement[Any], values: Sequence[Any]) -> Clause:
    """Return the clause for a column that has one of these values.

    SQLite limits the number of variables in a statement, and every length of a list would make a statement of its own,
    which is kept prepared. So a long list is one variable, which SQLite reads as JSON. Its JSON functions cut a text at
    a NUL character; a list with such a text is compared in Python.
    """
    if len(values) <= _MANY:
        return column.in_(values)
    document = json.dumps(values, ensure_ascii=False)
    if any(isinstance(value, str) and "\0" in value for value in values):
        return sa.func.mem0_among(column, Expected.of({*values})) == 1
    return column.in_(sa.select(sa.func.json_each(document).table_valued("value").c.value))


_MANY: Final = 500
"""A list with more values than this is one variable."""


def _moment(text: str) -> int:
    return microseconds(_times.moment(text, "time"))


def _categories(condition: Condition) -> Clause:
    value = {*condition.value} if condition.operator == "in" else condition.value
    return sa.func.mem0_categories(memories.c.categories, condition.operator, Expected.of(value)) == 1


def _keywords(condition: Condition) -> Clause:
    if condition.operator == "contains":
        return sa.func.instr(memories.c.memory, condition.value) > 0
    return sa.func.instr(sa.func.mem0_fold(memories.c.memory), condition.value.casefold()) > 0


def _memory_ids(condition: Condition) -> Clause:
    return _in(memories.c.id, condition.value)


def _metadata(condition: Condition) -> Clause:
    operator = "contains" if condition.operator == "contains" else "eq"
    expected = Expected.of(condition.value)
    holds = sa.and_(
        # This cheap test skips most memories without the key, so that Python does not have to parse their metadata. The
        # key can also occur in a nested object or a string, so mem0_metadata has to decide.
        sa.func.coalesce(sa.func.instr(memories.c.metadata, f"{dump(condition.key).decode()}:"), 0) > 0,
        sa.func.mem0_metadata(memories.c.metadata, operator, condition.key, expected) == 1,
    )
    return sa.not_(holds) if condition.operator == "ne" else holds


_CONDITIONS: dict[str, Callable[[Condition], Clause]] = {
    "categories": _categories,
    "keywords": _keywords,
    "memory_ids": _memory_ids,
    "metadata": _metadata,
}
