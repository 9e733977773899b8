"""Reads filters out of dicts: every form that the service documents, and nothing that it misreads."""

from __future__ import annotations

import re

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.errors import FilterError
from mem0_exports.filters import times as _times
from mem0_exports.filters.tree import ENTITY_FIELDS, TIME_FIELDS, Condition, Filter, Not, all_of, any_of
from mem0_exports.strict_json import escaped


if TYPE_CHECKING:
    from mem0_exports.filters.rules import FilterRules


DEEPEST: Final = 16
"""How many levels of AND, OR and NOT are read. A few more, and SQLite's parser gives up."""

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_METADATA_OPERATORS: Final = frozenset({"eq", "ne", "contains"})
_FIELDS: Final = (*ENTITY_FIELDS, *TIME_FIELDS, "categories", "metadata", "keywords", "memory_ids")


def parse(
    document: object, rules: FilterRules, pointer: str = "", depth: int = 0, *, deepest: int | None = DEEPEST
) -> Filter:
    """The tree for `document`; FilterError with the pointer of what cannot be read. `deepest` None sets no limit."""
    if deepest is not None and depth > deepest:
        raise FilterError(f"filters are nested more than {DEEPEST} deep", pointer=pointer)
    if not isinstance(document, Mapping):
        raise FilterError(f"expected an object with filter fields, got {type(document).__name__}", pointer=pointer)
    if not document:
        raise FilterError("filters are empty: name at least one field, such as user_id", pointer=pointer or "/")
    if "AND" in document and "OR" in document:
        raise FilterError(
            "AND and OR side by side: the service drops the OR. Put the OR inside the AND: "
            '{"AND": [..., {"OR": [...]}]}',
            pointer=pointer or "/",
        )
    return all_of(
        *(_member(key, value, rules, f"{pointer}/{escaped(key)}", depth, deepest) for key, value in document.items())
    )


def _member(key: object, value: object, rules: FilterRules, pointer: str, depth: int, deepest: int | None) -> Filter:
    if key in {"AND", "OR"}:
        if not isinstance(value, list | tuple) or not value:
            raise FilterError(f"{key} takes a list of at least one filter", pointer=pointer)
        parts = [
            parse(each, rules, f"{pointer}/{index}", depth + 1, deepest=deepest) for index, each in enumerate(value)
        ]
        return all_of(*parts) if key == "AND" else any_of(*parts)
    if key == "NOT":
        if not isinstance(value, list | tuple):
            return Not(parse(value, rules, pointer, depth + 1, deepest=deepest))
        if not value or rules.not_list == "refused":
            raise FilterError("NOT takes one filter object", pointer=pointer)
        parts = [
            parse(each, rules, f"{pointer}/{index}", depth + 1, deepest=deepest) for index, each in enumerate(value)
        ]
        return Not(any_of(*parts) if rules.not_list == "none_of" else all_of(*parts))
    if key in ENTITY_FIELDS:
        return _operators(str(key), value, pointer, {"eq": _entity, "ne": _entity, "in": _entities}, _entity)
    if key in TIME_FIELDS:
        compared = dict.fromkeys(("gt", "gte", "lt", "lte", "ne"), _time)
        if rules.date_bound == "whole_day":
            value = _whole_days(value)
        return _operators(str(key), value, pointer, {**compared, "in": _times_list}, _time)
    if key == "categories":
        return _operators("categories", value, pointer, {"in": _texts, "contains": _text}, None)
    if key == "keywords":
        return _operators("keywords", value, pointer, {"contains": _text, "icontains": _text}, None)
    if key == "memory_ids":
        listed_ids = {"in": value} if isinstance(value, list | tuple) else value
        return _operators("memory_ids", listed_ids, pointer, {"in": _texts}, None)
    if key == "metadata":
        return _metadata(value, rules, pointer)
    raise FilterError(
        f"unknown key {key!r}. Filters know AND, OR, NOT, {', '.join(_FIELDS)}{_hint(key)}", pointer=pointer
    )


def _hint(key: object) -> str:
    text = str(key)
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in text)
    if snake in _FIELDS:
        return f". Write {snake!r}"
    if text.upper() in {"AND", "OR", "NOT"}:
        return f". Write {text.upper()!r}"
    if text.startswith("metadata."):
        return f". Write {{'metadata': {{{text.removeprefix('metadata.')!r}: ...}}}}"
    if text in {"text", "keywords_search"}:
        return ". The service takes this name, but nobody documents what it does. Write 'keywords'"
    if text == "session_id":
        return ". Write 'run_id'"
    return ""


