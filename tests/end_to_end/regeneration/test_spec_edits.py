"""Test that no edit of a property of openapi.yaml goes unnoticed: a sample of `make spec-mutants`, which edits all of them.

Each edit is made in a copy of the project, where the client is then generated again.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.mutants.runner import Runner
from tests.mutants.spec_edits import TESTS, edited, judge
from tests.support.timeouts import scaled


ROOT = Path(__file__).resolve().parents[3]
BY_TYPES = [
    ("rename", "MemoryExportRequest", "export_instructions"),
    ("remove", "GetMemoryExportRequest", "project_id"),
    ("retype", "AddMemoriesRequest", "timestamp"),
    ("rename", "Message", "content"),
    ("retype", "ListMemoriesRequest", "show_expired"),
    ("rename", "Memory", "session_id"),
    ("remove", "MemoryPage", "next"),
    ("retype", "Entity", "name"),
    ("rename", "MemoryExportNotFound", "reason"),
]
BY_A_TEST = [
    ("rename", "Filters", "keywords"),
    ("remove", "TimeOperators", "lte"),
    ("retype", "DetailError", "detail"),
]


@pytest.fixture(scope="module")
def runner():
    with Runner(ROOT, [TESTS]) as made:
        made.check_imports()
        yield made


# Each edit generates the client and runs two type checkers, and perhaps tests, in processes of their own.
pytestmark = pytest.mark.timeout(scaled(300))


@pytest.mark.parametrize(("kind", "model", "name"), BY_TYPES)
def test_both_type_checkers_name_the_line_that_uses_the_property(runner, kind, model, name):
    ((_, _, by),) = judge(runner, kind, model, [name])

    assert by == "mypy and pyright"


@pytest.mark.parametrize(("kind", "model", "name"), BY_A_TEST)
def test_a_test_fails_if_the_type_checkers_cannot_see_the_property(runner, kind, model, name):
    ((_, _, by),) = judge(runner, kind, model, [name])

    assert by is not None
    assert by.startswith("unit: tests/unit/spec/")


def test_an_edit_that_nothing_notices_is_reported():
    with Runner(ROOT, []) as runner:  # without tests: no line of the client uses this sentence
        ((_, _, by),) = judge(runner, "rename", "MemoryExportAccepted", ["message"])

    assert by is None


def test_an_edit_changes_the_property_and_what_requires_it_and_nothing_else():
    document = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    before = yaml.safe_dump(document)

    renamed = edited(document, "rename", "AddMemoriesRequest", ["user_id"])
    removed = edited(document, "remove", "AddMemoriesRequest", ["messages"])
    retyped = edited(document, "retype", "AddMemoriesRequest", ["timestamp", "expiration_date"])

    assert yaml.safe_dump(document) == before
    schemas = [each["components"]["schemas"]["AddMemoriesRequest"] for each in (renamed, removed, retyped)]
    assert {"user_id", "user_id_renamed"} & schemas[0]["properties"].keys() == {"user_id_renamed"}
    assert schemas[0]["allOf"][0]["anyOf"][0] == {"required": ["user_id_renamed"]}
    assert "messages" not in schemas[1]["properties"]
    assert schemas[1]["required"] == ["infer"]
    assert [schemas[2]["properties"][name]["type"] for name in ("timestamp", "expiration_date")] == [
        "string",
        "integer",
    ]
