"""Filter tree -> SQL. Values and metadata keys are always bound parameters, never SQL text.

Every condition is true or false, never NULL, so that NOT is a plain complement: a missing value equals nothing, differs
from everything, and is neither before nor after anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mem0_exports import _times
from mem0_exports._filter_tree import AllOf, AnyOf, Condition, Filter, Not
from mem0_exports.local.clock import microseconds
from mem0_exports.local.store import memories


if TYPE_CHECKING:
    from collections.abc import Callable

    Clause = sa.ColumnElement[bool]

_TIME_COLUMNS = {
    "created_at": memories.c.created_us,
    "timestamp": memories.c.created_us,
    "updated_at": memories.c.updated_us,
    "expiration_date": memories.c.expires_us,
}


def clause(tree: Filter) -> Clause:
    """The WHERE clause for a filter tree."""
    if isinstance(tree, AllOf):
        return sa.and_(*map(clause, tree.parts))
    if isinstance(tree, AnyOf):
        return sa.or_(*map(clause, tree.parts))
    if isinstance(tree, Not):
        return sa.not_(clause(tree.part))
    if isinstance(tree, Condition):
        return _CONDITIONS.get(tree.field, _compared)(tree)
    raise TypeError(f"no such filter: {tree!r}")


def _compared(condition: Condition) -> Clause:
    """Entity ids and times."""
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
            return sa.and_(present, column.in_(value))
        case "lt":
            return sa.and_(present, column < value)
        case "lte":
            return sa.and_(present, column <= value)
        case "gt":
            return sa.and_(present, column > value)
        case "gte":
            return sa.and_(present, column >= value)
    raise TypeError(f"no such operator: {condition!r}")


def _moment(text: str) -> int:
    return microseconds(_times.moment(text, "time"))


def _categories(condition: Condition) -> Clause:
    each = sa.func.json_each(memories.c.categories).table_valued("value", name="category")
    if condition.operator == "in":
        wanted: Clause = each.c.value.in_(condition.value)
    else:
        wanted = sa.func.mem0_fold(each.c.value) == condition.value.casefold()
    return sa.exists(sa.select(sa.literal(1)).select_from(each).where(wanted))


def _keywords(condition: Condition) -> Clause:
    if condition.operator == "contains":
        return sa.func.instr(memories.c.memory, condition.value) > 0
    return sa.func.instr(sa.func.mem0_fold(memories.c.memory), condition.value.casefold()) > 0


def _memory_ids(condition: Condition) -> Clause:
    return memories.c.id.in_(condition.value)


def _metadata(condition: Condition) -> Clause:
    each = sa.func.json_each(memories.c.metadata).table_valued("key", "value", "type", "atom", name="entry")
    holds = _holds if condition.operator == "contains" else _equals
    found = sa.exists(
        sa.select(sa.literal(1)).select_from(each).where(each.c.key == condition.key, holds(each.c, condition.value))
    )
    return sa.not_(found) if condition.operator == "ne" else found


def _equals(entry: Any, value: str | float | bool) -> Clause:
    """JSON equality: 1 equals 1.0, but neither true nor "1"."""
    if isinstance(value, bool):
        return sa.and_(entry.type == ("true" if value else "false"))
    if isinstance(value, str):
        return sa.and_(entry.type == "text", entry.atom == value)
    # Beyond 64 bits SQLite reads a JSON number as a float, so it is compared as one.
    number = value if abs(value) < 2**63 else float(value)
    return sa.and_(entry.type.in_(("integer", "real")), entry.atom == sa.literal(number))


def _holds(entry: Any, value: str) -> Clause:
    """A text that contains `value`, or a list that has it."""
    # A text is no JSON, and json_each must not see it whatever order SQLite evaluates in.
    array = sa.case((entry.type == "array", entry.value), else_="[]")
    item = sa.func.json_each(array).table_valued("type", "atom", name="item")
    listed = sa.exists(sa.select(sa.literal(1)).select_from(item).where(item.c.type == "text", item.c.atom == value))
    return sa.or_(sa.and_(entry.type == "text", sa.func.instr(entry.atom, value) > 0), listed)


_CONDITIONS: dict[str, Callable[[Condition], Clause]] = {
    "categories": _categories,
    "keywords": _keywords,
    "memory_ids": _memory_ids,
    "metadata": _metadata,
}
