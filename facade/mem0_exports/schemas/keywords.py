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

_WRAPPERS: Final = {"schema": {"name"}, "json_schema": {"type"}, "function": {"type"}, "parameters": {"name"}, "input_schema": {"name"}}  # fmt: skip
"""Keys under which the APIs of language models take a schema, and a key that stands beside it."""


def not_a_schema(document: Mapping[str, Any]) -> str | None:
    """Return why a dict is no JSON Schema of an object, and what to write; None if it may be one."""
    for key, beside in _WRAPPERS.items():
        if isinstance(document.get(key), Mapping) and beside <= document.keys() and "properties" not in document:
            return f"this is not a JSON Schema, but an object that contains one; pass the schema in its key {key!r}"
    if document.keys() & _SHAPING:
        return None
    if not document:
        return 'it is empty; write {"type": "object", "properties": {...}}'
    name = next(iter(document))
    return (
        f"it has no keyword of JSON Schema that describes an object, but {name!r}; if this is a property, write "
        f'{{"type": "object", "properties": {{"{name}": {{"type": "string"}}}}}}'
    )
