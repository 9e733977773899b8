"""Test the client against every kind of answer of a service or a proxy, from a real loopback server."""

from __future__ import annotations

import http.server
import json
import socket
import threading

from types import SimpleNamespace
from uuid import UUID

import pytest

from pydantic import BaseModel

from mem0_exports import (
    BadRequest,
    Client,
    ConnectionFailed,
    ContractViolation,
    ExportTimeout,
    F,
    Forbidden,
    Mem0ExportsError,
    NotFound,
    RateLimited,
    Retry,
    ServerError,
    StatusError,
    Unauthorized,
)
from mem0_exports.http import operations
from mem0_exports.http.flow import Response
from tests.support.timeouts import scaled


class Model(BaseModel):
    name: str | None = None


@pytest.fixture(scope="module")
def service():
    """A server that gives `first_answers`, then always `answer` (status, headers, body).

    It appends each request to `requests`.
    """
    state = SimpleNamespace(answer=(200, {}, b""), first_answers=[], requests=[])

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self):
            length = int(self.headers.get("content-length", 0))
            state.requests.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
            status, headers, body = state.first_answers.pop(0) if state.first_answers else state.answer
            self.send_response_only(status, "Reason")
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = respond  # noqa: N815 -- http.server's names

        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()


@pytest.fixture
def client(service):
    service.requests.clear()
    service.first_answers.clear()
    with Client("key", base_url=f"{service.url}/base/", timeout=scaled(5), retry=Retry(attempts=1)) as opened:
        yield opened


def test_sends_the_documented_create_request(service, client):
    service.answer = (201, {}, b'{"message": "ok", "id": "550e8400-e29b-41d4-a716-446655440000"}')

    job = client.exports.create(Model, F.user_id == "alex", instructions="newest wins", project_id="p")

    ((method, path, headers, body),) = service.requests
    sent = {name.lower(): value for name, value in headers.items()}
    assert (method, path) == ("POST", "/base/v1/exports/")
    assert sent["authorization"] == "Token key"
    assert sent["content-type"] == "application/json"
    assert sent["user-agent"].startswith("mem0-exports/")
    assert json.loads(body) == {
        "schema": {
            "type": "object",
            "properties": {"name": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}},
        },
        "filters": {"AND": [{"user_id": "alex"}]},
        "export_instructions": "newest wins",
        "project_id": "p",
    }
    assert job.id == "550e8400-e29b-41d4-a716-446655440000"


