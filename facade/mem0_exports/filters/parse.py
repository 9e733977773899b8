"""Reads filters out of dicts: every form that the service documents, and nothing that it misreads.

The tree itself is unknown here: `parse` is given what makes its parts (`Nodes`), so that `tree` can import this module.
"""

from __future__ import annotations

import re

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from mem0_exports.errors import FilterError
from mem0_exports.facts import ENTITY_FIELDS, RUN_ALIAS
from mem0_exports.filters import times
from mem0_exports.strict_json import escape


if TYPE_CHECKING:
    from mem0_exports.filters.rules import FilterRules

N = TypeVar("N")

_Read: TypeAlias = Callable[[str, object, str], Any]
"""Checks a value: of which field, the value, and where it stands."""


class Nodes(NamedTuple, Generic[N]):
    """Makes the parts of a filter tree."""

    condition: Callable[[str, str, Any, str | None], N]
    """Field, operator, value, and the metadata key where the field is `metadata`."""
    all_of: Callable[[Sequence[N]], N]
    any_of: Callable[[Sequence[N]], N]
    negate: Callable[[N], N]


MAX_DEPTH: Final = 16
"""Levels of AND, OR and NOT that are read. A few more, and SQLite's parser gives up."""

TIME_FIELDS: Final = ("created_at", "updated_at", "timestamp", "expiration_date")

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_METADATA_OPERATORS: Final = frozenset({"eq", "ne", "contains"})
_FIELDS: Final = (*ENTITY_FIELDS, *TIME_FIELDS, "categories", "metadata", "keywords", "memory_ids")


def parse(document: object, rules: FilterRules, nodes: Nodes[N]) -> N:
    """Return the tree for `document`.

    Raises FilterError, with the JSON pointer of the bad part, for what the service refuses or misreads. `rules` decides
    where nobody documents what it does.
    """
    return _Parser(rules, nodes).filter(document, "", 0)


