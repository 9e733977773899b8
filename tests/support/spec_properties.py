"""List the properties of the spec's bodies, and make sample bodies that differ in one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from tests.support.spec import behind


Step = str | int
"""A step down a schema: the name of a property, ITEM, or the index of a branch of anyOf or oneOf."""

ITEM: Final = "[]"


class Property(NamedTuple):
    """A property of a body: the component that defines it, its name, and the way to it from the body's schema."""

    model: str
    name: str
    path: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.model}.{self.name}"


def properties(document: dict[str, Any], schema: dict[str, Any], without: Collection[str] = ()) -> list[Property]:
    """Return the properties of a body with this schema, each component's once, and nothing of those in `without`."""
    found: dict[tuple[str, str], Property] = {}
    for each in _walk(document, schema, "(inline)", (), frozenset(), without):
        found.setdefault((each.model, each.name), each)
    return list(found.values())


def _walk(
    document: dict[str, Any],
    schema: dict[str, Any],
    model: str,
    path: tuple[Step, ...],
    inside: frozenset[str],
    without: Collection[str],
) -> Iterator[Property]:
    reference = schema.get("$ref")
    if reference is not None:
        model = reference.rpartition("/")[2]
        if model in inside:  # a schema that contains itself, such as Filters
            return
        inside |= {model}
    schema = behind(document, schema)
    for name, each in schema.get("properties", {}).items():
        if f"{model}.{name}" not in without:
            yield Property(model, name, (*path, name))
            yield from _walk(document, each, f"{model}.{name}", (*path, name), inside, without)
    if "items" in schema:
        yield from _walk(document, schema["items"], f"{model}{ITEM}", (*path, ITEM), inside, without)
    for index, branch in enumerate(_branches(schema)):
        yield from _walk(document, branch, model, (*path, index), inside, without)


def _branches(schema: dict[str, Any]) -> list[dict[str, Any]]:
    branches: list[dict[str, Any]] = schema.get("anyOf") or schema.get("oneOf") or []
    return branches


def sent(document: dict[str, Any], schema: dict[str, Any], body: Any) -> set[tuple[str, str]]:
    """Return the model and name of each property of the schema that occurs in `body`."""
    return set(_sent(document, schema, body, "(inline)"))


def _sent(document: dict[str, Any], schema: dict[str, Any], body: Any, model: str) -> Iterator[tuple[str, str]]:
    model = schema["$ref"].rpartition("/")[2] if "$ref" in schema else model
    schema = behind(document, schema)
    if isinstance(body, dict):
        for name, each in schema.get("properties", {}).items():
            if name in body:
                yield model, name
                yield from _sent(document, each, body[name], f"{model}.{name}")
    for item in body if isinstance(body, list) and "items" in schema else ():
        yield from _sent(document, schema["items"], item, f"{model}{ITEM}")
    for branch in _branches(schema):
        yield from _sent(document, branch, body, model)


def sample(
    document: dict[str, Any],
    schema: dict[str, Any],
    path: tuple[Step, ...] = (),
    *,
    other: bool = False,
    name: str = "",
) -> Any:
    """Return a body that has every property of the schema. Texts contain the `name` of their property.

    Where the schema has branches, the body follows those on `path`, and the first elsewhere. With `other`, the value at
    the end of `path` differs from the value that it has without: null where null is allowed.
    """
    schema = behind(document, schema)
    here = other and not path
    branches = [each for each in _branches(schema) if each.get("type") != "null"]
    if branches:
        if here and len(branches) < len(_branches(schema)):
            return None
        on_path = bool(path) and isinstance(path[0], int)
        branch = _branches(schema)[path[0]] if on_path else branches[0]  # type: ignore[index]
        return sample(document, branch, path[1:] if on_path else path, other=other, name=name)
    kinds = schema.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if here and "null" in kinds:
        return None
    kind = next(each for each in kinds if each != "null")
    if kind == "object":
        made = {}
        for key, each in schema.get("properties", {}).items():
            below = path[:1] == (key,)
            made[key] = sample(document, each, path[1:] if below else (), other=here or (other and below), name=key)
        return made or {"key": "two" if here else "one"}
    if kind == "array":
        if here:
            return []
        below = path[:1] == (ITEM,)
        return [sample(document, schema["items"], path[1:] if below else (), other=other and below, name=name)]
    return _scalar(schema, kind, name, here=here)


def _scalar(schema: dict[str, Any], kind: str, name: str, *, here: bool) -> Any:
    if "enum" in schema:
        return schema["enum"][here]
    if "const" in schema:
        return schema["const"]
    values: dict[str, tuple[Any, Any]] = {
        "uuid": ("550e8400-e29b-41d4-a716-446655440000", "6f1c5f7e-6a55-4b6c-8f3c-3a2f1f0f4b11"),
        "date-time": ("2025-03-04T18:20:00Z", "2026-03-04T18:20:00Z"),
        "string": (f"{name} one", f"{name} two"),
        "integer": (1, 2),
        "number": (1.5, 2.5),
        "boolean": (True, False),
    }
    return values[schema.get("format", kind)][here]
