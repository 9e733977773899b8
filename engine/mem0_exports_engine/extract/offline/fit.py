"""Convert a value to match a JSON Schema without losing or adding information, or say why that is impossible.

For example, "79" becomes the integer 79, the integer 79 becomes the string "79", and "true" becomes a boolean. "about
80" cannot become a number. A value that is already valid is not changed. Nothing is rounded, truncated or guessed.
"""

from __future__ import annotations

import json
import math
import re

from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.schemas.annotations import TUPLE
from mem0_exports.schemas.formats import FORMATS
from mem0_exports.strict_json import decode
from mem0_exports.strict_json import pointer as pointer_of
from mem0_exports_engine.extract.offline.resolve import NULL, Document, Resolved, without_null


if TYPE_CHECKING:
    from collections.abc import Sequence

    import jsonschema_rs


class Mismatch(ValueError):
    """A value cannot be converted to match the schema. The message, such as "it is not of type integer", says why."""

    def __init__(self, reason: str, path: Sequence[str | int] = (), cause: str | None = None) -> None:
        """Create the error for a value, or for a part of it at `path`. `reason` calls that part "it"."""
        where = "/".join(map(str, path))
        super().__init__(
            reason if not where else f"{where} {reason[3:]}" if reason.startswith("it ") else f"{where}: {reason}"
        )
        self.reason = reason
        self.path = path
        self.cause = cause or reason
        """The place in the schema that the value does not match. Unlike the message, it does not depend on the value."""

    @property
    def last_keyword(self) -> str:
        """The keyword that the value does not match."""
        return self.cause.rpartition("/")[2]

    def inside(self, step: str | int, keyword: str) -> Mismatch:
        """Return the error for the value that has this one at `step`, described by `keyword` of its schema."""
        return Mismatch(self.reason, (step, *self.path), f"{keyword}/{self.cause}")


_MAX_CACHED_LENGTH: Final = 100
"""The most characters of a string whose conversion is cached."""

_MAX_CACHED: Final = 1000
"""The most values per shape whose conversions are cached."""

_MAX_REASONS: Final = 3
"""The most reasons that are given for a value that fits no alternative of a union."""

_UNIONS: Final = frozenset({"anyOf", "oneOf"})

_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


