"""Rules that the spec keeps, and the one row that each operation has."""

from __future__ import annotations

import json

from importlib import import_module
from importlib.resources import files

import pytest

from mem0_exports import _wire
from mem0_exports.local.operations import HANDLERS


SPEC = json.loads(files("mem0_api").joinpath("openapi.json").read_text(encoding="utf-8"))
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


def test_every_operation_has_exactly_one_row_in_the_operation_table():
    assert list(_wire.OPERATIONS) == list(OPERATIONS)
    modules = list(_wire.OPERATIONS.values())
    assert len(set(modules)) == len(modules)
    for operation_id, module in _wire.OPERATIONS.items():
        assert module.rpartition(".")[2] == operation_id
        assert callable(import_module(f"mem0_api.api.{module}")._get_kwargs)


def test_every_operation_has_one_handler_in_the_engine():
    assert HANDLERS.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_operation_demands_the_key_and_says_so(operation_id):
    operation = OPERATIONS[operation_id]

    assert operation["security"] == [{"ApiKeyAuth": []}]
    assert "401" in operation["responses"]
    assert "default" not in operation["responses"]


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_body_is_a_component_and_has_an_example(operation_id):
    operation = OPERATIONS[operation_id]
    responses = [_behind(response) for response in operation["responses"].values()]
    bodies = [operation["requestBody"]] if "requestBody" in operation else []

    for holder in [*bodies, *responses]:
        content = holder["content"]["application/json"]
        assert list(content["schema"]) == ["$ref"]
        assert content["examples"]


def _behind(node):
    while "$ref" in node:
        *_, section, name = node["$ref"].split("/")
        node = SPEC["components"][section][name]
    return node


@pytest.mark.parametrize("name", SPEC["components"]["schemas"])
def test_every_schema_and_every_property_is_described(name):
    schema = SPEC["components"]["schemas"][name]

    assert schema["description"]
    for key, each in schema.get("properties", {}).items():
        assert each.get("description") or _behind(each).get("description"), key


def test_enums_are_components():
    inline = [
        f"{name}.{key}"
        for name, schema in SPEC["components"]["schemas"].items()
        for key, each in schema.get("properties", {}).items()
        if "enum" in each
    ]

    assert inline == []


def test_create_links_to_get():
    link = OPERATIONS["exports_create"]["responses"]["201"]["links"]["GetExportById"]

    assert link["operationId"] == "exports_get"
    assert link["requestBody"] == {"memory_export_id": "$response.body#/id"}
