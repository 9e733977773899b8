"""The operations of the spec, and the one row that each of them has. What rules a spec keeps: tools/lint_spec.py."""

from __future__ import annotations

import json

from importlib.resources import files

from mem0_exports.http import operations
from mem0_exports_engine.operations import HANDLERS


SPEC = json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {operation["operationId"]: operation for path in SPEC["paths"].values() for operation in path.values()}


def test_there_are_the_six_operations():
    assert {(method, path) for path, item in SPEC["paths"].items() for method in item} == {
        ("post", "/v1/exports/"),
        ("post", "/v1/exports/get/"),
        ("get", "/v1/ping/"),
        ("post", "/v3/memories/add/"),
        ("post", "/v3/memories/"),
        ("get", "/v1/entities/"),
    }
    assert len(OPERATIONS) == 6, "every operationId is used once"


CALLS = {
    "exports_create": lambda: operations.exports_create({"type": "object"}, {"user_id": "alex"}),
    "exports_get": lambda: operations.exports_get("id", bytes),
    "ping": operations.ping,
    "memories_add": lambda: operations.memories_add([], user_id="alex"),
    "memories_list": lambda: operations.memories_list({"user_id": "alex"}, show_expired=False, page=1, page_size=1),
    "entities_list": lambda: operations.entities_list(page=1, page_size=1),
}


def test_the_client_has_one_function_for_each_operation_which_builds_its_request():
    built = {name: call().request for name, call in CALLS.items()}

    assert {name: (each.operation, each.method.lower(), each.path) for name, each in built.items()} == {
        operation["operationId"]: (operation["operationId"], method, path)
        for path, item in SPEC["paths"].items()
        for method, operation in item.items()
    }
    assert {name for name, each in built.items() if not each.repeatable} == {"exports_create", "memories_add"}


def test_every_operation_has_one_handler_in_the_engine():
    assert HANDLERS.keys() == OPERATIONS.keys()


def test_create_links_to_get():
    link = OPERATIONS["exports_create"]["responses"]["201"]["links"]["GetExportById"]

    assert link["operationId"] == "exports_get"
    assert link["requestBody"] == {"memory_export_id": "$response.body#/id"}
