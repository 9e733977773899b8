"""Compile filters to SQL. Values and metadata keys are always parameters, never part of the text.

A missing value equals nothing, is different from everything, and is neither before nor after anything. In SQL, a
comparison with NULL is NULL, which counts as false, but NOT NULL is NULL too. So below a NOT, every condition is written so
that it is true or false. Elsewhere it is written as plainly as possible, so that the database finds the best index.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from mem0_exports.filters import times
from mem0_exports.filters.tree import AllOf, AnyOf, Condition, Filter, Not
from mem0_exports_engine.clock import microseconds


if TYPE_CHECKING:
    from collections.abc import Sequence


Add: TypeAlias = Callable[[Any], str]
"""Adds a value to the parameters of the statement, and returns its placeholder. Values are added in the order of the text."""

_TIME_COLUMNS: Final = {
    "created_at": "created_us",
    "timestamp": "created_us",
    "updated_at": "updated_us",
    "expiration_date": "expires_us",
}

_COMPARISONS: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


class Dialect(Protocol):
    """The part of the SQL of a filter that differs between databases. Each method returns the text of a condition."""

    placeholder: str
    """Stands for a parameter, such as "?"."""

    def among(self, column: str, values: Sequence[Any], add: Add) -> str:
        """Return the condition that a column has one of these values."""
        ...

    def keyword(self, condition: Condition, add: Add) -> str:
        """Return the condition on the text of a memory."""
        ...

    def category(self, condition: Condition, add: Add) -> str:
        """Return the condition on categories."""
        ...

    def metadata(self, condition: Condition, add: Add) -> str:
        """Return the condition on a value of the metadata."""
        ...

    def at_once(self, tree: Filter, add: Add) -> str | None:
        """Return the text of a whole filter, if the database has something better than its single conditions."""
        ...


def compile_filter(tree: Filter, dialect: Dialect, values: list[Any]) -> str:
    """Return the WHERE clause for a filter, and append its values to `values`."""

    def add(value: Any) -> str:
        values.append(value)
        return dialect.placeholder

    def text_of(part: Filter, *, negated: bool = False) -> str:
        whole = dialect.at_once(part, add)
        if whole is not None:
            return whole
        if isinstance(part, AllOf | AnyOf):
            word = " AND " if isinstance(part, AllOf) else " OR "
            return f"({word.join(text_of(each, negated=negated) for each in part.parts)})"
        if isinstance(part, Not):
            return f"NOT {text_of(part.part, negated=True)}"
        if isinstance(part, Condition):
            return _condition(part, dialect, add, negated=negated)
        raise TypeError(f"expected a filter, got {part!r}")

    return text_of(tree)


def _condition(condition: Condition, dialect: Dialect, add: Add, *, negated: bool) -> str:
    match condition.field:
        case "metadata":
            return dialect.metadata(condition, add)
        case "categories":
            return dialect.category(condition, add)
        case "keywords":
            return dialect.keyword(condition, add)
        case "memory_ids":
            return dialect.among("id", condition.value, add)
    return _compared(condition, dialect, add, negated=negated)


def _compared(condition: Condition, dialect: Dialect, add: Add, *, negated: bool) -> str:
    """Return the text of a condition on an entity id or a time."""
    column = condition.field
    value: Any = condition.value
    if column in _TIME_COLUMNS:
        column = _TIME_COLUMNS[column]
        value = [*map(_moment, value)] if condition.operator == "in" else _moment(value)
    match condition.operator:
        case "exists":
            return f"({column} IS NOT NULL)"
        case "eq":
            compared = f"{column} = {add(value)}"
        case "ne":
            return f"({column} IS NULL OR {column} != {add(value)})"
        case "in":
            compared = dialect.among(column, value, add)
        case operator:
            compared = f"{column} {_COMPARISONS[operator]} {add(value)}"
    return f"({column} IS NOT NULL AND {compared})" if negated else compared


def _moment(text: str) -> int:
    return microseconds(times.moment(text, "time"))
