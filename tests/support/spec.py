"""An independent reader of openapi.yaml: what a request may contain, and what an answer must contain.

It shares no code with the package, so a mistake of the engine's own reader cannot hide one of the client. Tests that
enumerate operations or statuses take them from here, and compare their tables with `missing`.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import re

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import httpx
import jsonschema_rs
import yaml


SPEC_FILE = Path(__file__).resolve().parents[2] / "openapi.yaml"
METHODS = ("get", "put", "post", "patch", "delete")
_JSON = "application/json"


class Parameter(NamedTuple):
    """A path or query parameter."""

    name: str
    schema: dict[str, Any]
    required: bool
    validator: jsonschema_rs.Validator

    def problem(self, text: str) -> str | None:
        """Return what is wrong with the text of a value, or None."""
        value: Any = text
        if self.schema["type"] == "integer" and re.fullmatch(r"-?[0-9]+", text):
            value = int(text)
        elif self.schema["type"] == "number" and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text):
            value = float(text) if math.isfinite(float(text)) else text
        elif self.schema["type"] == "boolean":
            value = {"true": True, "false": False}.get(text, text)
        wrong = problem(self.validator, value)
        return None if wrong is None else f"{self.name}: {wrong}"


class Operation(NamedTuple):
    """One operation: its path, its parameters, the header of its key, and the validators of its bodies."""

    id: str
    method: str
    path: str
    """The path with the names of its parameters in braces."""
    path_parameters: dict[str, Parameter]
    parameters: dict[str, Parameter]
    """The query parameters."""
    key_header: str
    request: jsonschema_rs.Validator | None
    """None if the operation takes no body."""
    body_required: bool
    responses: dict[int, jsonschema_rs.Validator | None]
    """The documented statuses; a status without a body has None."""
    raw: dict[str, Any]
    """The operation as the document has it."""


def load() -> dict[str, Any]:
    """Return the spec. The caller may change it."""
    return copy.deepcopy(_parsed())


@functools.cache
def _parsed() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(SPEC_FILE.read_text(encoding="utf-8"))
    return document


def behind(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return a node with its `$ref` followed."""
    return _resolved(document, "", node)[1]


