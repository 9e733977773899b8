"""Test that every request of the clients matches openapi.yaml and contains the user's arguments.

The arguments are drawn. The request is recorded at the transport and checked against the spec: method, path, query,
headers, key and body. If the client refuses an argument, it must not have sent anything.
"""

from __future__ import annotations

import warnings

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from mem0_exports import Filter, FilterRules, FilterWarning, InputError, Schema
from tests.contract.client import strategies
from tests.contract.client.harness import DOCUMENT, KEY, OPERATIONS, conformance_settings, scripted_client
from tests.support.spec import missing, request_problems, strict


EXAMPLES = 100
JOB = {"message": "accepted", "id": "550e8400-e29b-41d4-a716-446655440000"}
STORED = {"message": "m", "status": "SUCCEEDED", "event_id": JOB["id"], "results": []}
EMPTY = {"count": 0, "next": None, "previous": None, "results": []}

sent: Counter[str] = Counter()
"""The number of valid requests by operation."""


@pytest.fixture(scope="module", params=["sync", "async"])
def service(request):
    with scripted_client(request.param) as client_and_transport:
        yield client_and_transport


def checked_bodies(transport: Any, *expected: str) -> list[Any]:
    """Return the bodies of the recorded requests; check that they are valid, and of the expected operations."""
    found = [request_problems(OPERATIONS, each, KEY) for each in transport.requests]
    assert [problems for _, problems in found if problems] == []
    assert [operation for operation, _ in found] == list(expected)
    sent.update(expected)
    return [strict(each.content) if each.content else None for each in transport.requests]


def without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


optional = st.one_of(st.none(), strategies.texts)


