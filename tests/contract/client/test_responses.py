"""Test that the generated parser and both clients read every documented answer, drawn from the spec's schemas.

A successful answer must be read without loss; any other must raise the documented error with the documented message.
"""

from __future__ import annotations

import json

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

import mem0_exports_api

from mem0_exports import BadRequest, ExportFailed, F, Forbidden, Memory, NotFound, Schema, StatusError, Unauthorized
from mem0_exports_api import AuthenticatedClient
from tests.contract.client.harness import (
    DOCUMENT,
    DOCUMENTED,
    NO_BODY,
    NOTICE,
    OPERATIONS,
    conformance_settings,
    scripted_client,
    unique_by_key,
    visible,
)
from tests.support.spec import behind, body_problem, entry, missing


MODULES = {path.stem: path.parent.name for path in Path(mem0_exports_api.__file__).parent.glob("api/*/*.py")}
"""The folder of each operation in the generated client, which is the name of its tag."""
EXAMPLES = 40
WHERE = F.user_id == "alex"
MEMORY_ID = "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4"
ERRORS = {400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound}
EMPTY = (200, {"count": 0, "next": None, "previous": None, "results": []})

seen: Counter[tuple[str, str, int]] = Counter()
"""The number of answers by reader, operation and status."""
branches: Counter[str] = Counter()
"""The number of 404 answers to exports_get, by meaning."""


def _content(operation_id: str, status: int) -> dict[str, Any] | None:
    """Return the media type of an answer, or None if the answer has no body."""
    response = behind(DOCUMENT, OPERATIONS[operation_id].raw["responses"][str(status)])
    return response["content"]["application/json"] if response.get("content") else None


def _answer_strategies() -> dict[tuple[str, int], st.SearchStrategy[Any]]:
    """Return strategies for all answers. As schemathesis draws only requests, each answer becomes a request body."""
    paths = {
        f"/{operation_id}/{status}": {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": content["schema"]}}},
                "responses": {"200": {"description": "unused"}},
            }
        }
        for operation_id, status in DOCUMENTED
        if (content := _content(operation_id, status)) is not None
    }
    mirror = schemathesis.openapi.from_dict(
        {"openapi": "3.1.0", "info": DOCUMENT["info"], "paths": paths, "components": DOCUMENT["components"]}
    )
    positive = schemathesis.GenerationMode.POSITIVE
    return {
        (operation_id, status): st.just(NO_BODY)
        if _content(operation_id, status) is None
        else mirror[f"/{operation_id}/{status}"]["POST"]
        .as_strategy(generation_mode=positive)
        .map(lambda case: case.body)
        for operation_id, status in DOCUMENTED
    }


ANSWERS = _answer_strategies()
notices = st.one_of(st.just({}), st.just({NOTICE: "Claim your account"}), st.just({NOTICE: {"url": "https://x"}}))
"""A notice that the service may add to any answer."""


def answer(data: Any, operation_id: str, status: int) -> Any:
    """Draw a documented answer; check it against the spec, in case the strategy draws something else."""
    body = data.draw(ANSWERS[operation_id, status])
    if body is NO_BODY:
        return body
    named = _named_keys(operation_id, status)
    if named and data.draw(st.booleans()):  # otherwise nearly all drawn answers have extra keys
        body = {key: value for key, value in body.items() if key in named}
    body = {**body, **data.draw(notices)}
    assert body_problem(OPERATIONS[operation_id].responses[status], body) is None
    return body


def _named_keys(operation_id: str, status: int) -> set[str]:
    """Return the keys in the `properties` of an answer's schema; none if it has no `properties` itself."""
    content = _content(operation_id, status)
    return set() if content is None else set(behind(DOCUMENT, content["schema"]).get("properties", ()))


def with_datetimes(value: Any) -> Any:
    """Return a JSON value with times as datetimes, because the models write Z as +00:00."""
    if isinstance(value, dict):
        return {key: with_datetimes(each) for key, each in value.items()}
    if isinstance(value, list):
        return [with_datetimes(each) for each in value]
    return moment(value) if isinstance(value, str) and len(value) > 15 else value


def moment(text: Any) -> Any:
    """Return a text as a datetime if it is one with a time zone, otherwise unchanged."""
    try:
        found = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return text
    return found if found.tzinfo is not None else text


