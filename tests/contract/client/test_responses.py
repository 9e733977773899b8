"""Every documented answer, drawn from the spec's own schemas, is read: by the generated parser and by both clients.

What comes out is what went in, or the documented error with the documented message; nothing else ever comes out.
"""

from __future__ import annotations

import json

from collections import Counter
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

from mem0_exports import BadRequest, ExportFailed, F, Forbidden, NotFound, Schema, StatusError, Unauthorized
from mem0_exports_api import AuthenticatedClient
from tests.contract.client.harness import DOCUMENT, DOCUMENTED, NOTICE, OPERATIONS, drawn, once, scripted, visible
from tests.support.spec import behind, problem


MODULES = {path.stem: path.parent.name for path in Path(mem0_exports_api.__file__).parent.glob("api/*/*.py")}
"""Where the generator put each operation: the name of its tag."""
EXAMPLES = 40
WHERE = F.user_id == "alex"
ERRORS = {400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound}
EMPTY = (200, {"count": 0, "next": None, "previous": None, "results": []})

seen: Counter[tuple[str, str, int]] = Counter()
"""How many answers went through which reader, by operation and status."""
branches: Counter[str] = Counter()
"""What the 404 of an export meant."""


def _mirror() -> dict[tuple[str, int], st.SearchStrategy[Any]]:
    """Strategies for all answers: schemathesis draws requests, so each answer becomes the request body of a path."""
    paths = {}
    for item in DOCUMENT["paths"].values():
        for raw in item.values():
            for status, response in raw["responses"].items():
                content = behind(DOCUMENT, response)["content"]["application/json"]
                paths[f"/{raw['operationId']}/{status}"] = {
                    "post": {
                        "requestBody": {
                            "required": True,
                            "content": {"application/json": {"schema": content["schema"]}},
                        },
                        "responses": {"200": {"description": "unused"}},
                    }
                }
    mirror = schemathesis.openapi.from_dict(
        {"openapi": "3.1.0", "info": DOCUMENT["info"], "paths": paths, "components": DOCUMENT["components"]}
    )
    positive = schemathesis.GenerationMode.POSITIVE
    return {
        (operation_id, status): mirror[f"/{operation_id}/{status}"]["POST"]
        .as_strategy(generation_mode=positive)
        .map(lambda case: case.body)
        for operation_id, status in DOCUMENTED
    }


ANSWERS = _mirror()
noticed = st.one_of(st.just({}), st.just({NOTICE: "Claim your account"}), st.just({NOTICE: {"url": "https://x"}}))
"""What the service may add to any answer."""


def answer(data: Any, operation_id: str, status: int) -> Any:
    """A documented answer; it is checked that it is one, so that the strategy cannot make the test easy."""
    body = data.draw(ANSWERS[operation_id, status])
    named = _named(operation_id, status)
    if named and data.draw(st.booleans()):  # nearly all drawn answers have more keys than the spec names
        body = {key: value for key, value in body.items() if key in named}
    body = {**body, **data.draw(noticed)}
    assert problem(OPERATIONS[operation_id].responses[status], body) is None
    return body


def _named(operation_id: str, status: int) -> set[str]:
    """The keys that the spec names for an answer, where it names them in one place."""
    operation = OPERATIONS[operation_id]
    raw = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"][str(status)]
    content = behind(DOCUMENT, raw)["content"]["application/json"]
    return set(behind(DOCUMENT, content["schema"]).get("properties", ()))


def instants(value: Any) -> Any:
    """A JSON value in which every text that is a time is that time: the models write Z as +00:00."""
    if isinstance(value, dict):
        return {key: instants(each) for key, each in value.items()}
    if isinstance(value, list):
        return [instants(each) for each in value]
    return moment(value) if isinstance(value, str) and len(value) > 15 else value


def moment(text: Any) -> Any:
    try:
        found = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return text
    return found if found.tzinfo is not None else text


@pytest.mark.parametrize(("operation_id", "status"), DOCUMENTED)
def test_the_generated_parser_reads_every_documented_answer_and_loses_nothing(operation_id, status):
    parser = import_module(f"mem0_exports_api.api.{MODULES[operation_id]}.{operation_id}")._build_response
    client = AuthenticatedClient(base_url="https://service.example", token="t", raise_on_unexpected_status=True)

    @drawn(EXAMPLES)
    @given(data=st.data())
    def run(data):
        body = answer(data, operation_id, status)

        read = parser(client=client, response=httpx.Response(status, json=body))

        assert read.parsed is not None
        assert instants(read.parsed.to_dict()) == instants(body)
        seen["generated", operation_id, status] += 1

    run()


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("operation_id", "status"), DOCUMENTED)
def test_the_client_reads_every_documented_answer(operation_id, status, kind):
    with scripted(kind) as (client, transport):

        @drawn(EXAMPLES)
        @given(data=st.data())
        def run(data):
            body = answer(data, operation_id, status)
            transport.answers(*told(operation_id, status, body))
            if status < 300:
                SUCCESSES[operation_id](client, body)
            elif (operation_id, status) == ("exports_get", 404):
                pending(client, body)
            else:
                refused(client, operation_id, status, body)
            assert transport.asked, "the answer was read by nobody"
            seen[kind, operation_id, status] += 1

        run()


def told(operation_id: str, status: int, body: Any) -> list[tuple[int, Any]]:
    """The answers of a service: a page that says there is another one is followed by an empty last one."""
    return [(status, body), EMPTY] if operation_id in {"memories_list", "entities_list"} else [(status, body)]


