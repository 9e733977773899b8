"""Test that the client covers openapi.yaml: whatever the spec allows can be sent, and whatever it answers is read.

A failure names what the client lacks, and where it goes. What is left out on purpose stands in NOT_SENT or NOT_READ,
with the reason.
"""

from __future__ import annotations

import contextlib
import json

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from mem0_exports import AsyncClient, Client, F, Mem0ExportsError, Retry, Schema, StatusError
from tests.support import spec
from tests.support.blocking import blocking
from tests.support.spec_properties import Property, properties, sample, sent


DOCUMENT = spec.load()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, method, operation in spec.raw_operations(DOCUMENT)
}
SUCCESSES = {
    name: int(next(status for status in raw["responses"] if status < "3")) for name, (_, _, raw) in OPERATIONS.items()
}

MEMORY_ID = "550e8400-e29b-41d4-a716-446655440000"
NOW = datetime(2025, 3, 4, 18, 20, tzinfo=UTC)
EVERY_FILTER = (
    (F.user_id == "alex")
    & F.user_id.in_("alex", "mara")
    & (F.agent_id != "bot")
    & (F.app_id.exists() | (F.run_id == "r"))
    & ~(F.categories.contains("food"))
    & F.categories.in_("food")
    & (F.created_at > NOW)
    & (F.created_at >= NOW)
    & (F.created_at < NOW)
    & (F.created_at <= NOW)
    & (F.created_at != NOW)
    & F.updated_at.in_(NOW)
    & (F.timestamp == NOW)
    & (F.expiration_date == NOW)
    & (F.metadata["city"] == "Lisbon")
    & F.keywords.contains("a")
    & F.keywords.icontains("b")
    & F.memory_ids.in_("id")
)

EVERY_ARGUMENT: dict[str, Callable[[Any], Any]] = {
    "exports_create": lambda client: (
        client.exports.create(
            Schema.of({"type": "object"}), EVERY_FILTER, instructions="newest", org_id="o", project_id="p"
        ).id
    ),
    "exports_get": lambda client: client.exports.get(
        "id", Schema.of({"type": "object"}), org_id="o", project_id="p"
    ).poll(),
    "exports_report": lambda client: client.exports.report(MEMORY_ID),
    "exports_list": lambda client: list(client.exports.list(page_size=7)),
    "exports_cancel": lambda client: client.exports.cancel(MEMORY_ID),
    "exports_delete": lambda client: client.exports.delete(MEMORY_ID),
    "ping": lambda client: client.ping(),
    "memories_add": lambda client: client.memories.add(
        "text",
        user_id="u",
        agent_id="a",
        app_id="p",
        run_id="r",
        metadata={"city": "Lisbon"},
        timestamp=NOW,
        expiration_date=date(2026, 1, 31),
    ),
    "memories_get": lambda client: client.memories.get(MEMORY_ID),
    "memories_delete": lambda client: client.memories.delete(MEMORY_ID),
    "memories_list": lambda client: list(client.memories.list(EVERY_FILTER, show_expired=True, page_size=7)),
    "entities_list": lambda client: list(client.entities.list(page_size=7)),
}
"""Each operation's public method, called with every argument that reaches the request."""

READS_BY_POST = {"exports_get", "memories_list"}
"""Operations that change nothing although they are POSTs."""

NOT_SENT = {
    "AddMemoriesRequest.source": "names the program of the request, such as the official command; changes nothing",
    "ListMemoriesRequest.source": "names the program of the request, such as the official command; changes nothing",
    "GetMemoryExportRequest.filters": "a handle has the id of its export; the newest export of a filter may be another's",
    "EntityOperators.eq": "written as the bare id, which means the same",
    "MemoryIdsOperators.in": "written as the bare list, which means the same",
}
"""Properties of requests that the client does not send, and why."""

