"""The operations of the spec, and the one row that each of them has. What rules a spec keeps: tools/lint_spec.py."""

from __future__ import annotations

import json

from importlib import import_module
from importlib.resources import files

from mem0_exports.http import operations as _wire
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


def test_every_operation_has_exactly_one_row_in_the_operation_table():
    assert list(_wire.OPERATIONS) == list(OPERATIONS)
    modules = list(_wire.OPERATIONS.values())
    assert len(set(modules)) == len(modules)
    for operation_id, module in _wire.OPERATIONS.items():
        assert module.rpartition(".")[2] == operation_id
        assert callable(import_module(f"mem0_exports_api.api.{module}")._get_kwargs)


def test_every_operation_has_one_handler_in_the_engine():
    assert HANDLERS.keys() == OPERATIONS.keys()


def test_create_links_to_get():
    link = OPERATIONS["exports_create"]["responses"]["201"]["links"]["GetExportById"]

    assert link["operationId"] == "exports_get"
    assert link["requestBody"] == {"memory_export_id": "$response.body#/id"}
