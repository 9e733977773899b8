"""Parse filter dicts. Accepts every form that the Platform documents, and refuses every filter that it would misread.

`tree` imports this module, so this module cannot import the classes of the tree. Instead, `parse` gets functions that
build the nodes (`Nodes`).
"""

from __future__ import annotations

import re

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from reprlib import repr as short  # unlike the builtin, short for values of any size and depth
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from mem0_exports.errors import FilterError
from mem0_exports.facts import ENTITY_FIELDS, RUN_ALIAS
from mem0_exports.filters import times
from mem0_exports.strict_json import escape


if TYPE_CHECKING:
    from mem0_exports.filters.rules import FilterRules

N = TypeVar("N")

_Read: TypeAlias = Callable[[str, object, str], Any]
"""Checks a value and returns it as the tree holds it. Takes the field's name, the value and its JSON pointer."""


class Nodes(NamedTuple, Generic[N]):
    """Functions that build the nodes of a filter tree."""

    condition: Callable[[str, str, Any, str | None], N]
    """Takes a field, an operator, a value, and the metadata key if the field is `metadata`."""
    all_of: Callable[[Sequence[N]], N]
    any_of: Callable[[Sequence[N]], N]
    negate: Callable[[N], N]


MAX_DEPTH: Final = 16
"""The largest number of nested levels of AND, OR and NOT. A few more would exceed the limit of SQLite's parser."""

TIME_FIELDS: Final = ("created_at", "updated_at", "timestamp", "expiration_date")

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_METADATA_OPERATORS: Final = frozenset({"eq", "ne", "contains"})
_FIELDS: Final = (*ENTITY_FIELDS, *TIME_FIELDS, "categories", "metadata", "keywords", "memory_ids")


def parse(document: object, rules: FilterRules, nodes: Nodes[N]) -> N:
    """Parse a filter dict and return the tree.

    `rules` decides what the Platform's documentation leaves open. Raises FilterError, with the JSON pointer of the bad
    part, for a filter that the service would refuse or misread.
    """
    return _Parser(rules, nodes).filter(document, "", 0)


class _Parser(Generic[N]):
    """Parses one document. `pointer` is the place of the current part, `depth` counts the AND, OR, NOT around it."""

    def __init__(self, rules: FilterRules, nodes: Nodes[N]) -> None:
        self._rules = rules
        self._nodes = nodes

    def filter(self, document: object, pointer: str, depth: int) -> N:
        """Return the tree for an object of fields, AND, OR and NOT. A memory must match all of them."""
        if depth > MAX_DEPTH:
            raise FilterError(f"filters must not be nested more than {MAX_DEPTH} levels deep", pointer=pointer)
        if not isinstance(document, Mapping):
            raise FilterError(f"expected an object of filter fields, got {type(document).__name__}", pointer=pointer)
        if not document:
            raise FilterError("filters must not be empty; name a field, such as user_id", pointer=pointer or "/")
        if "AND" in document and "OR" in document:
            raise FilterError(
                "AND and OR must not be in the same object, where the service drops the OR; put the OR inside the AND: "
                '{"AND": [..., {"OR": [...]}]}',
                pointer=pointer or "/",
            )
        members = [self._member(key, value, f"{pointer}/{escape(key)}", depth) for key, value in document.items()]
        return self._nodes.all_of(members)

    def _member(  # noqa: C901, PLR0911 -- one branch for each kind of key
        self, key: object, value: object, pointer: str, depth: int
    ) -> N:
        if key in {"AND", "OR"}:
            if not isinstance(value, list | tuple) or not value:
                raise FilterError(f"{key} must be a list of at least one filter, got {short(value)}", pointer=pointer)
            parts = self._filters(value, pointer, depth)
            return self._nodes.all_of(parts) if key == "AND" else self._nodes.any_of(parts)
        if key == "NOT":
            return self._negated(value, pointer, depth)
        if key in ENTITY_FIELDS:
            return self._field(str(key), value, pointer, {"eq": _entity, "ne": _entity, "in": _entities}, _entity)
        if key in TIME_FIELDS:
            comparisons = dict.fromkeys(("gt", "gte", "lt", "lte", "ne"), _time)
            if self._rules.date_bound == "whole_day":
                value = _whole_days(value)
            return self._field(str(key), value, pointer, {**comparisons, "in": _times_list}, _time)
        if key == "categories":
            return self._field("categories", value, pointer, {"in": _texts, "contains": _text}, None)
        if key == "keywords":
            return self._field("keywords", value, pointer, {"contains": _text, "icontains": _text}, None)
        if key == "memory_ids":
            operators = {"in": value} if isinstance(value, list | tuple) else value
            return self._field("memory_ids", operators, pointer, {"in": _texts}, None)
        if key == "metadata":
            return self._metadata(value, pointer)
        raise FilterError(
            f"unknown key {key!r}; expected one of AND, OR, NOT, {', '.join(_FIELDS)}{_hint(key)}", pointer=pointer
        )

    def _filters(self, documents: Sequence[object], pointer: str, depth: int) -> list[N]:
        return [self.filter(document, f"{pointer}/{index}", depth + 1) for index, document in enumerate(documents)]

    def _negated(self, value: object, pointer: str, depth: int) -> N:
        if not isinstance(value, list | tuple):
            return self._nodes.negate(self.filter(value, pointer, depth + 1))
        if not value or self._rules.not_list == "refused":
            raise FilterError(f"NOT must be one filter object, got {short(value)}", pointer=pointer)
        join = self._nodes.any_of if self._rules.not_list == "none_of" else self._nodes.all_of
        return self._nodes.negate(join(self._filters(value, pointer, depth)))

    def _field(self, field: str, value: object, pointer: str, operators: Mapping[str, _Read], bare: _Read | None) -> N:
        """Return the condition for a bare value, or for an object of operators, which must all match.

        `operators` maps each operator of the field to the check of its operand. `bare` is the check of a bare value, or
        None if the field requires an operator.
        """
        condition = self._nodes.condition
        if not isinstance(value, Mapping):
            if bare is None:
                raise FilterError(
                    f"{field} must be an object with {' or '.join(operators)}, got {value!r}", pointer=pointer
                )
            if bare is _entity and value == "*":
                return condition(field, "exists", None, None)
            return condition(field, "eq", bare(field, value, pointer), None)
        if not value:
            raise FilterError(f"{field} must have one of the operators {', '.join(operators)}", pointer=pointer)
        parts: list[N] = []
        for name, operand in value.items():
            if bare is _entity and name == "eq" and operand == "*":
                parts.append(condition(field, "exists", None, None))
                continue
            if name not in operators:
                hint = f". For equality, write {{{field!r}: value}}" if name == "eq" else ""
                raise FilterError(
                    f"{field} has no operator {name!r}; use one of {', '.join(operators)}{hint}", pointer=pointer
                )
            read = operators[name]
            parts.append(condition(field, name, read(field, operand, f"{pointer}/{escape(name)}"), None))
        return self._nodes.all_of(parts)

    def _metadata(self, value: object, pointer: str) -> N:
        if not isinstance(value, Mapping) or not value:
            raise FilterError(
                f"metadata must be an object of keys and values, such as {{'city': 'Lisbon'}}, got {short(value)}",
                pointer=pointer,
            )
        parts: list[N] = []
        for key, comparison in value.items():
            at = f"{pointer}/{escape(key)}"
            if not isinstance(key, str) or not key:
                raise FilterError(f"a metadata key must be a non-empty string, got {key!r}", pointer=at)
            operands = dict(comparison) if isinstance(comparison, Mapping) else {"eq": comparison}
            if isinstance(comparison, Mapping) and self._rules.metadata_operators == "refused":
                raise FilterError(
                    f"a metadata key must be compared with a plain value, got {short(comparison)} "
                    "(FilterRules(metadata_operators='refused'))",
                    pointer=at,
                )
            if not operands or not operands.keys() <= _METADATA_OPERATORS:
                raise FilterError(
                    f"a metadata key must be compared with a value, or with eq, ne or contains, got {comparison!r}",
                    pointer=at,
                )
            for name, operand in operands.items():
                allowed = str if name == "contains" else str | int | float | bool
                if not isinstance(operand, allowed):
                    expected = "a string" if name == "contains" else "a string, number or boolean"
                    raise FilterError(f"metadata {name} must be {expected}, got {operand!r}", pointer=at)
                parts.append(self._nodes.condition("metadata", name, operand, key))
        return self._nodes.all_of(parts)


