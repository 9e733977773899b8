"""Test that openapi.yaml keeps the published contract of all six operations.

The contract is written out here, not read from openapi.yaml: for each body a minimal valid one, and for each field the
values that it may and may not have. A body without a required field is invalid, and so is a request with an unknown one.
"""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from tests.support import spec
from tests.support.spec import missing


OPERATIONS = spec.operations(spec.load())

UUID = "550e8400-e29b-41d4-a716-446655440000"
TIME = "2025-03-04T18:20:00Z"
NOT_TEXT: list[Any] = [5, None, [], {}, True]
NOT_OBJECT: list[Any] = ["x", 5, None, [], True]
NOT_UUID = ["1", "", 5, None]
NOT_COUNT = [-1, 1.5, "1", None]
TEXT_OR_NULL = ["x", None]
NOT_TEXT_OR_NULL = [5, [], {}, True]

STATUSES = {
    "exports_create": {201, 400, 401, 403},
    "exports_get": {200, 400, 401, 403, 404},
    "exports_report": {200, 400, 401, 404},
    "exports_list": {200, 400, 401, 404},
    "exports_cancel": {200, 400, 401, 404},
    "exports_delete": {200, 400, 401, 404},
    "ping": {200, 401},
    "memories_add": {200, 400, 401},
    "memories_list": {200, 400, 401, 404},
    "memories_get": {200, 400, 401, 404},
    "memories_delete": {200, 400, 401, 404},
    "entities_list": {200, 400, 401, 404},
}

ENTITY_NAMES = ("user_id", "agent_id", "app_id", "run_id")
TIME_NAMES = ("created_at", "updated_at", "timestamp", "expiration_date")
_entity = (
    ["a", "*", {"eq": "a"}, {"ne": "a"}, {"in": ["a", "b"]}],
    ["", 5, None, {}, {"gt": "a"}, {"in": []}, {"ne": ""}],
)
_times = [{each: TIME} for each in ("gt", "gte", "lt", "lte", "ne")]
_time = (
    [TIME, "2025-03-04", *_times, {"in": [TIME]}],
    ["yesterday", 5, None, {}, {"eq": TIME}, {"gte": "2025"}, {"lte": 5}, {"in": []}, {"before": TIME}],
)

FILTERS: dict[str, tuple[list[Any], list[Any]]] = {
    **dict.fromkeys(ENTITY_NAMES, _entity),
    **dict.fromkeys(TIME_NAMES, _time),
    "AND": ([[{"user_id": "a"}]], [[], {}, "a", [5], [{"userid": "a"}]]),
    "OR": ([[{"user_id": "a"}]], [[], {}, "a", [5], [{"userid": "a"}]]),
    "NOT": ([{"user_id": "a"}], ["a", 5, {"userid": "a"}]),
    "categories": ([{"in": ["a"]}, {"contains": "a"}], ["a", {}, {"in": []}, {"ne": "a"}, {"contains": 5}]),
    "metadata": ([{"city": "Lisbon"}, {"city": {"ne": "Porto"}}], ["a", {}, 5]),
    "keywords": ([{"contains": "a"}, {"icontains": "a"}], ["a", {}, {"eq": "a"}, {"icontains": 5}]),
    "memory_ids": ([[UUID], {"in": [UUID]}], ["a", [], {}, {"in": []}, {"ne": [UUID]}]),
}
_filters = ([{name: value} for name, (valid, _) in FILTERS.items() for value in valid],
            [*NOT_OBJECT, {"userid": "a"}, *({name: value} for name, (_, invalid) in FILTERS.items() for value in invalid)])  # fmt: skip
_text = (["x", ""], NOT_TEXT)

SCHEMA: dict[str, Any] = {"type": "object"}
MESSAGE = {"role": "user", "content": "x"}

