"""What is published of all six operations, written out here and not read from openapi.yaml: it may not become less.

For each body a good one, values of each field that it may have, and values that it may not have. A field that is missing
although it is needed, or that nobody has heard of in a request, makes the body a bad one.
"""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from tests.support import spec


OPERATIONS = spec.operations(spec.load())

UUID = "550e8400-e29b-41d4-a716-446655440000"
TIME = "2025-03-04T18:20:00Z"
NO_TEXT: list[Any] = [5, None, [], {}, True]
NO_OBJECT: list[Any] = ["x", 5, None, [], True]
NO_UUID = ["1", "", 5, None]
NO_COUNT = [-1, 1.5, "1", None]
TEXT_OR_NULL = ["x", None]
NOT_EVEN_NULL = [5, [], {}, True]

STATUSES = {
    "exports_create": {201, 400, 401, 403},
    "exports_get": {200, 400, 401, 403, 404},
    "ping": {200, 401},
    "memories_add": {200, 400, 401},
    "memories_list": {200, 400, 401, 404},
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
_filters = ([{name: value} for name, (good, _) in FILTERS.items() for value in good],
            [*NO_OBJECT, {"userid": "a"}, *({name: value} for name, (_, bad) in FILTERS.items() for value in bad)])  # fmt: skip
_text = (["x", ""], NO_TEXT)

SCHEMA: dict[str, Any] = {"type": "object"}
MESSAGE = {"role": "user", "content": "x"}

REQUESTS: dict[str, tuple[dict[str, Any], set[str], dict[str, tuple[list[Any], list[Any]]]]] = {
    "exports_create": (
        {"schema": SCHEMA},
        {"schema"},
        {
            "schema": ([{}, SCHEMA], NO_OBJECT),
            "filters": _filters,
            "export_instructions": _text,
            "org_id": _text,
            "project_id": _text,
        },
    ),
    "exports_get": (
        {"memory_export_id": UUID},
        {"memory_export_id"},
        {"memory_export_id": ([UUID], NO_TEXT), "filters": _filters, "org_id": _text, "project_id": _text},
    ),
    "memories_add": (
        {"messages": [MESSAGE], "infer": False, "user_id": "a"},
        {"messages", "infer", "user_id"},
        {
            "messages": (
                [[{**MESSAGE, "role": role}] for role in ("user", "assistant", "system")],
                [[], "x", None, [{"role": "user"}], [{"content": "x"}], [{**MESSAGE, "role": "tool"}]]
                + [[{**MESSAGE, "content": bad}] for bad in ("", 5, None)]
                + [[{**MESSAGE, "name": "x"}]],
            ),
            "infer": ([False], [True, None, "false", 0.5]),
            **dict.fromkeys(ENTITY_NAMES, (["a"], ["", 5, None])),
            "metadata": ([{}, {"city": "Lisbon"}], NO_OBJECT),
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
_page = {"count": ([0, 7], NO_COUNT), "next": (TEXT_OR_NULL, NOT_EVEN_NULL), "previous": (TEXT_OR_NULL, NOT_EVEN_NULL)}
MEMORY = {"id": UUID, "memory": "x", "created_at": TIME}
ENTITY = {"id": "1", "name": "a", "type": "user"}


def _listed(least: dict[str, Any], fields: dict[str, tuple[list[Any], list[Any]]]) -> tuple[list[Any], list[Any]]:
    """The good and the bad lists of objects that need what `least` has."""
    good = [[{**least, name: value}] for name, (values, _) in fields.items() for value in values]
    bad = [[{**least, name: value}] for name, (_, values) in fields.items() for value in values]
    return [[], *good], ["x", None, [5], *bad, *([{k: v for k, v in least.items() if k != name}] for name in least)]


_memory = {
    "id": ([UUID], NO_UUID),
    "memory": _text,
    "created_at": ([TIME], [5, None, "yesterday"]),
    "updated_at": ([TIME], [5, None, "yesterday"]),
    **dict.fromkeys(("user_id", "agent_id", "app_id", "session_id", "expiration_date"), (TEXT_OR_NULL, NOT_EVEN_NULL)),
    "metadata": ([{}, {"a": 1}, None], ["x", 5, []]),
    "categories": ([[], ["home"], None], ["x", [5], {}]),
}
_known_entity = {
    "id": _text,
    "name": _text,
    "type": (["user", "agent", "app", "run"], NO_TEXT),
    "created_at": ([TIME, None], [5, "yesterday"]),
    "updated_at": ([TIME, None], [5, "yesterday"]),
    "owner": (TEXT_OR_NULL, NOT_EVEN_NULL),
    "metadata": ([{}, None], ["x", 5, []]),
}

ANSWERS: dict[tuple[str, int], tuple[dict[str, Any], dict[str, tuple[list[Any], list[Any]]]]] = {
    ("exports_create", 201): ({"message": "x", "id": UUID}, {"message": _text, "id": ([UUID], NO_UUID)}),
    ("exports_get", 200): ({}, {"anything": (["x", 5, None, [], {}], [])}),
    ("exports_get", 400): ({"message": "x"}, {"message": _text}),
    ("exports_get", 404): ({"error": "x"}, {"error": _text, "reason": _text}),
    ("ping", 200): (
        {"status": "ok"},
        {"status": _text, **dict.fromkeys(("org_id", "project_id", "user_email"), (TEXT_OR_NULL, NOT_EVEN_NULL))},
    ),
    ("memories_add", 200): (
        {"message": "x", "status": "SUCCEEDED", "event_id": UUID, "results": []},
        {
            "message": _text,
            "status": _text,
            "event_id": ([UUID], NO_UUID),
            "results": _listed(
                {"id": UUID, "data": {"memory": "x"}, "event": "ADD"},
                {"id": ([UUID], NO_UUID), "data": ([{"memory": "y"}], [{}, {"memory": 5}, "x"]), "event": _text},
            ),
        },
    ),
    ("memories_add", 400): (
        {"error": "x", "details": {"message": "x"}},
        {"error": _text, "details": ([{"message": "y"}], [{}, {"message": 5}, "x"])},
    ),
    ("memories_list", 200): (PAGE, {**_page, "results": _listed(MEMORY, _memory)}),
    ("entities_list", 200): (
        PAGE,
        {
            **_page,
            **dict.fromkeys(("total_users", "total_agents", "total_apps", "total_runs"), ([0, 7], NO_COUNT)),
            "results": _listed(ENTITY, _known_entity),
        },
    ),
    **{(name, 400): ({"error": "x"}, {"error": _text}) for name in ("memories_list", "entities_list")},
    **{(name, 401): ({"detail": "x"}, {"detail": _text}) for name in STATUSES},
    **{(name, 403): ({"detail": "x"}, {"detail": _text}) for name in ("exports_create", "exports_get")},
    **{(name, 404): ({"detail": "x"}, {"detail": _text}) for name in ("memories_list", "entities_list")},
}


def test_the_statuses_are_these():
    assert {name: operation.responses.keys() for name, operation in OPERATIONS.items()} == STATUSES


def check(validator, least, needed, fields):
    """The first body that is judged otherwise than it is published."""
    good = [least, *({**least, name: value} for name, (values, _) in fields.items() for value in values)]
    bad = [{**least, name: value} for name, (_, values) in fields.items() for value in values]
    bad += [{key: value for key, value in least.items() if key != name} for name in needed]
    assert [body for body in good if not validator.is_valid(body)] == []
    assert [body for body in bad if validator.is_valid(body)] == []


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_have_these_fields_with_these_values_and_no_others(name):
    least, needed, fields = REQUESTS[name]

    check(OPERATIONS[name].request, least, needed, fields)
    assert not OPERATIONS[name].request.is_valid({**least, "nobody_knows": 1})


def test_operations_without_a_body_have_none():
    assert {name for name, operation in OPERATIONS.items() if operation.request is None} == STATUSES.keys() - REQUESTS


@pytest.mark.parametrize(("name", "status"), ANSWERS, ids=str)
def test_answers_have_these_fields_with_these_values(name, status):
    least, fields = ANSWERS[name, status]

    check(OPERATIONS[name].responses[status], least, least, fields)


def test_all_answers_are_published_but_one_that_has_two_forms():
    known = {(name, status) for name, operation in OPERATIONS.items() for status in operation.responses}
    assert known - ANSWERS.keys() == {("exports_create", 400)}  # tests/unit/spec/test_seed_operation.py


@pytest.mark.parametrize("name", ["memories_list", "entities_list"])
def test_pages_are_counted_from_1_and_hold_at_most_200(name):
    parameters = {key: each["schema"] for key, each in OPERATIONS[name].parameters.items()}
    page, size = (jsonschema_rs.validator_for(parameters[key]) for key in ("page", "page_size"))

    assert parameters.keys() == {"page", "page_size"}
    assert [value for value in (0, 1, 10**9, "1", 1.5) if page.is_valid(value)] == [1, 10**9]
    assert [value for value in (0, 1, 200, 201, "1", 1.5) if size.is_valid(value)] == [1, 200]
    assert (parameters["page"]["default"], parameters["page_size"]["default"]) == (1, 100)
