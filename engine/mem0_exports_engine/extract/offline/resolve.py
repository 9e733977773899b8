"""Resolve a part of a schema: its references, the branches of allOf, and its union with null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.schemas.cost import max_value_depth
from mem0_exports.schemas.validate import validator, validator_map
from mem0_exports.strict_json import follow
from mem0_exports.strict_json import pointer as pointer_of


if TYPE_CHECKING:
    import jsonschema_rs

NULL: Final = {"type": "null"}


class Document:
    """A whole schema. Its parts are validated in place, so that `$schema`, `$id` and references keep their meaning."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.max_depth = max_value_depth(schema)
        self._validators = validator_map(schema, mask="it")

    def validator(self, pointer: str, schema: Any) -> jsonschema_rs.Validator:
        """Return the validator of the part `schema`, which is at `pointer`."""
        return self._validators.get(pointer) or validator(schema, linear=True, mask="it")


class Resolved:
    """The keywords of a schema and of all schemas that apply to the same value: targets of $ref, branches of allOf."""

    def __init__(self, document: Document, schema: Any, pointer: str) -> None:
        self.node: dict[str, Any] = {}
        """The keywords. `properties` and `required` have those of all the schemas; of any other, the first one."""
        self.pointers: dict[str, str] = {}
        """For each keyword, the pointer of the schema that has it."""
        self.properties: dict[str, tuple[str, Any]] = {}
        """For each property, the pointer of its schema, and the schema."""
        self.hidden: set[str] = set()
        """The keywords that a later schema repeats with another value."""
        waiting = [(schema, pointer)]
        seen: set[int] = set()
        while waiting:
            schema, pointer = waiting.pop(0)
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            self._take(schema, pointer)
            reference = schema.get("$ref")
            if isinstance(reference, str):
                waiting.append((follow(document.schema, reference), reference.rstrip("/")))
            branches = schema.get("allOf")
            if isinstance(branches, list):
                waiting += [(branch, f"{pointer}/allOf/{index}") for index, branch in enumerate(branches)]

    def _take(self, schema: dict[str, Any], pointer: str) -> None:
        for key, keyword in schema.items():
            if key == "properties" and isinstance(keyword, dict):
                for name, each in keyword.items():
                    known = self.properties.setdefault(name, (f"{pointer}{pointer_of([key, name])}", each))
                    if known[1] != each:
                        self.hidden.add(key)
                self.node[key] = {name: each for name, (_, each) in self.properties.items()}
            elif key == "required" and isinstance(keyword, list):
                self.node[key] = [*dict.fromkeys([*self.node.get(key, ()), *keyword])]
            elif key not in self.node:
                self.node[key] = keyword
                self.pointers[key] = pointer
            elif self.node[key] != keyword and key not in {"$ref", "allOf"}:
                self.hidden.add(key)


def without_null(document: Document, found: Resolved) -> tuple[str, Any] | None:
    """Put the other schema of a union with null in place of the union.

    Return the pointer of the other schema and the schema itself, or None if there was no such union.
    """
    for key in ("anyOf", "oneOf"):
        branches = found.node.get(key)
        if not isinstance(branches, list) or NULL not in branches:
            continue
        others = [(index, branch) for index, branch in enumerate(branches) if branch != NULL]
        if len(others) != 1 or not isinstance(others[0][1], dict):
            continue
        index, other = others[0]
        pointer = f"{found.pointers[key]}/{key}/{index}"
        inner = Resolved(document, other, pointer)
        around = {name: keyword for name, keyword in found.node.items() if name != key}
        found.hidden |= inner.hidden
        found.hidden |= {name for name in around.keys() & inner.node.keys() if around[name] != inner.node[name]}
        found.hidden -= {"$ref", "allOf"}
        found.node = {**around, **inner.node}
        found.pointers |= inner.pointers
        found.properties |= inner.properties
        if found.properties:
            found.node["properties"] = {name: each for name, (_, each) in found.properties.items()}
        return pointer, other
    return None