REQUESTS: dict[str, tuple[dict[str, Any], set[str], dict[str, tuple[list[Any], list[Any]]]]] = {
    "exports_create": (
        {"schema": SCHEMA},
        {"schema"},
        {
            "schema": ([{}, SCHEMA], NOT_OBJECT),
            "filters": _filters,
            "export_instructions": _text,
            "org_id": _text,
            "project_id": _text,
        },
    ),
    "exports_get": (
        {"memory_export_id": UUID},
        {"memory_export_id"},
        {"memory_export_id": ([UUID], NOT_TEXT), "filters": _filters, "org_id": _text, "project_id": _text},
    ),
    "memories_add": (
        {"messages": [MESSAGE], "infer": False, "user_id": "a"},
        {"messages", "infer", "user_id"},
        {
            "messages": (
                [[{**MESSAGE, "role": role}] for role in ("user", "assistant", "system")],
                [[], "x", None, [{"role": "user"}], [{"content": "x"}], [{**MESSAGE, "role": "tool"}]]
                + [[{**MESSAGE, "content": invalid}] for invalid in ("", 5, None)]
                + [[{**MESSAGE, "name": "x"}]],
            ),
            "infer": ([False], [True, None, "false", 0.5]),
            **dict.fromkeys(ENTITY_NAMES, (["a"], ["", 5, None])),
            "metadata": ([{}, {"city": "Lisbon"}], NOT_OBJECT),
            "timestamp": ([0, 1_741_112_400], [-1, 1.5, "now", None, 253402300800]),
            "expiration_date": (["2026-01-31"], ["soon", "2026-1-31", "2026-01-31T00:00:00Z", 5, None]),
            "source": _text,
        },
    ),
    "memories_list": (
        {"filters": {"user_id": "a"}},
        {"filters"},
        {"filters": _filters, "show_expired": ([True, False], ["yes", 1, None]), "source": _text},
    ),
}

PAGE = {"count": 0, "next": None, "previous": None, "results": []}
_page = {
    "count": ([0, 7], NOT_COUNT),
    "next": (TEXT_OR_NULL, NOT_TEXT_OR_NULL),
    "previous": (TEXT_OR_NULL, NOT_TEXT_OR_NULL),
}
MEMORY = {"id": UUID, "memory": "x", "created_at": TIME}
ENTITY = {"id": "1", "name": "a", "type": "user"}


def _lists_of(minimal: dict[str, Any], fields: dict[str, tuple[list[Any], list[Any]]]) -> tuple[list[Any], list[Any]]:
    """Return valid and invalid lists of objects whose required fields are those of `minimal`."""
    valid = [[{**minimal, name: value}] for name, (values, _) in fields.items() for value in values]
    invalid = [[{**minimal, name: value}] for name, (_, values) in fields.items() for value in values]
    return [[], *valid], [
        "x",
        None,
        [5],
        *invalid,
        *([{k: v for k, v in minimal.items() if k != name}] for name in minimal),
    ]


GAP = {"path": "city", "reason": "x", "count": 1}
_gap = {
    "path": _text,
    "reason": _text,
    "count": ([1, 7], [0, *NOT_COUNT]),
    "did_you_mean": (TEXT_OR_NULL, NOT_TEXT_OR_NULL),
}
EVIDENCE = {"path": "city", "how": "text", "memory_id": UUID}
_place = ([0, 7, None], [-1, 0.5, "x", []])
_evidence = {"path": _text, "how": _text, "memory_id": _text, "start": _place, "end": _place}
USAGE = {"model": "m", "calls": 1, "cached": 0, "tokens_in": 5, "tokens_out": 5, "seconds": 0.5}
_memory = {
    "id": ([UUID], NOT_UUID),
    "memory": _text,
    "created_at": ([TIME], [5, None, "yesterday"]),
    "updated_at": ([TIME, None], [5, "yesterday"]),
    **dict.fromkeys(
        ("user_id", "agent_id", "app_id", "session_id", "run_id", "expiration_date"), (TEXT_OR_NULL, NOT_TEXT_OR_NULL)
    ),
    "metadata": ([{}, {"a": 1}, None], ["x", 5, []]),
    "categories": ([[], ["home"], None], ["x", [5], {}]),
}
EXPORT = {"id": UUID, "state": "done", "created_at": TIME, "expires_at": TIME}
_export = {
    "id": ([UUID], NOT_UUID),
    "state": (["pending", "running", "done", "failed"], ["DONE", "cancelled", 5, None]),
    "created_at": ([TIME], [5, "yesterday", None]),
    "expires_at": ([TIME], [5, "yesterday", None]),
    "reason": (TEXT_OR_NULL, NOT_TEXT_OR_NULL),
}
_known_entity = {
    "id": _text,
    "name": _text,
    "type": (["user", "agent", "app", "run"], NOT_TEXT),
    "created_at": ([TIME, None], [5, "yesterday"]),
    "updated_at": ([TIME, None], [5, "yesterday"]),
    "owner": (TEXT_OR_NULL, NOT_TEXT_OR_NULL),
    "metadata": ([{}, None], ["x", 5, []]),
}

