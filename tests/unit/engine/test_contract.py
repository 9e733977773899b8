"""Path parameters, typed query parameters and answers without a body, in-process and over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time

from contextlib import closing
from unittest import mock

import anyio
import httpx
import pytest
import uvicorn

from mem0_exports_engine import read_spec
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.operations import HANDLERS
from mem0_exports_engine.parameters import Values
from mem0_exports_engine.refusals import Outcome
from mem0_exports_engine.server.app import build
from mem0_exports_engine.transport import LocalTransport
from tests.support import spec


SECRET = "Lives in Lisbon/Porto"
ENCODED = "Lives%20in%20Lisbon%2FPorto"
TEXT = {"type": "string", "pattern": "^[^.]+$"}


def document():
    """Return the spec with operations on notes."""
    made = spec.load()
    error = {
        "description": "Refused.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ReasonError"}}},
    }
    found = {
        "description": "Found.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/MessageError"}}},
    }
    note = {"name": "note_id", "in": "path", "required": True, "schema": TEXT}
    security = [{"ApiKeyAuth": []}]
    unauthorized = {"$ref": "#/components/responses/Unauthorized"}
    made["paths"]["/v1/notes/{note_id}/"] = {
        "parameters": [note],
        "get": {
            "operationId": "note_get",
            "security": security,
            "responses": {"200": found, "401": unauthorized, "404": error},
        },
        "delete": {
            "operationId": "note_delete",
            "security": security,
            "responses": {"204": {"description": "Gone."}, "401": unauthorized, "404": error},
        },
    }
    made["paths"]["/v1/notes/search/"] = {
        "post": {
            "operationId": "note_search",
            "security": security,
            "responses": {"202": {"description": "Later."}, "401": unauthorized},
        }
    }
    return made  # fmt: skip


def note_get(service, request):
    return Outcome(200, {"message": request.parameters.get("note_id", str)})


def note_delete(service, request):
    return Outcome(204)


@pytest.fixture
def notes(monkeypatch):
    """The engine's contract has operations on notes, and all but note_search have handlers."""
    contract = read_spec.read(document())
    monkeypatch.setattr("mem0_exports_engine.engine.contract", lambda: contract)
    with mock.patch.dict(HANDLERS, note_get=note_get, note_delete=note_delete):
        yield


@pytest.fixture
def engine(notes):
    made = Engine()
    yield made
    made.close()


def respond(engine, method, path, query=""):
    answer = engine.respond(method, path, query, {}, b"")
    return answer.status, None if answer.body is None else json.loads(answer.body)


def test_path_parameter_is_one_percent_decoded_segment(engine):
    assert respond(engine, "GET", f"/v1/notes/{ENCODED}/") == (200, {"message": SECRET})
    assert respond(engine, "GET", "/v1/%6Eotes/%C3%A4/") == (200, {"message": "ä"})
    assert respond(engine, "GET", "/v1/notes/a/b/")[0] == 404
    assert respond(engine, "GET", "/v1/notes//")[0] == 404
    assert respond(engine, "GET", "/v1/notes/a") == (404, {"detail": "No such path: /v1/notes/a"})


@pytest.mark.parametrize(
    ("encoded", "message"),
    [("a.b", 'note_id: "a.b" does not match "^[^.]+$"'), ("%FF", "note_id must be percent-encoded UTF-8")],
)
def test_invalid_path_parameter_gets_the_documented_answer(engine, encoded, message):
    assert respond(engine, "GET", f"/v1/notes/{encoded}/") == (404, {"error": message})


def test_literal_path_wins_over_a_template(engine):
    assert engine.respond("GET", "/v1/notes/search/", "", {}, b"").headers == {"allow": "POST"}
    assert respond(engine, "HEAD", "/v1/notes/a/")[0] == 405
    assert engine.respond("PUT", "/v1/notes/a/", "", {}, b"").headers == {"allow": "GET, DELETE"}


def test_operation_without_a_handler_is_not_implemented(engine):
    status, answer = respond(engine, "POST", "/v1/notes/search/")

    assert status == 501
    assert answer == {"detail": "note_search is in openapi.yaml, but has no handler yet"}


def test_body_where_the_spec_has_none_is_a_bug_of_the_engine(engine):
    with mock.patch.dict(HANDLERS, note_delete=lambda *_: Outcome(204, {"message": "gone"})):
        status, answer = respond(engine, "DELETE", "/v1/notes/a/")

    assert status == 500
    assert answer["detail"].endswith("note_delete 204: a body where none is documented")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_answer_without_a_body_in_process(notes, kind):
    transport = LocalTransport(":memory:")
    request = ("DELETE", "/v1/notes/a/", "", {}, b"")
    with closing(transport):
        answer = transport.answer(*request) if kind == "sync" else anyio.run(transport.answer_async, *request)

    assert answer == (204, {}, b"")


def test_path_parameter_reaches_the_engine_as_it_was_sent_in_process(notes):
    with closing(LocalTransport(":memory:")) as transport:
        status, _, body = transport.answer("GET", f"/v1/notes/{ENCODED}/", "", {}, b"")

    assert (status, json.loads(body)) == (200, {"message": SECRET})


@pytest.fixture
def server(engine):
    """The URL of a server for the engine."""
    listening = socket.create_server(("127.0.0.1", 0))
    serving = uvicorn.Server(uvicorn.Config(build(engine), log_level="critical", lifespan="off", ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(serving.serve([listening])))
    thread.start()
    while not serving.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving.should_exit = True
    thread.join()


def test_answer_without_a_body_and_path_parameter_over_http(server):
    with httpx.Client(base_url=server) as client:
        gone = client.delete("/v1/notes/a/")
        assert (gone.status_code, gone.content) == (204, b"")
        assert not {"content-type", "content-length", "transfer-encoding"} & gone.headers.keys()
        assert client.get(f"/v1/notes/{ENCODED}/").json() == {"message": SECRET}, "on the same connection"


def test_values_of_path_parameters_are_not_logged(server, caplog):
    caplog.set_level(logging.DEBUG)
    with httpx.Client(base_url=server) as client:
        for path in (
            f"/v1/notes/{ENCODED}/",
            f"/v1/notes/{ENCODED}",
            f"/v1/notes/{ENCODED}/x/",
            "/v1/notes/a.b/",
            "/health",
        ):
            client.get(path)
    lines = [each for each in caplog.records if each.name == "mem0_exports_engine.requests"]

    paths = ["/v1/notes/{note_id}/", "/v1/notes/*", "/v1/notes/*/*/", "/v1/notes/{note_id}/", "/health"]
    assert [each.fields["path"] for each in lines] == paths
    logged = "".join(f"{each.getMessage()} {each.fields}" for each in lines)
    assert "Lisbon" not in logged
    assert "a.b" not in logged


def test_values_have_the_type_that_the_handler_asks_for():
    values = Values({"page": 1, "text": "1", "ratio": 1.0, "flag": True})

    assert (values.get("page", int), values.get("text", str), values.get("ratio", float)) == (1, "1", 1.0)
    assert values.find("flag", bool) is True
    assert values.find("missing", str) is None
    with pytest.raises(KeyError, match="missing"):
        values.get("missing", str)
    with pytest.raises(TypeError, match=r"flag is of type bool in openapi.yaml, not int"):
        values.get("flag", int)
    assert "1" not in repr(values)
