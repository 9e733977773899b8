"""JSON Schemas of Python types, as Pydantic describes them, less what says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import TypeAdapter


_DECIMAL: Final = r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)$"


def describe(adapter: TypeAdapter[Any], name: str | None) -> dict[str, Any]:
    """The JSON Schema that answers are validated by; ValueError for a field that no answer could fill.

    `name` is that of the type, where it has one.
    """
    for field in _unreachable(adapter.core_schema):
        raise ValueError(
            f"the field {field!r} is read from inside another value (AliasPath), which no JSON Schema can ask for; "
            "give it a plain alias, or AliasChoices with one"
        )
    schema = adapter.json_schema(schema_generator=_Compact)
    for key, definition in {name or "": schema, **schema.get("$defs", {})}.items():
        title = definition.get("title")
        if title and key.endswith(title):  # $defs of the same name in two modules are told apart before the name
            del definition["title"]
    return schema


class _Compact(GenerateJsonSchema):
    """Without the titles that only repeat names, and with the fields of a NamedTuple by name instead of by place."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: it would be the name of the field again."""
        return False

    def decimal_schema(self, schema: Any) -> JsonSchemaValue:
        """With a pattern for the text form: Pydantic's lets through any text, or looks ahead, which servers refuse."""
        described = super().decimal_schema(schema)
        for branch in described.get("anyOf", ()):
            if branch.get("type") == "string":
                branch["pattern"] = _DECIMAL
        return described

    def named_tuple_schema(self, schema: Any) -> JsonSchemaValue:
        """An object, which Pydantic reads as well as an array."""
        described: JsonSchemaValue = {"type": "object", "properties": {}}
        for field in schema["fields"]:
            alias = field.get("validation_alias")
            name = alias if isinstance(alias, str) else field["name"]
            described["properties"][name] = self.generate_inner(field["schema"])
            if field["schema"]["type"] != "default":
                described.setdefault("required", []).append(name)
        return described

    def arguments_schema(self, schema: Any) -> JsonSchemaValue:
        """What a NamedTuple was before Pydantic 2.14."""
        metadata = {**schema.get("metadata", {}), "pydantic_js_prefer_positional_arguments": False}
        by_name: Any = {**schema, "metadata": metadata}
        described = super().arguments_schema(by_name)
        described.pop("additionalProperties", None)
        return described


def _unreachable(node: Any) -> Iterator[str]:
    """The fields, anywhere in a core schema, that have an alias but none which is one plain name."""
    if isinstance(node, list | tuple):
        for each in node:
            yield from _unreachable(each)
        return
    if not isinstance(node, dict):
        return
    fields = node.get("fields")
    named = fields.items() if isinstance(fields, dict) else ((None, each) for each in fields or ())
    for name, field in named:
        if not isinstance(field, dict):
            continue
        alias = field.get("validation_alias")
        paths = alias if isinstance(alias, list) else []
        if paths and not any(len(path if isinstance(path, list) else [path]) == 1 for path in _each_path(paths)):
            yield str(name or field.get("name"))
    for key, each in node.items():
        if key not in {"metadata", "serialization", "config"}:
            yield from _unreachable(each)


def _each_path(alias: list[Any]) -> list[Any]:
    """Pydantic writes one path as a list of parts, and several as a list of such lists."""
    return alias if isinstance(alias[0], list) else [alias]
