"""The keywords of JSON Schema, and documents that look like a schema but are not one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


_SHAPING: Final = frozenset(
    {"type", "enum", "const", "$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "then"}
    | {"else", "properties", "patternProperties", "additionalProperties", "propertyNames", "required", "minProperties"}
    | {"maxProperties", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties"}
)
"""The keywords that say something about an object."""

KEYWORDS: Final = _SHAPING | frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "definitions",
        "id",
        "format",
    }
    | {"items", "prefixItems", "additionalItems", "contains", "minContains", "maxContains", "unevaluatedItems"}
    | {"minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "contentEncoding"}
    | {"contentMediaType", "contentSchema", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    | {"discriminator", "nullable", "xml", "externalDocs", "example"}
)
"""The keywords of JSON Schema and of OpenAPI, except those that begin with $."""

_WRAPPERS: Final[dict[str, set[str]]] = {"response_format": set(), "schema": {"name"}, "json_schema": {"type"}, "function": {"type"}, "parameters": {"name"}, "input_schema": {"name"}}  # fmt: skip
"""Keys under which the APIs of language models take a schema, and a key that stands beside it."""


def wraps_a_schema(document: Mapping[str, Any]) -> str | None:
    """Return what to pass instead, if a dict is no JSON Schema but an object that contains one; None if it is not."""
    path = _path_of_the_schema(document)
    if not path:
        return None
    keys = "".join(f"[{key!r}]" for key in path)
    return f"this is not a JSON Schema, but an object that contains one; pass the schema alone, which is in {keys}"


def says_nothing(document: Mapping[str, Any]) -> str | None:
    """Return what to write, if a schema says nothing about an object; None if it does."""
    if document.keys() & _SHAPING:
        return None
    names = [name for name in document if not name.startswith("$") and name not in KEYWORDS]
    if not names:
        return 'it says nothing about an object; write {"type": "object", "properties": {...}}'
    return (
        f"it has no keyword of JSON Schema that describes an object, but {names[0]!r}; if this is a property, write "
        f'{{"type": "object", "properties": {{"{names[0]}": {{"type": "string"}}}}}}'
    )


def _path_of_the_schema(document: Mapping[str, Any]) -> list[str]:
    """Return the keys that lead to the schema in the request format of a language model's API; [] if it is none."""
    for key, beside in _WRAPPERS.items():
        inner = document.get(key)
        if isinstance(inner, Mapping) and beside <= document.keys() and "properties" not in document:
            return [key, *_path_of_the_schema(inner)]
    return []