class Shape:
    """A part of a schema, with its references resolved and null removed from its unions.

    `node` is the resolved schema: what a $ref and the branches of allOf say is merged into it. Validation always uses the
    original schema.
    """

    def __init__(self, document: Document, pointer: str, schema: Any) -> None:
        self._document = document
        self._pointer = pointer
        self._schema = schema
        found = Resolved(document, schema, pointer)
        self._inner = without_null(document, found)
        self.node = found.node
        self._pointers = found.pointers
        self._properties = found.properties
        self.hidden = found.hidden
        """Keywords that occur twice with different values, such as next to a $ref and in its target.

        `node` has only one of the two values, so only a validator knows the full meaning.
        """
        self._cache: dict[tuple[type, str | int], tuple[Any] | Mismatch] = {}

    @classmethod
    def of(cls, schema: dict[str, Any]) -> Shape:
        """Return the shape of a whole schema."""
        return cls(Document(schema), "#", schema)

    def part(self, key: str, schema: Any, *names: str | int) -> Shape:
        """Return the shape of a sub-schema of the keyword `key`."""
        return Shape(self._document, self._pointers.get(key, self._pointer) + pointer_of([key, *names]), schema)

    @cached_property
    def kinds(self) -> set[str]:
        """The types that the schema names, except null. Empty if it names none."""
        kinds = self.node.get("type", [])
        return ({kinds} if isinstance(kinds, str) else set(kinds)) - {"null"}

    @cached_property
    def nullable(self) -> bool:
        """Whether null is valid."""
        return self.problem(None) is None

    @cached_property
    def properties(self) -> dict[str, Shape]:
        """The declared properties of an object."""
        return {name: Shape(self._document, pointer, schema) for name, (pointer, schema) in self._properties.items()}

    @cached_property
    def free(self) -> Shape | None:
        """The values of properties that are not declared; None if there must not be any."""
        free = self.node.get("additionalProperties", {})
        return None if free is False else self.part("additionalProperties", free)

    @cached_property
    def required(self) -> set[str]:
        """The names of the required properties."""
        return set(self.node.get("required", ()))

    @cached_property
    def items(self) -> Shape:
        """The items of an array."""
        return self.part("items", self.node.get("items", {}))

    @cached_property
    def content(self) -> Shape | None:
        """The shape of the JSON value whose text a string has to be, as for Pydantic's `Json[...]`; None for others."""
        is_text = "string" in self.kinds and self.node.get("contentMediaType") == "application/json"
        return self.part("contentSchema", self.node.get("contentSchema", {})) if is_text else None

    @property
    def is_plain_scalar(self) -> bool:
        """Whether only scalars are valid, and a valid one needs no conversion."""
        return bool(self.kinds) and not self.kinds & {"object", "array"} and self.content is None

    @cached_property
    def branches(self) -> list[Shape]:
        """The alternatives of a union, except null."""
        return [
            self.part(key, schema, index)
            for key in ("anyOf", "oneOf")
            for index, schema in enumerate(self.node.get(key, ()))
            if schema != NULL
        ]

    @cached_property
    def alternatives(self) -> list[Shape]:
        """The alternatives of a union, with those of unions inside it in place of these."""
        found = (
            branch.alternatives if branch.branches and not branch.properties else [branch] for branch in self.branches
        )
        return [shape for shapes in found for shape in shapes]

    @cached_property
    def _validator(self) -> jsonschema_rs.Validator:
        return self._document.validator(self._pointer, self._schema)

    def problem(self, value: Any) -> str | None:
        """Return why `value` is invalid, or None if it is valid."""
        mismatch = self.mismatch(value)
        return None if mismatch is None else str(mismatch)

    def mismatch(self, value: Any) -> Mismatch | None:
        """Return why `value` is invalid, or None if it is valid."""
        return _first(self._validator, value)

    def accepts(self, value: Any) -> bool:
        """Return whether `value` is valid."""
        return self._validator.is_valid(value)

    def keeps(self, value: Any) -> bool:
        """Return whether `fit` would return `value` unchanged, provided that it is valid."""
        if not isinstance(value, dict | list):
            return self.content is None
        return not (isinstance(value, dict) and self.properties) and _depth(value) <= self._document.max_depth

    def fit(self, value: Any) -> Any:
        """Return `value`, converted if necessary, so that it is valid. Raises Mismatch if that is not possible."""
        kind = type(value)
        if kind is str or kind is int or kind is bool:
            # Results are cached because values often repeat. The type is part of the key because True == 1 in Python.
            cached = self._cache.get((kind, value))
            if cached is None:
                cached = self._fit_cached(value)
            if isinstance(cached, Mismatch):
                raise Mismatch(cached.reason, cached.path, cached.cause)
            return cached[0]
        self._check_depth(value)
        return self._fit(value)

    def _fit_cached(self, value: str | int) -> tuple[Any] | Mismatch:
        """Return the converted value (in a tuple) or the Mismatch, and cache it if the value is short."""
        try:
            result: tuple[Any] | Mismatch = (self._fit(value),)
        except Mismatch as error:
            result = error
        if isinstance(value, int) or len(value) <= _MAX_CACHED_LENGTH:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            self._cache[type(value), value] = result
        return result

    def _fit(self, value: Any) -> Any:
        if self.content is not None:
            value = self.content.text_of(value)
        if self.accepts(value):
            if not (isinstance(value, dict) and self._renames(value)):
                return value
            mismatch = None
        else:
            mismatch = self.mismatch(value)
        misfits: list[Mismatch] = []
        for candidate in self._candidates(value, misfits):
            if self.accepts(candidate):
                return candidate
        if mismatch is None:
            return value
        if self._inner is not None:  # "not of type integer" is clearer than "not valid under any of the two schemas"
            mismatch = _first(self._document.validator(*self._inner), value) or mismatch
        if misfits and mismatch.last_keyword in _UNIONS and not mismatch.path:
            nearest = _nearest(misfits) if isinstance(value, dict | list) else misfits  # a scalar can become any other
            reasons = [*dict.fromkeys(map(str, nearest))][:_MAX_REASONS]
            mismatch = Mismatch(f"it fits no alternative: {'; or '.join(reasons)}", (), mismatch.cause)
        raise mismatch

    def text_of(self, value: Any) -> Any:
        """Return the JSON text of a value of this shape. A text that is such a JSON text already is returned unchanged."""
        if isinstance(value, str):
            try:
                content = decode(value.encode())
            except ValueError:  # it is not JSON, so it has to be the text itself that is wanted
                content = value
            self._check_depth(content)
            if content != value and self.accepts(content):
                return value
        return json.dumps(self._fit(value), ensure_ascii=False)

    def _check_depth(self, value: Any) -> None:
        # The time to validate nested unions grows exponentially with the depth. `max_value_depth` bounds it.
        if _depth(value) > self._document.max_depth:
            raise Mismatch(f"it is nested more than {self._document.max_depth} levels deep")

    def _candidates(self, value: Any, misfits: list[Mismatch]) -> list[Any]:
        """Return the ways to convert `value`, best first. They still have to be validated.

        Add to `misfits` why it cannot become any of the alternatives.
        """
        for branch in self.branches:
            try:
                return [branch._fit(value)]
            except Mismatch as error:
                misfits.append(error)
        if isinstance(value, dict):
            return self._objects(value)
        if isinstance(value, list) and self.node.get(TUPLE) is True and len(value) <= len(self.properties):
            return self._objects(dict(zip(self.properties, value, strict=False)))
        if isinstance(value, list):
            return [self._list(value)] if "items" in self.node else []
        if "array" in self.kinds:
            # A single value becomes a list of one item, unless the items could be lists themselves. It would then be
            # unclear which of the lists is meant.
            return [[self.items._fit(value)]] if self.items.kinds and "array" not in self.items.kinds else []
        return [*_written_as(value, self.kinds), *self._choices(value), *self._day(value)]

    def _renames(self, value: dict[str, Any]) -> dict[str, str]:
        """Return, for each missing property, the key of `value` that is spelled like it, if there is exactly one."""
        renames: dict[str, str] = {}
        for name in self.properties.keys() - value.keys():
            alike = [key for key in value if folded(key) == folded(name) and key not in self.properties]
            if len(alike) == 1:
                renames[name] = alike[0]
        return renames

    def _objects(self, value: dict[str, Any]) -> list[dict[str, Any]]:
        """Return two candidates with renamed and converted properties: one with the undeclared keys, one without."""
        renames = self._renames(value)
        declared: dict[str, Any] = {}
        for name, shape in self.properties.items():
            key = renames.get(name, name)
            if key in value:
                try:
                    declared[name] = shape._fit(value[key])
                except Mismatch as error:
                    raise error.inside(key, name) from None
        others = {key: item for key, item in value.items() if key not in declared and key not in renames.values()}
        return [{**declared, **others}, declared] if self.properties else []

    def _list(self, value: list[Any]) -> list[Any]:
        fitted: list[Any] = []
        for index, item in enumerate(value):
            try:
                fitted.append(self.items._fit(item))
            except Mismatch as error:
                raise error.inside(index, "items") from None
        return fitted

    def _day(self, value: Any) -> list[Any]:
        """Return the calendar day of a date and time, as it is written there, if a date is wanted."""
        if self.node.get("format") != "date" or not isinstance(value, str):
            return []
        return [value[:10]] if _DATE_TIME.match(value) and FORMATS["date-time"](value) else []

    def _choices(self, value: Any) -> list[Any]:
        """Return the only enum member that equals `value` except for case, spaces, hyphens and underscores, if any."""
        if not isinstance(value, str):
            return []
        members = self.node.get("enum", ())
        alike = [member for member in members if isinstance(member, str) and folded(member) == folded(value)]
        return alike if len(alike) == 1 else []


