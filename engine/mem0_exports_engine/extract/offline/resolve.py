"""Resolve a part of a schema: its references, the branches of allOf, and its union with null."""

from __future__ import annotations

from collections import deque
from functools import cached_property, lru_cache
from typing import Any, Final
from urllib.parse import quote

import jsonschema_rs

from mem0_exports.schemas.validate import validator
from mem0_exports.strict_json import follow
from mem0_exports_engine.json_text import dump, load
from mem0_exports_engine.schema_cost import MAX_REMEMBERED, measure
from mem0_exports_engine.schema_graph import Graph


NULL: Final = {"type": "null"}

_URI: Final = "json-schema:///schema"

_ANY: Final = "any"
_NOTHING: Final = "nothing"


class Document:
    """A whole schema. Its parts are validated in place, so that `$schema` and references keep their meaning."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._graph = Graph(schema)
        self.cost = measure(self._graph)
        # One validator for all parts: it validates {key: value} against the part with this key. A validator for each
        # part would contain a copy of everything that the part refers to.
        parts: dict[str, Any] = {
            str(number): {"$ref": f"{_URI}#{quote(node.pointer)}"} for number, node in enumerate(self._graph.nodes)
        }
        parts |= {_ANY: {}, _NOTHING: {"not": {}}}
        draft = {"$schema": schema["$schema"]} if "$schema" in schema else {}
        # References are pointers only, so the root's own name has no meaning, but would change what they refer to.
        resource = {key: value for key, value in schema.items() if key not in {"$id", "id"}}
        registry = jsonschema_rs.Registry([(_URI, resource)])
        self.validator = validator({**draft, "properties": parts}, linear=True, mask="it", registry=registry)

    @classmethod
    def of(cls, schema: dict[str, Any]) -> Document:
        """Return the document of a schema. Small ones are kept, because many exports have the same schema.

        Its parts are those of `schema` of the document, which can be another dict with the same content. Patterns are
        left out: compiled, they can take megabytes.
        """
        text = dump(schema).decode()
        is_small = len(text) <= MAX_REMEMBERED and '"pattern' not in text
        return _small_document(text) if is_small else cls(schema)

    def key(self, schema: Any) -> str:
        """Return the key of a part for the validator."""
        number = self._graph.numbers.get(id(schema))
        return str(number) if number is not None else _NOTHING if schema is False else _ANY

    def target(self, schema: Any) -> Any:
        """Return what a schema that is nothing but a reference refers to, and any other schema unchanged."""
        while isinstance(schema, dict) and schema.keys() == {"$ref"}:  # `measure` has refused circles
            schema = follow(self.schema, schema["$ref"])
        return schema

    def has_unions(self, schema: Any) -> bool:
        """Return whether a schema, or anything that it refers to, has alternatives."""
        return self._graph.numbers.get(id(schema)) in self._with_unions

    @cached_property
    def _with_unions(self) -> set[int]:
        """The numbers of the sub-schemas that have alternatives, or refer to any that have."""
        users: dict[int, set[int]] = {}
        for number, node in enumerate(self._graph.nodes):
            for other in {*node.in_place}.union(*(part.nodes for part in node.parts)):
                users.setdefault(other, set()).add(number)
        found = {number for number, node in enumerate(self._graph.nodes) if node.schema.keys() & {"anyOf", "oneOf"}}
        waiting = [*found]
        while waiting:
            others = users.get(waiting.pop(), set()) - found
            waiting += others
            found |= others
        return found


@lru_cache(maxsize=32)
def _small_document(text: str) -> Document:
    return Document(load(text))


class Resolved:
    """The keywords of a schema and of all schemas that apply to the same value: targets of $ref, branches of allOf."""

    def __init__(self, document: Document, schema: Any) -> None:
        self.node: dict[str, Any] = {}
        """The keywords. `properties` and `required` have those of all the schemas; of any other, the first one."""
        self.hidden: set[str] = set()
        """The keywords that a later schema repeats with another value."""
        waiting = deque([schema])
        seen: set[int] = set()
        required: dict[str, None] = {}
        while waiting:
            schema = waiting.popleft()
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            self._take(schema, required)
            reference = schema.get("$ref")
            if isinstance(reference, str):
                waiting.append(follow(document.schema, reference))
            branches = schema.get("allOf")
            if isinstance(branches, list):
                waiting += branches
        if required:
            self.node["required"] = [*required]

    @property
    def properties(self) -> dict[str, Any]:
        """The schemas of the properties."""
        properties: dict[str, Any] = self.node.get("properties", {})
        return properties

    def _take(self, schema: dict[str, Any], required: dict[str, None]) -> None:
        for key, keyword in schema.items():
            if key == "properties" and isinstance(keyword, dict):
                known = self.node.setdefault(key, {})
                for name, each in keyword.items():
                    if known.setdefault(name, each) != each:
                        self.hidden.add(key)
            elif key == "required" and isinstance(keyword, list):
                required |= dict.fromkeys(keyword)
            elif key not in self.node:
                self.node[key] = keyword
            elif self.node[key] != keyword and key not in {"$ref", "allOf"}:
                self.hidden.add(key)


def without_null(document: Document, found: Resolved) -> Any:
    """Put the other schema of a union with null in place of the union.

    Return the other schema, or None if there was no such union.
    """
    for key in ("anyOf", "oneOf"):
        branches = found.node.get(key)
        if not isinstance(branches, list) or NULL not in branches:
            continue
        others = [branch for branch in branches if branch != NULL]
        if len(others) != 1 or not isinstance(others[0], dict):
            continue
        inner = Resolved(document, others[0])
        around = {name: keyword for name, keyword in found.node.items() if name != key}
        found.hidden |= inner.hidden
        found.hidden |= {name for name in around.keys() & inner.node.keys() if around[name] != inner.node[name]}
        found.hidden -= {"$ref", "allOf"}
        properties = {**found.properties, **inner.properties}
        found.node = {**around, **inner.node}
        if properties:
            found.node["properties"] = properties
        return others[0]
    return None
