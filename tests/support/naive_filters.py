"""A naive evaluator of filters, written only from the documentation, that tests compare the engine with.

It evaluates the dict that is sent, as the Platform's filter documentation defines it. On a missing value, every
comparison is false except `ne`, which is true. NOT is the complement.
"""

from __future__ import annotations

from datetime import UTC, datetime


def holds(filters, record):
    """Return whether filters match a memory, given as a dict."""
    return all(_member_holds(key, value, record) for key, value in filters.items())


def _member_holds(key, value, record):
    if key == "AND":
        return all(holds(each, record) for each in value)
    if key == "OR":
        return any(holds(each, record) for each in value)
    if key == "NOT":  # NOT of a list: none of these
        return not any(holds(each, record) for each in (value if isinstance(value, list) else [value]))
    if key == "metadata":
        return all(_metadata_holds(name, operand, record["metadata"] or {}) for name, operand in value.items())
    actual = {
        "keywords": record["memory"],
        "memory_ids": record["id"],
        "timestamp": record["created_at"],
        "expiration_date": record["expiration_date"] and record["expiration_date"] + "T00:00:00+00:00",
    }.get(key, record.get(key))
    if value == "*":
        return actual is not None
    operators = value if isinstance(value, dict) else {"in" if isinstance(value, list) else "eq": value}
    if key in ("created_at", "updated_at", "timestamp", "expiration_date"):
        return all(_time_holds(name, actual and _parse_time(actual), operand) for name, operand in operators.items())
    if key == "categories":
        return all(_categories_hold(name, actual or [], operand) for name, operand in operators.items())
    return all(_text_holds(name, actual, operand) for name, operand in operators.items())


def _parse_time(written):
    actual = datetime.fromisoformat(written)
    return actual if actual.tzinfo is not None else actual.replace(tzinfo=UTC)


def _time_holds(operator, actual, operand):
    if operator == "ne":
        return actual is None or actual != _parse_time(operand)
    if actual is None:
        return False
    if operator == "in":
        return actual in [_parse_time(each) for each in operand]
    operand = _parse_time(operand)
    return {
        "eq": actual == operand,
        "lt": actual < operand,
        "lte": actual <= operand,
        "gt": actual > operand,
        "gte": actual >= operand,
    }[operator]


def _categories_hold(operator, actual, operand):
    if operator == "in":
        return bool(set(actual) & set(operand))
    return operand.casefold() in [each.casefold() for each in actual]


def _text_holds(operator, actual, operand):
    if operator == "ne":
        return actual != operand
    if actual is None:
        return False
    return {
        "eq": lambda: actual == operand,
        "in": lambda: actual in operand,
        "contains": lambda: operand in actual,
        "icontains": lambda: operand.casefold() in actual.casefold(),
    }[operator]()


def _metadata_holds(name, operand, actual):
    ((operator, operand),) = (operand if isinstance(operand, dict) else {"eq": operand}).items()
    if operator == "contains":
        value = actual.get(name)
        return (isinstance(value, str) and operand in value) or (
            isinstance(value, list) and any(isinstance(each, str) and each == operand for each in value)
        )
    equal = name in actual and _equal(actual[name], operand)
    return equal if operator == "eq" else not equal


def _equal(actual, operand):
    """Return whether two scalars are equal in JSON: numbers by value, and true is not a number."""
    if isinstance(actual, bool) or isinstance(operand, bool):
        return actual is operand
    return (
        type(actual) in (str, int, float) and actual == operand and isinstance(actual, str) == isinstance(operand, str)
    )
