"""The rules of openapi.yaml. tools/lint_spec.py runs them.

A rule is a function that takes the document and yields a finding for each place that breaks the rule. The rule `engine`
calls `mem0_exports_engine.read_spec`, which defines what the embedded engine supports, so this is not repeated here.
"""

from __future__ import annotations

import math
import re

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jsonschema_rs

from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.schemas import openapi_v31_schema_validator

from mem0_exports_engine.read_spec import UnsupportedSpec, read
from openapi_file import pointer as pointer_of
from openapi_file import target


if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
BREAKING_PROPERTIES: Final = frozenset({"d", "cls", "to_dict", "from_dict", "additional_properties", "field_dict"})
"""Names of properties that would hide methods and variables of a generated model."""

BREAKING_SCHEMAS: Final = frozenset({"Client", "AuthenticatedClient", "Response", "Unset", "File"})
"""Names of schemas whose models would hide the generator's own classes."""

BREAKING_PARAMETERS: Final = frozenset(
    {"client", "url", "body", "headers", "params", "cookies", "quote", "kwargs", "sync_detailed", "asyncio_detailed"}
)
"""Names of parameters that would hide another name in the generated functions."""


class Finding(NamedTuple):
    """A broken rule: the JSON pointer of the place, the name of the rule, the problem, and how to fix it."""

    pointer: str
    rule: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.problem} [{self.rule}]\n    {self.fix}"


def resolved(document: Any, node: Any) -> Any:
    """Return `node` with its `$ref` followed, or None if the references never end."""
    for _ in range(20):
        if not (isinstance(node, dict) and "$ref" in node):
            return node
        node = target(document, node["$ref"])
    return None