NOT_READ = {
    "AddedMemories.message": "the same sentence for every add",
    "AddedMemories.status": "SUCCEEDED even where nothing was stored; the results say what was",
    "AddedMemories.event_id": "no operation of the client takes it",
    "AddedMemory.event": "always ADD, since memories are stored word for word",
    "EntityPage.count": "only tells a list that shrank while it was read from a service that repeats pages",
    "EntityPage.previous": "pages are counted",
    "EntityPage.total_agents": "count the entities of the list",
    "EntityPage.total_apps": "count the entities of the list",
    "EntityPage.total_runs": "count the entities of the list",
    "EntityPage.total_users": "count the entities of the list",
    "DeletedMemory.message": "the same sentence for every memory",
    "DeletedMemoryExport.message": "the same sentence for every export",
    "DetailedError.error": "repeats the status; the message stands in details",
    "Memory.run_id": "read only where session_id is missing; test_responses.py tests that",
    "MemoryExportAccepted.message": "the same sentence for every export",
    "MemoryExportNotFound.error": "the same sentence for pending, unknown, expired and failed exports",
    "MemoryExportPage.count": "only tells a list that shrank while it was read from a service that repeats pages",
    "MemoryExportPage.previous": "pages are counted",
    "MemoryPage.count": "only tells a list that shrank while it was read from a service that repeats pages",
    "MemoryPage.previous": "pages are counted",
}
"""Properties of responses that no result and no error shows, and why."""


