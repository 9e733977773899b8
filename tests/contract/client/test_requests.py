"""Every request that the clients can make is one that the spec allows, and says what the user said.

What a user hands over is drawn; the request is caught at the transport and held to openapi.yaml: method, path, query,
headers, key and body. Where the client refuses an argument, nothing may have been sent.
"""

from __future__ import annotations

import warnings

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from mem0_exports import Filter, FilterRules, FilterWarning, InputError, Schema
from tests.contract.client import strategies
from tests.contract.client.harness import DOCUMENT, KEY, OPERATIONS, drawn, scripted
from tests.support.spec import request_problems, strict


EXAMPLES = 100
JOB = {"message": "accepted", "id": "550e8400-e29b-41d4-a716-446655440000"}
STORED = {"message": "m", "status": "SUCCEEDED", "event_id": JOB["id"], "results": []}
EMPTY = {"count": 0, "next": None, "previous": None, "results": []}

sent: Counter[str] = Counter()
"""How many valid requests were seen, by operation."""


@pytest.fixture(scope="module", params=["sync", "async"])
def service(request):
    with scripted(request.param) as made:
        yield made


def bodies(transport: Any, *expected: str) -> list[Any]:
    """The bodies of the requests that were made, which are valid and of these operations."""
    found = [request_problems(OPERATIONS, each, KEY) for each in transport.asked]
    assert [problems for _, problems in found if problems] == []
    assert [operation for operation, _ in found] == list(expected)
    sent.update(expected)
    return [strict(each.content) if each.content else None for each in transport.asked]


