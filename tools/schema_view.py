"""Read a JSON Schema as one view of all its parts, whether written with $ref, allOf, anyOf, oneOf or nullable."""

from __future__ import annotations

import json

from functools import cached_property
from itertools import product
from math import inf, prod
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard

from openapi_file import target


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Schema: TypeAlias = tuple[Any, ...]
"""The parts of a schema as they are written in the document. A value is valid if it is valid for each of them."""

KINDS: Final = frozenset({"string", "integer", "fraction", "boolean", "array", "object"})
"""The kinds of JSON values other than null. A "fraction" is a number that is not an integer."""

MAX_ALTERNATIVES: Final = 64
MAX_REFERENCES: Final = 100
_NAMES: Final = {"number": frozenset({"integer", "fraction"}), "null": frozenset[str]()}
_UNIONS: Final = ("anyOf", "oneOf")
_EMPTY: Final[dict[str, Any]] = {}

LOWER: Final = ("minLength", "minItems", "minProperties")
UPPER: Final = ("maxLength", "maxItems", "maxProperties")
OPAQUE: Final = (
    *("not", "if", "then", "else", "contains", "dependentRequired", "dependentSchemas"),
    *("multipleOf", "patternProperties", "prefixItems", "propertyNames", "uniqueItems"),
)
"""Keywords that are compared as a whole: equal, present on one side only, or different."""

_CONSTRAINTS: Final = frozenset(
    {"enum", "const", "properties", "required", "items", "additionalProperties", "unevaluatedProperties", "format"}
    | {"pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", *LOWER, *UPPER, *OPAQUE}
)
_ANNOTATIONS: Final = frozenset({"$ref", "title", "summary", "description", "deprecated", "example", "examples"})
_FORMATS: Final = frozenset(
    {"date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"}
)


def as_object(value: Any) -> dict[str, Any]:
    """Return `value` if it is a JSON object, else an empty one. A document can have the wrong type anywhere."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return `value` if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """Return a value as JSON text with sorted keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