class Service(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Gives one answer to the first request, and an empty page to the others; keeps the requests."""

    def __init__(self, status: int, body: bytes) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = status, body

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        empty_page = 200, b'{"count": 0, "next": null, "previous": null, "results": []}'
        status, body = self._answer if len(self.requests) == 1 else empty_page
        return httpx.Response(status, content=body, headers={"content-type": "application/json"} if body else {})

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._respond(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._respond(request)


@contextlib.contextmanager
def connected(kind: str, service: Service, retry: Retry | None = None) -> Iterator[Any]:
    options: dict[str, Any] = {
        "base_url": "https://service.example",
        "retry": retry or Retry(attempts=1),
        "transport": service,
    }
    if kind == "sync":
        with Client("m0-key", **options) as client:
            yield client
    else:
        with blocking(AsyncClient("m0-key", **options)) as client:
            yield client


def outcome(kind: str, operation: str, status: int, body: bytes) -> tuple[str, int]:
    """Return what a user sees of an answer: the result or the error, in words, and the number of requests."""
    service = Service(status, body)
    with connected(kind, service) as client:
        try:
            result: Any = EVERY_ARGUMENT[operation](client)
        except Mem0ExportsError as error:
            result = error
    return f"{type(result).__name__}: {result}", len(service.requests)


def body_of(operation: str, status: int, path: tuple[Any, ...] = (), *, other: bool = False) -> bytes:
    schema = response_schema(operation, status)
    return b"" if schema is None else json.dumps(sample(DOCUMENT, schema, path, other=other)).encode()


def response_schema(operation: str, status: int) -> dict[str, Any] | None:
    response = spec.behind(DOCUMENT, OPERATIONS[operation][2]["responses"][str(status)])
    schema: dict[str, Any] | None = response.get("content", {}).get("application/json", {}).get("schema")
    return schema


def request_schema(operation: str) -> dict[str, Any]:
    body = spec.behind(DOCUMENT, OPERATIONS[operation][2]["requestBody"])
    schema: dict[str, Any] = body["content"]["application/json"]["schema"]
    return schema


CALLABLE = [name for name in OPERATIONS if name in EVERY_ARGUMENT]  # a test below names those that are not
STATUSES = [(name, int(status)) for name in CALLABLE for status in OPERATIONS[name][2]["responses"]]
WITH_BODY = [name for name in CALLABLE if "requestBody" in OPERATIONS[name][2]]
IN_REQUESTS = {str(each): each for name in WITH_BODY for each in properties(DOCUMENT, request_schema(name))}
IN_RESPONSES: dict[tuple[str, int, str], Property] = {
    (name, status, str(each)): each
    for name, status in STATUSES
    if (schema := response_schema(name, status)) is not None
    for each in properties(DOCUMENT, schema)
}


def test_every_operation_has_a_public_method():
    missing = OPERATIONS.keys() - EVERY_ARGUMENT.keys()
    assert not missing, (
        f"no public method for {sorted(missing)}: write a function of that name in http/operations.py and methods of "
        "Client and AsyncClient, and call it with every argument in EVERY_ARGUMENT"
    )
    assert not EVERY_ARGUMENT.keys() - OPERATIONS.keys(), "EVERY_ARGUMENT has operations that openapi.yaml lacks"


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("operation", CALLABLE)
def test_the_client_can_send_every_parameter_and_property(operation, kind):
    method, path, raw = OPERATIONS[operation]
    service = Service(SUCCESSES[operation], body_of(operation, SUCCESSES[operation]))
    with connected(kind, service) as client:
        EVERY_ARGUMENT[operation](client)
    request = service.requests[0]

    assert (request.method, request.url.path) == (method, path.format(memory_id=MEMORY_ID, export_id=MEMORY_ID))
    lacking = {*spec.operations(DOCUMENT)[operation].parameters} - {*request.url.params}
    if "requestBody" in raw:
        schema = request_schema(operation)
        done = sent(DOCUMENT, schema, json.loads(request.content))
        wanted = {str(each) for each in properties(DOCUMENT, schema, without=NOT_SENT)}
        lacking |= wanted - {f"{model}.{name}" for model, name in done}
    assert not lacking, (
        f"{operation} cannot send {sorted(lacking)}: make each an argument of the method in both clients, pass it on in "
        f"http/operations.py, and set it in EVERY_ARGUMENT; or put it in NOT_SENT with the reason"
    )


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("operation", CALLABLE)
def test_only_operations_that_read_are_repeated_after_an_answer_that_leaves_the_outcome_open(operation, kind):
    service = Service(502, b"")
    with connected(kind, service, retry=Retry(attempts=2, initial_delay=0.001)) as client:
        with contextlib.suppress(Mem0ExportsError):
            EVERY_ARGUMENT[operation](client)
        reads = OPERATIONS[operation][0] == "GET" or operation in READS_BY_POST

    assert len(service.requests) > 1 if reads else len(service.requests) == 1, (
        f"{operation} reads" if reads else f"{operation} may be carried out twice: pass writes=True to call()"
    )


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("operation", "status", "name"), IN_RESPONSES, ids=lambda value: str(value))
def test_the_client_shows_every_property_of_a_response(operation, status, name, kind):
    found = IN_RESPONSES[operation, status, name]

    one = outcome(kind, operation, status, body_of(operation, status, found.path))
    two = outcome(kind, operation, status, body_of(operation, status, found.path, other=True))

    assert "ContractViolation" not in one[0] + two[0]
    if name in NOT_READ:
        assert one == two, f"{name} is shown after all: take it out of NOT_READ"
    else:
        assert one != two, (
            f"{operation} drops {name} of its {status}: read it in http/operations.py and make it a field of the record "
            "in models.py (an error's text: http/responses.py); or put it in NOT_READ with the reason"
        )


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("operation", "status"), STATUSES)
def test_every_documented_status_has_a_result_or_an_error_of_its_own(operation, status, kind):
    service = Service(status, body_of(operation, status))
    with connected(kind, service) as client:
        if status < 300:
            EVERY_ARGUMENT[operation](client)
            return
        with pytest.raises(Mem0ExportsError) as caught:
            EVERY_ARGUMENT[operation](client)
    assert type(caught.value) is not StatusError, (
        f"{operation} documents the status {status}, which has no class: add one to errors.py and to _KINDS in "
        "http/responses.py"
    )


def test_the_exceptions_are_all_needed():
    assert not NOT_SENT.keys() - IN_REQUESTS.keys(), "NOT_SENT has properties that no request has"
    assert not NOT_READ.keys() - {name for _, _, name in IN_RESPONSES}, "NOT_READ has properties that no response has"