def given_only(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


optional = st.one_of(st.none(), strategies.texts)


def meaning(where: Any) -> Any:
    """What filters mean, however they are written: their tree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FilterWarning)
        return Filter.from_dict(where) if isinstance(where, dict) else Filter.from_dict(where.to_dict())


@drawn(EXAMPLES)
@given(
    schema=strategies.schemas,
    where=strategies.wheres,
    instructions=optional,
    org_id=optional,
    project_id=optional,
)
def test_an_export_that_is_asked_for_is_a_valid_request_that_says_so(
    service, schema, where, instructions, org_id, project_id
):
    client, transport = service
    transport.answers((201, JOB), (200, {}))
    placed = {"org_id": org_id, "project_id": project_id}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FilterWarning)
        job = client.exports.create(schema, where, instructions=instructions, **placed)
    again = client.exports.get(job.id, Schema.of({"type": "object"}), **placed)
    assert again.poll() == {}

    create, get = bodies(transport, "exports_create", "exports_get")
    filters = create.pop("filters")
    assert meaning(filters) == meaning(where)
    assert list(filters) == ["AND"]
    asked = create.pop("schema")
    assert asked == (schema if isinstance(schema, dict) else described(schema))
    assert create == given_only(export_instructions=instructions, **placed)
    assert get == {"memory_export_id": JOB["id"], **given_only(**placed)}


def described(schema: Any) -> Any:
    """The JSON Schema of a type, whose properties have the names that the answer is to have: the aliases."""
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


@drawn(EXAMPLES)
@given(
    messages=strategies.messages,
    whom=strategies.whom,
    metadata=st.one_of(st.none(), strategies.metadata),
    timestamp=strategies.stamps,
    expiration_date=st.one_of(st.none(), st.dates()),
)
def test_memories_that_are_added_are_a_valid_request_that_says_so(
    service, messages, whom, metadata, timestamp, expiration_date
):
    client, transport = service
    transport.answers((200, STORED))
    unusable = "" in whom.values() or not any(whom.values()) or (timestamp is not None and timestamp.timestamp() < 0)

    try:
        client.memories.add(messages, **whom, metadata=metadata, timestamp=timestamp, expiration_date=expiration_date)
    except InputError:
        assert unusable
        assert transport.asked == [], "refused, and sent all the same"
        return

    assert not unusable
    (body,) = bodies(transport, "memories_add")
    listed = [messages] if isinstance(messages, dict) else messages
    assert body == {
        "messages": [{"role": "user", "content": messages}] if isinstance(messages, str) else listed,
        "infer": False,
        **given_only(
            **whom,
            metadata=metadata,
            timestamp=None if timestamp is None else int(timestamp.timestamp()),
            expiration_date=None if expiration_date is None else expiration_date.isoformat(),
        ),
    }


@drawn(EXAMPLES)
@given(where=strategies.wheres, show_expired=st.booleans(), page_size=st.integers(-1, 202), pages=st.integers(1, 3))
def test_lists_ask_for_one_page_after_the_other(service, where, show_expired, page_size, pages):
    client, transport = service
    following = [{**EMPTY, "count": 9, "next": "https://elsewhere.example/?page=7"}] * (pages - 1)

    for operation, iterate in (
        ("memories_list", lambda: client.memories.list(where, show_expired=show_expired, page_size=page_size)),
        ("entities_list", lambda: client.entities.list(page_size=page_size)),
    ):
        transport.answers(*((200, page) for page in [*following, EMPTY]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FilterWarning)
            try:
                assert list(iterate()) == []
            except InputError:
                assert not 1 <= page_size <= 200
                assert transport.asked == []
                continue
        assert 1 <= page_size <= 200
        asked = bodies(transport, *[operation] * pages)
        assert [dict(each.url.params) for each in transport.asked] == [
            {"page": str(number), "page_size": str(page_size)} for number in range(1, pages + 1)
        ]
        if operation == "memories_list":
            assert all(each["show_expired"] is show_expired for each in asked)
            assert all(meaning(each["filters"]) == meaning(where) for each in asked)


def test_the_key_is_checked_by_a_valid_request(service):
    client, transport = service
    transport.answers((200, {"status": "ok"}))

    client.ping()

    assert bodies(transport, "ping") == [None]


def _spec_filters() -> st.SearchStrategy[Any]:
    import schemathesis

    document = schemathesis.openapi.from_dict(DOCUMENT)
    positive = document["/v3/memories/"]["POST"].as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    return positive.map(lambda case: case.body["filters"])


read_filters: Counter[bool] = Counter()
"""Filters drawn from the spec: how many were sent, how many refused."""


def test_filters_that_the_spec_allows_are_sent_or_refused_before_anything_is_sent():
    # Nobody has to be named, so that this is about reading filters alone, which both clients do with the same code.
    with scripted("sync", filter_rules=FilterRules(scope="optional", two_entities="allow")) as (client, transport):

        @drawn(EXAMPLES)
        @given(where=_spec_filters())
        def run(where):
            transport.answers((200, EMPTY))
            try:
                list(client.memories.list(where))
            except InputError:
                assert transport.asked == []
                read_filters[False] += 1
                return
            (body,) = bodies(transport, "memories_list")
            assert meaning(body["filters"]) == meaning(where)
            read_filters[True] += 1

        run()

    assert read_filters[True] >= EXAMPLES // 4, dict(read_filters)


@pytest.mark.parametrize(
    "unsendable",
    [float("nan"), float("inf"), "\ud800", datetime(2025, 1, 1, tzinfo=UTC), {1, 2}, b"x"],
    ids=repr,
)
def test_what_no_json_can_hold_is_refused_and_not_sent(service, unsendable):
    client, transport = service
    transport.answers((200, STORED))

    with pytest.raises(InputError):
        client.memories.add("x", user_id="alex", metadata={"key": unsendable})

    assert transport.asked == []


def test_every_operation_was_asked_for(request):
    ran = {getattr(item, "originalname", item.name) for item in request.session.items}
    if "test_memories_that_are_added_are_a_valid_request_that_says_so" not in ran:
        pytest.fail("this gate counts what the whole module did: run the file, not this test alone")

    assert sent.keys() == OPERATIONS.keys()
    assert all(sent[name] >= EXAMPLES // 4 for name in OPERATIONS if name != "ping"), dict(sent)
