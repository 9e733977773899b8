"""Schemas: what a user wants back, as the JSON Schema that is sent and the type that the answer becomes.

`Schema.of` takes a Pydantic model, a dataclass, a TypedDict, a NamedTuple, anything else that Pydantic can validate
(`list[Row]`), or a JSON Schema as a dict. A dict is sent verbatim and never changed. A root that is not an object,
which the service cannot export, is put under the key `items` and taken out again.
"""

from __future__ import annotations

import json

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, cast, overload

from mem0_exports.errors import ContractViolation, ExportInvalid, SchemaError
from mem0_exports.facts import NOTICE
from mem0_exports.strict_json import decode, follow, pointer


if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
U = TypeVar("U")

Typed: TypeAlias = "type[T] | Schema[T] | TypeAdapter[T]"
"""What gives a typed export: a type, a schema made of one, or a TypeAdapter where the type is no class."""

Validate: TypeAlias = Literal["strict", "lax", "off"]
"""How an answer becomes a value; see `Schema.of`."""

WRAPPED: Final = "items"
"""The key that holds a root which is not an object."""


class Schema(Generic[T]):
    """A shape to export memories into. Make one with `Schema.of`."""

    __slots__ = ("_adapter", "_validate", "_wrapped", "json")

    json: Mapping[str, Any]
    """The JSON Schema that is sent."""

    def __init__(
        self, json_schema: Mapping[str, Any], adapter: TypeAdapter[Any] | None, *, wrapped: bool, validate: Validate
    ) -> None:
        self.json = json_schema
        self._adapter = adapter
        self._wrapped = wrapped
        self._validate = validate

    @overload
    @staticmethod
    def of(
        source: type[U] | Schema[U] | TypeAdapter[U], *, validate: Literal["strict", "lax"] | None = None
    ) -> Schema[U]: ...
    @overload
    @staticmethod
    def of(source: Mapping[str, Any], *, validate: Validate | None = None) -> Schema[dict[str, Any]]: ...
    @overload
    @staticmethod
    def of(source: Any, *, validate: Literal["off"]) -> Schema[Any]: ...
    @staticmethod
    def of(source: Any, *, validate: Validate | None = None) -> Schema[Any]:
        """The schema for a type or for a JSON Schema dict.

        Args:
            source: a Pydantic model, dataclass, TypedDict, NamedTuple, any other type that Pydantic can validate such
                as `list[Row]`, a TypeAdapter (for unions and what else is no class), or a JSON Schema as a dict.
            validate: "lax", the default, converts as Pydantic does ("79" for an int), "strict" converts nothing, "off" gives the
                data as it came. A dict is validated as JSON Schema says, which converts nothing.

        Raises:
            SchemaError: it cannot describe an export; says where and why. Nothing was sent.

        """
        if validate not in {"strict", "lax", "off", None}:
            raise SchemaError(f"validate is 'strict', 'lax' or 'off', got {validate!r}")
        if isinstance(source, Schema):
            if validate is None:
                return source
            return Schema(source.json, source._adapter, wrapped=source._wrapped, validate=validate)
        validate = validate or "lax"
        if isinstance(source, Mapping):
            _check_dict(source)
            return Schema(source, None, wrapped=False, validate=validate)
        try:
            hash(source)
        except TypeError:  # so certainly no type
            raise SchemaError(_WANTED.format(got=type(source).__name__)) from None
        return _of_type(source, repr(source), validate)

    def load(self, raw: bytes, *, export_id: str | None = None) -> T:
        """The value for the JSON text of an export; ExportInvalid, with the data, where it does not fit."""
        declared = NOTICE in self.json.get("properties", ())
        typed = self._adapter is not None and self._validate != "off"
        # Pydantic reads NaN and Infinity, which are no JSON.
        plain = b"NaN" not in raw and b"Infinity" not in raw and (declared or NOTICE.encode() not in raw)
        if typed and plain:
            return self._of_text(raw, raw, export_id)
        data = _object(raw)
        if not declared:
            data.pop(NOTICE, None)
        if typed:
            return self._of_text(json.dumps(data).encode(), raw, export_id)
        if self._validate != "off":
            self._check_data(data, export_id)
        return cast("T", data.get(WRAPPED) if self._wrapped else data)

    def _of_text(self, text: bytes, raw: bytes, export_id: str | None) -> T:
        import pydantic  # noqa: PLC0415 -- kept out of the import of the package

        assert self._adapter is not None  # the caller checked
        try:
            value = self._adapter.validate_json(text, strict=True if self._validate == "strict" else None)
        except pydantic.ValidationError as error:
            found = error.errors(include_url=False, include_context=False)
        else:
            return cast("T", getattr(value, WRAPPED) if self._wrapped else value)
        errors = [
            {"path": pointer(each["loc"]) or "/", "message": each["msg"], "input": each["input"]} for each in found
        ]
        raise ExportInvalid(export_id, data=_object(raw), errors=errors)

    def _check_data(self, data: dict[str, Any], export_id: str | None) -> None:
        from mem0_exports.schemas.validate import validator  # noqa: PLC0415 -- only dict schemas need it

        errors = [
            {"path": pointer(each.instance_path) or "/", "message": each.message, "input": each.instance}
            for each in validator(self.json).iter_errors(data)
        ]
        if errors:
            raise ExportInvalid(export_id, data=data, errors=errors)