def _hint(key: object) -> str:
    """Return what to write in place of a key that is a common mistake, or the empty string."""
    text = str(key)
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in text)
    if snake in _FIELDS:
        return f". Write {snake!r}"
    if text.upper() in {"AND", "OR", "NOT"}:
        return f". Write {text.upper()!r}"
    if text.startswith("metadata."):
        return f". Write {{'metadata': {{{text.removeprefix('metadata.')!r}: ...}}}}"
    if text in {"text", "keywords_search"}:
        return ". The service accepts this name, but its effect is not documented. Write 'keywords'"
    if text == RUN_ALIAS:
        return ". Write 'run_id'"
    return ""


def _whole_days(value: object) -> object:
    """Return the operators, in which a date without a time now means the end of that day.

    For such a date, `lte` becomes `lt` with the next day, and `gt` becomes `gte` with the next day.
    """
    if not isinstance(value, Mapping):
        return value
    replaced: dict[Any, object] = {}
    for name, operand in value.items():
        other = {"lte": "lt", "gt": "gte"}.get(name)
        # If the other operator is present too, it must not be overwritten.
        if other is None or not isinstance(operand, str) or not _DATE.fullmatch(operand) or other in value:
            replaced[name] = operand
        else:
            replaced[other] = _next_day(operand)
    return replaced


def _next_day(day: str) -> str:
    try:
        return (times.moment(day, "date") + timedelta(days=1)).isoformat()
    except OverflowError:
        return day  # 9999-12-31 has no next day: fall back to its midnight


def _text(field: str, value: object, pointer: str) -> str:
    if not isinstance(value, str):
        raise FilterError(f"{field} must be a string, got {value!r}", pointer=pointer)
    return value


def _texts(field: str, value: object, pointer: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"{field} in must be a list of at least one string, got {short(value)}", pointer=pointer)
    return tuple(_text(field, item, f"{pointer}/{index}") for index, item in enumerate(value))


def _entity(field: str, value: object, pointer: str) -> str:
    text = _text(field, value, pointer)
    if not text:
        raise FilterError(f"{field} must not be empty", pointer=pointer)
    if text == "*":
        raise FilterError(
            f"'*' means any {field} and must not be the operand of an operator; write {{{field!r}: '*'}}",
            pointer=pointer,
        )
    return text


def _entities(field: str, value: object, pointer: str) -> tuple[str, ...]:
    return tuple(_entity(field, text, pointer) for text in _texts(field, value, pointer))


def _time(field: str, value: object, pointer: str) -> str:
    try:
        return times.to_wire(value, field)
    except FilterError as error:
        raise FilterError(str(error), pointer=pointer) from None


def _times_list(field: str, value: object, pointer: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise FilterError(f"{field} in must be a list of at least one time, got {short(value)}", pointer=pointer)
    return tuple(_time(field, item, f"{pointer}/{index}") for index, item in enumerate(value))