def walk(node: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object of the document with its pointer, except those inside examples."""
    if isinstance(node, dict):
        yield pointer, node
        for key, value in node.items():
            # A property can be called "example" too.
            if key not in {"example", "examples", "default", "enum", "const"} or pointer.endswith("/properties"):
                yield from walk(value, f"{pointer}{pointer_of(key)}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{pointer}/{index}")


def operations(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every operation with its pointer."""
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if method in METHODS:
                yield pointer_of("paths", path, method), operation


def components(document: Any, section: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the name, the pointer and the value of every component of a section."""
    for name, component in document.get("components", {}).get(section, {}).items():
        yield name, pointer_of("components", section, name), component


def contents(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the media types of every body, of requests and of responses, each at the place where it is defined."""
    holders: dict[str, dict[str, Any]] = {}
    for pointer, operation in operations(document):
        holders[f"{pointer}/requestBody"] = operation.get("requestBody", {})
        holders |= {
            f"{pointer}/responses{pointer_of(key)}": each for key, each in operation.get("responses", {}).items()
        }
    for section in ("requestBodies", "responses"):
        holders |= {pointer: component for _, pointer, component in components(document, section)}
    for pointer, holder in holders.items():
        for media_type, content in holder.get("content", {}).items():
            yield f"{pointer}/content{pointer_of(media_type)}", content


def parameters(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every parameter, each at the place where it is defined."""
    holders = [(pointer_of("paths", path), item) for path, item in document.get("paths", {}).items()]
    for pointer, holder in [*holders, *operations(document)]:
        for index, parameter in enumerate(holder.get("parameters", ())):
            if "$ref" not in parameter:
                yield f"{pointer}/parameters/{index}", parameter
    for _, pointer, parameter in components(document, "parameters"):
        yield pointer, parameter


def is_json(document: Any) -> Iterator[Finding]:
    """Yield the keys and values that YAML has and JSON does not have."""

    def check(node: Any, pointer: str) -> Iterator[Finding]:
        if isinstance(node, dict):
            for key, value in node.items():
                if isinstance(key, str):
                    yield from check(value, f"{pointer}{pointer_of(key)}")
                else:
                    yield Finding(
                        f"{pointer}{pointer_of(key)}", "not-json", f"the key {key!r} is not text", "put it in quotes"
                    )
        elif isinstance(node, list):
            for index, value in enumerate(node):
                yield from check(value, f"{pointer}/{index}")
        elif not (node is None or isinstance(node, str | int | float)) or (
            isinstance(node, float) and not math.isfinite(node)
        ):
            yield Finding(pointer, "not-json", f"{node} is not a JSON value", "put it in quotes")

    if isinstance(document, dict):
        yield from check(document, "")
    else:
        yield Finding("", "not-json", "the document is not an object", "see the OpenAPI 3.1 specification")


def version(document: Any) -> Iterator[Finding]:
    if not str(document.get("openapi", "")).startswith("3.1."):
        fix = "write openapi: 3.1.0; the engine validates with the JSON Schema of 3.1"
        yield Finding("/openapi", "version", "the document is not OpenAPI 3.1", fix)


def references(document: Any) -> Iterator[Finding]:
    for pointer, node in walk(document):
        if "$ref" in node and not pointer.endswith("/properties") and resolved(document, node) is None:
            problem = f"{node['$ref']} does not exist in this document"
            yield Finding(f"{pointer}/$ref", "dangling-ref", problem, "define it under components, or correct its name")


def structure(document: Any) -> Iterator[Finding]:
    for error in openapi_v31_schema_validator.iter_errors(document):
        yield _openapi(error)


def openapi(document: Any) -> Iterator[Finding]:
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield _openapi(error)


def _openapi(error: Exception) -> Finding:
    pointer = pointer_of(*getattr(error, "absolute_path", ()))
    fix = "see the OpenAPI 3.1 specification for this object"
    return Finding(pointer, "openapi", (str(error).splitlines() or [repr(error)])[0][:200], fix)


def json_schemas(document: Any) -> Iterator[Finding]:
    places = [(pointer, schema) for _, pointer, schema in components(document, "schemas")]
    places += [(f"{pointer}/schema", each["schema"]) for pointer, each in parameters(document) if "schema" in each]
    places += [(f"{pointer}/schema", each["schema"]) for pointer, each in contents(document) if "schema" in each]
    for pointer, schema in places:
        try:
            jsonschema_rs.meta.validate(schema)
        except jsonschema_rs.ValidationError as error:
            problem = f"the schema is not valid JSON Schema: {error.message[:200]}"
            fix = "see JSON Schema 2020-12 for this keyword"
            yield Finding(f"{pointer}{pointer_of(*error.instance_path)}", "json-schema", problem, fix)


def nullable(document: Any) -> Iterator[Finding]:
    for pointer, node in walk(document):
        if "nullable" in node and not pointer.endswith("/properties"):
            fix = 'write type: [string, "null"], or a oneOf with type: "null"'
            yield Finding(f"{pointer}/nullable", "nullable", "nullable has no meaning in OpenAPI 3.1", fix)


def unused(document: Any) -> Iterator[Finding]:
    used = {node["$ref"] for _, node in walk(document) if isinstance(node.get("$ref"), str)}
    for section in document.get("components", {}):
        if section == "securitySchemes":
            used |= {
                f"#/components/securitySchemes/{name}"
                for _, operation in operations(document)
                for each in operation.get("security", ())
                for name in each
            }
        for name, pointer, _ in components(document, section):
            if f"#{pointer}" not in used:
                yield Finding(pointer, "unused-component", f"nothing uses {name}", "use it or remove it")


def operation_ids(document: Any) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for pointer, operation in operations(document):
        name = operation.get("operationId")
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            fix = "write an operationId in snake_case: it becomes the name of the generated function"
            yield Finding(f"{pointer}/operationId", "operation-id", f"the operationId is {name!r}", fix)
        elif name in seen:
            problem = f"the operationId {name} is already that of {seen[name]}"
            yield Finding(f"{pointer}/operationId", "duplicate-operation-id", problem, "give one of them another one")
        else:
            seen[name] = pointer


def security(document: Any) -> Iterator[Finding]:
    for pointer, operation in operations(document):
        required = operation.get("security")
        if not required or {} in required:
            fix = "write security: [{ApiKeyAuth: []}]: without it, every generated test gets a 401 and still passes"
            yield Finding(f"{pointer}/security", "missing-security", "the operation does not require an API key", fix)
            continue
        known = document.get("components", {}).get("securitySchemes", {})
        for name in {name for each in required for name in each} - known.keys():
            fix = "define it under components/securitySchemes"
            yield Finding(f"{pointer}/security", "missing-security", f"the security scheme {name} is not defined", fix)


def responses(document: Any) -> Iterator[Finding]:
    for pointer, operation in operations(document):
        answers = operation.get("responses", {})
        if "401" not in answers:
            fix = 'write "401": {$ref: "#/components/responses/Unauthorized"}'
            yield Finding(f"{pointer}/responses", "missing-401", "the response to a bad key is not documented", fix)
        if not any(status.startswith("2") for status in answers):
            yield Finding(f"{pointer}/responses", "missing-success", "no 2xx response is documented", "document one")
        for status in answers:
            if not re.fullmatch(r"[1-5][0-9][0-9]", status):
                problem = f"{status} allows responses that nothing describes"
                fix = 'list each status with its own body, such as "404"; no default, no 4XX'
                yield Finding(f"{pointer}/responses{pointer_of(status)}", "default-response", problem, fix)


def bodies(document: Any) -> Iterator[Finding]:
    for pointer, content in contents(document):
        if list(content.get("schema", {})) != ["$ref"]:
            fix = "move the schema to components/schemas and refer to it: its model gets a name"
            yield Finding(f"{pointer}/schema", "inline-body", "the schema of a body is inline", fix)
        if not content.get("examples"):
            yield Finding(pointer, "missing-example", "a body has no example", "write one under examples")


def inline(document: Any) -> Iterator[Finding]:
    for name, pointer, schema in components(document, "schemas"):
        for key, each in schema.get("properties", {}).items():
            place = f"{pointer}/properties{pointer_of(key)}"
            if "enum" in each or "properties" in each:
                kind = "enum" if "enum" in each else "object"
                fix = "move it to components/schemas: its class gets a name"
                yield Finding(place, "inline-schema", f"{name}.{key} is an inline {kind}", fix)
            if not each.keys() - {"description", "title"}:
                yield Finding(place, "empty-schema", f"{name}.{key} allows any value", "give it a type")


def descriptions(document: Any) -> Iterator[Finding]:
    for name, pointer, schema in components(document, "schemas"):
        if not schema.get("description"):
            fix = "say in a sentence what it is"
            yield Finding(pointer, "missing-description", f"{name} has no description", fix)
        for key, each in schema.get("properties", {}).items():
            target = resolved(document, each)
            if not each.get("description") and not (isinstance(target, dict) and target.get("description")):
                place = f"{pointer}/properties{pointer_of(key)}"
                fix = "say what it means: the description becomes the docstring"
                yield Finding(place, "missing-description", f"{name}.{key} has no description", fix)


def required(document: Any) -> Iterator[Finding]:
    for name, pointer, schema in components(document, "schemas"):
        for place, node in walk(schema, pointer):
            names = node.get("required")
            if not isinstance(names, list) or place.endswith("/properties"):
                continue
            declared = schema.get("properties", {}).keys() | node.get("properties", {}).keys()
            for missing in [each for each in names if each not in declared]:
                problem = f"{name} requires {missing}, which is not one of its properties"
                fix = "add it to properties, or remove it from required"
                yield Finding(f"{place}/required", "undocumented-required", problem, fix)


def references_below(document: Any, key: str) -> set[str]:
    """Return every reference in the `key` of any operation (requestBody or responses), directly or by way of others."""
    waiting = [operation.get(key) for _, operation in operations(document)]
    seen: set[str] = set()
    while waiting:
        for _, node in walk(waiting.pop()):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                waiting.append(target(document, reference))
    return seen


def nullable_responses(document: Any) -> Iterator[Finding]:
    only_in_responses = references_below(document, "responses") - references_below(document, "requestBody")
    for name, pointer, schema in components(document, "schemas"):
        if f"#{pointer}" not in only_in_responses:
            continue
        for key, each in schema.get("properties", {}).items():
            if key not in schema.get("required", ()) and not _allows_null(document, each):
                problem = f"{name}.{key} may be missing but not null; services send null for what they do not have"
                fix = 'write type: [string, "null"], or a oneOf with type: "null"'
                yield Finding(f"{pointer}/properties{pointer_of(key)}", "strict-response", problem, fix)


def _allows_null(document: Any, node: Any, depth: int = 0) -> bool:
    schema = resolved(document, node)
    if (
        depth > _MAX_NESTED
        or not isinstance(schema, dict)
        or not schema.keys() & {"type", "oneOf", "anyOf", "enum", "const"}
    ):
        return True  # it allows anything, or another rule reports it
    kinds = schema.get("type")
    branches = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    return "null" in (kinds if isinstance(kinds, list) else [kinds]) or any(
        _allows_null(document, branch, depth + 1) for branch in branches
    )


_MAX_NESTED: Final = 20
"""How deep unions are followed; a deeper one is a loop."""


def closed_requests(document: Any) -> Iterator[Finding]:
    seen = references_below(document, "requestBody")
    for name, pointer, schema in components(document, "schemas"):
        if f"#{pointer}" in seen and schema.get("properties") and schema.get("additionalProperties") is not False:
            problem = f"requests can have properties that {name} does not list, so a misspelled name is not noticed"
            yield Finding(pointer, "open-request", problem, "write additionalProperties: false")


def names(document: Any) -> Iterator[Finding]:
    for name, pointer, schema in components(document, "schemas"):
        if name in BREAKING_SCHEMAS:
            problem = f"a model {name} would hide a class of the generator"
            yield Finding(pointer, "breaking-name", problem, "give the schema another name")
        for key in sorted(BREAKING_PROPERTIES & schema.get("properties", {}).keys()):
            problem = f"the property {key} would hide a part of the generated model"
            fix = "give it another name, or cover it with additionalProperties"
            yield Finding(f"{pointer}/properties{pointer_of(key)}", "breaking-name", problem, fix)
    for pointer, parameter in parameters(document):
        name = str(parameter.get("name"))
        if parameter.get("in") == "header":  # in a generated function, its words are joined by underscores
            name = name.lower().replace("-", "_")
        if name in BREAKING_PARAMETERS or not re.fullmatch(r"(?!json_)[a-z][a-z0-9_]*", name):
            problem = f"the parameter {name} cannot be an argument of the generated functions"
            fix = f"write a snake_case name other than {', '.join(sorted(BREAKING_PARAMETERS))} and json_..."
            yield Finding(f"{pointer}/name", "breaking-name", problem, fix)


def unions(document: Any) -> Iterator[Finding]:
    for pointer, node in walk(document):
        for word in ("oneOf", "anyOf"):
            branches = node.get(word)
            if not isinstance(branches, list) or pointer.endswith("/properties"):
                continue
            objects = [(index, each) for index, each in enumerate(branches) if _is_object(resolved(document, each))]
            for index, each in objects[:-1]:
                if not resolved(document, each).get("required"):
                    problem = f"branch {index} requires nothing, so the later branches are never used"
                    fix = "give each branch a required property of its own, and put the strictest first"
                    yield Finding(f"{pointer}/{word}/{index}", "vague-union", problem, fix)


def _is_object(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "object"


def examples(document: Any) -> Iterator[Finding]:
    try:
        validators = jsonschema_rs.validator_map_for(document, offline=True, validate_formats=True)
    except (ValueError, jsonschema_rs.ReferencingError):
        return  # the rule `engine` reports it
    for pointer, content in contents(document):
        validator = validators.get(f"#{pointer}/schema")
        for name, example in content.get("examples", {}).items():
            wrong = None if validator is None else next(validator.iter_errors(example.get("value")), None)
            if wrong is not None:
                problem = (
                    f"it does not match its schema at {pointer_of(*wrong.instance_path) or '/'}: {wrong.message[:200]}"
                )
                yield Finding(
                    f"{pointer}/examples{pointer_of(name)}/value", "bad-example", problem, "correct the example"
                )
    for pointer, node in walk(document):
        validator = validators.get(f"#{pointer}")
        if "default" in node and validator is not None and not validator.is_valid(node["default"]):
            problem = f"{node['default']!r} does not match its schema"
            yield Finding(f"{pointer}/default", "bad-default", problem, "correct the default")


def engine(document: Any) -> Iterator[Finding]:
    try:
        read(document)
    except UnsupportedSpec as error:
        for each in error.problems:
            yield Finding(each.pointer, "engine", each.problem, each.instead)