def _operators(field: str, value: object, pointer: str, operators: Mapping[str, Any], bare: Any) -> Filter:
    """The condition for a bare value, or for an object of operators, all of which have to hold."""
    if not isinstance(value, Mapping):
        if bare is None:
            raise FilterError(f"{field} takes an object with {' or '.join(operators)}, got {value!r}", pointer=pointer)
        if bare is _entity and value == "*":
            return Condition(field, "exists", None)
        return Condition(field, "eq", bare(field, value, pointer))
    if not value:
        raise FilterError(f"{field} needs one of the operators {', '.join(operators)}", pointer=pointer)
    parts: list[Filter] = []
    for name, operand in value.items():
        if bare is _entity and name == "eq" and operand == "*":
            parts.append(Condition(field, "exists", None))
            continue
        if name not in operators:
            extra = f". For equality write {{{field!r}: value}}" if name == "eq" else ""
            raise FilterError(
                f"{field} has no operator {name!r}; it has {', '.join(operators)}{extra}", pointer=pointer
            )
        parts.append(Condition(field, name, operators[name](field, operand, f"{pointer}/{escaped(name)}")))
    return all_of(*parts)


def _whole_days(value: object) -> object:
    """`lte` and `gt` with a date and no time, as the `lt` and `gte` of the next day."""
    if not isinstance(value, Mapping):
        return value
    moved: dict[Any, object] = {}
    for name, operand in value.items():
        other = {"lte": "lt", "gt": "gte"}.get(name)
        if other is None or not isinstance(operand, str) or not _DATE.fullmatch(operand) or other in value:
            moved[name] = operand
        else:
            moved[other] = _next_day(operand)
    return moved


def _next_day(day: str) -> str:
    try:
        return (_times.moment(day, "date") + timedelta(days=1)).isoformat()
    except OverflowError:
        return day  # of the last day that there is, its own midnight


def _metadata(value: object, rules: FilterRules, pointer: str) -> Filter:
    if not isinstance(value, Mapping) or not value:
        raise FilterError("metadata takes an object of keys and values, such as {'city': 'Lisbon'}", pointer=pointer)
    parts: list[Filter] = []
    for key, wanted in value.items():
        at = f"{pointer}/{escaped(key)}"
        if not isinstance(key, str) or not key:
            raise FilterError(f"a metadata key is a string that is not empty, got {key!r}", pointer=at)
        operands = dict(wanted) if isinstance(wanted, Mapping) else {"eq": wanted}
        if isinstance(wanted, Mapping) and rules.metadata_operators == "refused":
            raise FilterError("metadata compares with a value here", pointer=at)
        if not operands or not operands.keys() <= _METADATA_OPERATORS:
            raise FilterError(f"metadata compares with a value, or with eq, ne or contains; got {wanted!r}", pointer=at)
        for name, operand in operands.items():
            allowed = str if name == "contains" else str | int | float | bool
            if not isinstance(operand, allowed):
                kinds = "a string" if name == "contains" else "a string, number or boolean"
                raise FilterError(f"metadata {name} takes {kinds}, got {operand!r}", pointer=at)
            parts.append(Condition("metadata", name, operand, key))
    return all_of(*parts)


def _text(field: str, value: object, pointer: str) -> str:
    if not isinstance(value, str):
        raise FilterError(f"{field} takes a string, got {value!r}", pointer=pointer)
    return value


def _texts(field: str, value: object, pointer: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"{field}: in takes a list of at least one string", pointer=pointer)
    return tuple(_text(field, each, f"{pointer}/{index}") for index, each in enumerate(value))


def _entity(field: str, value: object, pointer: str) -> str:
    text = _text(field, value, pointer)
    if not text:
        raise FilterError(f"{field} is empty", pointer=pointer)
    if text == "*":
        raise FilterError(f"'*' means any {field} and stands alone: {{{field!r}: '*'}}", pointer=pointer)
    return text


def _entities(field: str, value: object, pointer: str) -> tuple[str, ...]:
    return tuple(_entity(field, each, pointer) for each in _texts(field, value, pointer))


def _time(field: str, value: object, pointer: str) -> str:
    try:
        return _times.to_wire(value, field)
    except FilterError as error:
        raise FilterError(str(error), pointer=pointer) from None


def _times_list(field: str, value: object, pointer: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"{field}: in takes a list of at least one time", pointer=pointer)
    return tuple(_time(field, each, f"{pointer}/{index}") for index, each in enumerate(value))
