"""Test what holds for all operations of openapi.yaml. Its rules are in tools/lint_spec.py."""

from __future__ import annotations

import json

from importlib.resources import files

from mem0_exports_engine.operations import HANDLERS
from tests.support import spec
from tests.support.spec import missing


SPEC = json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8"))
OPERATIONS = spec.operations(SPEC)


def test_engine_has_a_handler_for_each_operation():
    assert missing("HANDLERS", HANDLERS, OPERATIONS) is None


def test_exports_create_links_to_exports_get():
    link = OPERATIONS["exports_create"].raw["responses"]["201"]["links"]["GetExportById"]

    assert link["operationId"] == "exports_get"
    assert link["requestBody"] == {"memory_export_id": "$response.body#/id"}
