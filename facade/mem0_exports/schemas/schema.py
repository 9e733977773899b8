"""The schema of an export: the JSON Schema that is sent, and the type that the result becomes.

`Schema.of` accepts a Pydantic model, a dataclass, a TypedDict, a NamedTuple, any other type that Pydantic can validate
(`list[Row]`), or a JSON Schema as a dict. A dict is sent as it is. The service can only export objects, so a schema
that is not an object is wrapped in an object with the key `items`, and the result is unwrapped again. In a union such
as `list[Row] | Row`, only the members that are not objects are wrapped. For `Row | None`, an empty object stands for
None.
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
"""A source that gives an export a type: a type, a Schema of one, or a TypeAdapter for a type that is not a class."""

Validate: TypeAlias = Literal["strict", "lax", "off"]
"""How strictly a result is validated; see `Schema.of`."""

_NULL: Final = {"type": "null"}

_MAX_EMPTY: Final = 1_000_000
"""A longer JSON text, in bytes, is not read again to find out whether it is empty. Its schema would have to be as long.
"""

WRAPPED: Final = "items"
"""The key that wraps a root that is not an object."""


class Schema(Generic[T]):
    """What to export into: a type and its JSON Schema. Create one with `Schema.of`.

    Calls that take a schema also take a type or a JSON Schema dict directly; a Schema is only needed for `validate`.
    """

    __slots__ = ("_adapter", "_in_union", "_validate", "_wrapped", "json")

    json: Mapping[str, Any]
    """The JSON Schema that is sent."""

    def __init__(
        self,
        json_schema: Mapping[str, Any],
        adapter: TypeAdapter[Any] | None,
        *,
        wrapped: bool,
        validate: Validate,
        in_union: frozenset[str] = frozenset(),
    ) -> None:
        """Create a schema.

        `in_union` says what members of a union look like as objects: "null" is an empty one, "others" have only the
        key `items`.
        """
        self.json = json_schema
        self._in_union = in_union
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
        """Return the schema of a type or of a JSON Schema dict.

            client.exports.run(Schema.of(Profile, validate="strict"), F.user_id == "alex")

        Args:
            source: a Pydantic model, dataclass, TypedDict, NamedTuple, any other type that Pydantic can validate such
                as `list[Row]`, a TypeAdapter (for unions and other types that are not classes), or a JSON Schema dict.
            validate: how to validate the result. "lax", the default, converts values as Pydantic does ("79" to an
                int); "strict" converts nothing; "off" returns the JSON value without validation. For a dict, "lax" and
                "strict" both validate as JSON Schema defines it, which converts nothing.

        Raises:
            SchemaError: the source cannot describe an export. The message says where and why; nothing was sent.

        """
        if validate not in {"strict", "lax", "off", None}:
            raise SchemaError(f"validate must be 'strict', 'lax' or 'off', got {validate!r}")
        if isinstance(source, Schema):
            if validate is None:
                return source
            return Schema(
                source.json,
                source._adapter,
                wrapped=source._wrapped,
                validate=validate,
                in_union=source._in_union,
            )
        validate = validate or "lax"
        if isinstance(source, Mapping):
            _check_dict(source)
            return Schema(source, None, wrapped=False, validate=validate)
        try:
            hash(source)
        except TypeError:  # the cache below needs a hash; all types have one, so this is not a type
            raise SchemaError(_EXPECTED.format(got=type(source).__name__)) from None
        return _of_type(source, repr(source), validate)

    def load(self, raw: bytes, *, export_id: str | None = None) -> T:
        """Validate the JSON text of an export and return its value.

        Raises ExportInvalid, with the data, if the value does not fit the type. Raises ContractViolation if the text is
        not a JSON object.
        """
        declared = NOTICE in self.json.get("properties", ())
        typed = self._adapter is not None and self._validate != "off"
        if typed and self._in_union:
            return self._of_text(json.dumps(self._member(self._data(raw))).encode(), raw, export_id)
        # Pydantic parses JSON fast, but it accepts NaN and Infinity, which are not JSON, and it keeps the notice.
        plain = b"NaN" not in raw and b"Infinity" not in raw and (declared or NOTICE.encode() not in raw)
        if typed and plain:
            return self._of_text(raw, raw, export_id)
        data = self._data(raw)
        if typed:
            return self._of_text(json.dumps(data).encode(), raw, export_id)
        if self._validate != "off":
            self._check_data(data, export_id)
        return cast("T", data.get(WRAPPED) if self._wrapped else data)

    def found_nothing(self, raw: bytes) -> bool:
        """Return whether the JSON text of an export, which `load` has accepted, holds only defaults and empty lists."""
        if len(raw) > _MAX_EMPTY:
            return False
        from mem0_exports.schemas.emptiness import is_empty  # noqa: PLC0415 -- kept out of the import of the package

        try:
            return is_empty(self._data(raw), self.json, self.json)
        except RecursionError:  # nested too deep to be followed: certainly not empty
            return False

    def _data(self, raw: bytes) -> dict[str, Any]:
        """Parse the JSON text of an export, and remove the notice that the service may have added."""
        data = _object(raw)
        if NOTICE not in self.json.get("properties", ()):
            data.pop(NOTICE, None)
        return data

    def _member(self, data: dict[str, Any]) -> Any:
        """Return the value of a union that an object stands for."""
        if not data and "null" in self._in_union:
            return None
        return data[WRAPPED] if data.keys() == {WRAPPED} and "others" in self._in_union else data

    def _of_text(self, text: bytes, raw: bytes, export_id: str | None) -> T:
        """Validate `text` with Pydantic. An ExportInvalid gets its data from `raw`, the text that the service sent."""
        import pydantic  # noqa: PLC0415 -- kept out of the import of the package

        assert self._adapter is not None  # the caller checked
        try:
            value = self._adapter.validate_json(text, strict=True if self._validate == "strict" else None)
        except pydantic.ValidationError as error:
            problems = error.errors(include_url=False, include_context=False)
        else:
            return cast("T", getattr(value, WRAPPED) if self._wrapped else value)
        errors = [
            {"path": pointer(problem["loc"]) or "/", "message": problem["msg"], "input": problem["input"]}
            for problem in problems
        ]
        raise ExportInvalid(export_id, data=_object(raw), errors=errors)

    def _check_data(self, data: dict[str, Any], export_id: str | None) -> None:
        from mem0_exports.schemas.validate import validator  # noqa: PLC0415 -- only dict schemas need it

        errors = [
            {"path": pointer(problem.instance_path) or "/", "message": problem.message, "input": problem.instance}
            for problem in validator(self.json).iter_errors(data)
        ]
        if errors:
            raise ExportInvalid(export_id, data=data, errors=errors)


_EXPECTED = (
    "expected a Pydantic model, dataclass, TypedDict, a type such as list[Row], or a JSON Schema as a dict, got {got}"
)


@lru_cache(maxsize=512)
def _of_type(source: Any, _text: str, validate: Validate) -> Schema[Any]:
    """Return the schema of a type.

    `_text` is the repr of the type and is used only as a part of the cache key: A | B equals B | A, but Pydantic may
    choose another branch for each.
    """
    import pydantic  # noqa: PLC0415 -- kept out of the import of the package

    from mem0_exports.schemas.describe import describe  # noqa: PLC0415 -- imports pydantic too

    if isinstance(source, str | bytes | int | float | tuple | None.__class__):
        raise SchemaError(_EXPECTED.format(got=repr(source)[:80]))
    try:
        adapter = source if isinstance(source, pydantic.TypeAdapter) else pydantic.TypeAdapter(source)
        schema = describe(adapter, getattr(source, "__name__", None))
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticUndefinedAnnotation, ValueError) as error:
        # Pydantic's first line says what is wrong and, for TypedDict before Python 3.12, what to use instead.
        raise SchemaError(f"{source!r} cannot be described by a JSON Schema: {str(error).splitlines()[0]}") from None
    if _is_object(schema, schema):
        return Schema(schema, adapter, wrapped=False, validate=validate)
    union = _union_of_objects(schema)
    if union is not None:
        return Schema(union[0], adapter, wrapped=False, validate=validate, in_union=union[1])
    definitions = schema.pop("$defs", None)
    wrapped = _wrapped(schema)
    if definitions:
        wrapped["$defs"] = definitions
    inner = adapter._type if isinstance(source, pydantic.TypeAdapter) else source
    holder = pydantic.create_model("Holder", items=(inner, ...))  # the field is WRAPPED
    return Schema(wrapped, pydantic.TypeAdapter(holder), wrapped=True, validate=validate)


def _wrapped(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {WRAPPED: schema}, "required": [WRAPPED]}


def _union_of_objects(schema: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]] | None:
    """Return a union with some members that are objects as one in which all are, and which others it has.

    The result has an empty object for null, and the members that are neither wrapped. It is None if the schema is no
    such union, or if it could not be told whether a member is wrapped.
    """
    members = [branch for branch in schema.get("anyOf", ()) if branch != _NULL]
    objects = [branch for branch in members if _is_object(branch, schema)]
    others = len(objects) < len(members)
    if not objects or (others and any(_may_have(WRAPPED, branch, schema) for branch in objects)):
        return None
    made = [branch if branch in objects else {**_wrapped(branch), "additionalProperties": False} for branch in members]
    kinds = {"others"} if others else set()
    if _NULL in schema["anyOf"]:
        made.append({"type": "object", "maxProperties": 0})
        kinds.add("null")
    return {**schema, "anyOf": made}, frozenset(kinds)


def _may_have(name: str, schema: Any, document: Mapping[str, Any]) -> bool:
    """Return whether an object could have this name as its only property."""
    while isinstance(schema, dict) and isinstance(schema.get("$ref"), str) and len(schema) == 1:
        schema = follow(document, schema["$ref"])
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return True
    return name in schema["properties"] or bool(schema.get("additionalProperties"))


def _is_object(schema: Any, document: Mapping[str, Any]) -> bool:
    """Return whether a schema allows only objects, after following references and in every branch of a union."""
    for _ in range(len(document.get("$defs", ())) + 1):  # a longer chain of references is a loop
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            break
        schema = follow(document, schema["$ref"])
    if not isinstance(schema, dict):
        return False
    branches = [branch for key in ("anyOf", "oneOf") for branch in schema.get(key, ())]
    if branches:
        return all(_is_object(branch, document) for branch in branches)
    return schema.get("type") == "object"


def _check_dict(schema: Mapping[str, Any]) -> None:
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"the schema is not JSON: {error}") from None
    from mem0_exports.schemas.keywords import says_nothing, wraps_a_schema  # noqa: PLC0415 -- only dict schemas need it
    from mem0_exports.schemas.validate import Unusable, check  # noqa: PLC0415

    problem = wraps_a_schema(schema)
    if problem is not None:
        raise SchemaError(f"the schema cannot describe an export: {problem}")
    try:
        check(dict(schema))
    except Unusable as error:
        raise SchemaError(f"the schema cannot describe an export: {error}") from None
    problem = says_nothing(schema)
    if problem is not None:
        raise SchemaError(f"the schema cannot describe an export: {problem}")


def _object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object; raise ContractViolation for anything else."""
    garbled = False
    try:
        data = decode(raw)
    except ValueError as error:
        problem, garbled = f"the answer is not JSON: {error}", True
    else:
        if isinstance(data, dict):
            return data
        problem = f"the answer must be a JSON object, got {type(data).__name__}"
    excerpt = raw[:200].decode("utf-8", "replace")
    raise ContractViolation(problem, operation="exports_get", excerpt=excerpt, garbled=garbled)
