"""openapi.yaml itself, read by nothing of the package: what a request may be, and what an answer has to be.

The suites that judge the client and a deployment share it, so that a mistake of the package's own reader of the spec
cannot hide one of the client.
"""

from __future__ import annotations

import json

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import httpx
import jsonschema_rs
import yaml


SPEC_FILE = Path(__file__).resolve().parents[2] / "openapi.yaml"
_JSON = "content/application~1json/schema"


class Operation(NamedTuple):
    """One operation: where it is, who may call it, and the validators of its bodies."""

    id: str
    method: str
    path: str
    parameters: dict[str, dict[str, Any]]
    key_header: str
    request: jsonschema_rs.Validator | None
    responses: dict[int, jsonschema_rs.Validator]


def load() -> dict[str, Any]:
    """The spec as a dict, which belongs to the caller."""
    document: dict[str, Any] = yaml.safe_load(SPEC_FILE.read_text(encoding="utf-8"))
    return document


def behind(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What a node means once its `$ref`, if it has one, is followed."""
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def operations(document: dict[str, Any]) -> dict[str, Operation]:
    """All operations by their ids."""
    validators = jsonschema_rs.validator_map_for(document, offline=True, validate_formats=True)
    found: dict[str, Operation] = {}
    for path, item in document["paths"].items():
        for method, raw in item.items():
            base = f"#/paths/{path.replace('/', '~1')}/{method}"
            responses = {
                int(status): validators[f"{each.get('$ref', f'{base}/responses/{status}')}/{_JSON}"]
                for status, each in raw["responses"].items()
            }
            parameters = [behind(document, each) for each in raw.get("parameters", ())]
            found[raw["operationId"]] = Operation(
                raw["operationId"],
                method.upper(),
                path,
                {each["name"]: each for each in parameters if each["in"] == "query"},
                _key_header(document, raw),
                validators[f"{base}/requestBody/{_JSON}"] if "requestBody" in raw else None,
                responses,
            )
    return found


def _key_header(document: dict[str, Any], raw: dict[str, Any]) -> str:
    """The header that holds the key: every operation has exactly this one way to let somebody in."""
    ((name,),) = ([*each] for each in raw["security"])
    scheme = document["components"]["securitySchemes"][name]
    assert (scheme["type"], scheme["in"]) == ("apiKey", "header")
    return str(scheme["name"])


def place(error: jsonschema_rs.ValidationError) -> str:
    """The JSON pointer of what is wrong; `/` for the whole."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.instance_path) or "/"


def problem(validator: jsonschema_rs.Validator, body: Any) -> str | None:
    """The first thing that is wrong with a body, behind its JSON pointer; None where nothing is."""
    error = next(validator.iter_errors(body), None)
    return None if error is None else f"{place(error)}: {error.message[:300]}"


def strict(body: bytes) -> Any:
    """The JSON in `body`; ValueError where it is none, NaN and names that stand twice included."""

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is no JSON number")

    def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name stands twice in one object")
        return dict(pairs)

    return json.loads(body.decode("utf-8"), parse_constant=no_constant, object_pairs_hook=no_twins)


def request_problems(known: dict[str, Operation], request: httpx.Request, key: str) -> tuple[str, list[str]]:
    """The operation that a request means, and everything in it that the spec does not allow."""
    path = request.url.raw_path.decode("ascii").partition("?")[0]
    found = [each for each in known.values() if (each.method, each.path) == (request.method, path)]
    if not found:
        return "?", [f"no operation is {request.method} {path}"]
    (operation,) = found
    wrong: list[str] = []
    if request.headers.get_list(operation.key_header) != [f"Token {key}"]:
        wrong.append(f"the header {operation.key_header} does not hold the key")
    if request.headers.get("accept") != "application/json":
        wrong.append("the header Accept is not application/json")
    wrong += _query_problems(operation, request.url.query.decode("ascii"))
    if operation.request is None:
        return operation.id, wrong + (["there is a body, and there is to be none"] if request.content else [])
    if request.headers.get("content-type") != "application/json":
        wrong.append("the header Content-Type is not application/json")
    try:
        body = strict(request.content)
    except ValueError as error:
        return operation.id, [*wrong, f"the body is no JSON: {error}"]
    misfit = problem(operation.request, body)
    return operation.id, wrong if misfit is None else [*wrong, misfit]


def _query_problems(operation: Operation, query: str) -> list[str]:
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    wrong = [f"{name} is given twice" for name in {name for name, _ in pairs} if [n for n, _ in pairs].count(name) > 1]
    for name, text in pairs:
        if name not in operation.parameters:
            wrong.append(f"{operation.id} has no parameter {name}")
            continue
        schema = operation.parameters[name]["schema"]
        value: Any = text
        if schema["type"] == "integer" and text.lstrip("-").isdecimal():
            value = int(text)
        misfit = problem(jsonschema_rs.validator_for(schema), value)
        if misfit is not None:
            wrong.append(f"{name}: {misfit}")
    required = {name for name, each in operation.parameters.items() if each.get("required")}
    return wrong + [f"{name} is missing" for name in sorted(required - {name for name, _ in pairs})]
