"""Every operation of openapi.yaml has a function in the client and a handler in the engine."""

from __future__ import annotations

import json

from importlib.resources import files

import httpx

from mem0_exports.http import operations
from mem0_exports_engine.operations import HANDLERS
from tests.support import spec
from tests.support.spec import missing


SPEC = json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8"))
OPERATIONS = spec.operations(SPEC)


PATHS = {
    ("POST", "/v1/exports/"),
    ("POST", "/v1/exports/get/"),
    ("GET", "/v1/ping/"),
    ("POST", "/v3/memories/add/"),
    ("POST", "/v3/memories/"),
    ("GET", "/v1/entities/"),
}


def test_these_are_the_operations():
    found = [(method.upper(), path) for path, method, _ in spec.raw_operations(SPEC)]

    assert missing("PATHS", PATHS, found) is None
    assert len(OPERATIONS) == len(found), "every operationId is used once"


CALLS = {
    "exports_create": lambda: operations.exports_create({"type": "object"}, {"user_id": "alex"}),
    "exports_get": lambda: operations.exports_get("id", bytes),
    "ping": operations.ping,
    "memories_add": lambda: operations.memories_add([("user", "x")], user_id="alex"),
    "memories_list": lambda: operations.memories_list({"user_id": "alex"}, show_expired=False, page=1, page_size=1),
    "entities_list": lambda: operations.entities_list(page=1, page_size=1),
}


def test_the_client_has_one_function_for_each_operation_which_builds_its_request():
    assert missing("CALLS", CALLS, OPERATIONS) is None
    built = {name: call().request for name, call in CALLS.items()}

    for name, each in built.items():
        request = httpx.Request(each.method, f"https://x{each.path}", params=each.params, content=each.body)
        meant, wrong = spec.request_problems(OPERATIONS, request, "")
        assert (each.operation, meant) == (name, name)
        assert [problem for problem in wrong if "header" not in problem] == [], "the client adds the headers later"
    assert {name for name, each in built.items() if not each.repeatable} == {"exports_create", "memories_add"}


def test_every_operation_has_one_handler_in_the_engine():
    assert missing("HANDLERS", HANDLERS, OPERATIONS) is None


def test_create_links_to_get():
    link = OPERATIONS["exports_create"].raw["responses"]["201"]["links"]["GetExportById"]

    assert link["operationId"] == "exports_get"
    assert link["requestBody"] == {"memory_export_id": "$response.body#/id"}