_WANTED = "expected a Pydantic model, a dataclass, a TypedDict, a type such as list[Row], or a JSON Schema as a dict; got {got}"


@lru_cache(maxsize=512)
def _of_type(source: Any, _text: str, validate: Validate) -> Schema[Any]:
    """The schema of a type. The text of it is part of the key: A | B equals B | A, but is another type to Pydantic."""
    import pydantic  # noqa: PLC0415 -- kept out of the import of the package

    from mem0_exports.schemas.describe import describe  # noqa: PLC0415 -- as the one before

    if isinstance(source, str | bytes | int | float | tuple | None.__class__):
        raise SchemaError(_WANTED.format(got=repr(source)[:80]))
    try:
        adapter = source if isinstance(source, pydantic.TypeAdapter) else pydantic.TypeAdapter(source)
        schema = describe(adapter, getattr(source, "__name__", None))
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticUndefinedAnnotation, ValueError) as error:
        # Its first line says what is wrong and, for TypedDict before Python 3.12, what to use instead.
        raise SchemaError(f"{source!r} cannot be described by a JSON Schema: {str(error).splitlines()[0]}") from None
    if _is_object(schema, schema):
        return Schema(schema, adapter, wrapped=False, validate=validate)
    definitions = schema.pop("$defs", None)
    wrapped = {"type": "object", "properties": {WRAPPED: schema}, "required": [WRAPPED]}
    if definitions:
        wrapped["$defs"] = definitions
    inner = adapter._type if isinstance(source, pydantic.TypeAdapter) else source
    holder = pydantic.create_model("Holder", items=(inner, ...))  # the field is WRAPPED
    return Schema(wrapped, pydantic.TypeAdapter(holder), wrapped=True, validate=validate)


def _is_object(schema: Any, document: Mapping[str, Any]) -> bool:
    """Return whether the root, behind local references and in every branch of a union, is an object."""
    for _ in range(len(document.get("$defs", ())) + 1):  # a longer chain is a loop
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            break
        schema = follow(document, schema["$ref"])
    if not isinstance(schema, dict):
        return False
    branches = [each for key in ("anyOf", "oneOf") for each in schema.get(key, ())]
    if branches:
        return all(_is_object(each, document) for each in branches)
    return schema.get("type") == "object"


def _check_dict(schema: Mapping[str, Any]) -> None:
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"the schema is not JSON: {error}") from None
    from mem0_exports.schemas.validate import Unusable, check  # noqa: PLC0415 -- only dict schemas need it

    try:
        check(dict(schema))
    except Unusable as error:
        raise SchemaError(f"the schema cannot be used: {error}") from None


def _object(raw: bytes) -> dict[str, Any]:
    """The object in `raw`; ContractViolation where there is none."""
    garbled = False
    try:
        data = decode(raw)
    except ValueError as error:
        problem, garbled = f"the answer is not JSON: {error}", True
    else:
        if isinstance(data, dict):
            return data
        problem = f"the answer is no JSON object but {type(data).__name__}"
    excerpt = raw[:200].decode("utf-8", "replace")
    raise ContractViolation(problem, operation="exports_get", excerpt=excerpt, garbled=garbled)
