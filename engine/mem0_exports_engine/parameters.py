"""Read path and query parameters, convert them to Python values, and validate them against openapi.yaml."""

from __future__ import annotations

import math
import re

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import jsonschema_rs


if TYPE_CHECKING:
    from collections.abc import Mapping

Value: TypeAlias = str | int | float | bool
"""The value of a parameter. KINDS has the Python type for each type of JSON Schema."""

KINDS: Final[dict[str, type[Value]]] = {"string": str, "integer": int, "number": float, "boolean": bool}
"""The types of JSON Schema that a parameter can have, each with the Python type of its values."""

T = TypeVar("T", bound=Value)

_INTEGER: Final = re.compile(r"-?[0-9]{1,400}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?")
_BOOLEANS: Final = {"true": True, "false": False}
_NOUNS: Final[dict[type[Value], str]] = {int: "an integer", float: "a number", bool: "true or false"}


class Invalid(ValueError):
    """The parameters of a request do not match openapi.yaml. The message names the parameter and says what is wrong."""


class Parameter(NamedTuple):
    """A path or query parameter of an operation."""

    name: str
    kind: type[Value]
    validator: jsonschema_rs.Validator
    required: bool
    default: Value | None = None

    def read(self, text: str) -> Value:
        """Return the value that `text` stands for. Raises Invalid if it does not match the schema."""
        value = _converted(self.kind, text)
        if value is None:
            raise Invalid(f"{self.name} must be {_NOUNS[self.kind]}, got {text[:50]!r}")
        for error in self.validator.iter_errors(value):
            raise Invalid(self._message(error, text))
        return value

    def _message(self, error: jsonschema_rs.ValidationError, text: str) -> str:
        kinds = jsonschema_rs.ValidationErrorKind
        match error.kind:
            case kinds.Minimum(limit):
                bound = f"at least {limit}"
            case kinds.Maximum(limit):
                bound = f"at most {limit}"
            case kinds.ExclusiveMinimum(limit):
                bound = f"above {limit}"
            case kinds.ExclusiveMaximum(limit):
                bound = f"below {limit}"
            case _:
                return f"{self.name}: {error.message[:300]}"
        return f"{self.name} must be {bound}, got {text[:50]}"


class Values:
    """The parameters of a request, by name: validated, and with the defaults filled in."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def get(self, name: str, kind: type[T]) -> T:
        """Return the value of a parameter that is required or has a default.

        `kind` must be the Python type for the parameter's type in openapi.yaml: str for a string, int for an integer,
        float for a number, or bool for a boolean. Raises TypeError if it is another type, and KeyError if the request
        does not have the parameter.
        """
        value = self._values[name]
        if not isinstance(value, kind) or type(value) is not kind:  # True is an instance of int
            raise TypeError(f"{name} is of type {type(value).__name__} in openapi.yaml, not {kind.__name__}")
        return value

    def find(self, name: str, kind: type[T]) -> T | None:
        """Return the value of a parameter, or None if the request does not have it."""
        return self.get(name, kind) if name in self._values else None

    def __repr__(self) -> str:
        return f"Values({', '.join(self._values)})"


def _converted(kind: type[Value], text: str) -> Value | None:
    """Return the value of type `kind` that `text` stands for, or None if there is none."""
    if kind is int:
        return int(text) if _INTEGER.fullmatch(text) else None
    if kind is float:
        number = float(text) if _NUMBER.fullmatch(text) else math.inf
        return number if math.isfinite(number) else None
    return _BOOLEANS.get(text) if kind is bool else text


def read_path(parameters: Mapping[str, Parameter], segments: Mapping[str, str]) -> dict[str, Value]:
    """Return the values of the path parameters, given their percent-encoded text. Raises Invalid if one is invalid."""
    values: dict[str, Value] = {}
    for name, parameter in parameters.items():
        text = decoded(segments[name])
        if text is None:
            raise Invalid(f"{name} must be percent-encoded UTF-8")
        values[name] = parameter.read(text)
    return values


def decoded(segment: str) -> str | None:
    """Return a percent-encoded segment of a path as text, or None if its bytes are not UTF-8."""
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return None


def read_query(parameters: Mapping[str, Parameter], query: str) -> dict[str, Value]:
    """Return the values of the query parameters, with the defaults filled in. Raises Invalid if one is invalid."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise Invalid("the query must be percent-encoded UTF-8") from None
    values: dict[str, Value] = {}
    for name, text in pairs:
        if name not in parameters:
            raise Invalid(f"unknown query parameter {name[:50]!r}; allowed: {', '.join(parameters) or 'none'}")
        if name in values:
            raise Invalid(f"{name} must appear only once in the query")
        values[name] = parameters[name].read(text)
    for name, parameter in parameters.items():
        if name not in values and parameter.required:
            raise Invalid(f"{name} is required in the query")
        if name not in values and parameter.default is not None:
            values[name] = parameter.default
    return values