RESPONSES: dict[tuple[str, int], tuple[dict[str, Any], dict[str, tuple[list[Any], list[Any]]]]] = {
    ("exports_create", 201): ({"message": "x", "id": UUID}, {"message": _text, "id": ([UUID], NOT_UUID)}),
    ("exports_get", 200): ({}, {"anything": (["x", 5, None, [], {}], [])}),
    ("exports_get", 400): ({"message": "x"}, {"message": _text}),
    ("exports_get", 404): ({"error": "x"}, {"error": _text, "reason": (TEXT_OR_NULL, NOT_TEXT_OR_NULL)}),
    ("exports_report", 200): (
        {
            "memories": 0,
            "left_out": 0,
            "filled": {},
            "gaps": [],
            "notes": [],
            "evidence": [],
            "unread": 0,
            "unread_ids": [],
        },
        {
            "evidence": _lists_of(EVIDENCE, _evidence),
            "unread": ([7], NOT_COUNT),
            "unread_ids": ([["x"]], [[5], "x", None]),
            "usage": ([USAGE, None], [{**USAGE, "calls": -1}, {**USAGE, "seconds": "x"}, {}, "x", []]),
            "memories": ([7], NOT_COUNT),
            "left_out": ([7], NOT_COUNT),
            "filled": ([{"city": []}, {"city": [UUID]}], [{"city": "x"}, {"city": [5]}, [], "x", None]),
            "gaps": _lists_of(GAP, _gap),
            "notes": ([["x"]], [[5], "x", None]),
        },
    ),
    ("exports_list", 200): (PAGE, {**_page, "results": _lists_of(EXPORT, _export)}),
    ("exports_cancel", 200): (EXPORT, _export),
    ("exports_delete", 200): ({}, {"message": (TEXT_OR_NULL, NOT_TEXT_OR_NULL)}),
    **{
        (name, 400): ({"message": "x"}, {"message": _text})
        for name in ("exports_report", "exports_list", "exports_cancel", "exports_delete")
    },
    **{
        (name, 404): ({"error": "x"}, {"error": _text})
        for name in ("exports_report", "exports_cancel", "exports_delete")
    },
    ("ping", 200): (
        {"status": "ok"},
        {"status": _text, **dict.fromkeys(("org_id", "project_id", "user_email"), (TEXT_OR_NULL, NOT_TEXT_OR_NULL))},
    ),
    ("memories_add", 200): (
        {"message": "x", "status": "SUCCEEDED", "event_id": UUID, "results": []},
        {
            "message": _text,
            "status": _text,
            "event_id": ([UUID], NOT_UUID),
            "results": _lists_of(
                {"id": UUID, "data": {"memory": "x"}, "event": "ADD"},
                {"id": ([UUID], NOT_UUID), "data": ([{"memory": "y"}], [{}, {"memory": 5}, "x"]), "event": _text},
            ),
        },
    ),
    ("memories_add", 400): (
        {"error": "x", "details": {"message": "x"}},
        {"error": _text, "details": ([{"message": "y"}], [{}, {"message": 5}, "x"])},
    ),
    ("memories_get", 200): (MEMORY, _memory),
    ("memories_delete", 200): ({}, {"message": (TEXT_OR_NULL, NOT_TEXT_OR_NULL)}),
    ("memories_list", 200): (PAGE, {**_page, "results": _lists_of(MEMORY, _memory)}),
    ("entities_list", 200): (
        PAGE,
        {
            **_page,
            **dict.fromkeys(
                ("total_users", "total_agents", "total_apps", "total_runs"), ([0, 7, None], [-1, 1.5, "1"])
            ),
            "results": _lists_of(ENTITY, _known_entity),
        },
    ),
    **{
        (name, 400): ({"error": "x"}, {"error": _text})
        for name in ("memories_list", "memories_get", "memories_delete", "entities_list")
    },
    **{(name, 404): ({"error": "x"}, {"error": _text}) for name in ("memories_get", "memories_delete")},
    **{(name, 401): ({"detail": "x"}, {"detail": _text}) for name in STATUSES},
    **{(name, 403): ({"detail": "x"}, {"detail": _text}) for name in ("exports_create", "exports_get")},
    **{
        (name, 404): ({"detail": "x"}, {"detail": _text}) for name in ("memories_list", "entities_list", "exports_list")
    },
}


