"""Every kind of answer that a service or a proxy may give, from a real loopback server: always an error of this package."""

from __future__ import annotations

import http.server
import json
import socket
import threading

from types import SimpleNamespace

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
from tests.support.patience import patient


class Model(BaseModel):
    name: str | None = None


@pytest.fixture(scope="module")
def service():
    """A server that answers what the test put into `answer`: status, headers, body; and keeps what it was asked."""
    state = SimpleNamespace(answer=(200, {}, b""), asked=[])

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self):
            length = int(self.headers.get("content-length", 0))
            state.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
            status, headers, body = state.answer
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
    service.asked.clear()
    with Client("key", base_url=f"{service.url}/base/", timeout=patient(5), retry=Retry(attempts=1)) as made:
        yield made


def test_what_is_sent(service, client):
    service.answer = (201, {}, b'{"message": "ok", "id": "550e8400-e29b-41d4-a716-446655440000"}')

    job = client.exports.create(Model, F.user_id == "alex", instructions="newest wins", project_id="p")

    ((method, path, headers, body),) = service.asked
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


def test_pages_are_counted_and_the_address_of_the_next_page_is_not_followed(service, client):
    one = '{"id": "550e8400-e29b-41d4-a716-446655440001", "memory": "m", "created_at": "2025-01-01T00:00:00-07:00"}'
    elsewhere = "http://127.0.0.1:9/steal/?page=2"
    page = f'{{"count": 2, "next": "{elsewhere}", "previous": null, "results": [{one}]}}'
    service.answer = (200, {}, page.encode())
    memories = client.memories.list(F.user_id == "alex")

    first = next(memories)
    service.answer = (200, {}, page.replace(f'"{elsewhere}"', "null").replace("0001", "0002").encode())
    rest = list(memories)

    assert [path for _, path, *_ in service.asked] == [
        "/base/v3/memories/?page=1&page_size=200",
        "/base/v3/memories/?page=2&page_size=200",
    ]
    assert (first.run_id, first.metadata, first.updated_at) == (None, None, None), "what is not sent is None"
    assert len(rest) == 1


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "words"),
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
def test_every_other_status_is_an_error_of_its_kind(service, client, status, headers, body, kind, words):
    service.answer = (status, headers, body)

    with pytest.raises(kind, match=words) as refused:
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
def test_a_success_that_is_not_what_the_spec_promises_breaks_the_contract(service, client, body):
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


def listed(service, client, *answers):
    """The texts that the list gives for these pages, one after the other."""
    remaining = iter(answers)
    service.answer = next(remaining)
    texts = []
    for memory in client.memories.list(F.user_id == "alex"):
        texts.append(memory.memory)
        service.answer = next(remaining, service.answer)
    return texts


def test_an_item_that_moves_to_the_next_page_comes_once(service, client):
    pages = page_of([1], count=3, more=True), page_of([1, 2], count=3, more=False)

    assert listed(service, client, *pages) == ["1", "2"]


def test_a_page_that_is_gone_ends_the_list_and_a_first_one_does_not(service, client):
    gone = (404, {}, b'{"detail": "Invalid page."}')

    assert listed(service, client, page_of([1], count=2, more=True), gone) == ["1"]
    with pytest.raises(NotFound):
        listed(service, client, gone)


def test_a_service_that_repeats_one_page_for_ever_breaks_the_contract(service, client):
    with pytest.raises(ContractViolation, match="repeats"):
        listed(service, client, page_of([1], count=9, more=True))
    assert len(service.asked) == 2


def test_whatever_goes_wrong_after_the_create_names_the_job(service, client):
    job_id = "550e8400-e29b-41d4-a716-446655440000"
    service.answer = (200, {}, json.dumps({"message": "ok", "id": job_id, "error": "x"}).encode())
    bad = {"name": 5}

    class Other(BaseModel):
        id: int

    with pytest.raises(Mem0ExportsError) as failed:
        client.exports.run(Other, F.user_id == "alex", timeout=patient(5))
    assert failed.value.export_id == job_id

    service.answer = (201, {}, json.dumps({"message": "ok", "id": job_id}).encode())
    job = client.exports.create(Model, F.user_id == "alex", org_id="o", project_id="p")
    service.answer = (200, {}, json.dumps(bad).encode())
    with pytest.raises(Mem0ExportsError, match=job_id):
        job.result(timeout=patient(5))
    assert json.loads(service.asked[-1][3]) == {"memory_export_id": job_id, "org_id": "o", "project_id": "p"}


def test_a_refused_poll_of_run_carries_the_id(service, client, monkeypatch):
    job_id = "550e8400-e29b-41d4-a716-446655440000"
    service.answer = (201, {}, json.dumps({"message": "ok", "id": job_id}).encode())
    original = client.exports._driver._send

    def then_broken(*arguments):
        answer = original(*arguments)
        service.answer = (401, {}, b'{"detail": "Invalid API key."}')
        return answer

    monkeypatch.setattr(client.exports._driver, "_send", then_broken)
    with pytest.raises(Unauthorized) as failed:
        client.exports.run(Model, F.user_id == "alex", timeout=patient(5))

    assert failed.value.export_id == job_id
    assert job_id in "".join(failed.value.__notes__)


def test_any_2xx_with_an_id_is_a_job(service, client):
    service.answer = (200, {}, b'{"message": "ok", "id": "550E8400-E29B-41D4-A716-446655440000"}')

    assert client.exports.create(Model, F.user_id == "alex").id == "550E8400-E29B-41D4-A716-446655440000"


@pytest.mark.parametrize("status", [400, 403, 410])
def test_only_a_404_means_pending(service, client, status):
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
def test_a_404_that_is_not_the_documented_one_is_not_waited_on(service, client, body):
    service.answer = (404, {}, body)

    with pytest.raises(NotFound):
        client.exports.get("id", Model).result(timeout=patient(5))

    assert len(service.asked) == 1


def test_the_documented_404_is_waited_on_until_the_deadline(service, client):
    service.answer = (404, {}, b'{"error": "No memory export request found"}')

    with pytest.raises(ExportTimeout):
        client.exports.get("id", Model).result(timeout=patient(0.4))

    assert len(service.asked) >= 2


def test_nobody_there_is_a_connection_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(ConnectionFailed, match="ping"):
        Client("key", base_url=f"http://127.0.0.1:{port}").ping()
