"""Strategies for copies of openapi.yaml with extra operations, and for the arguments of these operations.

The operations use everything that tools/lint_spec.py allows: path and query parameters of every type, inline or by
`$ref`, of the operation or of its path; bodies that are required, optional or missing; statuses with and without a body.
"""

from __future__ import annotations

import json

from collections.abc import Iterator
from datetime import timedelta, timezone
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.support import spec


LITERALS = ("things", "search", "a.b", "x~y_z-1")
PATH_NAMES = ("memory_id", "from", "kind", "n2")
QUERY_NAMES = ("page", "limit", "since", "type", "flag", "user_id", "order", "q")
ANSWER = {"text": "done"}
BODY = {"text": "ä"}


class Parameter(NamedTuple):
    """A drawn parameter. `default` is a JSON value, or None."""

    name: str
    location: str
    schema: dict[str, Any]
    required: bool
    default: Any


class Operation(NamedTuple):
    """A drawn operation. `statuses` says for each status whether it has a body."""

    id: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    body: str
    """"required", "optional" or "none"."""
    statuses: dict[int, bool]

    def of(self, location: str) -> list[Parameter]:
        """Return the parameters in the path, in its order, or in the query."""
        found = [each for each in self.parameters if each.location == location]
        return sorted(found, key=lambda each: self.path.find(f"{{{each.name}}}"))

    @property
    def success(self) -> int:
        """The lowest documented 2xx status."""
        return min(status for status in self.statuses if 200 <= status < 300)


class Spec(NamedTuple):
    """A document and the operations that were added to it."""

    document: dict[str, Any]
    operations: tuple[Operation, ...]


class Argument(NamedTuple):
    """One value of a parameter in three forms: the argument of the client, the text in a request, and what a handler gets."""

    given: Any
    text: str
    value: str | int | float | bool


_TEXTS: list[dict[str, Any]] = [
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,20}$"},
    {"type": "string", "pattern": "^[^.]+$"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "date"},
    {"type": "string", "enum": ["newest", "oldest first", "ä/ö"]},
    {"type": "string", "const": "only"},
]
_NUMBERS: list[dict[str, Any]] = [
    {"type": "integer"},
    {"type": "integer", "minimum": 1, "maximum": 200},
    {"type": "integer", "exclusiveMinimum": -3, "exclusiveMaximum": 3},
    {"type": "integer", "enum": [1, 2, 50]},
    {"type": "integer", "multipleOf": 3},
    {"type": "number"},
    {"type": "number", "minimum": 0, "maximum": 1},
]
_IN_QUERY: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "minLength": 1, "maxLength": 5},
    {"type": "string", "format": "date-time"},
    {"type": "boolean"},
]