def parsed(where: Any) -> Any:
    """Return the parsed filters, which are equal for all notations of the same filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FilterWarning)
        return Filter.from_dict(where) if isinstance(where, dict) else Filter.from_dict(where.to_dict())


@conformance_settings(EXAMPLES)
@given(
    schema=strategies.schemas,
    where=strategies.wheres,
    instructions=optional,
    org_id=optional,
    project_id=optional,
)
def test_creating_an_export_sends_a_valid_request_with_all_arguments(
    service, schema, where, instructions, org_id, project_id
):
    client, transport = service
    transport.respond_with((201, JOB), (200, {}))
    project = {"org_id": org_id, "project_id": project_id}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FilterWarning)
        job = client.exports.create(schema, where, instructions=instructions, **project)
    again = client.exports.get(job.id, Schema.of({"type": "object"}), **project)
    assert again.poll() == {}

    create, get = checked_bodies(transport, "exports_create", "exports_get")
    filters = create.pop("filters")
    assert parsed(filters) == parsed(where)
    assert list(filters) == ["AND"]
    sent_schema = create.pop("schema")
    assert sent_schema == (schema if isinstance(schema, dict) else schema_of_type(schema))
    assert create == without_none(export_instructions=instructions, **project)
    assert get == {"memory_export_id": JOB["id"], **without_none(**project)}


def schema_of_type(schema: Any) -> Any:
    """Return the JSON Schema of a type; check that its properties are named by the aliases, as in the result."""
    known = dict(Schema.of(schema).json)
    node = known
    model = schema
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        (model,) = schema.__args__
        node = known["properties"]["items"]["items"]
    while "$ref" in node:
        node = known["$defs"][node["$ref"].rpartition("/")[2]]
    assert set(node["properties"]) == {field.alias or name for name, field in model.model_fields.items()}
    return known


@conformance_settings(EXAMPLES)
@given(
    messages=strategies.messages,
    owners=strategies.owners,
    metadata=st.one_of(st.none(), strategies.metadata),
    timestamp=strategies.creation_times,
    expiration_date=st.one_of(st.none(), st.dates()),
)
def test_adding_memories_sends_a_valid_request_with_all_arguments(
    service, messages, owners, metadata, timestamp, expiration_date
):
    client, transport = service
    transport.respond_with((200, STORED))
    invalid = "" in owners.values() or not any(owners.values()) or (timestamp is not None and timestamp.timestamp() < 0)

    try:
        client.memories.add(messages, **owners, metadata=metadata, timestamp=timestamp, expiration_date=expiration_date)
    except InputError:
        assert invalid
        assert transport.requests == [], "a refused memory was sent"
        return

    assert not invalid
    (body,) = checked_bodies(transport, "memories_add")
    listed = [messages] if isinstance(messages, dict) else messages
    assert body == {
        "messages": [{"role": "user", "content": messages}] if isinstance(messages, str) else listed,
        "infer": False,
        **without_none(
            **owners,
            metadata=metadata,
            timestamp=None if timestamp is None else int(timestamp.timestamp()),
            expiration_date=None if expiration_date is None else expiration_date.isoformat(),
        ),
    }


@conformance_settings(EXAMPLES)
@given(where=strategies.wheres, show_expired=st.booleans(), page_size=st.integers(-1, 202), pages=st.integers(1, 3))
def test_lists_request_page_by_page_and_refuse_page_sizes_outside_1_to_200(
    service, where, show_expired, page_size, pages
):
    client, transport = service
    following = [{**EMPTY, "count": 9, "next": "https://elsewhere.example/?page=7"}] * (pages - 1)

    for operation, iterate in (
        ("memories_list", lambda: client.memories.list(where, show_expired=show_expired, page_size=page_size)),
        ("entities_list", lambda: client.entities.list(page_size=page_size)),
        ("exports_list", lambda: client.exports.list(page_size=page_size)),
    ):
        transport.respond_with(*((200, page) for page in [*following, EMPTY]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FilterWarning)
            try:
                assert list(iterate()) == []
            except InputError:
                assert not 1 <= page_size <= 200
                assert transport.requests == []
                continue
        assert 1 <= page_size <= 200
        sent_bodies = checked_bodies(transport, *[operation] * pages)
        assert [dict(each.url.params) for each in transport.requests] == [
            {"page": str(number), "page_size": str(page_size)} for number in range(1, pages + 1)
        ]
        if operation == "memories_list":
            assert all(each["show_expired"] is show_expired for each in sent_bodies)
            assert all(parsed(each["filters"]) == parsed(where) for each in sent_bodies)


@conformance_settings(EXAMPLES)
@given(memory_id=st.one_of(st.uuids().map(str), st.uuids().map(lambda known: str(known).upper()), strategies.texts))
def test_one_memory_is_requested_by_its_uuid_and_no_other_text_is_sent(service, memory_id):
    client, transport = service
    memory = {"id": JOB["id"], "memory": "x", "created_at": "2025-03-04T18:20:00Z"}
    for operation, call, answer in (
        ("memories_get", client.memories.get, memory),
        ("memories_delete", client.memories.delete, {"message": "m"}),
    ):
        transport.respond_with((200, answer))
        try:
            wanted = str(UUID(memory_id))
        except ValueError:
            with pytest.raises(InputError) as refused:
                call(memory_id)
            assert refused.value.field == "memory_id"
            assert transport.requests == []
            continue
        call(memory_id)
        assert checked_bodies(transport, operation) == [None]
        assert transport.requests[0].url.path == f"/v1/memories/{wanted}/"


EXPORT = {
    "id": str(UUID(int=1)),
    "state": "done",
    "created_at": "2025-01-01T00:00:00Z",
    "expires_at": "2025-01-08T00:00:00Z",
}
ON_ONE_EXPORT = {
    "exports_report": (
        "report",
        "report/",
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
    ),
    "exports_cancel": ("cancel", "cancel/", EXPORT),
    "exports_delete": ("delete", "", {}),
}
"""For each operation on one export that only the engine has: the method, the end of the path, and an answer."""


@conformance_settings(EXAMPLES)
@given(
    export_id=st.one_of(st.uuids(), st.uuids().map(str), strategies.texts), operation=st.sampled_from([*ON_ONE_EXPORT])
)
def test_an_export_of_the_engine_is_named_by_its_uuid_and_no_other_text_is_sent(service, export_id, operation):
    client, transport = service
    method, end, body = ON_ONE_EXPORT[operation]
    transport.respond_with((200, body))
    call = getattr(client.exports, method)
    try:
        wanted = UUID(str(export_id))
    except ValueError:
        with pytest.raises(InputError) as refused:
            call(export_id)
        assert refused.value.field == "export_id"
        assert transport.requests == []
        return

    call(export_id)

    assert checked_bodies(transport, operation) == [None]
    assert transport.requests[0].url.path == f"/v1/exports/{wanted}/{end}"


def test_ping_sends_a_valid_request(service):
    client, transport = service
    transport.respond_with((200, {"status": "ok"}))

    client.ping()

    assert checked_bodies(transport, "ping") == [None]


def _spec_filters() -> st.SearchStrategy[Any]:
    import schemathesis

    document = schemathesis.openapi.from_dict(DOCUMENT)
    positive = document["/v3/memories/"]["POST"].as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    return positive.map(lambda case: case.body["filters"])


read_filters: Counter[bool] = Counter()
"""The number of filters drawn from the spec that were sent (True) and refused (False)."""


def test_filters_that_match_the_spec_are_sent_unchanged_or_refused_before_sending():
    # scope="optional": this tests only the parsing of filters. Both clients share that code, so one of them is enough.
    with scripted_client("sync", filter_rules=FilterRules(scope="optional", two_entities="allow")) as (
        client,
        transport,
    ):

        @conformance_settings(EXAMPLES)
        @given(where=_spec_filters())
        def run(where):
            transport.respond_with((200, EMPTY))
            try:
                list(client.memories.list(where))
            except InputError:
                assert transport.requests == []
                read_filters[False] += 1
                return
            (body,) = checked_bodies(transport, "memories_list")
            assert parsed(body["filters"]) == parsed(where)
            read_filters[True] += 1

        run()

    assert read_filters[True] >= EXAMPLES // 4, dict(read_filters)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), "\ud800", datetime(2025, 1, 1, tzinfo=UTC), {1, 2}, b"x"],
    ids=repr,
)
def test_refuses_metadata_that_json_cannot_represent(service, value):
    client, transport = service
    transport.respond_with((200, STORED))

    with pytest.raises(InputError):
        client.memories.add("x", user_id="alex", metadata={"key": value})

    assert transport.requests == []


def test_every_operation_was_requested_often_enough(request):
    ran = {getattr(item, "originalname", item.name) for item in request.session.items}
    if "test_adding_memories_sends_a_valid_request_with_all_arguments" not in ran:
        pytest.fail("this test counts the requests of all tests in this file: run the whole file")

    assert missing("sent", sent, OPERATIONS) is None, "some test of this file must send each operation"
    assert all(sent[name] >= EXAMPLES // 4 for name in OPERATIONS if name != "ping"), dict(sent)
