"""Rules that openapi.yaml keeps, so that the generated client, the engine and the tests can be made from it.

    python tools/lint_spec.py [FILE]    exit 1 with a line for each problem: where, what, and how to mend it

First comes the public validator of OpenAPI documents, then the rules of this project. A rule is a function that goes
through the document and yields findings; each is there because a break of it was once seen to cost something: models
that cannot be generated, answers that nothing tests, texts that nobody finds.
"""

from __future__ import annotations

import re
import sys

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jsonschema_rs
import yaml

from openapi_spec_validator import OpenAPIV31SpecValidator


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPEC: Final = Path(__file__).resolve().parent.parent / "openapi.yaml"
METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
BREAKING_PROPERTIES: Final = frozenset({"d", "cls", "to_dict", "from_dict", "additional_properties", "field_dict"})
"""Properties whose attributes would hide what a generated model is made of."""

BREAKING_SCHEMAS: Final = frozenset({"Client", "AuthenticatedClient", "Response", "Unset", "File"})
"""Schemas whose models would hide the generator's own classes."""


class Finding(NamedTuple):
    """A broken rule: the JSON pointer of the place, the rule, what is wrong, and how to mend it."""

    pointer: str
    rule: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.problem} [{self.rule}]\n    {self.mend}"


class _Strict(yaml.SafeLoader):
    """YAML in which no key stands twice: plain YAML readers take the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 -- PyYAML's
        keys = Counter(self.construct_object(key, deep=True) for key, _ in node.value)
        twice = [key for key, times in keys.items() if times > 1]
        if twice:
            raise yaml.MarkedYAMLError(problem=f"the key {twice[0]!r} stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def load(path: Path) -> Any:
    """The document; yaml.YAMLError where it cannot be read or has a key twice."""
    return yaml.load(path.read_text(encoding="utf-8"), _Strict)  # noqa: S506 -- a SafeLoader


def at(*parts: object) -> str:
    """The JSON pointer of these parts."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def found(document: Any, reference: object) -> Any:
    """What a local reference leads to; None where it leads nowhere."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    node = document
    for part in reference[2:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or key not in node:
            return None
        node = node[key]
    return node


def behind(document: Any, node: Any) -> Any:
    """`node`, its references followed."""
    for _ in range(20):
        if not (isinstance(node, dict) and "$ref" in node):
            return node
        node = found(document, node["$ref"])
    return node


def walk(node: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document with its pointer, except what stands in examples."""
    if isinstance(node, dict):
        yield pointer, node
        for key, value in node.items():
            # A property may be called "example", too.
            if key not in {"example", "examples", "default", "enum", "const"} or pointer.endswith("/properties"):
                yield from walk(value, f"{pointer}{at(key)}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{pointer}/{index}")