class Reader:
    """Makes views of the schemas of one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        # OpenAPI 3.0 ignores what is beside a $ref.
        self._siblings = not str(document.get("openapi")).startswith("3.0")
        # The keys are the ids of nodes. The document keeps its nodes alive, so an id stays unique.
        self._bare: dict[int, dict[str, Any]] = {}
        self._unions: dict[int, dict[str, Any]] = {}
        self._kinds: dict[int, frozenset[str]] = {}
        self._null: dict[int, bool] = {}
        self._values: dict[int, frozenset[str] | None] = {}

    def resolve(self, node: Any) -> Any:
        """Return `node` with its `$ref` followed, or None if the reference has no target."""
        seen: set[int] = set()
        while isinstance(node, dict) and "$ref" in node and id(node) not in seen:
            seen.add(id(node))
            node = target(self._document, node["$ref"])
        return node

    def view(self, schema: Schema) -> View:
        """Return the view of a schema."""
        return View(self, schema)

    def origin(self, part: Any) -> Any:
        """Return the schema that a reference stands for, if nothing beside it adds a constraint."""
        for _ in range(MAX_REFERENCES):
            if not isinstance(part, dict) or "$ref" not in part or (self._siblings and part.keys() - _ANNOTATIONS):
                break
            found = target(self._document, part["$ref"])
            if found is None:
                break
            part = found
        return part

    def parts(self, node: dict[str, Any]) -> tuple[dict[str, Any], Schema]:
        """Return a node without the keywords that its `$ref` replaces, and the other schemas that also apply."""
        if "$ref" not in node:
            return node, tuple(as_list(node.get("allOf")))
        found = target(self._document, node["$ref"])
        referred = () if found is None else (found,)
        return (node, (*referred, *as_list(node.get("allOf")))) if self._siblings else (_EMPTY, referred)

    def bare(self, node: dict[str, Any]) -> dict[str, Any]:
        """Return a node without its references and unions, always the same object for the same node."""
        if id(node) not in self._bare:
            self._bare[id(node)] = {key: value for key, value in node.items() if key not in {*_UNIONS, "allOf", "$ref"}}
        return self._bare[id(node)]

    def union(self, branches: list[Any]) -> dict[str, Any]:
        """Return a schema that has only these branches, always the same object for the same list."""
        return self._unions.setdefault(id(branches), {"anyOf": branches})

    def kinds(self, schema: Schema) -> frozenset[str]:
        """Return the kinds of values, other than null, that the schema could allow."""
        return KINDS.intersection(*map(self._kinds_of, schema))

    def _kinds_of(self, part: Any) -> frozenset[str]:
        if not isinstance(part, dict):
            return frozenset() if part is False else KINDS
        if id(part) not in self._kinds:
            self._kinds[id(part)] = KINDS  # for a schema that refers to itself
            node, also = self.parts(part)
            unions_of = [frozenset[str]().union(*map(self._kinds_of, branches)) for branches in unions(node)]
            self._kinds[id(part)] = _own_kinds(node).intersection(self.kinds(also), *unions_of)
        return self._kinds[id(part)]

    def nullable(self, schema: Schema) -> bool:
        """Return whether the schema allows null, in the form of OpenAPI 3.0 or 3.1."""
        return all(map(self._null_of, schema))

    def _null_of(self, part: Any) -> bool:
        if not isinstance(part, dict):
            return part is not False
        if id(part) not in self._null:
            self._null[id(part)] = True  # for a schema that refers to itself
            node, also = self.parts(part)
            # "nullable: true" beside an allOf or a $ref allows null even if they do not.
            self._null[id(part)] = (node.get("nullable") is True and not node.keys() & {"enum", "const"}) or (
                _own_null(node)
                and self.nullable(also)
                and all(any(map(self._null_of, branches)) for branches in unions(node))
            )
        return self._null[id(part)]

    def values(self, schema: Schema) -> frozenset[str] | None:
        """Return the JSON texts of the only values, other than null, that the schema allows. None means no limit."""
        return _both(map(self._values_of, schema))

    def _values_of(self, part: Any) -> frozenset[str] | None:
        if not isinstance(part, dict):
            return None
        if id(part) not in self._values:
            self._values[id(part)] = None  # for a schema that refers to itself
            node, also = self.parts(part)
            of_unions = map(self.values_of_any, unions(node))
            self._values[id(part)] = _both([_own_values(node), self.values(also), *of_unions])
        return self._values[id(part)]

    def values_of_any(self, branches: list[Any]) -> frozenset[str] | None:
        """Return the only values, other than null, that one of the branches allows. None means no limit."""
        found: frozenset[str] = frozenset()
        for branch in branches:
            values = frozenset[str]() if self.only_null(branch) else self._values_of(branch)
            if values is None:
                return None
            found |= values
        return found

    def only_null(self, node: Any) -> bool:
        """Return whether a schema allows null and nothing else."""
        return not self.kinds((node,)) and self.nullable((node,))


def _both(limits: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """Return the values that are within all limits. None means no limit."""
    found: frozenset[str] | None = None
    for limit in limits:
        if limit is not None:
            found = limit if found is None else found & limit
    return found


def unions(node: Any) -> Iterator[list[Any]]:
    """Yield the branches of each anyOf and oneOf of a node."""
    for word in _UNIONS:
        if as_list(as_object(node).get(word)):
            yield node[word]


def _own_kinds(node: dict[str, Any]) -> frozenset[str]:
    declared = node.get("type")
    found = KINDS
    if isinstance(declared, (str, list)):
        names = [declared] if isinstance(declared, str) else [each for each in declared if isinstance(each, str)]
        found = frozenset().union(*(_NAMES.get(name, frozenset({name}) & KINDS) for name in names))
    elif "properties" in node:
        found = frozenset({"object"})
    elif "items" in node:
        found = frozenset({"array"})
    values = _own_values(node)
    return found if values is None else found & {_kind(json.loads(each)) for each in values}


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "fraction"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _own_null(node: dict[str, Any]) -> bool:
    if "const" in node:
        return node["const"] is None
    if isinstance(node.get("enum"), list) and None not in node["enum"]:
        return False
    declared = node.get("type")
    if isinstance(declared, (str, list)):
        return "null" in ([declared] if isinstance(declared, str) else declared) or node.get("nullable") is True
    return not node.keys() & {"properties", "items"}


def _own_values(node: dict[str, Any]) -> frozenset[str] | None:
    if "const" in node:
        return frozenset() if node["const"] is None else frozenset({text(node["const"])})
    if isinstance(node.get("enum"), list):
        return frozenset(text(each) for each in node["enum"] if each is not None)
    return None


class View:
    """The constraints of a schema, combined with those of all schemas that it refers to."""

    def __init__(self, reader: Reader, schema: Schema) -> None:
        self._reader = reader
        self.schema = schema
        self.kinds = reader.kinds(schema)
        self.nullable = reader.nullable(schema)
        self.values = reader.values(schema)
        self.nodes: list[dict[str, Any]] = []
        self.unions: list[list[Any]] = []
        self._listed: list[dict[str, Any]] = []  # unions that only list values, as an enum does
        self.dangling: list[str] = []
        self._collect(schema, set())

    def _collect(self, schema: Schema, seen: set[int]) -> None:
        for part in schema:
            if not isinstance(part, dict) or id(part) in seen:
                continue
            seen.add(id(part))
            node, also = self._reader.parts(part)
            self.nodes.append(self._reader.bare(node))
            if "$ref" in part and self._reader.resolve(part) is None:
                self.dangling.append(str(part["$ref"]))
            self._collect(also, seen)
            for branches in unions(node):
                kept = [each for each in branches if not self._reader.only_null(each)]
                if len(kept) == 1:
                    self._collect((kept[0],), seen)
                elif self._reader.values_of_any(kept) is None:
                    self.unions.append(kept)
                elif kept:
                    self._listed.append(self._reader.union(branches))

    @property
    def anything(self) -> bool:
        """Whether the schema says nothing about types and values."""
        return self.nullable and self.kinds == KINDS and self.values is None

    @property
    def says_little(self) -> bool:
        """Whether there is nothing but a type beside the unions."""
        return not any(node.keys() & _CONSTRAINTS for node in self.nodes)

    @property
    def has_many_alternatives(self) -> bool:
        """Whether there are too many choices of branches to compare each of them."""
        return prod(map(len, self.unions)) > MAX_ALTERNATIVES

    def alternatives(self, *, base: bool) -> list[Schema]:
        """Return one schema for each choice of branches. With `base`, each includes the keywords beside the unions."""
        told = _CONSTRAINTS | {"type", "nullable"}
        shared = (*(node for node in self.nodes if node.keys() & told), *self._listed) if base else ()
        return [(*shared, *choice) for choice in product(*self.unions)]

    @cached_property
    def properties(self) -> dict[str, Schema]:
        """The schemas of the properties that are listed and not forbidden, by name."""
        listed = [as_object(node.get("properties")) for node in self.nodes]
        found = {name: self._property(name) for name in {}.fromkeys(name for each in listed for name in each)}
        return {name: schema for name, schema in found.items() if schema is not None}

    def _property(self, name: str) -> Schema | None:
        schema: Schema = ()
        for node in self.nodes:
            listed = as_object(node.get("properties"))
            # additionalProperties applies to the properties that its own node does not list.
            others = True if "patternProperties" in node else node.get("additionalProperties", True)
            if name in listed:
                schema = (*schema, listed[name])
            elif others is False:
                return None
            elif as_object(others):
                schema = (*schema, others)
        return schema

    @cached_property
    def required(self) -> frozenset[str]:
        """The names of the properties that are required."""
        return frozenset(name for node in self.nodes for name in as_list(node.get("required")) if isinstance(name, str))

    @cached_property
    def closed(self) -> bool:
        """Whether properties that are not listed are forbidden."""
        return any(node.get(word) is False for node in self.nodes for word in _ADDITIONAL)

    @cached_property
    def additional(self) -> Schema:
        """The schema of properties that are not listed, or () if any value is allowed."""
        return tuple(node[word] for node in self.nodes for word in _ADDITIONAL if as_object(node.get(word)))

    @cached_property
    def items(self) -> Schema:
        """The schema of an array's items, or () if any value is allowed."""
        return tuple(node["items"] for node in self.nodes if "items" in node)

    @cached_property
    def default(self) -> str | None:
        """The JSON text of the default, if there is one."""
        return next((text(node["default"]) for node in self.nodes if "default" in node), None)

    @cached_property
    def formats(self) -> frozenset[str]:
        """The formats of a string, without those that are not checked."""
        return frozenset(node["format"] for node in self.nodes if str(node.get("format")) in _FORMATS)

    @cached_property
    def patterns(self) -> frozenset[str]:
        """The patterns of a string."""
        return frozenset(str(node["pattern"]) for node in self.nodes if "pattern" in node)

    def opaque(self, keyword: str) -> frozenset[str]:
        """Return the JSON texts of the values of a keyword of OPAQUE."""
        return frozenset(text(node[keyword]) for node in self.nodes if keyword in node and node[keyword] is not False)

    @cached_property
    def minimum(self) -> tuple[float, bool]:
        """The strictest lower bound of a number, and whether the bound itself is excluded."""
        return max([(-inf, False), *self._bounds("minimum", "exclusiveMinimum", 1)])

    @cached_property
    def maximum(self) -> tuple[float, bool]:
        """The strictest upper bound of a number, negated, and whether the bound itself is excluded."""
        return max([(-inf, False), *self._bounds("maximum", "exclusiveMaximum", -1)])

    def _bounds(self, inclusive: str, exclusive: str, sign: int) -> Iterator[tuple[float, bool]]:
        for node in self.nodes:
            bound, outside = node.get(inclusive), node.get(exclusive)
            if _is_number(bound):
                yield sign * bound, outside is True  # OpenAPI 3.0: a boolean beside the bound
            if _is_number(outside):
                yield sign * outside, True

    def limit(self, keyword: str) -> float:
        """Return the strictest value of one of LOWER or UPPER."""
        found: list[float] = [node[keyword] for node in self.nodes if _is_number(node.get(keyword))]
        return max([0, *found]) if keyword in LOWER else min([inf, *found])


_ADDITIONAL: Final = ("additionalProperties", "unevaluatedProperties")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