class _Parser(Generic[N]):
    """Reads one document. `pointer` is where its part stands, and `depth` how many AND, OR and NOT are around it."""

    def __init__(self, rules: FilterRules, nodes: Nodes[N]) -> None:
        self._rules = rules
        self._nodes = nodes

    def filter(self, document: object, pointer: str, depth: int) -> N:
        """Return the tree for an object of fields, AND, OR and NOT."""
        if depth > MAX_DEPTH:
            raise FilterError(f"filters are nested more than {MAX_DEPTH} deep", pointer=pointer)
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
        members = [self._member(key, value, f"{pointer}/{escape(key)}", depth) for key, value in document.items()]
        return self._nodes.all_of(members)

    def _member(self, key: object, value: object, pointer: str, depth: int) -> N:
        if key in {"AND", "OR"}:
            if not isinstance(value, list | tuple) or not value:
                raise FilterError(f"{key} takes a list of at least one filter", pointer=pointer)
            parts = self._filters(value, pointer, depth)
            return self._nodes.all_of(parts) if key == "AND" else self._nodes.any_of(parts)
        if key == "NOT":
            return self._negated(value, pointer, depth)
        if key in ENTITY_FIELDS:
            return self._field(str(key), value, pointer, {"eq": _entity, "ne": _entity, "in": _entities}, _entity)
        if key in TIME_FIELDS:
            compared = dict.fromkeys(("gt", "gte", "lt", "lte", "ne"), _time)
            if self._rules.date_bound == "whole_day":
                value = _whole_days(value)
            return self._field(str(key), value, pointer, {**compared, "in": _times_list}, _time)
        if key == "categories":
            return self._field("categories", value, pointer, {"in": _texts, "contains": _text}, None)
        if key == "keywords":
            return self._field("keywords", value, pointer, {"contains": _text, "icontains": _text}, None)
        if key == "memory_ids":
            listed_ids = {"in": value} if isinstance(value, list | tuple) else value
            return self._field("memory_ids", listed_ids, pointer, {"in": _texts}, None)
        if key == "metadata":
            return self._metadata(value, pointer)
        raise FilterError(
            f"unknown key {key!r}. Filters know AND, OR, NOT, {', '.join(_FIELDS)}{_hint(key)}", pointer=pointer
        )

    def _filters(self, documents: Sequence[object], pointer: str, depth: int) -> list[N]:
        return [self.filter(each, f"{pointer}/{index}", depth + 1) for index, each in enumerate(documents)]

    def _negated(self, value: object, pointer: str, depth: int) -> N:
        if not isinstance(value, list | tuple):
            return self._nodes.negate(self.filter(value, pointer, depth + 1))
        if not value or self._rules.not_list == "refused":
            raise FilterError("NOT takes one filter object", pointer=pointer)
        join = self._nodes.any_of if self._rules.not_list == "none_of" else self._nodes.all_of
        return self._nodes.negate(join(self._filters(value, pointer, depth)))

    def _field(self, field: str, value: object, pointer: str, operators: Mapping[str, _Read], bare: _Read | None) -> N:
        """Return the condition for a bare value, or for an object of operators, all of which have to hold."""
        condition = self._nodes.condition
        if not isinstance(value, Mapping):
            if bare is None:
                raise FilterError(
                    f"{field} takes an object with {' or '.join(operators)}, got {value!r}", pointer=pointer
                )
            if bare is _entity and value == "*":
                return condition(field, "exists", None, None)
            return condition(field, "eq", bare(field, value, pointer), None)
        if not value:
            raise FilterError(f"{field} needs one of the operators {', '.join(operators)}", pointer=pointer)
        parts: list[N] = []
        for name, operand in value.items():
            if bare is _entity and name == "eq" and operand == "*":
                parts.append(condition(field, "exists", None, None))
                continue
            if name not in operators:
                extra = f". For equality write {{{field!r}: value}}" if name == "eq" else ""
                raise FilterError(
                    f"{field} has no operator {name!r}; it has {', '.join(operators)}{extra}", pointer=pointer
                )
            read = operators[name]
            parts.append(condition(field, name, read(field, operand, f"{pointer}/{escape(name)}"), None))
        return self._nodes.all_of(parts)

    def _metadata(self, value: object, pointer: str) -> N:
        if not isinstance(value, Mapping) or not value:
            raise FilterError(
                "metadata takes an object of keys and values, such as {'city': 'Lisbon'}", pointer=pointer
            )
        parts: list[N] = []
        for key, wanted in value.items():
            at = f"{pointer}/{escape(key)}"
            if not isinstance(key, str) or not key:
                raise FilterError(f"a metadata key is a string that is not empty, got {key!r}", pointer=at)
            operands = dict(wanted) if isinstance(wanted, Mapping) else {"eq": wanted}
            if isinstance(wanted, Mapping) and self._rules.metadata_operators == "refused":
                raise FilterError("metadata compares with a value here", pointer=at)
            if not operands or not operands.keys() <= _METADATA_OPERATORS:
                raise FilterError(
                    f"metadata compares with a value, or with eq, ne or contains; got {wanted!r}", pointer=at
                )
            for name, operand in operands.items():
                allowed = str if name == "contains" else str | int | float | bool
                if not isinstance(operand, allowed):
                    kinds = "a string" if name == "contains" else "a string, number or boolean"
                    raise FilterError(f"metadata {name} takes {kinds}, got {operand!r}", pointer=at)
                parts.append(self._nodes.condition("metadata", name, operand, key))
        return self._nodes.all_of(parts)


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
    if text == RUN_ALIAS:
        return ". Write 'run_id'"
    return ""


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
        return (times.moment(day, "date") + timedelta(days=1)).isoformat()
    except OverflowError:
        return day  # of the last day that there is, its own midnight


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
        return times.to_wire(value, field)
    except FilterError as error:
        raise FilterError(str(error), pointer=pointer) from None


def _times_list(field: str, value: object, pointer: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"{field}: in takes a list of at least one time", pointer=pointer)
    return tuple(_time(field, each, f"{pointer}/{index}") for index, each in enumerate(value))