CALLS = {
    "exports_create": lambda client: client.exports.create({"type": "object"}, WHERE),
    "exports_get": lambda client: client.exports.get("export-1", {"type": "object"}).poll(),
    "ping": lambda client: client.ping(),
    "memories_add": lambda client: client.memories.add("x", user_id="alex"),
    "memories_list": lambda client: list(client.memories.list(WHERE)),
    "entities_list": lambda client: list(client.entities.list()),
}


def refused(client: Any, operation_id: str, status: int, body: Any) -> None:
    """The error of this status, with the sentence that the spec puts into this answer."""
    with pytest.raises(StatusError) as error:
        CALLS[operation_id](client)

    assert type(error.value) is ERRORS[status]
    assert (error.value.status, error.value.operation) == (status, operation_id)
    candidates = [body.get("message"), body.get("error"), body.get("detail"), *_details(body)]
    said = [visible(each) for each in candidates if isinstance(each, str) and visible(each)]
    shown = visible(error.value.message)
    assert not said or any(each == shown or each.startswith(shown.removesuffix("…")) for each in said)


def _details(body: Any) -> list[Any]:
    holders = [each for each in (body.get("details"), body.get("error")) if isinstance(each, dict)]
    return [each.get("message") for each in holders]


def pending(client: Any, body: Any) -> None:
    """Not yet; or failed, where there is a reason; or an error, where there is more than the spec names."""
    if body.keys() - {"error", "reason", NOTICE}:  # a proxy's page, for all the client knows: docs/reliability.md
        refused(client, "exports_get", 404, body)
        branches["more"] += 1
    elif "reason" in body:
        with pytest.raises(ExportFailed) as failed:
            CALLS["exports_get"](client)
        assert failed.value.export_id == "export-1"
        assert visible(body["reason"]).startswith(visible(failed.value.reason).removesuffix("…"))
        branches["failed"] += 1
    else:
        assert CALLS["exports_get"](client) is None
        branches["pending"] += 1


def created(client: Any, body: Any) -> None:
    assert CALLS["exports_create"](client).id == body["id"]


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


def exported(client: Any, body: Any) -> None:
    """The object itself, without the notice, in whatever way it is read."""
    expected = {key: value for key, value in body.items() if key != NOTICE}

    assert CALLS["exports_get"](client) == expected
    untouched = Schema.of({"type": "object"}, validate="off")
    assert client.exports.get("export-1", untouched).poll() == expected
    assert client.exports.get("export-1", Anything).poll().model_extra == expected
    kept = client.exports.get("export-1", {"type": "object", "properties": {NOTICE: {}}}).poll()
    assert kept == body, "a schema that names the notice asks for it"


def account(client: Any, body: Any) -> None:
    found = CALLS["ping"](client)
    fields = ("org_id", "project_id", "user_email")
    assert found.status == body["status"]
    assert [getattr(found, name) for name in fields] == [body.get(name) for name in fields]


def added(client: Any, body: Any) -> None:
    found = CALLS["memories_add"](client)
    assert [(each.id, each.memory) for each in found] == [
        (each["id"].lower(), each["data"]["memory"]) for each in body["results"]
    ]


def listed(client: Any, body: Any) -> None:
    expected = once((each["id"].lower(), each) for each in body["results"])
    found = CALLS["memories_list"](client)

    same = ("memory", "user_id", "agent_id", "app_id", "metadata", "categories", "expiration_date")
    for memory, each in zip(found, expected, strict=True):
        assert memory.id == each["id"].lower()
        assert {name: getattr(memory, name) for name in same} == {name: each.get(name) for name in same}
        assert memory.run_id == each.get("session_id")
        assert (memory.created_at, memory.updated_at) == (moment(each["created_at"]), moment(each.get("updated_at")))


def entities(client: Any, body: Any) -> None:
    expected = once(((each["type"], each["name"]), each) for each in body["results"])
    found = CALLS["entities_list"](client)

    for entity, each in zip(found, expected, strict=True):
        assert (entity.name, entity.type, entity.id) == (each["name"], each["type"], each["id"])
        assert entity.created_at == moment(each.get("created_at"))
        assert entity.updated_at == moment(each.get("updated_at"))


SUCCESSES = {
    "exports_create": created,
    "exports_get": exported,
    "ping": account,
    "memories_add": added,
    "memories_list": listed,
    "entities_list": entities,
}


def test_every_documented_answer_was_drawn_and_read_in_each_way(request):
    ran = {getattr(item, "originalname", item.name) for item in request.session.items}
    if not {"test_the_client_reads_every_documented_answer"} <= ran:
        pytest.fail("this gate counts what the whole module did: run the file, not this test alone")

    expected = {(way, *pair) for way in ("generated", "sync", "async") for pair in DOCUMENTED}

    assert json.dumps(sorted(expected - {key for key, count in seen.items() if count >= EXAMPLES // 2})) == "[]"
    assert min(branches[name] for name in ("pending", "failed", "more")) >= EXAMPLES // 4, dict(branches)


def test_the_examples_of_the_spec_are_read_too():
    """Those that a reader of the spec sees first."""
    with scripted("sync") as (client, transport):
        for item in DOCUMENT["paths"].values():
            for raw in item.values():
                for status, response in raw["responses"].items():
                    for example in behind(DOCUMENT, response)["content"]["application/json"]["examples"].values():
                        transport.answers(*told(raw["operationId"], int(status), example["value"]))
                        if status.startswith("2"):
                            SUCCESSES[raw["operationId"]](client, example["value"])
                        elif (raw["operationId"], status) == ("exports_get", "404"):
                            pending(client, example["value"])
                        else:
                            refused(client, raw["operationId"], int(status), example["value"])