@pytest.mark.parametrize(("operation_id", "status"), DOCUMENTED)
def test_generated_parser_reads_every_documented_answer_without_loss(operation_id, status):
    parser = import_module(f"mem0_exports_api.api.{MODULES[operation_id]}.{operation_id}")._build_response
    client = AuthenticatedClient(base_url="https://service.example", token="t", raise_on_unexpected_status=True)

    @conformance_settings(EXAMPLES)
    @given(data=st.data())
    def run(data):
        body = answer(data, operation_id, status)

        sent = {} if body is NO_BODY else {"json": body}

        read = parser(client=client, response=httpx.Response(status, **sent))

        seen["generated", operation_id, status] += 1
        if body is NO_BODY:
            assert read.parsed is None
            return
        assert read.parsed is not None
        assert with_datetimes(read.parsed.to_dict()) == with_datetimes(body)

    run()


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("operation_id", "status"), DOCUMENTED)
def test_clients_read_every_documented_answer(operation_id, status, kind):
    with scripted_client(kind) as (client, transport):

        @conformance_settings(EXAMPLES)
        @given(data=st.data())
        def run(data):
            body = answer(data, operation_id, status)
            transport.respond_with(*service_answers(operation_id, status, body))
            if status < 300:
                entry("SUCCESSES", SUCCESSES, operation_id)(client, body)
            elif (operation_id, status) == ("exports_get", 404):
                check_not_found(client, body)
            else:
                check_refused(client, operation_id, status, body)
            assert transport.requests, "the client sent no request"
            seen[kind, operation_id, status] += 1

        run()


def service_answers(operation_id: str, status: int, body: Any) -> list[tuple[int, Any]]:
    """Return the answers that the service gives: a page of a list is followed by an empty last page."""
    return (
        [(status, body), EMPTY]
        if operation_id in {"memories_list", "entities_list", "exports_list"}
        else [(status, body)]
    )


CALLS = {
    "exports_create": lambda client: client.exports.create({"type": "object"}, WHERE),
    "exports_get": lambda client: client.exports.get("export-1", {"type": "object"}).poll(),
    "exports_report": lambda client: client.exports.report(MEMORY_ID),
    "exports_list": lambda client: list(client.exports.list()),
    "exports_cancel": lambda client: client.exports.cancel(MEMORY_ID),
    "exports_delete": lambda client: client.exports.delete(MEMORY_ID),
    "ping": lambda client: client.ping(),
    "memories_add": lambda client: client.memories.add("x", user_id="alex"),
    "memories_list": lambda client: list(client.memories.list(WHERE)),
    "memories_get": lambda client: client.memories.get(MEMORY_ID),
    "memories_delete": lambda client: client.memories.delete(MEMORY_ID),
    "entities_list": lambda client: list(client.entities.list()),
}


def check_refused(client: Any, operation_id: str, status: int, body: Any) -> None:
    """Check that the call raises the error of this status, with the message of the answer."""
    with pytest.raises(StatusError) as error:
        entry("CALLS", CALLS, operation_id)(client)

    assert type(error.value) is entry("ERRORS", ERRORS, status)
    assert (error.value.status, error.value.operation) == (status, operation_id)
    if body is NO_BODY:
        return
    candidates = [body.get("message"), body.get("error"), body.get("detail"), *_details(body)]
    messages = [visible(each) for each in candidates if isinstance(each, str) and visible(each)]
    shown = visible(error.value.message)
    assert not messages or any(each == shown or each.startswith(shown.removesuffix("…")) for each in messages)


def _details(body: Any) -> list[Any]:
    holders = [each for each in (body.get("details"), body.get("error")) if isinstance(each, dict)]
    return [each.get("message") for each in holders]


def check_not_found(client: Any, body: Any) -> None:
    """Check a 404: pending; failed, if there is a reason; or an error, if it has keys that the spec does not name."""
    if body.keys() - {"error", "reason", NOTICE}:  # may come from a proxy: docs/reliability.md
        check_refused(client, "exports_get", 404, body)
        branches["other keys"] += 1
    elif body.get("reason") is not None:
        with pytest.raises(ExportFailed) as failed:
            CALLS["exports_get"](client)
        assert failed.value.export_id == "export-1"
        assert visible(body["reason"]).startswith(visible(failed.value.reason).removesuffix("…"))
        branches["failed"] += 1
    else:
        assert CALLS["exports_get"](client) is None
        branches["pending"] += 1


def check_created(client: Any, body: Any) -> None:
    assert CALLS["exports_create"](client).id == body["id"]


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


def check_exported(client: Any, body: Any) -> None:
    """Check that the result is the object without the notice, whichever type it is read as."""
    expected = {key: value for key, value in body.items() if key != NOTICE}

    assert CALLS["exports_get"](client) == expected
    untouched = Schema.of({"type": "object"}, validate="off")
    assert client.exports.get("export-1", untouched).poll() == expected
    assert client.exports.get("export-1", Anything).poll().model_extra == expected
    with_notice = client.exports.get("export-1", {"type": "object", "properties": {NOTICE: {}}}).poll()
    assert with_notice == body, "the notice was removed although the schema names it"


def check_report(client: Any, body: Any) -> None:
    found = CALLS["exports_report"](client)
    for name in ("memories", "left_out", "filled", "notes", "unread", "unread_ids"):
        assert getattr(found, name) == body[name]
    for shown, each in zip(found.evidence, body["evidence"], strict=True):
        assert asdict(shown) == {name: each.get(name) for name in asdict(shown)}
    usage = body.get("usage")
    assert (None if found.usage is None else asdict(found.usage)) == (
        None if usage is None else {name: usage[name] for name in asdict(found.usage)}
    )
    assert [(gap.path, gap.reason, gap.count, gap.did_you_mean) for gap in found.gaps] == [
        (gap["path"], gap["reason"], gap["count"], gap.get("did_you_mean")) for gap in body["gaps"]
    ]


