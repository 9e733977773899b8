"""The kinds of columns, found in the JSON Schema of a row or in the values themselves.

A kind is what tables with types need: Arrow, Parquet and data frames. What has no type of its own there, such as a
dict with free keys or a union of a number and a text, is `json`: a text with the JSON value.
"""

from __future__ import annotations

import dataclasses

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from mem0_exports.errors import SchemaError
from mem0_exports.output.rows import VALUE
from mem0_exports.schemas.schema import WRAPPED, Schema
from mem0_exports.strict_json import follow


if TYPE_CHECKING:
    from mem0_exports.output.rows import Row

_SCALARS: Final = {"boolean": "bool", "integer": "int", "number": "float", "string": "text", "null": "null"}
_FORMATS: Final = {"date-time": "time", "date": "date"}
_MAX_DEPTH: Final = 16
"""How deep lists and objects get types of their own. What is nested deeper, or in itself, is `json`."""

INT64: Final = range(-(2**63), 2**63)
"""The whole numbers that a column can hold."""


class Kind(NamedTuple):
    """The type of a column."""

    name: str
    """null, bool, int, float, text, time, date, list, object or json."""
    item: Kind | None = None
    """The kind of the items of a list."""
    fields: tuple[tuple[str, Kind], ...] = ()
    """The fields of an object."""


Kinds: TypeAlias = dict[str, Kind]
"""The columns of a table, by name."""

JSON: Final = Kind("json")
NULL: Final = Kind("null")


def kinds_of_schema(source: Any) -> Kinds | None:
    """Return the columns of rows that a type or a JSON Schema describes, or None if it does not name them.

    For a list, or the type of a whole export that is one, these are the columns of its items. Raises SchemaError for a
    dict that is no JSON Schema.
    """
    try:
        return _kinds_of_schema(_schema_of(source))
    except (AttributeError, TypeError):
        problem = f"not a JSON Schema that describes rows: {str(source)[:200]}"
    raise SchemaError(problem)


def _kinds_of_schema(schema: Mapping[str, Any]) -> Kinds | None:
    node = _resolved(schema, schema)
    if node.get("properties", {}).keys() == {WRAPPED} or node.get("type") == "array":
        node = _resolved(node["properties"][WRAPPED] if "properties" in node else node, schema)
        node = _resolved(node.get("items", {}), schema)
    if isinstance(node.get("properties"), Mapping) and node["properties"]:  # whether or not there can be others
        return {name: _of_schema(part, schema, _MAX_DEPTH) for name, part in node["properties"].items()}
    kind = _of_schema(node, schema, _MAX_DEPTH)
    return None if kind.name == "json" else {VALUE: kind}


def widen(kinds: Kinds, row: Row) -> None:
    """Add the columns of a row, found in its values, to those of others. Texts stay texts, whatever they look like."""
    for name, value in row.items():
        kinds[name] = _joined(kinds.get(name, NULL), _of_value(value, _MAX_DEPTH))


def is_typed(value: Any) -> bool:
    """Return whether the class of a value names its columns, as that of a model or of a dataclass does."""
    return dataclasses.is_dataclass(value) or hasattr(type(value), "__pydantic_core_schema__")


def _schema_of(source: Any) -> Mapping[str, Any]:
    if isinstance(source, Schema):
        return source.json
    if isinstance(source, Mapping):
        return source
    import pydantic  # noqa: PLC0415 -- slow to import

    adapter = source if isinstance(source, pydantic.TypeAdapter) else pydantic.TypeAdapter(source)
    return adapter.json_schema(mode="serialization", by_alias=True)  # what is written, not what is accepted


def _resolved(node: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """Follow references, and a union of one schema and null."""
    for _ in range(_MAX_DEPTH):
        if not isinstance(node, Mapping):
            break
        others = [each for each in _branches(node) if not (isinstance(each, Mapping) and each.get("type") == "null")]
        if isinstance(node.get("$ref"), str):
            node = follow(root, node["$ref"])
        elif len(others) == 1:
            node = others[0]
        else:
            break
    return dict(node) if isinstance(node, Mapping) else {}


def _branches(node: Mapping[str, Any]) -> list[Any]:
    for keyword in ("anyOf", "oneOf", "allOf"):
        if isinstance(node.get(keyword), list):
            return list(node[keyword])
    return []


def _of_schema(node: Any, root: Mapping[str, Any], depth: int) -> Kind:  # noqa: PLR0911 -- one for each kind
    found = _resolved(node, root)
    if not depth:
        return JSON
    branches = _branches(found)
    if branches and "properties" not in found:
        kinds = {_of_schema(branch, root, depth - 1) for branch in branches} - {NULL}
        return kinds.pop() if len(kinds) == 1 else JSON
    values = found.get("enum", [found["const"]] if "const" in found else None)
    if isinstance(values, list) and "type" not in found:
        kind = NULL
        for value in values:
            kind = _joined(kind, _of_value(value, depth))
        return kind
    types = found.get("type")
    names = [name for name in ([types] if isinstance(types, str) else types or []) if name != "null"]
    if len(names) != 1:
        return NULL if types == "null" else JSON
    if names[0] == "array":
        return Kind("list", JSON if "prefixItems" in found else _of_schema(found.get("items", {}), root, depth - 1))
    if names[0] == "object":
        return _of_object(found, root, depth)
    if names[0] == "string":
        return Kind(_FORMATS.get(found.get("format", ""), "text"))
    return Kind(_SCALARS.get(names[0], "json"))


def _of_object(node: dict[str, Any], root: Mapping[str, Any], depth: int) -> Kind:
    properties = node.get("properties")
    is_closed = not node.get("additionalProperties") and "patternProperties" not in node
    if not isinstance(properties, Mapping) or not properties or not is_closed:
        return JSON  # a table cannot have columns whose names are not known
    return Kind("object", None, tuple((name, _of_schema(part, root, depth - 1)) for name, part in properties.items()))


def _of_value(value: Any, depth: int) -> Kind:  # noqa: PLR0911 -- one for each kind
    if value is None:
        return NULL
    if not depth:
        return JSON
    if isinstance(value, bool):
        return Kind("bool")
    if isinstance(value, int):
        return Kind("int") if value in INT64 else JSON
    if isinstance(value, float):
        return Kind("float")
    if isinstance(value, str):
        return Kind("text")
    if isinstance(value, list):
        item = NULL
        for each in value:
            item = _joined(item, _of_value(each, depth - 1))
        return Kind("list", item)
    return JSON  # a dict: two of them rarely have the same keys


def _joined(one: Kind, other: Kind) -> Kind:
    """Return the kind that values of both kinds have."""
    if other in {one, NULL}:
        return one
    if one == NULL:
        return other
    if one.item is not None and other.item is not None:
        return Kind("list", _joined(one.item, other.item))
    if {one.name, other.name} == {"int", "float"}:
        return Kind("float")
    return JSON
