"""The comparison with another OpenAPI document: operations, parameters, bodies, statuses, and the command itself."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

from pathlib import Path

import pytest

import upstream_diff

from openapi_file import read
from tests.support.openapi_documents import I, S, closed, document, opened, operation, rows


ROOT = Path(__file__).resolve().parents[2]


def parameter(name="p", place="query", *, schema=I, **more):
    return {"name": name, "in": place, "schema": schema, **more}


NEEDED = {"required": True, "content": {"application/json": {"schema": S}}}
DESCRIBED = {"description": "d"}

# name: (their operation, our operation, the differences)
OPERATIONS = {
    "another operationId": (operation(), operation(operationId="b"), {("operation", "operationId", False)}),
    "a parameter less": (operation(), operation(parameters=[parameter()]), {("query parameter p", "missing", False)}),
    "a parameter more": (operation(parameters=[parameter()]), operation(), {("query parameter p", "extra", False)}),
    "a required parameter more": (operation(parameters=[parameter(required=True)]), operation(), {("query parameter p", "extra", True)}),
    "a parameter that is required": (operation(parameters=[parameter(required=True)]), operation(parameters=[parameter()]), {("query parameter p", "required", True)}),
    "a parameter that is optional": (operation(parameters=[parameter()]), operation(parameters=[parameter(required=True)]), {("query parameter p", "required", False)}),
    "a parameter of another type": (operation(parameters=[parameter(schema=S)]), operation(parameters=[parameter()]), {("query parameter p", "type", True)}),
    "a parameter with a lower maximum": (operation(parameters=[parameter(schema={**I, "maximum": 5})]), operation(parameters=[parameter()]), {("query parameter p", "maximum", True)}),
    "a parameter in another place": (operation(parameters=[parameter(place="cookie")]), operation(parameters=[parameter()]), {("cookie parameter p", "extra", False), ("query parameter p", "missing", False)}),
    "a header in another case": (operation(parameters=[parameter("X-A", "header")]), operation(parameters=[parameter("x-a", "header")]), set()),
    "a body that is required": (operation(requestBody=NEEDED), operation(requestBody={**NEEDED, "required": False}), {("request body", "required", True)}),
    "a body that is optional": (operation(requestBody={**NEEDED, "required": False}), operation(requestBody=NEEDED), {("request body", "required", False)}),
    "no body": (operation(), operation(S), {("request body", "missing", True)}),
    "a body": (operation(S), operation(), {("request body", "extra", True)}),
    "an optional body": (operation(requestBody={**NEEDED, "required": False}), operation(), {("request body", "extra", False)}),
    "a body in XML": (operation(requestBody={"content": {"application/xml": {"schema": S}}, "required": True}), operation(S), {("request body", "content type", True)}),
    "a content type with parameters": (operation(requestBody={"content": {"Application/JSON; charset=utf-8": {"schema": S}}, "required": True}), operation(S), set()),
    "a status less": (operation(), operation(responses={"200": DESCRIBED, "404": DESCRIBED}), {("response 404", "missing", False)}),
    "an error more": (operation(responses={"200": DESCRIBED, "404": DESCRIBED}), operation(), {("response 404", "extra", False)}),
    "a success more": (operation(responses={"200": DESCRIBED, "202": DESCRIBED}), operation(), {("response 202", "extra", True)}),
    "a range of statuses": (operation(responses={"2XX": DESCRIBED, "4xx": DESCRIBED}), operation(responses={"200": DESCRIBED, "404": DESCRIBED}), {("response 2XX", "extra", True), ("response 4XX", "extra", False)}),
    "a default response": (operation(responses={"default": DESCRIBED}), operation(), {("response DEFAULT", "extra", False)}),
    "a response without content": (operation(), operation(response=S), {("response 200", "content", False)}),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_differences_of_operations(name):
    theirs, ours, expected = OPERATIONS[name]

    assert rows(document(get=theirs), document(get=ours)) == expected
    assert rows(document(get=ours), document(get=ours)) == rows(document(get=theirs), document(get=theirs)) == set()


def test_an_operation_that_does_not_exist_is_a_refusal_and_a_further_one_is_none():
    assert rows(document(get=operation()), document(get=operation(), put=operation())) == {
        ("operation", "missing", True)
    }
    assert rows(document(get=operation(), put=operation()), document(get=operation())) == set()


def test_operations_are_matched_by_the_template_of_the_path():
    theirs, ours = document(), document()
    theirs["paths"] = {
        "/a/{x}/{y}": {"get": operation(parameters=[parameter("x", "path", schema=S), parameter("y", "path")])}
    }
    ours["paths"] = {
        "/a/{id}/{n}": {"parameters": [parameter("id", "path"), parameter("n", "path")], "get": operation()}
    }

    assert rows(theirs, ours) == {("path parameter 1", "type", True)}


def test_a_slash_at_the_end_is_a_refusal():
    theirs, ours = document(), document()
    theirs["paths"], ours["paths"] = {"/a": {"get": operation()}}, {"/a/": {"get": operation()}}

    assert rows(theirs, ours) == {("operation", "path", True)}


def test_references_to_parameters_bodies_and_responses_are_followed():
    theirs, ours = document(), document(get=operation(S, I, parameters=[parameter()]))
    theirs["components"] = {
        "parameters": {"P": parameter()},
        "requestBodies": {"B": {"$ref": "#/components/requestBodies/C"}, "C": NEEDED},
        "responses": {"R": ours["paths"]["/a/"]["get"]["responses"]["200"]},
    }
    theirs["paths"]["/a/"]["get"] = {
        "operationId": "a",
        "parameters": [{"$ref": "#/components/parameters/P"}],
        "requestBody": {"$ref": "#/components/requestBodies/B"},
        "responses": {"200": {"$ref": "#/components/responses/R"}},
    }

    assert rows(theirs, ours) == set()


def run(*arguments):
    command = [sys.executable, ROOT / "tools" / "upstream_diff.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


OURS = read(ROOT / "openapi.yaml")


def test_our_own_document_has_no_differences():
    done = run(ROOT / "openapi.yaml")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0 differences")


def test_the_table_is_stable_and_the_exit_status_says_whether_theirs_refuses(tmp_path):
    wider = copy.deepcopy(OURS)
    wider["components"]["schemas"]["AddMemoriesRequest"]["properties"]["infer"] = {"type": "boolean", "default": True}
    wider["paths"]["/v9/"] = {"get": operation()}
    refusing = copy.deepcopy(wider)
    refusing["components"]["schemas"]["Filters"]["properties"]["user_id"] = {"type": "string"}
    (tmp_path / "wider.json").write_text(json.dumps(wider, indent="\t"))
    (tmp_path / "refusing.json").write_text(json.dumps(refusing))
    shuffled = {**refusing, "paths": dict(reversed(refusing["paths"].items()))}
    (tmp_path / "shuffled.json").write_text(json.dumps(shuffled))

    first, second, third = (run(tmp_path / f"{name}.json") for name in ("wider", "refusing", "shuffled"))
    machine = run(tmp_path / "refusing.json", "--json")

    assert (first.returncode, second.returncode, third.returncode, machine.returncode) == (0, 1, 1, 1)
    assert "POST /v3/memories/add/  request body: infer" in first.stdout
    assert "has 1 more operations" in first.stdout
    assert "!  POST /v1/exports/" in second.stdout
    assert "request body: filters.user_id" in second.stdout
    assert second.stdout == third.stdout.replace("shuffled", "refusing")
    listed = json.loads(machine.stdout)
    assert {each["where"] for each in listed if each["refuses"]} == {"request body: filters.user_id"}
    assert all(row["where"] in second.stdout for row in listed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "given.json does not exist"),
        ("{", "is not valid JSON"),
        ("a: [", "is not valid YAML"),
        ('{"swagger": "2.0"}', "is not an OpenAPI document of version 3.0 or 3.1: its version is '2.0'"),
        ("[]", "is not an OpenAPI document"),
        ('{"openapi": "3.0.0", "info": "\\ud800"}', "has a string that is not valid Unicode"),
    ],
)
def test_a_file_that_is_no_openapi_document_is_exit_2_and_one_sentence(tmp_path, text, message):
    path = tmp_path / "given.json"
    if text is not None:
        path.write_text(text)

    done = run(path)

    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_chain_of_references_without_end_is_exit_2_and_one_sentence(tmp_path):
    chained = copy.deepcopy(OURS)
    for number in range(2000):
        chained["components"]["schemas"][f"C{number}"] = {"allOf": [{"$ref": f"#/components/schemas/C{number + 1}"}]}
    chained["components"]["schemas"]["Ping"] = {"$ref": "#/components/schemas/C0"}
    path = tmp_path / "chained.json"
    path.write_text(json.dumps(chained))

    done = run(path)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{path} is nested too deeply\n")


def test_without_a_file_the_message_says_what_to_write():
    done = run()

    assert (done.returncode, done.stderr) == (2, "name the document to compare: make upstream-diff SPEC=FILE\n")


WRONG = [5, "x", None, [], {}, [5], {"a": 5}]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_values_of_the_wrong_type_anywhere_are_no_crash(wrong):
    good = document(components={"A": closed(["a"], a=S)}, get=operation({"$ref": "#/components/schemas/A"}, {"anyOf": [S, I]}, parameters=[parameter()]))  # fmt: skip
    count = 0
    for place in _places(good):
        broken = copy.deepcopy(good)
        holder = broken
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = wrong
        if place[0] in {"paths", "components"}:
            upstream_diff.compare(broken, good)
            upstream_diff.compare(good, broken)
            count += 1
    assert count > 30


def _places(node, place=()):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*place, key)
        yield from _places(value, (*place, key))


def test_names_with_control_characters_do_not_break_the_table():
    found = upstream_diff.compare(document(get=operation(opened(**{"a\n\x1bb": S}))), document(get=operation(opened())))

    assert r"request body: a\n\x1bb" in upstream_diff.table(found)
    assert upstream_diff.table(found).count("\n") == 2
