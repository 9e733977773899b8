"""A naive evaluator of filters, written from the documented grammar alone: what tests compare the engine with.

It reads the dict that is sent. The grammar is that of the Platform's filter documentation: a missing value equals
nothing, differs from everything, and is neither before nor after anything; NOT is the plain complement.
"""

from __future__ import annotations

from datetime import UTC, datetime


def holds(filters, record):
    return all(member(key, value, record) for key, value in filters.items())


def member(key, value, record):
    if key == "AND":
        return all(holds(each, record) for each in value)
    if key == "OR":
        return any(holds(each, record) for each in value)
    if key == "NOT":  # of a list: none of these
        return not any(holds(each, record) for each in (value if isinstance(value, list) else [value]))
    if key == "metadata":
        return all(metadata(name, wanted, record["metadata"] or {}) for name, wanted in value.items())
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
        return all(compared(name, found and moment(found), wanted) for name, wanted in operators.items())
    if key == "categories":
        return all(categories(name, found or [], wanted) for name, wanted in operators.items())
    return all(text(name, found, wanted) for name, wanted in operators.items())


def moment(written):
    found = datetime.fromisoformat(written)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def compared(operator, found, wanted):
    if operator == "ne":
        return found is None or found != moment(wanted)
    if found is None:
        return False
    if operator == "in":
        return found in [moment(each) for each in wanted]
    wanted = moment(wanted)
    return {
        "eq": found == wanted,
        "lt": found < wanted,
        "lte": found <= wanted,
        "gt": found > wanted,
        "gte": found >= wanted,
    }[operator]


def categories(operator, found, wanted):
    if operator == "in":
        return bool(set(found) & set(wanted))
    return wanted.casefold() in [each.casefold() for each in found]


def text(operator, found, wanted):
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


def metadata(name, wanted, found):
    ((operator, wanted),) = (wanted if isinstance(wanted, dict) else {"eq": wanted}).items()
    if operator == "contains":
        value = found.get(name)
        return (isinstance(value, str) and wanted in value) or (
            isinstance(value, list) and any(isinstance(each, str) and each == wanted for each in value)
        )
    equal = name in found and same(found[name], wanted)
    return equal if operator == "eq" else not equal


def same(found, wanted):
    """JSON equality: numbers by value, and true is no number."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return type(found) in (str, int, float) and found == wanted and isinstance(found, str) == isinstance(wanted, str)