def test_lists_pages_by_number_and_ignores_the_url_of_the_next_page(service, client):
    one = '{"id": "550e8400-e29b-41d4-a716-446655440001", "memory": "m", "created_at": "2025-01-01T00:00:00-07:00"}'
    elsewhere = "http://127.0.0.1:9/steal/?page=2"
    page = f'{{"count": 2, "next": "{elsewhere}", "previous": null, "results": [{one}]}}'
    service.answer = (200, {}, page.encode())
    memories = client.memories.list(F.user_id == "alex")

    first = next(memories)
    service.answer = (200, {}, page.replace(f'"{elsewhere}"', "null").replace("0001", "0002").encode())
    rest = list(memories)

    assert [path for _, path, *_ in service.requests] == [
        "/base/v3/memories/?page=1&page_size=200",
        "/base/v3/memories/?page=2&page_size=200",
    ]
    assert (first.run_id, first.metadata, first.updated_at) == (None, None, None), "absent fields are None"
    assert len(rest) == 1


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "message"),
    [
        (400, {}, b'{"message": "Schema is required"}', BadRequest, "Schema is required"),
        (400, {}, b'{"error": "One of the filters"}', BadRequest, "One of the filters"),
        (400, {}, b'{"error": "400 Bad Request", "details": {"message": "no user"}}', BadRequest, "no user"),
        (400, {}, b'{"error": "no user", "details": {"message": " "}}', BadRequest, "no user"),
        (400, {}, b'{"name": ["This field is required."]}', BadRequest, "name: This field is required."),
        (422, {}, b"{}", BadRequest, "{}"),
        (401, {}, b'{"detail": "Invalid API key."}', Unauthorized, "Invalid API key."),
        (403, {}, b'{"detail": "No permission"}', Forbidden, "No permission"),
        (404, {}, b"<html>no such page</html>", NotFound, "no such page"),
        (429, {"retry-after": "7"}, b"", RateLimited, "no message"),
        (500, {"x-request-id": "r-1"}, b"\xff\xfe", ServerError, "500"),
        (502, {}, b"<html>" + b"bad gateway " * 1000, ServerError, "bad gateway"),
        (520, {}, b"", ServerError, "520"),
        (301, {"location": "https://elsewhere/"}, b"", StatusError, "elsewhere.*base_url"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_maps_every_error_status_to_its_exception(service, client, status, headers, body, kind, message):
    service.answer = (status, headers, body)

    with pytest.raises(kind, match=message) as refused:
        client.ping()

    assert type(refused.value) is kind
    assert refused.value.status == status
    assert refused.value.retry_after == (7 if status == 429 else None)
    assert refused.value.request_id == headers.get("x-request-id")
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>welcome</html>",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"message": "ok"}',
        b'{"message": "ok", "id": "no uuid"}',
        b'{"message": "ok", "id": 5}',
        b'{"message": "ok", "id": null}',
        b'{"message": ',
        b"\xff\xfe",
        b"[" * 200_000,
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_raises_contract_violation_for_a_201_that_does_not_match_the_spec(service, client, body):
    service.answer = (201, {}, body)

    with pytest.raises(ContractViolation, match="exports_create: 201") as broken:
        client.exports.create(Model, F.user_id == "alex")

    assert broken.value.excerpt == body[:200].decode("utf-8", "replace")


def page_of(numbers, *, count, more):
    items = [
        {
            "id": f"550e8400-e29b-41d4-a716-4466554400{number:02}",
            "memory": str(number),
            "created_at": "2025-01-01T00:00:00Z",
        }
        for number in numbers
    ]
    return (
        200,
        {},
        json.dumps({"count": count, "next": "x" if more else None, "previous": None, "results": items}).encode(),
    )


def list_texts(service, client, *answers):
    """List memories while the service answers with these pages one after the other; return their texts."""
    remaining = iter(answers)
    service.answer = next(remaining)
    texts = []
    for memory in client.memories.list(F.user_id == "alex"):
        texts.append(memory.memory)
        service.answer = next(remaining, service.answer)
    return texts


def test_yields_a_memory_once_if_it_moves_to_the_next_page(service, client):
    pages = page_of([1], count=3, more=True), page_of([1, 2], count=3, more=False)

    assert list_texts(service, client, *pages) == ["1", "2"]


def test_a_404_ends_the_list_unless_it_is_for_the_first_page(service, client):
    gone = (404, {}, b'{"detail": "Invalid page."}')

    assert list_texts(service, client, page_of([1], count=2, more=True), gone) == ["1"]
    with pytest.raises(NotFound):
        list_texts(service, client, gone)


def test_raises_contract_violation_if_the_service_repeats_a_page(service, client):
    with pytest.raises(ContractViolation, match="repeats"):
        list_texts(service, client, page_of([1], count=9, more=True))
    assert len(service.requests) == 2


def test_errors_after_the_create_name_the_export(service, client):
    job_id = "550e8400-e29b-41d4-a716-446655440000"
    service.answer = (200, {}, json.dumps({"message": "ok", "id": job_id, "error": "x"}).encode())
    bad = {"name": 5}

    class Other(BaseModel):
        id: int

    with pytest.raises(Mem0ExportsError) as failed:
        client.exports.run(Other, F.user_id == "alex", timeout=scaled(5))
    assert failed.value.export_id == job_id

    service.answer = (201, {}, json.dumps({"message": "ok", "id": job_id}).encode())
    job = client.exports.create(Model, F.user_id == "alex", org_id="o", project_id="p")
    service.answer = (200, {}, json.dumps(bad).encode())
    with pytest.raises(Mem0ExportsError, match=job_id):
        job.result(timeout=scaled(5))
    assert json.loads(service.requests[-1][3]) == {"memory_export_id": job_id, "org_id": "o", "project_id": "p"}


def test_a_refused_poll_of_run_names_the_export(service, client, monkeypatch):
    job_id = "550e8400-e29b-41d4-a716-446655440000"
    service.answer = (201, {}, json.dumps({"message": "ok", "id": job_id}).encode())
    original = client.exports._driver._send

    def send_and_revoke_key(*arguments):
        answer = original(*arguments)
        service.answer = (401, {}, b'{"detail": "Invalid API key."}')
        return answer

    monkeypatch.setattr(client.exports._driver, "_send", send_and_revoke_key)
    with pytest.raises(Unauthorized) as failed:
        client.exports.run(Model, F.user_id == "alex", timeout=scaled(5))

    assert failed.value.export_id == job_id
    assert job_id in "".join(failed.value.__notes__)


def test_accepts_any_2xx_with_an_id_as_a_created_export(service, client):
    service.answer = (200, {}, b'{"message": "ok", "id": "550E8400-E29B-41D4-A716-446655440000"}')

    assert client.exports.create(Model, F.user_id == "alex").id == "550E8400-E29B-41D4-A716-446655440000"


@pytest.mark.parametrize("status", [400, 403, 410])
def test_only_a_404_means_that_an_export_is_pending(service, client, status):
    service.answer = (status, {}, b'{"error": "No memory export request found"}')

    with pytest.raises(StatusError):
        client.exports.get("id", Model).poll()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>wrong host</html>",
        b'{"detail": "Not found."}',
        b"",
        b"[]",
        b'{"status": 404, "error": "Not Found", "path": "/v1/exports/get/"}',
        b'{"error": {"code": "no_route"}}',
        b'{"error": "x", "reason": 5}',
    ],
)
def test_does_not_poll_on_after_an_undocumented_404(service, client, body):
    service.answer = (404, {}, body)

    with pytest.raises(NotFound):
        client.exports.get("id", Model).result(timeout=scaled(5))

    assert len(service.requests) == 1


