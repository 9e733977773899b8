"""tools/lint_spec.py refuses what the engine does not support, at the place, and says what to write instead."""

from __future__ import annotations

import copy

from pathlib import Path

import pytest

import lint_spec


ROOT = Path(__file__).resolve().parents[2]
SPEC = lint_spec.load(ROOT / "openapi.yaml")
LIST = "/paths/~1v1~1entities~1/get"
CREATE = "/paths/~1v1~1exports~1/post"
NOTES = "/paths/~1v1~1notes~1{note_id}~1"
UUID = {"type": "string", "format": "uuid"}
REASON = {"$ref": "#/components/schemas/ReasonError"}


def parameter(schema, name="kind", where="query", **more):
    """Return an edit that adds a parameter to entities_list, as the first one."""
    declared = {"name": name, "in": where, "schema": schema, **more}
    return lambda d: d["paths"]["/v1/entities/"]["get"]["parameters"].insert(0, declared)


def path(schema=UUID, template="/v1/notes/{note_id}/", method="get", **more):
    """Return an edit that adds an operation with the path parameter note_id, which changes `more` of it."""
    declared = {"name": "note_id", "in": "path", "required": True, "schema": schema}
    operation = {
        "operationId": "note_get",
        "security": [{"ApiKeyAuth": []}],
        "parameters": [declared],
        "responses": {
            "204": {"description": "Done."},
            "401": {"$ref": "#/components/responses/Unauthorized"},
            "404": {"$ref": "#/components/responses/NoSuchPage"},
        },
    }
    operation.update(more)
    return lambda d: d["paths"].update({template: {method: operation}})


def both(*edits):
    return lambda d: [edit(d) for edit in edits]


def responses(**more):
    edit = path()

    def edited(d):
        edit(d)
        d["paths"]["/v1/notes/{note_id}/"]["get"]["responses"].update({name[1:]: each for name, each in more.items()})

    return edited


def without(status):
    edit = path()
    return lambda d: (edit(d), d["paths"]["/v1/notes/{note_id}/"]["get"]["responses"].pop(status))


