"""openapi.yaml as the engine uses it: which operation a request means, and whether bodies fit their schemas."""

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
    """What is wrong with a body: where (JSON pointer) and what."""

    pointer: str
    message: str


_INTEGER: Final = re.compile(r"-?[0-9]{1,400}")
_JSON: Final = "content/application~1json/schema"


@cache
def contract() -> Contract:
    """The contract of the installed package."""
    # The generated package carries the spec that it was generated from; no code of it is used here.
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
    found: dict[str, Parameter] = {}
    for each in operation.get("parameters", ()):
        declared = follow(spec, each["$ref"])
        schema = declared["schema"]
        found[declared["name"]] = Parameter(declared["name"], schema["default"], schema)
    return found


def problem(validator: jsonschema_rs.Validator, body: Any) -> Problem | None:
    """The first thing that is wrong with `body`, or None."""
    if validator.is_valid(body):
        return None
    for error in validator.iter_errors(body):
        return Problem(pointer(error.instance_path), error.message[:300])
    return None


def read_parameters(operation: Operation, query: list[tuple[str, str]]) -> dict[str, int] | str:
    """The parameters of a request by name, defaults filled in, or what is wrong with them."""
    values = {name: parameter.default for name, parameter in operation.parameters.items()}
    seen: set[str] = set()
    for name, text in query:
        parameter = operation.parameters.get(name)
        if parameter is None:
            known = ", ".join(operation.parameters) or "none"
            return f"unknown query parameter {name[:50]!r}; this operation has {known}"
        if name in seen:
            return f"{name} is given twice"
        seen.add(name)
        if not _INTEGER.fullmatch(text):
            return f"{name}: {text[:50]!r} is no integer"
        value = int(text)
        low, high = parameter.schema.get("minimum", value), parameter.schema.get("maximum", value)
        if value < low:
            return f"{name}: {value} is less than the minimum of {low}"
        if value > high:
            return f"{name}: {value} is greater than the maximum of {high}"
        values[name] = value
    return values