def _resolved(document: dict[str, Any], pointer: str, node: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a node and its pointer, with its `$ref` followed."""
    while "$ref" in node:
        pointer, found = node["$ref"].removeprefix("#"), document
        for part in pointer.split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = found
    return pointer, node


def raw_operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the path, the method in lower case and the object of every operation."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def operations(document: dict[str, Any]) -> dict[str, Operation]:
    """Return all operations by operationId."""
    validators = jsonschema_rs.validator_map_for(document, offline=True, validate_formats=True)

    def body(pointer: str, holder: dict[str, Any]) -> jsonschema_rs.Validator | None:
        pointer, holder = _resolved(document, pointer, holder)
        if not holder.get("content"):
            return None
        return validators[f"#{pointer}/content/{_escaped(_JSON)}/schema"]

    found: dict[str, Operation] = {}
    for path, method, raw in raw_operations(document):
        item = f"/paths/{_escaped(path)}"
        base = f"{item}/{method}"
        declared: dict[str, dict[str, Parameter]] = {"path": {}, "query": {}, "header": {}}
        for place, holder in ((item, document["paths"][path]), (base, raw)):
            for index, node in enumerate(holder.get("parameters", ())):
                pointer, each = _resolved(document, f"{place}/parameters/{index}", node)
                declared[each["in"]][each["name"]] = Parameter(
                    each["name"],
                    # Beside a $ref, a schema may have a default.
                    {**behind(document, each["schema"]), **each["schema"]},
                    each.get("required", False),
                    validators[f"#{pointer}/schema"],
                )
        request = raw.get("requestBody")
        found[raw["operationId"]] = Operation(
            raw["operationId"],
            method.upper(),
            path,
            declared["path"],
            declared["query"],
            _key_header(document, raw),
            None if request is None else body(f"{base}/requestBody", request),
            request is not None and behind(document, request).get("required", False),
            {int(status): body(f"{base}/responses/{status}", each) for status, each in raw["responses"].items()},
            raw,
        )
    return found


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _key_header(document: dict[str, Any], raw: dict[str, Any]) -> str:
    """Return the header of the API key. Every operation requires exactly this one."""
    ((name,),) = ([*each] for each in raw["security"])
    scheme = document["components"]["securitySchemes"][name]
    assert (scheme["type"], scheme["in"]) == ("apiKey", "header")
    return str(scheme["name"])


def missing(table_name: str, table: Collection[Any], keys: Collection[Any]) -> str | None:
    """Return a message if a table of a test does not have exactly the keys that the spec gives it, or None.

    Write `assert missing("CALLS", CALLS, OPERATIONS) is None`: a new operation then fails with the table to extend.
    """
    absent, extra = sorted(set(keys) - set(table), key=str), sorted(set(table) - set(keys), key=str)
    parts = [f"has no entry for {', '.join(map(str, absent))}: add one"] if absent else []
    parts += [f"has an entry for {', '.join(map(str, extra))}, which openapi.yaml does not have"] if extra else []
    return f"the table {table_name} {' and '.join(parts)}" if parts else None


def entry(table_name: str, table: dict[Any, Any], key: Any) -> Any:
    """Return an entry of a table of a test; fail with a message that names the table if there is none."""
    assert key in table, f"the table {table_name} has no entry for {key}: add one"
    return table[key]


def place(error: jsonschema_rs.ValidationError) -> str:
    """Return the JSON pointer of what is wrong; `/` for the whole document."""
    return "".join(f"/{_escaped(part)}" for part in error.instance_path) or "/"


def problem(validator: jsonschema_rs.Validator, body: Any) -> str | None:
    """Return the JSON pointer and message of the first thing that is wrong with a body, or None if it is valid."""
    error = next(validator.iter_errors(body), None)
    return None if error is None else f"{place(error)}: {error.message[:300]}"


def body_problem(validator: jsonschema_rs.Validator | None, body: Any) -> str | None:
    """Return what is wrong with the body of an answer; with no validator, it must be None."""
    if validator is None:
        return None if body is None else "there is a body, but the spec has none"
    return problem(validator, body)


def strict(body: bytes) -> Any:
    """Return the JSON value in `body`; raise ValueError if it is not JSON, or has NaN or a duplicate name."""

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is not a JSON number")

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("an object has a duplicate name")
        return dict(pairs)

    return json.loads(body.decode("utf-8"), parse_constant=no_constant, object_pairs_hook=no_duplicates)


def request_problems(known: dict[str, Operation], request: httpx.Request, key: str) -> tuple[str, list[str]]:
    """Return the operation that a request means, and everything in it that the spec does not allow."""
    path = request.url.raw_path.decode("ascii").partition("?")[0]
    operation = _meant(known, request.method, path)
    if operation is None:
        return "?", [f"no operation is {request.method} {path}"]
    wrong: list[str] = []
    if request.headers.get_list(operation.key_header) != [f"Token {key}"]:
        wrong.append(f"the header {operation.key_header} does not have the key")
    if request.headers.get("accept") != _JSON:
        wrong.append(f"the header Accept is not {_JSON}")
    for part, text in zip(operation.path.split("/"), path.split("/"), strict=True):
        if part.startswith("{"):
            misfit = operation.path_parameters[part[1:-1]].problem(unquote(text, errors="strict"))
            wrong += [] if misfit is None else [misfit]
    wrong += _query_problems(operation, request.url.query.decode("ascii"))
    return operation.id, wrong + _body_problems(operation, request)


def _meant(known: dict[str, Operation], method: str, path: str) -> Operation | None:
    """Return the operation of a method and path. Of several paths that match, the first one to have a literal wins."""
    segments = path.split("/")

    def matches(operation: Operation) -> bool:
        parts = operation.path.split("/")
        pairs = zip(parts, segments, strict=False)
        return len(parts) == len(segments) and all(
            text != "" if part.startswith("{") else part == unquote(text) for part, text in pairs
        )

    def is_parameter(path: str) -> list[bool]:
        return [part.startswith("{") for part in path.split("/")]

    paths = sorted({each.path for each in known.values() if matches(each)}, key=is_parameter)
    return next((each for each in known.values() if paths and (each.method, each.path) == (method, paths[0])), None)


def _body_problems(operation: Operation, request: httpx.Request) -> list[str]:
    if operation.request is None:
        return ["there is a body, but the spec has none"] if request.content else []
    if not request.content and not operation.body_required:
        return []
    wrong = []
    if request.headers.get("content-type") != _JSON:
        wrong.append(f"the header Content-Type is not {_JSON}")
    try:
        body = strict(request.content)
    except ValueError as error:
        return [*wrong, f"the body is not JSON: {error}"]
    misfit = problem(operation.request, body)
    return wrong if misfit is None else [*wrong, misfit]


def _query_problems(operation: Operation, query: str) -> list[str]:
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    names = [name for name, _ in pairs]
    wrong = [f"{name} is given twice" for name in sorted({name for name in names if names.count(name) > 1})]
    for name, text in pairs:
        if name in operation.parameters:
            misfit = operation.parameters[name].problem(text)
            wrong += [] if misfit is None else [misfit]
        else:
            wrong.append(f"{operation.id} has no parameter {name}")
    required = {name for name, each in operation.parameters.items() if each.required}
    return wrong + [f"{name} is missing" for name in sorted(required - {*names})]