PENDING = (404, {}, b'{"error": "No memory export request found"}')


def test_polls_on_after_the_documented_404(service, client):
    service.first_answers = [PENDING, PENDING]
    service.answer = (200, {}, b'{"name": "Alex"}')

    assert client.exports.get("id", Model).result(timeout=scaled(60)) == Model(name="Alex")

    assert len(service.requests) == 3


def test_stops_polling_at_the_deadline(service, client):
    service.answer = PENDING

    with pytest.raises(ExportTimeout):
        client.exports.get("id", Model).result(timeout=scaled(1))


def test_raises_connection_failed_if_no_server_listens():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(ConnectionFailed, match="ping"):
        Client("key", base_url=f"http://127.0.0.1:{port}").ping()


ID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("fields", "run_id"),
    [
        ({"session_id": "s"}, "s"),
        ({"run_id": "r"}, "r"),
        ({"session_id": None, "run_id": "r"}, "r"),
        ({"session_id": "s", "run_id": "r"}, "s"),
        ({}, None),
    ],
)
def test_reads_the_run_of_a_memory_under_both_names(fields, run_id):
    memory = {"id": ID, "memory": "x", "created_at": "2025-03-04T18:20:00Z", "updated_at": None, **fields}
    call = operations.memories_get(UUID(ID))

    read = call.read(Response(200, {}, json.dumps(memory).encode()))

    assert (read.run_id, read.updated_at) == (run_id, None)
