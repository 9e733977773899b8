"""Generate the JSON Schema of a Python type with Pydantic, without titles that only repeat names."""

from __future__ import annotations

import enum

from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from mem0_exports.schemas.annotations import NAMES, TUPLE


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import TypeAdapter


_DECIMAL: Final = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)$"


def describe(adapter: TypeAdapter[Any], name: str | None) -> dict[str, Any]:
    """Return the JSON Schema of the type that `adapter` validates. `name` is the type's name, if it has one.

    Raises ValueError for a field that no result can fill.
    """
    for node in _core_nodes(adapter.core_schema):
        for field in _unreachable(node):
            raise ValueError(
                f"the field {field!r} has only an AliasPath, which reads it from inside another value and cannot be "
                "expressed in a JSON Schema; give it a plain alias, or AliasChoices with a plain one"
            )
        kind = _unreadable_keys(node)
        if kind is not None:
            raise ValueError(
                f"a dict has keys of the type {kind}, but the names of a JSON object are texts, which Pydantic cannot "
                f"read as a {kind}; use keys that are written as one text, such as str, int or date"
            )
    schema = adapter.json_schema(schema_generator=_Compact)
    for key, definition in {name or "": schema, **schema.get("$defs", {})}.items():
        title = definition.get("title")
        if title and key.endswith(title):  # for two $defs of one name, Pydantic puts the module before the name
            del definition["title"]
    return schema


class _Compact(GenerateJsonSchema):
    """Generates schemas without titles that only repeat names. Describes a NamedTuple as an object of its fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never set a title: it would only repeat the name of the field."""
        return False

    def model_field_schema(self, schema: Any) -> JsonSchemaValue:
        """Add all names of a field with AliasChoices; Pydantic describes only one of them."""
        return _with_names(super().model_field_schema(schema), schema)

    def dataclass_field_schema(self, schema: Any) -> JsonSchemaValue:
        """See `model_field_schema`."""
        return _with_names(super().dataclass_field_schema(schema), schema)

    def typed_dict_field_schema(self, schema: Any) -> JsonSchemaValue:
        """See `model_field_schema`."""
        return _with_names(super().typed_dict_field_schema(schema), schema)

    def enum_schema(self, schema: Any) -> JsonSchemaValue:
        """Describe a Flag by its type alone: Pydantic lists its members, but a value can combine several of them."""
        described = super().enum_schema(schema)
        if issubclass(schema["cls"], enum.Flag):
            described.pop("enum", None)
        return described

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        """Say that a dict of anything has keys: some versions of Pydantic describe it as any object."""
        described = super().dict_schema(schema)
        if "patternProperties" not in described:
            described.setdefault("additionalProperties", True)
        return described

    def decimal_schema(self, schema: Any) -> JsonSchemaValue:
        """Add a pattern to the string form of a Decimal.

        Some versions of Pydantic have no pattern there, so that every text is valid. Others have a pattern with a
        lookahead, which a server refuses if it guards against slow patterns.
        """
        described = super().decimal_schema(schema)
        for branch in described.get("anyOf", ()):
            if branch.get("type") == "string":
                branch["pattern"] = _DECIMAL
        return described

    def named_tuple_schema(self, schema: Any) -> JsonSchemaValue:
        """Describe a NamedTuple as an object. Pydantic validates an object as well as an array."""
        described: JsonSchemaValue = {"type": "object", "properties": {}, TUPLE: True}
        for field in schema["fields"]:
            alias = field.get("validation_alias")
            name = alias if isinstance(alias, str) else field["name"]
            described["properties"][name] = self.generate_inner(field["schema"])
            if field["schema"]["type"] != "default":
                described.setdefault("required", []).append(name)
        return described

    def arguments_schema(self, schema: Any) -> JsonSchemaValue:
        """Describe a NamedTuple as an object in Pydantic before 2.14, which treats it as the arguments of a call."""
        metadata = {**schema.get("metadata", {}), "pydantic_js_prefer_positional_arguments": False}
        by_name: Any = {**schema, "metadata": metadata}
        described = super().arguments_schema(by_name)
        described.pop("additionalProperties", None)
        return {**described, TUPLE: True}


def _with_names(described: JsonSchemaValue, field: Any) -> JsonSchemaValue:
    names = _plain_names(field.get("validation_alias"))
    return {**described, NAMES: names} if len(names) > 1 else described


def _plain_names(alias: Any) -> list[str]:
    """Return the names among the paths of an alias: the paths with one part.

    Pydantic writes one path as a list of its parts, and several paths as a list of lists.
    """
    if not isinstance(alias, list) or not alias:
        return []
    paths = alias if isinstance(alias[0], list) else [alias]
    return [path[0] for path in paths if len(path) == 1]


_CONTAINERS: Final = frozenset({"tuple", "list", "set", "frozenset", "dict", "model", "dataclass", "typed-dict"})
"""The types of core schemas that Pydantic never reads from a text."""


def _core_nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Iterate over all dicts in a core schema."""
    if isinstance(value, dict):
        yield value
        value = [each for key, each in value.items() if key not in {"metadata", "serialization", "config"}]
    if isinstance(value, list | tuple):
        for each in value:
            yield from _core_nodes(each)


def _unreadable_keys(node: dict[str, Any]) -> str | None:
    """Return the type of a dict's keys if no name of a JSON object can become one of them."""
    keys = node.get("keys_schema") if node.get("type") == "dict" else None
    return keys["type"] if isinstance(keys, dict) and keys.get("type") in _CONTAINERS else None


def _unreachable(node: dict[str, Any]) -> Iterator[str]:
    """Iterate over the fields of a node whose aliases are all paths into another value."""
    fields = node.get("fields")
    pairs = fields.items() if isinstance(fields, dict) else ((None, field) for field in fields or ())
    for name, field in pairs:
        alias = field.get("validation_alias") if isinstance(field, dict) else None
        if isinstance(alias, list) and alias and not _plain_names(alias):
            yield str(name or field.get("name"))