def arguments(schema: dict[str, Any]) -> st.SearchStrategy[Argument]:
    """Return the valid values of a parameter with this schema."""
    kind = schema["type"]
    if "enum" in schema or "const" in schema:
        listed = schema.get("enum", [schema.get("const")])
        return st.sampled_from(listed).map(lambda value: Argument(value, str(value), value))
    if kind == "boolean":
        return st.booleans().map(lambda value: Argument(value, str(value).lower(), value))
    if kind == "integer":
        low = schema.get("minimum", schema.get("exclusiveMinimum", -(10**30) - 1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", 10**30 + 1) - 1)
        step = schema.get("multipleOf", 1)
        integers = st.integers(-(-low // step), high // step).map(lambda value: value * step)
        return integers.map(lambda value: Argument(value, str(value), value))
    if kind == "number":
        numbers = st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
        return numbers.map(lambda value: Argument(value, str(value), value))
    return _texts(schema)


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[Argument]:
    form = schema.get("format")
    if form == "uuid":
        return st.uuids().map(lambda value: Argument(value, str(value), str(value)))
    if form == "date":
        return st.dates().map(lambda value: Argument(value, value.isoformat(), value.isoformat()))
    if form == "date-time":
        zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
        times = st.datetimes(timezones=zones)
        return times.map(lambda value: Argument(value, value.isoformat(), value.isoformat()))
    if schema.get("pattern", "").startswith("^[A-Z"):
        texts = st.text("abcXYZ019_-", min_size=1, max_size=20)
    elif "pattern" in schema:
        texts = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=20)
    else:
        texts = st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 20))
    return texts.filter(lambda text: text not in LITERALS).map(lambda text: Argument(text, text, text))


def bad_texts(schema: dict[str, Any]) -> list[str]:
    """Return texts that are not values of a parameter with this schema."""
    kind = schema["type"]
    if kind != "string":
        bad = {"integer": ["x", "1.5", "1e3", "", "٣", "1_0"], "number": ["x", "nan", "inf", "", "1_0", "1e999"]}
        found = [*bad.get(kind, ["True", "1", "", "yes"])]
        limits = {"minimum": -1, "maximum": 1, "exclusiveMinimum": 0, "exclusiveMaximum": 0}
        found += [str(schema[key] + beyond) for key, beyond in limits.items() if key in schema]
        return found + (["7"] if "enum" in schema or "multipleOf" in schema else [])
    if "enum" in schema or "const" in schema:
        return ["neither", ""]
    if "format" in schema:
        return ["neither", "2025-13-01", "2025-01-01 00:00:00", ""]
    if "pattern" in schema:
        return ["a.b.c", "..."]
    return ["", "longer"] if "maxLength" in schema else []


@st.composite
def _parameters(draw: st.DrawFn, path_names: list[str]) -> tuple[Parameter, ...]:
    names = draw(st.lists(st.sampled_from(QUERY_NAMES), unique=True, max_size=3))
    found = []
    for name, location in [*((name, "path") for name in path_names), *((name, "query") for name in names)]:
        schema = draw(st.sampled_from([*_TEXTS, *_NUMBERS, *(_IN_QUERY if location == "query" else ())]))
        default = None
        if location == "query" and draw(st.booleans()):
            value = draw(arguments(schema)).value
            # The default is written into the generated code, whose escaping of odd texts is not what is tested here.
            default = value if not isinstance(value, str) or value.isalnum() or "format" in schema else None
        required = location == "path" or draw(st.booleans())
        found.append(Parameter(name, location, schema, required, default))
    return tuple(found)


def _declared(draw: st.DrawFn, document: dict[str, Any], parameter: Parameter) -> dict[str, Any]:
    """Return a parameter as the document has it; it and its schema may be references to components."""
    number = len(document["components"]["parameters"]) + len(document["components"]["schemas"])
    schema = dict(parameter.schema)
    if draw(st.booleans()):
        document["components"]["schemas"][f"Drawn{number}"] = {**schema, "description": "Drawn."}
        schema = {"$ref": f"#/components/schemas/Drawn{number}"}
    if parameter.default is not None:
        schema["default"] = parameter.default
    declared: dict[str, Any] = {"name": parameter.name, "in": parameter.location, "schema": schema}
    if parameter.required or draw(st.booleans()):
        declared["required"] = parameter.required
    if draw(st.booleans()):
        document["components"]["parameters"][f"Drawn{number}"] = declared
        return {"$ref": f"#/components/parameters/Drawn{number}"}
    return declared


def _content(model: str, example: Any) -> dict[str, Any]:
    return {
        "application/json": {
            "schema": {"$ref": f"#/components/schemas/{model}"},
            "examples": {"drawn": {"value": example}},
        }
    }


def _responses(draw: st.DrawFn, parameters: tuple[Parameter, ...], body: str) -> dict[str, Any]:
    made: dict[str, Any] = {"401": {"$ref": "#/components/responses/Unauthorized"}}
    for status in draw(st.lists(st.sampled_from(["200", "201", "202", "204"]), unique=True, min_size=1, max_size=2)):
        made[status] = {"description": "Done."}
        if status in {"200", "201"}:
            made[status]["content"] = _content("DrawnAnswer", ANSWER)
    if draw(st.booleans()):
        made["409"] = {"description": "A conflict."}
    error = draw(st.sampled_from(["MessageError", "ReasonError", "DetailError"]))
    example = {{"MessageError": "message", "ReasonError": "error", "DetailError": "detail"}[error]: "bad"}
    refused = {"description": "Refused.", "content": _content(error, example)}
    only_path = body == "none" and all(each.location == "path" for each in parameters)
    if parameters and only_path and draw(st.booleans()):
        made["404"] = refused
    elif parameters or body != "none" or draw(st.booleans()):
        made["400"] = {"$ref": "#/components/responses/NoSuchPage"} if draw(st.booleans()) else refused
    return made


@st.composite
def specs(draw: st.DrawFn, min_paths: int = 1, max_paths: int = 3) -> Spec:
    """Return openapi.yaml with one or two operations under each of some extra paths."""
    document = spec.load()
    text = {"type": "string", "description": "A text."}
    for name in ("DrawnBody", "DrawnAnswer"):
        document["components"]["schemas"][name] = {
            "type": "object",
            "description": "Drawn.",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": text},
        }
    document["components"]["requestBodies"] = {}
    segment = st.sampled_from([*LITERALS, "{}", "{}"])
    shapes = st.tuples(
        st.lists(segment, min_size=1, max_size=4).filter(lambda parts: parts.count("{}") <= 2), st.booleans()
    )
    drawn: list[Operation] = []
    found = draw(st.lists(shapes, min_size=min_paths, max_size=max_paths, unique_by=repr))
    for shape, slash in found[: max_paths - 1]:  # a path that also matches the requests of another one
        index = next((index for index, part in enumerate(shape) if part != "{}"), None)
        other = ([*shape[:index], "{}", *shape[index + 1 :]] if index is not None else shape, slash)
        if len(found) < max_paths and other not in found and other[0].count("{}") <= 2:
            found.append(other)
    for shape, slash in found:
        names = draw(st.lists(st.sampled_from(PATH_NAMES), unique=True, min_size=2, max_size=2))[: shape.count("{}")]
        filled = iter(names)
        path = "/v9/" + "/".join(f"{{{next(filled)}}}" if part == "{}" else part for part in shape) + "/" * slash
        drawn += draw(_path_item(document, path, names, f"drawn_{len(drawn)}"))
    for each in ("schemas", "requestBodies"):  # lint-spec refuses what nothing uses
        for name in [name for name in document["components"][each] if name in {"DrawnBody", "DrawnAnswer"}]:
            if f'"#/components/{each}/{name}"' not in json.dumps(document):
                del document["components"][each][name]
    return Spec(document, tuple(drawn))


@st.composite
def _path_item(
    draw: st.DrawFn, document: dict[str, Any], path: str, names: list[str], first_id: str
) -> list[Operation]:
    item: dict[str, Any] = {}
    shared = draw(_parameters(names if draw(st.booleans()) else []))
    if shared:
        item["parameters"] = [_declared(draw, document, each) for each in shared]
    found = []
    methods = draw(st.lists(st.sampled_from(spec.METHODS), unique=True, min_size=1, max_size=2))
    for method in methods:
        taken = {(each.name, each.location) for each in shared}
        own = draw(_parameters([name for name in names if (name, "path") not in taken]))
        body = "none" if method == "get" else draw(st.sampled_from(["none", "required", "optional"]))
        # An operation's own parameter overrides that of its path.
        overridden = {(each.name, each.location) for each in own}
        parameters = (*own, *(each for each in shared if (each.name, each.location) not in overridden))
        operation_id = f"{first_id}_{method}"
        raw: dict[str, Any] = {
            "tags": ["drawn"],
            "operationId": operation_id,
            "security": [{"ApiKeyAuth": []}],
            "responses": _responses(draw, parameters, body),
        }
        if own:
            raw["parameters"] = [_declared(draw, document, each) for each in own]
        if body != "none":
            made = {"required": True} if body == "required" else {}
            made["content"] = _content("DrawnBody", BODY)
            by_reference = body == "required" and draw(st.booleans())
            if by_reference:
                document["components"]["requestBodies"]["DrawnBody"] = made
            raw["requestBody"] = {"$ref": "#/components/requestBodies/DrawnBody"} if by_reference else made
        item[method] = raw
        statuses = {
            int(status): bool(spec.behind(document, each).get("content")) for status, each in raw["responses"].items()
        }
        found.append(Operation(operation_id, method.upper(), path, parameters, body, statuses))
    document["paths"][path] = item
    return found


class Call(NamedTuple):
    """The arguments of one call of an operation, by name; a query parameter may be missing."""

    operation: Operation
    arguments: dict[str, Argument]
    body: dict[str, Any] | None

    @property
    def path(self) -> str:
        """The percent-encoded path."""
        return filled(self.operation, {name: each.text for name, each in self.arguments.items()})

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters of the query, as pairs of name and text."""
        names = [each.name for each in self.operation.of("query") if each.name in self.arguments]
        return [(name, self.arguments[name].text) for name in names]

    @property
    def expected(self) -> dict[str, Any]:
        """The parameters that the handler gets."""
        defaults = {each.name: each.default for each in self.operation.of("query") if each.default is not None}
        return {**defaults, **{name: each.value for name, each in self.arguments.items()}}


def filled(operation: Operation, texts: dict[str, str]) -> str:
    """Return the percent-encoded path with these values of its parameters."""
    encoded = {f"{{{name}}}": quote(text, safe="") for name, text in texts.items()}
    return "/".join(encoded.get(part, part) for part in operation.path.split("/"))


@st.composite
def calls(draw: st.DrawFn, operation: Operation) -> Call:
    """Return a valid call of the operation."""
    given = {
        each.name: draw(arguments(each.schema)) for each in operation.parameters if each.required or draw(st.booleans())
    }
    with_body = operation.body == "required" or (operation.body == "optional" and draw(st.booleans()))
    return Call(operation, given, BODY if with_body else None)


class NearMiss(NamedTuple):
    """A request that is almost a valid one, and the parameter that its refusal must name."""

    path: str
    query: str
    named: str


def near_misses(call: Call) -> Iterator[NearMiss]:
    """Yield requests that differ from a valid call in one parameter."""
    operation, query = call.operation, urlencode(call.pairs)
    texts = {name: each.text for name, each in call.arguments.items()}
    for each in operation.of("path"):
        for bad in bad_texts(each.schema):
            if bad:
                yield NearMiss(filled(operation, {**texts, each.name: bad}), query, each.name)
        encoded = filled(operation, {**texts, each.name: "\0"}).replace("%00", "%FF")
        if "%FF" in encoded and "%00" not in call.path:
            yield NearMiss(encoded, query, each.name)
    if 400 not in operation.statuses:
        return
    yield NearMiss(call.path, urlencode([*call.pairs, ("unheard_of", "1")]), "unheard_of")
    for each in operation.of("query"):
        others = [(name, text) for name, text in call.pairs if name != each.name]
        yield from (
            NearMiss(call.path, urlencode([*others, (each.name, bad)]), each.name) for bad in bad_texts(each.schema)
        )
        if each.name in call.arguments:
            yield NearMiss(call.path, urlencode([*call.pairs, (each.name, texts[each.name])]), each.name)
        if each.required:
            yield NearMiss(call.path, urlencode(others), each.name)