def _depth(value: Any) -> int:
    """Return how deep a JSON value is nested: 0 for a scalar or an empty container."""
    depth = 0
    level = [value]
    while level := [item for item in level if isinstance(item, dict | list) and item]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def _nearest(misfits: list[Mismatch]) -> list[Mismatch]:
    """Return why a value fits none of the alternatives of a union that it resembles most."""
    highest = max(map(_resemblance, misfits))
    return [misfit for misfit in misfits if _resemblance(misfit) == highest]


def _resemblance(misfit: Mismatch) -> tuple[bool, bool, int]:
    """Rank an alternative by where the value does not match it: not in its type, not in a tag, deep inside."""
    is_of_type = bool(misfit.path) or misfit.last_keyword != "type"
    has_tag = not misfit.path or misfit.last_keyword not in {"const", "enum"}
    return is_of_type, has_tag, len(misfit.path)


def _first(checker: jsonschema_rs.Validator, value: Any) -> Mismatch | None:
    """Return the first validation error of `value`, or None if it is valid."""
    for error in checker.iter_errors(value):
        return Mismatch(error.message[:200], error.instance_path, "/".join(map(str, error.schema_path)))
    return None


def _written_as(value: Any, kinds: set[str]) -> list[Any]:
    """Return a scalar converted to each of the types `kinds` for which the conversion loses nothing."""
    if isinstance(value, str):
        converted: list[Any] = []
        text = value.strip()
        if "integer" in kinds and _INTEGER.fullmatch(text):
            converted.append(int(text))
        if "number" in kinds and _NUMBER.fullmatch(text) and len(text) <= 40:
            converted += _exactly(text)
        if "boolean" in kinds and text.casefold() in {"true", "false"}:
            converted.append(text.casefold() == "true")
        return converted
    if "string" in kinds and isinstance(value, bool | int | float):
        return [json.dumps(value)]
    return []


def _exactly(text: str) -> list[int | float]:
    """Return the number in a text, or nothing if a float cannot hold all its digits, as in 0.12345678901234567890."""
    exact = Decimal(text)
    if not any(mark in text for mark in ".eE"):
        return [int(text)]
    number = float(text)
    return [number] if math.isfinite(number) and Decimal(repr(number)) == exact else []


@lru_cache(maxsize=10_000)
def folded(name: str) -> str:
    """Return a name in lower case, without underscores, hyphens and spaces, in which naming styles differ."""
    return re.sub(r"[_\-\s]", "", name).casefold()
