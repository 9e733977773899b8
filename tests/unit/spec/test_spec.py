"""Test that each operation of the spec has a function in the client and a handler in the engine."""

from __future__ import annotations

import json

from importlib.resources import files

from mem0_exports.http import operations
from mem0_exports_engine.operations import HANDLERS


SPEC = json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {operation["operationId"]: operation for path in SPEC["paths"].values() for operation in path.values()}


def test_has_six_operations():
    assert {(method, path) for path, item in SPEC["paths"].items() for method in item} == {
        ("post", "/v1/exports/"),
        ("post", "/v1/exports/get/"),
        ("get", "/v1/ping/"),
        ("post", "/v3/memories/add/"),
        ("post", "/v3/memories/"),
        ("get", "/v1/entities/"),
    }
    assert len(OPERATIONS) == 6, "every operationId must be unique"


CALLS = {
    "exports_create": lambda: operations.exports_create({"type": "object"}, {"user_id": "alex"}),
    "exports_get": lambda: operations.exports_get("id", bytes),
    "ping": operations.ping,
    "memories_add": lambda: operations.memories_add([], user_id="alex"),
    "memories_list": lambda: operations.memories_list({"user_id": "alex"}, show_expired=False, page=1, page_size=1),
    "entities_list": lambda: operations.entities_list(page=1, page_size=1),
}


def test_client_has_a_function_that_builds_the_request_of_each_operation():
    built = {name: call().request for name, call in CALLS.items()}

    assert {name: (each.operation, each.method.lower(), each.path) for name, each in built.items()} == {
        operation["operationId"]: (operation["operationId"], method, path)
        for path, item in SPEC["paths"].items()
        for method, operation in item.items()
    }
    assert {name for name, each in built.items() if not each.repeatable} == {"exports_create", "memories_add"}


def test_engine_has_a_handler_for_each_operation():
    assert HANDLERS.keys() == OPERATIONS.keys()


def test_exports_create_links_to_exports_get():
    link = OPERATIONS["exports_create"]["responses"]["201"]["links"]["GetExportById"]

    assert link["operationId"] == "exports_get"
    assert link["requestBody"] == {"memory_export_id": "$response.body#/id"}
