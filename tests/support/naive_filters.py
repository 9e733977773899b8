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
        return all(_metadata_holds(name, wanted, record["metadata"] or {}) for name, wanted in value.items())
    found = {
        "keywords": record["memory"],
        "memory_ids": record["id"],
        "timestamp": record["created_at"],
        "expiration_date": record["expiration_date"] and record["expiration_date"] + "T00:00:00+00:00",
    }.get(key, record.get(key))
    if value == "*":
        return found is not None
    operators = value if isinstance(value, dict) else {"in" if isinstance(value, list) else "eq": value}
    if key in ("created_at", "updated_at", "timestamp", "expiration_date"):
        return all(_time_holds(name, found and _parse_time(found), wanted) for name, wanted in operators.items())
    if key == "categories":
        return all(_categories_hold(name, found or [], wanted) for name, wanted in operators.items())
    return all(_text_holds(name, found, wanted) for name, wanted in operators.items())


def _parse_time(written):
    found = datetime.fromisoformat(written)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _time_holds(operator, found, wanted):
    if operator == "ne":
        return found is None or found != _parse_time(wanted)
    if found is None:
        return False
    if operator == "in":
        return found in [_parse_time(each) for each in wanted]
    wanted = _parse_time(wanted)
    return {
        "eq": found == wanted,
        "lt": found < wanted,
        "lte": found <= wanted,
        "gt": found > wanted,
        "gte": found >= wanted,
    }[operator]


def _categories_hold(operator, found, wanted):
    if operator == "in":
        return bool(set(found) & set(wanted))
    return wanted.casefold() in [each.casefold() for each in found]


def _text_holds(operator, found, wanted):
    if operator == "ne":
        return found != wanted
    if found is None:
        return False
    return {
        "eq": lambda: found == wanted,
        "in": lambda: found in wanted,
        "contains": lambda: wanted in found,
        "icontains": lambda: wanted.casefold() in found.casefold(),
    }[operator]()


def _metadata_holds(name, wanted, found):
    ((operator, wanted),) = (wanted if isinstance(wanted, dict) else {"eq": wanted}).items()
    if operator == "contains":
        value = found.get(name)
        return (isinstance(value, str) and wanted in value) or (
            isinstance(value, list) and any(isinstance(each, str) and each == wanted for each in value)
        )
    equal = name in found and _equal(found[name], wanted)
    return equal if operator == "eq" else not equal


def _equal(found, wanted):
    """Return whether two scalars are equal in JSON: numbers by value, and true is not a number."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return type(found) in (str, int, float) and found == wanted and isinstance(found, str) == isinstance(wanted, str)