ALLOWED = {
    "string": parameter({"type": "string"}),
    "string with a default": parameter({"type": "string", "enum": ["a", "b"], "default": "a"}),
    "required boolean": parameter({"type": "boolean"}, required=True),
    "number with limits": parameter({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
    "date-time": parameter({"type": "string", "format": "date-time"}),
    "style and explode as they are anyway": parameter({"type": "string"}, style="form", explode=True),
    "path parameter and 204": path(),
    "pattern in the path": path({"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}),
}

REFUSED = {
    "header parameter": (parameter({"type": "string"}, where="header"), f"{LIST}/parameters/0/in", "in: query or in: path"),
    "cookie parameter": (parameter({"type": "string"}, where="cookie"), f"{LIST}/parameters/0/in", "in: query or in: path"),
    "array parameter": (parameter({"type": "array", "items": {"type": "string"}}), f"{LIST}/parameters/0/schema", "put lists, objects and null into the body"),
    "object parameter": (parameter({"type": "object"}), f"{LIST}/parameters/0/schema", "put lists, objects and null into the body"),
    "nullable parameter": (parameter({"type": ["string", "null"]}), f"{LIST}/parameters/0/schema", "put lists, objects and null into the body"),
    "parameter of two types": (parameter({"anyOf": [{"type": "string"}]}), f"{LIST}/parameters/0/schema", "write type:"),
    "combined schema": (parameter({"type": "string", "allOf": [{"minLength": 1}]}), f"{LIST}/parameters/0/schema/allOf", "write one type"),
    "style": (parameter({"type": "string"}, style="spaceDelimited"), f"{LIST}/parameters/0/style", "leave style out"),
    "explode": (parameter({"type": "string"}, explode=False), f"{LIST}/parameters/0/explode", "leave explode out"),
    "allowReserved": (parameter({"type": "string"}, allowReserved=True), f"{LIST}/parameters/0/allowReserved", "remove it"),
    "pattern that is no regular expression": (parameter({"type": "string", "pattern": "("}), f"{LIST}/parameters/0/schema", "check its pattern"),
    "format of text": (parameter({"type": "string", "format": "email"}), f"{LIST}/parameters/0/schema/format", "write a pattern"),
    "format of numbers": (parameter({"type": "integer", "format": "int32"}), f"{LIST}/parameters/0/schema/format", "write limits"),
    "enum of numbers": (parameter({"type": "number", "enum": [1.5]}), f"{LIST}/parameters/0/schema/enum", "only of string or integer"),
    "parameter listed twice": (both(parameter({"type": "string"}), parameter({"type": "string"})), f"{LIST}/parameters/1", "list it once"),
    "name of a variable in generated code": (parameter({"type": "string"}, name="headers"), f"{LIST}/parameters/0/name", "write a snake_case name other than"),
    "boolean in the path": (path({"type": "boolean"}), f"{NOTES}/get/parameters/0/schema", "make it a query parameter"),
    "text that may be empty in the path": (path({"type": "string"}), f"{NOTES}/get/parameters/0/schema", "write format: uuid, an enum, or a pattern"),
    "text that may be two dots in the path": (path({"type": "string", "minLength": 1}), f"{NOTES}/get/parameters/0/schema", "write format: uuid, an enum, or a pattern"),
    "default in the path": (path({**UUID, "default": "550e8400-e29b-41d4-a716-446655440000"}), f"{NOTES}/get/parameters/0/schema/default", "remove it"),
    "undeclared path parameter": (path(parameters=[]), f"{NOTES}/get", "describe it in parameters"),
    "parameter that the path lacks": (path(template="/v1/notes/"), "/paths/~1v1~1notes~1/get/parameters/0", "write {note_id} in the path"),
    "two parameters in a segment": (path(template="/v1/notes/{note_id}-{other}/"), "/paths/~1v1~1notes~1{note_id}-{other}~1", "one parameter as a whole segment"),
    "paths that match the same": (both(path(), path(template="/v1/notes/{other}/")), "/paths/~1v1~1notes~1{other}~1", "write their operations under one path"),
    "the path of the health check": (path(template="/{note_id}"), "/paths/~1{note_id}", "choose another path"),
    "HEAD": (path(method="head"), f"{NOTES}/head", "write get"),
    "callbacks": (path(callbacks={}), f"{NOTES}/get/callbacks", "leave callbacks out"),
    "servers": (path(servers=[{"url": "https://x.example"}]), f"{NOTES}/get/servers", "at the top of the document only"),
    "required response header": (responses(_409={"description": "d", "headers": {"X": {"required": True, "schema": {"type": "string"}}}}), f"{NOTES}/get/responses/409/headers/X/required", "put the value into the body"),
    "body of a 204": (responses(_204={"description": "d", "content": {"application/json": {"schema": REASON, "examples": {"a": {"value": {"error": "x"}}}}}}), f"{NOTES}/get/responses/204/content", "leave content out"),
    "body that is no JSON": (responses(_409={"description": "d", "content": {"text/plain": {"schema": REASON, "examples": {"a": {"value": {"error": "x"}}}}}}), f"{NOTES}/get/responses/409/content", "application/json only"),
    "unknown status": (responses(_299={"description": "d"}), f"{NOTES}/get/responses/299", "by its number"),
    "multipart": (lambda d: d["paths"]["/v1/exports/"]["post"]["requestBody"]["content"].update({"multipart/form-data": d["paths"]["/v1/exports/"]["post"]["requestBody"]["content"].pop("application/json")}), f"{CREATE}/requestBody/content", "application/json only"),
    "no answer to a bad path parameter": (without("404"), f"{NOTES}/get/responses", 'document a "400"'),
    "no answer to a bad query": (lambda d: d["paths"]["/v1/entities/"]["get"]["responses"].pop("400"), f"{LIST}/responses", 'document a "400"'),
    "answer that has no place for a message": (responses(_404={"description": "d", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/MemoryPage"}, "examples": {"a": {"value": {"count": 0, "next": None, "previous": None, "results": []}}}}}}), f"{NOTES}/get/responses/404", "named message, error or detail"),
    "key in another header": (lambda d: d["components"]["securitySchemes"]["ApiKeyAuth"].update(name="X-Api-Key"), f"{CREATE}/security", "ApiKeyAuth"),
}  # fmt: skip


@pytest.mark.parametrize("edit", ALLOWED.values(), ids=ALLOWED)
def test_lint_accepts(edit):
    document = copy.deepcopy(SPEC)
    edit(document)

    assert [str(each) for each in lint_spec.lint(document)] == []


@pytest.mark.parametrize(("edit", "pointer", "fix"), REFUSED.values(), ids=REFUSED)
def test_lint_refuses_with_the_place_and_what_to_write_instead(edit, pointer, fix):
    document = copy.deepcopy(SPEC)
    edit(document)

    found = {each.pointer: each for each in lint_spec.lint(document)}

    assert pointer in found, [*map(str, found.values())]
    assert fix in found[pointer].fix
    assert found[pointer].rule in {"engine", "breaking-name"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "cannot be read: while parsing"),
        ("\tpaths: {}", "cannot be read: while scanning"),
        ("a: &a [*a]", "an alias contains itself"),
        ("- 1", "the document is not an object"),
        ("openapi: 3.1.0\npaths: {/a: {get: {responses: {200: {}}}}}", "the key 200 is not text"),
        ("openapi: 3.1.0\ninfo: {version: 2025-01-01}", "2025-01-01 is not a JSON value"),
        ("openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: 5", "5 is not of type"),
        ("openapi: 3.1.0\ncomponents: {schemas: {A: {$ref: '#/components/schemas/A'}}}", "does not exist"),
    ],
)
def test_a_file_that_is_no_openapi_document_gets_a_message(tmp_path, capsys, text, message):
    file = tmp_path / "openapi.yaml"
    file.write_text(text)

    assert lint_spec.main([str(file)]) == 1
    assert message in capsys.readouterr().out


def test_a_missing_file_gets_a_message(tmp_path, capsys):
    assert lint_spec.main([str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml cannot be read: [Errno 2] No such file" in capsys.readouterr().out
