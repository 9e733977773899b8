"""Test what holds for all operations of openapi.yaml. Its rules are in tools/lint_spec.py."""

from __future__ import annotations

import json

from importlib.resources import files

from mem0_exports_engine.operations import HANDLERS


SPEC = json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {operation["operationId"]: operation for path in SPEC["paths"].values() for operation in path.values()}


def test_every_operation_has_one_handler_in_the_engine():
    missing, unknown = OPERATIONS.keys() - HANDLERS.keys(), HANDLERS.keys() - OPERATIONS.keys()
    assert not missing, f"no handler for {sorted(missing)}: add one to HANDLERS in the engine's operations.py"
    assert not unknown, f"HANDLERS has {sorted(unknown)}, which openapi.yaml does not have"


def test_create_links_to_get():
    link = OPERATIONS["exports_create"]["responses"]["201"]["links"]["GetExportById"]

    assert link["operationId"] == "exports_get"
    assert link["requestBody"] == {"memory_export_id": "$response.body#/id"}
