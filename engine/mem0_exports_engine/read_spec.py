"""Read an OpenAPI document as a contract, and report what the engine does not support and what to write instead.

tools/lint_spec.py reports the same problems, so the engine can serve an openapi.yaml without findings.
"""

from __future__ import annotations

import json
import re

from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jsonschema_rs

from mem0_exports.strict_json import escape, follow
from mem0_exports_engine.contract import HEALTH, Contract, Operation, error_body, is_parameter, refusal_status
from mem0_exports_engine.parameters import KINDS, Parameter


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JSON: Final = "application/json"

_METHODS: Final = ("get", "put", "post", "patch", "delete")
_BODILESS: Final = frozenset({"204", "205", "304"})
_STATUSES: Final = frozenset(str(status.value) for status in HTTPStatus if status.value >= 200)
_FORMATS: Final = frozenset({"date", "date-time", "uuid"})
_LITERAL: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_PLACEHOLDER: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")

_DOCUMENT_KEYS: Final = frozenset(
    {"openapi", "info", "servers", "security", "tags", "paths", "components", "externalDocs"}
)
_PATH_KEYS: Final = frozenset({*_METHODS, "parameters", "summary", "description"})
_OPERATION_KEYS: Final = frozenset(
    {"tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody", "responses"}
    | {"deprecated", "security"}
)
_PARAMETER_KEYS: Final = frozenset(
    {"name", "in", "description", "required", "deprecated", "schema", "example", "examples", "style", "explode"}
)
_SCHEMA_KEYS: Final = frozenset(
    {
        "type",
        "title",
        "description",
        "deprecated",
        "example",
        "examples",
        "default",
        "enum",
        "const",
        "format",
        "pattern",
    }
    | {"minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
_INSTEAD: Final = {
    "$ref": "write the content of the reference here",
    "callbacks": "leave callbacks out: the engine sends no requests",
    "webhooks": "leave webhooks out: the engine sends no requests",
    "servers": "list servers at the top of the document only",
    "head": "write get: the engine answers HEAD with 405",
    "options": "write get: the engine answers OPTIONS with 405",
    "trace": "write get: the engine answers TRACE with 405",
    "content": "write schema instead of content",
    "encoding": "leave encoding out: bodies are JSON",
}


class Unsupported(NamedTuple):
    """A part of a document that the engine does not support: a JSON pointer, the problem, and what to write instead."""

    pointer: str
    problem: str
    instead: str


class UnsupportedSpec(ValueError):
    """An OpenAPI document that the engine cannot serve."""

    def __init__(self, problems: list[Unsupported]) -> None:
        super().__init__("\n".join(f"{each.pointer or '/'}: {each.problem}; {each.instead}" for each in problems))
        self.problems = problems


@cache
def contract() -> Contract:
    """Return the contract of the installed package. It is read once."""
    # The generated package includes the spec it was generated from; the engine uses none of its code.
    return read(json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8")))


def read(document: Any) -> Contract:
    """Return the contract of an OpenAPI document. Raises UnsupportedSpec if the engine cannot serve all of it."""
    reader = _Reader(document)
    operations = [*reader.operations()]
    if reader.problems:
        raise UnsupportedSpec(reader.problems)
    return Contract(operations)


class _Reader:
    """Reads the operations of one document and collects the problems."""

    def __init__(self, document: Any) -> None:
        self.problems: list[Unsupported] = []
        self._document = document
        try:
            self._validators = jsonschema_rs.validator_map_for(document, offline=True, validate_formats=True)
        except (ValueError, TypeError, jsonschema_rs.ReferencingError) as error:
            self._validators = jsonschema_rs.validator_map_for({})
            self._note("", f"its schemas cannot be compiled: {str(error)[:200]}", "write valid JSON Schema 2020-12")

    def _note(self, pointer: str, problem: str, instead: str) -> None:
        self.problems.append(Unsupported(pointer, problem, instead))

    def operations(self) -> Iterator[Operation]:
        """Yield the operations that can be read, and note a problem for everything that cannot."""
        document = self._object("", self._document, _DOCUMENT_KEYS)
        shapes: dict[tuple[str, ...], str] = {}
        ids: dict[str, str] = {}
        for path, node in self._object("/paths", document.get("paths")).items():
            pointer = f"/paths/{escape(path)}"
            item = self._object(pointer, node, _PATH_KEYS)
            if not self._is_path(pointer, path, shapes):
                continue
            for method in (method for method in _METHODS if method in item):
                place = f"{pointer}/{method}"
                raw = self._object(place, item[method], _OPERATION_KEYS)
                operation = self._operation(place, path, method, raw, self._merged(pointer, item, place, raw))
                if operation.id in ids:
                    problem = f"the operationId {operation.id} is already that of {ids[operation.id]}"
                    self._note(f"{place}/operationId", problem, "give each operation its own operationId")
                ids[operation.id] = place
                yield operation

    def _is_path(self, pointer: str, path: str, shapes: dict[tuple[str, ...], str]) -> bool:
        first, *segments = path.split("/")
        inner = segments[:-1] if len(segments) > 1 and segments[-1] == "" else segments
        if first or not all(_LITERAL.fullmatch(part) or _PLACEHOLDER.fullmatch(part) for part in inner):
            problem = f"the path {path} has a segment that the engine cannot match"
            instead = "write segments of letters, digits and . _ ~ -, or one parameter as a whole segment: /a/{name}/"
            self._note(pointer, problem, instead)
            return False
        if len({*filter(is_parameter, inner)}) < len([*filter(is_parameter, inner)]):
            self._note(pointer, f"the path {path} has two parameters of the same name", "give each its own name")
            return False
        shape = tuple("{}" if is_parameter(part) else part for part in segments)
        if shape in shapes:
            problem = f"the paths {path} and {shapes[shape]} match the same requests"
            self._note(pointer, problem, "write their operations under one path")
        if len(segments) == 1 and shape[0] in {"{}", HEALTH[1:]}:
            self._note(pointer, f"the path {path} matches {HEALTH}", f"choose another path: the engine uses {HEALTH}")
        shapes[shape] = path
        return True

    def _operation(
        self, pointer: str, path: str, method: str, raw: Mapping[str, Any], parameters: dict[str, dict[str, Parameter]]
    ) -> Operation:
        name = raw.get("operationId")
        if not isinstance(name, str) or not name:
            self._note(f"{pointer}/operationId", "the operation has no operationId", "write one in snake_case")
        self._security(f"{pointer}/security", raw.get("security"))
        request, body_required = None, False
        if "requestBody" in raw:
            place, node = self._resolved(f"{pointer}/requestBody", raw["requestBody"])
            body = self._object(place, node, frozenset({"description", "required", "content"}))
            request, body_required = self._body(place, body), body.get("required") is True
        operation = Operation(
            str(name),
            method.upper(),
            path,
            parameters["path"],
            parameters["query"],
            request,
            body_required,
            dict(self._responses(f"{pointer}/responses", raw.get("responses"))),
        )
        for part in path.split("/"):
            if is_parameter(part) and part[1:-1] not in operation.path_parameters:
                problem = f"the parameter {part[1:-1]} of the path cannot be used"
                self._note(pointer, problem, "describe it in parameters with in: path and a schema")
        self._refusal(pointer, operation)
        return operation

    def _refusal(self, pointer: str, operation: Operation) -> None:
        """Note a problem if the spec has no answer for a request that does not match it."""
        needs_400 = bool(operation.query_parameters) or operation.request is not None
        if not needs_400 and not operation.path_parameters:
            return
        status = 400 if needs_400 else refusal_status(operation)
        place = f"{pointer}/responses"
        if status not in operation.responses:
            wrong = "a bad parameter or body" if needs_400 else "a bad path parameter"
            self._note(place, f"no answer to {wrong} is documented", 'document a "400" with an error body')
        elif error_body(operation.responses[status], "x") is None:
            problem = "its body has no place for a message"
            instead = "use a schema that requires only a string named message, error or detail, such as ReasonError"
            self._note(f"{place}/{status}", problem, instead)

    def _merged(
        self, pointer: str, item: Mapping[str, Any], place: str, raw: Mapping[str, Any]
    ) -> dict[str, dict[str, Parameter]]:
        """Return the parameters of an operation by location and name. Its own parameters override the path's."""
        found: dict[str, dict[str, Parameter]] = {"path": {}, "query": {}}
        places: dict[str, str] = {}
        for base, holder in ((pointer, item), (place, raw)):
            seen = set()
            for index, node in enumerate(self._list(f"{base}/parameters", holder.get("parameters", []))):
                where, resolved = self._resolved(f"{base}/parameters/{index}", node)
                declared = self._object(where, resolved, _PARAMETER_KEYS)
                name, location = declared.get("name"), declared.get("in")
                if not isinstance(name, str) or not name:
                    self._note(where, "the parameter has no name", "write a name in snake_case")
                    continue
                if (location, name.lower(), declared.get("required", False)) == ("header", "prefer", False):
                    continue  # see `waiting`
                if location not in found:
                    problem = f"the parameter {name} is in {location}"
                    self._note(
                        f"{where}/in", problem, "write in: query or in: path: the engine reads no header but Prefer"
                    )
                    continue
                if (name, location) in seen:
                    self._note(where, f"the {location} parameter {name} is listed twice", "list it once")
                seen.add((name, location))
                if places.setdefault(name, location) != location:
                    self._note(where, f"{name} is a path and a query parameter", "give them different names")
                if location == "path" and f"{{{name}}}" not in pointer.replace("~1", "/").split("/"):
                    self._note(
                        where, f"the path has no parameter {name}", f"write {{{name}}} in the path, or remove it"
                    )
                parameter = self._parameter(where, name, location, declared)
                if parameter is not None:
                    found[location][name] = parameter
        return found

    def _parameter(self, pointer: str, name: str, location: str, declared: Mapping[str, Any]) -> Parameter | None:
        style = {"path": "simple", "query": "form"}[location]
        for key, expected in (("style", style), ("explode", location == "query")):
            if declared.get(key, expected) != expected:
                problem = f"the parameter {name} has {key}: {declared[key]}"
                self._note(f"{pointer}/{key}", problem, f"leave {key} out: the engine reads only the default")
        required = declared.get("required", False)
        if location == "path" and required is not True:
            self._note(pointer, f"the path parameter {name} is not required", "write required: true")
        place, chain = f"{pointer}/schema", [declared.get("schema")]
        while isinstance(chain[-1], dict) and "$ref" in chain[-1] and len(chain) < 20:
            chain.append(follow(self._document, str(chain[-1]["$ref"])))
        schema = chain[-1]
        if not isinstance(schema, dict) or not isinstance(schema.get("type"), str) or schema["type"] not in KINDS:
            problem = f"the type of the parameter {name} is not one that the engine reads"
            instead = "write type: string, integer, number or boolean; put lists, objects and null into the body"
            self._note(place, problem, instead)
            return None
        validator = self._validators.get(f"#{place}")
        if validator is None:
            self._note(place, f"the schema of the parameter {name} cannot be compiled", "check its pattern")
            return None
        for each in chain:
            self._object(place, each, _SCHEMA_KEYS | {"$ref"}, "write one type with limits, an enum or a pattern")
        self._values(place, name, schema)
        kind = KINDS[schema["type"]]
        default = next((each["default"] for each in chain if isinstance(each, dict) and "default" in each), None)
        if default is not None and not validator.is_valid(default):
            self._note(f"{place}/default", f"the default of {name} does not match its schema", "correct the default")
            default = None
        if location == "path":
            self._in_path(place, name, validator, schema, default)
        return Parameter(name, kind, validator, required is True, None if default is None else kind(default))

    def _values(self, pointer: str, name: str, schema: Mapping[str, Any]) -> None:
        """Note a problem if the generated client cannot send, or the engine cannot read, the values of a schema."""
        kind = schema["type"]
        if "format" in schema and (kind != "string" or schema["format"] not in _FORMATS):
            problem = f"the parameter {name} has the format {schema['format']}, which the engine does not check"
            instead = "write a pattern, or format: date, date-time or uuid" if kind == "string" else "write limits"
            self._note(f"{pointer}/format", problem, instead)
        listed = schema.get("enum", [])
        python = {"string": str, "integer": int}.get(kind)
        if "enum" in schema and not (listed and python and all(type(each) is python for each in listed)):
            problem = f"the enum of the parameter {name} cannot be read by the client generator"
            self._note(f"{pointer}/enum", problem, f"list values of type {kind} only, and only of string or integer")

    def _in_path(
        self, pointer: str, name: str, validator: jsonschema_rs.Validator, schema: Mapping[str, Any], default: object
    ) -> None:
        if default is not None:
            self._note(
                f"{pointer}/default", f"the path parameter {name} has a default", "remove it: it is always given"
            )
        if schema["type"] == "boolean" or schema.get("format") == "date-time":
            problem = f"the generated client does not write the path parameter {name} as JSON does"
            self._note(pointer, problem, "write type: string with an enum or a pattern, or make it a query parameter")
        elif schema["type"] == "string" and any(map(validator.is_valid, ("", ".", ".."))):
            problem = (
                f"the schema of the path parameter {name} allows an empty text, . or .., which a path cannot carry"
            )
            self._note(pointer, problem, "write format: uuid, an enum, or a pattern such as '^[A-Za-z0-9_-]+$'")

    def _responses(self, pointer: str, node: Any) -> Iterator[tuple[int, jsonschema_rs.Validator | None]]:
        for status, each in self._object(pointer, node).items():
            if status not in _STATUSES:
                problem = f"the engine does not answer with the status {status}"
                self._note(f"{pointer}/{status}", problem, 'list each status by its number, such as "404"')
                continue
            place, resolved = self._resolved(f"{pointer}/{status}", each)
            response = self._object(place, resolved, frozenset({"description", "content", "links", "headers"}))
            self._headers(f"{place}/headers", response.get("headers", {}))
            if not response.get("content"):
                yield int(status), None
            elif status in _BODILESS:
                self._note(f"{place}/content", f"HTTP allows no body for {status}", "leave content out")
            else:
                yield int(status), self._body(place, response)

    def _headers(self, pointer: str, node: Any) -> None:
        for name, each in self._object(pointer, node).items():
            place, resolved = self._resolved(f"{pointer}/{escape(name)}", each)
            header = self._object(
                place, resolved, frozenset({"description", "required", "schema", "example", "deprecated"})
            )
            if header.get("required", False) is not False:
                problem = f"the engine cannot promise to send the header {name}"
                self._note(f"{place}/required", problem, "leave required out, or put the value into the body")

    def _body(self, pointer: str, holder: Mapping[str, Any]) -> jsonschema_rs.Validator | None:
        """Return the validator of a body of a request or a response."""
        content = self._object(f"{pointer}/content", holder.get("content"))
        if [*content] != [JSON]:
            problem = f"the body is {', '.join(content) or 'of no media type'}"
            self._note(f"{pointer}/content", problem, f"write {JSON} only: the engine reads and sends JSON")
            return None
        place = f"{pointer}/content/{escape(JSON)}"
        self._object(place, content[JSON], frozenset({"schema", "example", "examples"}))
        validator = self._validators.get(f"#{place}/schema")
        if validator is None:
            self._note(place, "the body has no schema that can be compiled", "write a schema: {$ref: ...}")
        return validator

    def _security(self, pointer: str, node: Any) -> None:
        names = [*node[0]] if isinstance(node, list) and len(node) == 1 and isinstance(node[0], dict) else []
        scheme = follow(self._document, f"#/components/securitySchemes/{escape(names[0])}") if len(names) == 1 else None
        found = scheme if isinstance(scheme, dict) else {}
        if (found.get("type"), found.get("in"), str(found.get("name")).lower()) != (
            "apiKey",
            "header",
            "authorization",
        ):
            problem = "the operation does not require exactly one API key in the header Authorization"
            self._note(pointer, problem, "write security: [{ApiKeyAuth: []}]")

    def _resolved(self, pointer: str, node: Any) -> tuple[str, Any]:
        """Return a node and its pointer, with references followed."""
        for _ in range(20):
            if not isinstance(node, dict) or "$ref" not in node:
                break
            reference = str(node["$ref"])
            found = follow(self._document, reference)
            if found is None or not reference.startswith("#/"):
                self._note(f"{pointer}/$ref", f"{reference} does not exist", "define it under components")
                return pointer, {}
            pointer, node = reference[1:], found
        return pointer, node

    def _list(self, pointer: str, node: Any) -> list[Any]:
        """Return `node` if it is a list. Otherwise note a problem and return an empty list."""
        if isinstance(node, list):
            return node
        self._note(pointer, "it is not a list", "see the OpenAPI 3.1 specification")
        return []

    def _object(
        self, pointer: str, node: Any, keys: frozenset[str] | None = None, instead: str = "remove it"
    ) -> Mapping[str, Any]:
        """Return `node` if it is an object. Otherwise note a problem and return an empty object.

        Also note a problem for each key that is not in `keys`.
        """
        if not isinstance(node, dict) or not all(isinstance(key, str) for key in node):
            self._note(pointer, "it is not an object with text as keys", "see the OpenAPI 3.1 specification")
            return {}
        for key in node:
            if keys is not None and key not in keys and not key.startswith("x-"):
                problem = f"the engine does not support {key} here"
                self._note(f"{pointer}/{escape(key)}", problem, _INSTEAD.get(key, instead))
        return node
