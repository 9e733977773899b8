"""Schemas: what a user wants back, as the JSON Schema that is sent and the type that the answer becomes.

`Schema.of` takes a Pydantic model, a dataclass, a TypedDict, anything else that Pydantic can validate (`list[Row]`), or
a JSON Schema as a dict. The JSON Schema is sent verbatim and never changed. A root that is not an object, which the
service cannot export, is put under the key `items` and taken out again.
"""

from __future__ import annotations

import json

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, overload

from mem0_exports._refusals import NOTICE
from mem0_exports.errors import ContractViolation, ExportInvalid, SchemaError


if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
U = TypeVar("U")

WRAPPED: Final = "items"
"""The key that holds a root which is not an object."""


class Schema(Generic[T]):
    """A shape to export memories into. Make one with `Schema.of`."""

    __slots__ = ("_adapter", "_wrapped", "json")

    json: Mapping[str, Any]
    """The JSON Schema that is sent."""

    def __init__(self, json_schema: Mapping[str, Any], adapter: TypeAdapter[Any] | None, *, wrapped: bool) -> None:
        self.json = json_schema
        self._adapter = adapter
        self._wrapped = wrapped

    @overload
    @staticmethod
    def of(source: type[U] | Schema[U] | TypeAdapter[U]) -> Schema[U]: ...
    @overload
    @staticmethod
    def of(source: Mapping[str, Any]) -> Schema[dict[str, Any]]: ...
    @staticmethod
    def of(source: Any) -> Schema[Any]:
        """The schema for a type or for a JSON Schema dict; SchemaError where it cannot describe an export."""
        if isinstance(source, Schema):
            return source
        if isinstance(source, Mapping):
            _check_root(source)
            return Schema(source, None, wrapped=False)
        try:
            hash(source)
        except TypeError:  # so certainly no type
            raise SchemaError(_WANTED.format(got=type(source).__name__)) from None
        return _of_type(source, repr(source))

    def load(self, raw: bytes, *, export_id: str | None = None) -> T:
        """The value for the JSON text of an export; ExportInvalid, with the data, where it does not fit.

        A dict schema gives the object as it came.
        """
        declared = NOTICE in self.json.get("properties", ())
        if self._adapter is not None and (declared or NOTICE.encode() not in raw):
            return self._validated(raw, raw, export_id)
        data = _decoded(raw)
        if not declared:
            data.pop(NOTICE, None)
        if self._adapter is None:
            return cast("T", data)
        return self._validated(json.dumps(data).encode(), raw, export_id)

    def _validated(self, text: bytes, raw: bytes, export_id: str | None) -> T:
        import pydantic  # noqa: PLC0415 -- kept out of the import of the package

        assert self._adapter is not None  # both callers checked
        try:
            value = self._adapter.validate_json(text)
        except pydantic.ValidationError as error:
            data = _decoded(raw)
            errors = [
                {
                    "path": "/" + "/".join(str(part) for part in each["loc"]),
                    "message": each["msg"],
                    "input": each["input"],
                }
                for each in error.errors(include_url=False, include_context=False)
            ]
            raise ExportInvalid(export_id, data=data, errors=errors) from None
        return cast("T", getattr(value, WRAPPED) if self._wrapped else value)


_WANTED = "expected a Pydantic model, a dataclass, a TypedDict, a type such as list[Row], or a JSON Schema as a dict; got {got}"


@lru_cache(maxsize=512)
def _of_type(source: Any, _text: str) -> Schema[Any]:
    """The schema of a type. The text of it is part of the key: A | B equals B | A, but is another type to Pydantic."""
    import pydantic  # noqa: PLC0415 -- kept out of the import of the package

    if isinstance(source, str | bytes | int | float | list | tuple | set | None.__class__):
        raise SchemaError(_WANTED.format(got=repr(source)[:80]))
    try:
        adapter: TypeAdapter[Any] = pydantic.TypeAdapter(source)
        schema = adapter.json_schema()
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticUndefinedAnnotation) as error:
        # Its first line says what is wrong and, for TypedDict before Python 3.12, what to use instead.
        raise SchemaError(f"{source!r} cannot be described by a JSON Schema: {str(error).splitlines()[0]}") from None
    if _is_object(schema):
        return Schema(schema, adapter, wrapped=False)
    definitions = schema.pop("$defs", None)
    wrapped = {"type": "object", "properties": {WRAPPED: schema}, "required": [WRAPPED]}
    if definitions:
        wrapped["$defs"] = definitions
    holder = pydantic.create_model("Holder", items=(source, ...))  # the field is WRAPPED
    return Schema(wrapped, pydantic.TypeAdapter(holder), wrapped=True)


def _is_object(schema: Mapping[str, Any]) -> bool:
    """Whether the root, behind a local $ref, is an object."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        schema = schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
    return schema.get("type") == "object"


def _check_root(schema: Mapping[str, Any]) -> None:
    kind = schema.get("type", "object")
    if kind != "object":
        raise SchemaError(f"the root of an export is an object, but the schema says type {kind!r}")
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"the schema is not JSON: {error}") from None


def _decoded(raw: bytes) -> dict[str, Any]:
    """The object in `raw`; ContractViolation where there is none."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        problem = f"the answer is not JSON: {error}"
    else:
        if isinstance(data, dict):
            return data
        problem = f"the answer is no JSON object but {type(data).__name__}"
    raise ContractViolation(problem, operation="exports_get", excerpt=raw[:200].decode("utf-8", "replace"))
