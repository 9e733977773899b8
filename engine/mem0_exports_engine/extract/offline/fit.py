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
from mem0_exports_engine.extract.offline.mismatch import Mismatch, first_mismatch
from mem0_exports_engine.extract.offline.resolve import NULL, Document, Resolved, without_null
from mem0_exports_engine.extract.offline.work import CONVERSION, PARSING, TooMuch, Work
from mem0_exports_engine.json_text import read


_MAX_CACHED_LENGTH: Final = 100
"""The most characters of a string whose conversion is cached."""

_MAX_CACHED: Final = 20_000
"""The most values whose conversions are cached, for all shapes of a document together."""

_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


if TYPE_CHECKING:
    from collections.abc import Iterable


class Shapes:
    """The shapes of a document: one for each part, however often it is referred to."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.work = Work(document.cost)
        self._known: dict[str, Shape] = {}
        self._cached = 0

    def of(self, schema: Any) -> Shape:
        """Return the shape of a part."""
        schema = self.document.target(schema)
        key = self.document.key(schema)
        shape = self._known.get(key)
        if shape is None:
            shape = self._known[key] = Shape(self, schema)
        return shape

    def make_room(self) -> None:
        """Count one more value in the caches of the shapes, and empty them if they have too many."""
        self._cached += 1
        if self._cached > _MAX_CACHED:
            self._cached = 0
            for shape in self._known.values():
                shape.fitted.clear()


class Shape:
    """A part of a schema, with its references resolved and null removed from its unions.

    `node` is the resolved schema: what a $ref and the branches of allOf say is merged into it. Validation always uses the
    original schema.
    """

    def __init__(self, shapes: Shapes, schema: Any) -> None:
        self._shapes = shapes
        self._schema = schema
        self.work = shapes.work
        self._key = shapes.document.key(schema)
        self._is_valid = shapes.document.validator.is_valid
        found = Resolved(shapes.document, schema)
        self._inner = without_null(shapes.document, found)
        self.node = found.node
        self.hidden = found.hidden
        """Keywords that occur twice with different values, such as next to a $ref and in its target.

        `node` has only one of the two values, so only a validator knows the full meaning.
        """
        self.fitted: dict[tuple[type, str | int], tuple[Any] | Mismatch] = {}
        """What short values were converted to."""

    @classmethod
    def of(cls, schema: dict[str, Any]) -> Shape:
        """Return the shape of a whole schema. Raises ValueError if it could cost too much; see `schema_cost`."""
        document = Document.of(schema)
        return Shapes(document).of(document.schema)

    def part(self, schema: Any) -> Shape:
        """Return the shape of a sub-schema."""
        return self._shapes.of(schema)

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
        return {name: self.part(schema) for name, schema in self.node.get("properties", {}).items()}

    @cached_property
    def _places(self) -> dict[str, int]:
        """The place of each property among the properties."""
        return {name: place for place, name in enumerate(self.properties)}

    @cached_property
    def _spelled(self) -> dict[str, list[str]]:
        """The names of the properties by their folded form."""
        return by_folded(self.properties)

    @cached_property
    def free(self) -> Shape | None:
        """The values of properties that are not declared; None if there must not be any."""
        free = self.node.get("additionalProperties", {})
        return None if free is False else self.part(free)

    @cached_property
    def required(self) -> set[str]:
        """The names of the required properties."""
        return set(self.node.get("required", ()))

    @cached_property
    def items(self) -> Shape:
        """The items of an array."""
        return self.part(self.node.get("items", {}))

    @cached_property
    def content(self) -> Shape | None:
        """The shape of the JSON value whose text a string has to be, as for Pydantic's `Json[...]`; None for others."""
        is_text = "string" in self.kinds and self.node.get("contentMediaType") == "application/json"
        return self.part(self.node.get("contentSchema", {})) if is_text else None

    @property
    def is_plain_scalar(self) -> bool:
        """Whether only scalars are valid, and a valid one needs no conversion."""
        return bool(self.kinds) and not self.kinds & {"object", "array"} and self.content is None

    @cached_property
    def branches(self) -> list[Shape]:
        """The alternatives of a union, except null."""
        return [self.part(schema) for key in ("anyOf", "oneOf") for schema in self.node.get(key, ()) if schema != NULL]

    @cached_property
    def alternatives(self) -> list[Shape]:
        """The alternatives of a union, with those of unions inside it in place of these."""
        found = (
            branch.alternatives if branch.branches and not branch.properties else [branch] for branch in self.branches
        )
        return [shape for shapes in found for shape in shapes]

    def problem(self, value: Any) -> str | None:
        """Return why `value` is invalid, or None if it is valid."""
        mismatch = self.mismatch(value)
        return None if mismatch is None else str(mismatch)

    def mismatch(self, value: Any) -> Mismatch | None:
        """Return why `value` is invalid, or None if it is valid."""
        if self.accepts(value):
            return None
        # "not of type integer" is clearer than "not valid under any of the two schemas"
        inner = None if self._inner is None else self.part(self._inner).mismatch(value)
        if inner is not None:
            return inner
        document = self._shapes.document
        if document.has_unions(self._schema) and not self.work.affords_explanation(value):
            return Mismatch("it does not match its schema, and is too large to say where")
        return first_mismatch(document.validator, self._key, value)

    def accepts(self, value: Any) -> bool:
        """Return whether `value` is valid."""
        return self._is_valid({self._key: value})

    def keeps(self, value: Any) -> bool:
        """Return whether `fit` would return `value` unchanged, provided that it is valid."""
        if isinstance(value, dict) and self.properties:
            return False
        try:
            self.work.spend_on(value)
        except (Mismatch, TooMuch):
            return False
        return self.content is None

    def fit(self, value: Any) -> Any:
        """Return `value`, converted if necessary, so that it is valid. Raises Mismatch if that is not possible."""
        kind = type(value)
        if kind is str or kind is int or kind is bool:
            # Results are cached because values often repeat. The type is part of the key because True == 1 in Python.
            cached = self.fitted.get((kind, value))
            if cached is None:
                cached = self._fit_cached(value)
            if isinstance(cached, Mismatch):
                raise Mismatch(cached.reason, cached.path, cached.cause)
            return cached[0]
        try:
            return self._fit(value)
        except TooMuch as error:
            raise Mismatch(error.reason) from None

    def _fit_cached(self, value: str | int) -> tuple[Any] | Mismatch:
        """Return the converted value (in a tuple) or the Mismatch, and cache it if the value is short."""
        try:
            result: tuple[Any] | Mismatch = (self._fit(value),)
        except Mismatch as error:
            result = error
        except TooMuch as error:  # not cached, because it is about one memory
            return Mismatch(error.reason)
        if isinstance(value, int) or len(value) <= _MAX_CACHED_LENGTH:
            self._shapes.make_room()
            self.fitted[type(value), value] = result
        return result

    def _fit(self, value: Any) -> Any:
        self.work.spend_on(value)
        if self.content is not None:
            value = self.content.text_of(value)
        is_valid = self.accepts(value)
        if is_valid and not (isinstance(value, dict) and self._renames(value)):
            return value
        self.work.spend(CONVERSION)
        misfits: list[Mismatch] = []
        for candidate in self._candidates(value, misfits):
            if self.accepts(candidate):
                return candidate
        mismatch = None if is_valid else self.mismatch(value)
        if mismatch is None:
            return value
        raise mismatch.of_union(misfits, value) if misfits and not mismatch.path else mismatch

    def text_of(self, value: Any) -> Any:
        """Return the JSON text of a value of this shape. A text that is such a JSON text already is returned unchanged."""
        if isinstance(value, str):
            self.work.spend(PARSING * len(value))
            try:
                content = read(value.encode())
            except ValueError:  # it is not JSON, so it has to be the text itself that is wanted
                content = value
            self.work.spend_on(content)
            if content != value and self.accepts(content):
                return value
        return json.dumps(self._fit(value), ensure_ascii=False)

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
        return {
            name: keys[0]
            for wanted, keys in by_folded(key for key in value if key not in self.properties).items()
            if len(keys) == 1
            for name in self._spelled.get(wanted, ())
            if name not in value
        }

    def _objects(self, value: dict[str, Any]) -> list[dict[str, Any]]:
        """Return two candidates with renamed and converted properties: one with the undeclared keys, one without."""
        keys = {name: name for name in value if name in self.properties} | self._renames(value)
        declared: dict[str, Any] = {}
        for name in sorted(keys, key=self._places.__getitem__):
            try:
                declared[name] = self.properties[name]._fit(value[keys[name]])
            except Mismatch as error:
                raise error.inside(keys[name], name) from None
        renamed = set(keys.values())
        others = {key: item for key, item in value.items() if key not in renamed}
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


def folded(name: str) -> str:
    """Return a name in lower case, without underscores, hyphens and spaces, in which naming styles differ."""
    return _folded(name) if len(name) <= _MAX_CACHED_LENGTH else _folded.__wrapped__(name)


@lru_cache(maxsize=10_000)
def _folded(name: str) -> str:
    return re.sub(r"[_\-\s]", "", name).casefold()


def by_folded(names: Iterable[str]) -> dict[str, list[str]]:
    """Return lists of the names that are spelled alike, by their folded form."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(folded(name), []).append(name)
    return alike