def operations(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its pointer."""
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if method in METHODS:
                yield at("paths", path, method), operation


def contents(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The media type of every body: of requests, and of answers where they are defined."""
    for pointer, operation in operations(document):
        holders = {f"{pointer}/requestBody": operation.get("requestBody", {})}
        holders |= {f"{pointer}/responses{at(key)}": each for key, each in operation.get("responses", {}).items()}
        for where, holder in holders.items():
            for kind, content in holder.get("content", {}).items():
                yield f"{where}/content{at(kind)}", content
    for name, response in document.get("components", {}).get("responses", {}).items():
        for kind, content in response.get("content", {}).items():
            yield at("components", "responses", name, "content", kind), content


def schemas(document: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every schema component: its name, its pointer, itself."""
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield name, at("components", "schemas", name), schema


def version(document: Any) -> Iterator[Finding]:
    if not str(document.get("openapi", "")).startswith("3.1."):
        mend = "write openapi: 3.1.0; the engine validates with the JSON Schema of 3.1"
        yield Finding("/openapi", "version", "the document is not OpenAPI 3.1", mend)


def nullable(document: Any) -> Iterator[Finding]:
    for pointer, node in walk(document):
        if "nullable" in node and not pointer.endswith("/properties"):
            mend = 'write type: [string, "null"], or a oneOf with type: "null"'
            yield Finding(f"{pointer}/nullable", "nullable", "nullable says nothing in OpenAPI 3.1", mend)


def references(document: Any) -> Iterator[Finding]:
    for pointer, node in walk(document):
        if "$ref" in node and not pointer.endswith("/properties") and found(document, node["$ref"]) is None:
            problem = f"{node['$ref']} leads nowhere"
            yield Finding(f"{pointer}/$ref", "dangling-ref", problem, "define it under components, or mend its name")


def unused(document: Any) -> Iterator[Finding]:
    used = {node["$ref"] for _, node in walk(document) if isinstance(node.get("$ref"), str)}
    for section, members in document.get("components", {}).items():
        if section == "securitySchemes":
            used |= {
                f"#/components/securitySchemes/{name}"
                for _, operation in operations(document)
                for each in operation.get("security", ())
                for name in each
            }
        for name in members:
            if f"#{at('components', section, name)}" not in used:
                pointer = at("components", section, name)
                yield Finding(pointer, "unused-component", f"nothing uses {name}", "use it, or take it out")


def operation_ids(document: Any) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for pointer, operation in operations(document):
        name = operation.get("operationId")
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            mend = "write an operationId in snake_case: the generated function is called so"
            yield Finding(f"{pointer}/operationId", "operation-id", f"the operationId is {name!r}", mend)
        elif name in seen:
            problem = f"the operationId {name} is that of {seen[name]}, too"
            yield Finding(f"{pointer}/operationId", "duplicate-operation-id", problem, "give one of them another")
        else:
            seen[name] = pointer


def security(document: Any) -> Iterator[Finding]:
    for pointer, operation in operations(document):
        required = operation.get("security")
        if not required or {} in required:
            mend = "write security: [{ApiKeyAuth: []}]: without it every test gets a 401 and still passes"
            yield Finding(f"{pointer}/security", "missing-security", "the operation does not demand the key", mend)
            continue
        known = document.get("components", {}).get("securitySchemes", {})
        for name in {name for each in required for name in each} - known.keys():
            mend = "define it under components/securitySchemes"
            yield Finding(f"{pointer}/security", "missing-security", f"{name} is no security scheme", mend)


def responses(document: Any) -> Iterator[Finding]:
    for pointer, operation in operations(document):
        answers = operation.get("responses", {})
        if "401" not in answers:
            mend = 'write "401": {$ref: "#/components/responses/Unauthorized"}'
            yield Finding(f"{pointer}/responses", "missing-401", "the answer to a bad key is not documented", mend)
        if not any(str(status).startswith("2") for status in answers):
            yield Finding(f"{pointer}/responses", "missing-success", "no answer is a success", "document one")
        for status in answers:
            if not isinstance(status, str) or not re.fullmatch(r"[1-5][0-9][0-9]", status):
                problem = f"the status {status!r} allows answers that nothing describes"
                mend = "list each status in quotes with its own body; no default, no 4XX"
                yield Finding(f"{pointer}/responses{at(status)}", "default-response", problem, mend)


def bodies(document: Any) -> Iterator[Finding]:
    for pointer, content in contents(document):
        if list(content.get("schema", {})) != ["$ref"]:
            mend = "move the schema to components/schemas and refer to it: its model gets a name"
            yield Finding(f"{pointer}/schema", "inline-body", "the schema of a body stands inline", mend)
        if not content.get("examples"):
            yield Finding(pointer, "missing-example", "a body has no example", "give one under examples")


def inline(document: Any) -> Iterator[Finding]:
    for name, pointer, schema in schemas(document):
        for key, each in schema.get("properties", {}).items():
            place = f"{pointer}/properties{at(key)}"
            if "enum" in each or "properties" in each:
                kind = "an enum" if "enum" in each else "an object"
                mend = "move it to components/schemas: its class gets a name"
                yield Finding(place, "inline-schema", f"{name}.{key} is {kind} that stands inline", mend)
            if not each.keys() - {"description", "title"}:
                yield Finding(place, "empty-schema", f"{name}.{key} allows anything", "say what it is")


def descriptions(document: Any) -> Iterator[Finding]:
    for name, pointer, schema in schemas(document):
        if not schema.get("description"):
            yield Finding(pointer, "missing-description", f"{name} is not described", "say what it is in a sentence")
        for key, each in schema.get("properties", {}).items():
            target = behind(document, each)
            if not each.get("description") and not (isinstance(target, dict) and target.get("description")):
                place = f"{pointer}/properties{at(key)}"
                mend = "say what it means: it becomes the docstring"
                yield Finding(place, "missing-description", f"{name}.{key} is not described", mend)


def required(document: Any) -> Iterator[Finding]:
    for name, pointer, schema in schemas(document):
        for place, node in walk(schema, pointer):
            names = node.get("required")
            if not isinstance(names, list) or place.endswith("/properties"):
                continue
            declared = schema.get("properties", {}).keys() | node.get("properties", {}).keys()
            for missing in [each for each in names if each not in declared]:
                problem = f"{name} requires {missing}, and does not say what that is"
                mend = "add it to properties, or take it out of required"
                yield Finding(f"{place}/required", "undocumented-required", problem, mend)


def closed_requests(document: Any) -> Iterator[Finding]:
    waiting = [operation.get("requestBody") for _, operation in operations(document)]
    seen: set[str] = set()
    while waiting:
        for _, node in walk(waiting.pop()):
            reference = node.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                waiting.append(found(document, reference))
    for name, pointer, schema in schemas(document):
        if f"#{pointer}" in seen and schema.get("properties") and schema.get("additionalProperties") is not False:
            problem = (
                f"requests may have anything beside the properties of {name}, so that a misspelled one is overlooked"
            )
            yield Finding(pointer, "open-request", problem, "write additionalProperties: false")


def json_schemas(document: Any) -> Iterator[Finding]:
    for name, pointer, schema in schemas(document):
        try:
            jsonschema_rs.meta.validate(schema)
        except jsonschema_rs.ValidationError as error:
            problem = f"{name} is no JSON Schema: {error.message[:200]}"
            mend = "see JSON Schema 2020-12 for this keyword"
            yield Finding(f"{pointer}{at(*error.instance_path)}", "json-schema", problem, mend)


def names(document: Any) -> Iterator[Finding]:
    for name, pointer, schema in schemas(document):
        if name in BREAKING_SCHEMAS:
            problem = f"a model {name} hides a class of the generator"
            yield Finding(pointer, "breaking-name", problem, "give the schema another name")
        for key in sorted(BREAKING_PROPERTIES & schema.get("properties", {}).keys()):
            problem = f"a property {key} breaks the generated model"
            mend = "the generator cannot read it: leave it to additionalProperties, or patch it in the generator first"
            yield Finding(f"{pointer}/properties{at(key)}", "breaking-name", problem, mend)


def unions(document: Any) -> Iterator[Finding]:
    for pointer, node in walk(document):
        for word in ("oneOf", "anyOf"):
            branches = node.get(word)
            if not isinstance(branches, list) or pointer.endswith("/properties"):
                continue
            objects = [(index, each) for index, each in enumerate(branches) if _is_object(behind(document, each))]
            for index, each in objects[:-1]:
                if not behind(document, each).get("required"):
                    problem = f"branch {index} requires nothing, so the branches after it are never read"
                    mend = "give each branch a required property of its own, the strictest first"
                    yield Finding(f"{pointer}/{word}/{index}", "vague-union", problem, mend)


def _is_object(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "object"


def examples(document: Any) -> Iterator[Finding]:
    try:
        validators = jsonschema_rs.validator_map_for(document, offline=True, validate_formats=True)
    except (ValueError, jsonschema_rs.ReferencingError):
        return  # the other rules say why
    for pointer, content in contents(document):
        validator = validators.get(f"#{pointer}/schema")
        for name, example in content.get("examples", {}).items():
            misfit = None if validator is None else next(validator.iter_errors(example.get("value")), None)
            if misfit is not None:
                problem = f"it does not fit its schema at {at(*misfit.instance_path) or '/'}: {misfit.message[:200]}"
                yield Finding(f"{pointer}/examples{at(name)}/value", "bad-example", problem, "mend the example")
    for pointer, node in walk(document):
        validator = validators.get(f"#{pointer}")
        if "default" in node and validator is not None and not validator.is_valid(node["default"]):
            problem = f"{node['default']!r} does not fit its schema"
            yield Finding(f"{pointer}/default", "bad-default", problem, "mend the default")


RULES: Final[tuple[Callable[[Any], Iterator[Finding]], ...]] = (
    version,
    references,
    nullable,
    unused,
    operation_ids,
    security,
    responses,
    bodies,
    inline,
    descriptions,
    required,
    closed_requests,
    json_schemas,
    names,
    unions,
    examples,
)


def lint(document: Any) -> list[Finding]:
    """Everything that is wrong with a document."""
    wrong = [finding for rule in RULES for finding in rule(document)]
    if not any(finding.rule in {"dangling-ref", "version", "json-schema"} for finding in wrong):  # it stops at those
        for error in OpenAPIV31SpecValidator(document).iter_errors():
            pointer = at(*getattr(error, "absolute_path", ()))
            mend = "see the OpenAPI 3.1 specification for this object"
            wrong.append(Finding(pointer, "openapi", str(error).splitlines()[0][:200], mend))
    return wrong


def main(arguments: list[str]) -> int:
    path = Path(arguments[0]) if arguments else SPEC
    try:
        document = load(path)
    except yaml.YAMLError as error:
        print(f"{path.name} cannot be read: {error}")
        return 1
    wrong = lint(document)
    for finding in wrong:
        print(finding)
    if wrong:
        print(f"{path.name} breaks {len(wrong)} rules", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
