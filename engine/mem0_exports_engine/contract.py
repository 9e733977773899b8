"""openapi.yaml at run time: find the operation of a request and validate bodies against their schemas."""

from __future__ import annotations

import json
import re

from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

import jsonschema_rs

from mem0_exports.strict_json import follow, pointer


class Parameter(NamedTuple):
    """A query parameter: an integer with a default."""

    name: str
    default: int
    schema: dict[str, Any]


class Operation(NamedTuple):
    """One operation of the spec, with validators for its bodies."""

    id: str
    method: str
    path: str
    parameters: dict[str, Parameter]
    request: jsonschema_rs.Validator | None
    responses: dict[int, jsonschema_rs.Validator]


class Contract(NamedTuple):
    """All operations, by path and then method."""

    paths: dict[str, dict[str, Operation]]


class Problem(NamedTuple):
    """What is wrong with a body: a JSON pointer to the place, and a message."""

    pointer: str
    message: str


_INTEGER: Final = re.compile(r"-?[0-9]{1,400}")
_JSON: Final = "content/application~1json/schema"


@cache
def contract() -> Contract:
    """Return the contract of the installed package. It is read once."""
    # The generated package includes the spec it was generated from; the engine uses none of its code.
    spec = json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8"))
    validators = jsonschema_rs.validator_map_for(spec, offline=True, validate_formats=True)
    paths: dict[str, dict[str, Operation]] = {}
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            base = f"#/paths/{path.replace('/', '~1')}/{method}"
            responses = {
                int(status): validators[f"{response.get('$ref', f'{base}/responses/{status}')}/{_JSON}"]
                for status, response in operation["responses"].items()
            }
            paths.setdefault(path, {})[method.upper()] = Operation(
                operation["operationId"],
                method.upper(),
                path,
                _parameters(spec, operation),
                validators[f"{base}/requestBody/{_JSON}"] if "requestBody" in operation else None,
                responses,
            )
    return Contract(paths)


def _parameters(spec: dict[str, Any], operation: dict[str, Any]) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {}
    for reference in operation.get("parameters", ()):
        declared = follow(spec, reference["$ref"])
        schema = declared["schema"]
        parameters[declared["name"]] = Parameter(declared["name"], schema["default"], schema)
    return parameters


def problem(validator: jsonschema_rs.Validator, body: Any) -> Problem | None:
    """Return the first thing that is wrong with `body`, or None if it is valid."""
    if validator.is_valid(body):
        return None
    for error in validator.iter_errors(body):
        return Problem(pointer(error.instance_path), error.message[:300])
    return None


def read_parameters(operation: Operation, query: list[tuple[str, str]]) -> dict[str, int] | str:
    """Return the query parameters by name, with defaults filled in, or a message that says what is wrong."""
    values = {name: parameter.default for name, parameter in operation.parameters.items()}
    seen: set[str] = set()
    for name, text in query:
        parameter = operation.parameters.get(name)
        if parameter is None:
            allowed = ", ".join(operation.parameters) or "none"
            return f"unknown query parameter {name[:50]!r}; allowed: {allowed}"
        if name in seen:
            return f"{name} must appear only once in the query"
        seen.add(name)
        if not _INTEGER.fullmatch(text):
            return f"{name} must be an integer, got {text[:50]!r}"
        value = int(text)
        low, high = parameter.schema.get("minimum", value), parameter.schema.get("maximum", value)
        if value < low:
            return f"{name} must be at least {low}, got {value}"
        if value > high:
            return f"{name} must be at most {high}, got {value}"
        values[name] = value
    return values