def test_operations_have_exactly_the_published_statuses():
    assert missing("STATUSES", STATUSES, OPERATIONS) is None
    for name, operation in OPERATIONS.items():
        assert missing(f"STATUSES[{name!r}]", STATUSES[name], operation.responses) is None


def check(validator, minimal, required, fields):
    """Check that the validator accepts all valid bodies and rejects all invalid ones."""
    valid = [minimal, *({**minimal, name: value} for name, (values, _) in fields.items() for value in values)]
    invalid = [{**minimal, name: value} for name, (_, values) in fields.items() for value in values]
    invalid += [{key: value for key, value in minimal.items() if key != name} for name in required]
    assert [body for body in valid if not validator.is_valid(body)] == []
    assert [body for body in invalid if validator.is_valid(body)] == []


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_accept_exactly_the_published_fields_and_values(name):
    minimal, required, fields = REQUESTS[name]

    check(OPERATIONS[name].request, minimal, required, fields)
    assert not OPERATIONS[name].request.is_valid({**minimal, "unknown_field": 1})


def test_operations_without_a_published_request_body_have_none():
    with_body = {name for name, operation in OPERATIONS.items() if operation.request is not None}
    assert missing("REQUESTS", REQUESTS, with_body) is None


@pytest.mark.parametrize(("name", "status"), RESPONSES, ids=str)
def test_responses_have_the_published_fields_and_values(name, status):
    minimal, fields = RESPONSES[name, status]

    check(OPERATIONS[name].responses[status], minimal, minimal, fields)


def test_all_responses_are_published_except_one_with_two_forms():
    known = {
        (name, status)
        for name, operation in OPERATIONS.items()
        for status, body in operation.responses.items()
        if body is not None
    }
    elsewhere = {("exports_create", 400)}  # tests/unit/spec/test_seed_operation.py
    assert missing("RESPONSES", RESPONSES, known - elsewhere) is None


@pytest.mark.parametrize("name", ["memories_list", "entities_list"])
def test_pages_are_counted_from_1_and_hold_at_most_200(name):
    parameters = {key: each.schema for key, each in OPERATIONS[name].parameters.items()}
    page, size = (jsonschema_rs.validator_for(parameters[key]) for key in ("page", "page_size"))

    assert parameters.keys() == {"page", "page_size"}
    assert [value for value in (0, 1, 10**9, "1", 1.5) if page.is_valid(value)] == [1, 10**9]
    assert [value for value in (0, 1, 200, 201, "1", 1.5) if size.is_valid(value)] == [1, 200]
    assert (parameters["page"]["default"], parameters["page_size"]["default"]) == (1, 100)