def check_exports(client: Any, body: Any) -> None:
    expected = unique_by_key((each["id"].lower(), each) for each in body["results"])
    for found, each in zip(CALLS["exports_list"](client), expected, strict=True):
        check_export(found, each)


def check_cancelled(client: Any, body: Any) -> None:
    check_export(CALLS["exports_cancel"](client), body)


def check_export(found: Any, body: Any) -> None:
    assert (found.id, found.state, found.reason) == (body["id"].lower(), body["state"], body.get("reason"))
    assert (found.created_at, found.expires_at) == (moment(body["created_at"]), moment(body["expires_at"]))


def check_export_deleted(client: Any, body: Any) -> None:
    assert CALLS["exports_delete"](client) is None


def check_account(client: Any, body: Any) -> None:
    found = CALLS["ping"](client)
    fields = ("org_id", "project_id", "user_email")
    assert found.status == body["status"]
    assert [getattr(found, name) for name in fields] == [body.get(name) for name in fields]


def check_added(client: Any, body: Any) -> None:
    found = CALLS["memories_add"](client)
    assert [(each.id, each.memory) for each in found] == [
        (each["id"].lower(), each["data"]["memory"]) for each in body["results"]
    ]


def check_listed(client: Any, body: Any) -> None:
    expected = unique_by_key((each["id"].lower(), each) for each in body["results"])
    found = CALLS["memories_list"](client)

    for memory, each in zip(found, expected, strict=True):
        check_memory(memory, each)


def check_memory(memory: Memory, each: Any) -> None:
    unchanged = ("memory", "user_id", "agent_id", "app_id", "metadata", "categories", "expiration_date")
    assert memory.id == each["id"].lower()
    assert {name: getattr(memory, name) for name in unchanged} == {name: each.get(name) for name in unchanged}
    assert memory.run_id == (each.get("session_id") or each.get("run_id"))
    assert (memory.created_at, memory.updated_at) == (moment(each["created_at"]), moment(each.get("updated_at")))


def check_got(client: Any, body: Any) -> None:
    check_memory(CALLS["memories_get"](client), body)


def check_deleted(client: Any, body: Any) -> None:
    assert CALLS["memories_delete"](client) is None


def check_entities(client: Any, body: Any) -> None:
    expected = unique_by_key(((each["type"], each["name"]), each) for each in body["results"])
    found = CALLS["entities_list"](client)

    for entity, each in zip(found, expected, strict=True):
        assert (entity.name, entity.type, entity.id) == (each["name"], each["type"], each["id"])
        assert entity.created_at == moment(each.get("created_at"))
        assert entity.updated_at == moment(each.get("updated_at"))
        assert (entity.owner, entity.metadata) == (each.get("owner"), each.get("metadata"))


SUCCESSES = {
    "exports_create": check_created,
    "exports_get": check_exported,
    "exports_report": check_report,
    "exports_list": check_exports,
    "exports_cancel": check_cancelled,
    "exports_delete": check_export_deleted,
    "ping": check_account,
    "memories_add": check_added,
    "memories_list": check_listed,
    "memories_get": check_got,
    "memories_delete": check_deleted,
    "entities_list": check_entities,
}


def test_tables_have_every_operation_and_every_error():
    assert missing("CALLS", CALLS, OPERATIONS) is None
    assert missing("SUCCESSES", SUCCESSES, OPERATIONS) is None
    assert missing("ERRORS", ERRORS, {status for _, status in DOCUMENTED if status >= 400}) is None


def test_every_reader_got_every_documented_answer(request):
    ran = {getattr(item, "originalname", item.name) for item in request.session.items}
    if not {"test_clients_read_every_documented_answer"} <= ran:
        pytest.fail("this test counts the answers of all tests in this file: run the whole file")

    expected = {(reader, *pair) for reader in ("generated", "sync", "async") for pair in DOCUMENTED}

    assert json.dumps(sorted(expected - {key for key, count in seen.items() if count >= EXAMPLES // 2})) == "[]"
    assert min(branches[name] for name in ("pending", "failed", "other keys")) >= EXAMPLES // 4, dict(branches)


def test_client_reads_the_examples_of_the_spec():
    with scripted_client("sync") as (client, transport):
        for operation_id, status in DOCUMENTED:
            for example in (_content(operation_id, status) or {"examples": {}})["examples"].values():
                transport.respond_with(*service_answers(operation_id, status, example["value"]))
                if status < 300:
                    entry("SUCCESSES", SUCCESSES, operation_id)(client, example["value"])
                elif (operation_id, status) == ("exports_get", 404):
                    check_not_found(client, example["value"])
                else:
                    check_refused(client, operation_id, status, example["value"])
