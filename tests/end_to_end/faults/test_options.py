"""Test that every option of every method takes effect, in both clients."""

from __future__ import annotations

import re
import time

import pytest

from mem0_exports import Client, ExportRequest, ExportTimeout, F, Mem0ExportsError, RequestTimeout, Retry
from mem0_exports.exports.api import CONCURRENCY, TIMEOUT
from mem0_exports.exports.bulk import Plan
from mem0_exports.exports.spec import Origin
from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.bulk_run import Result
from tests.end_to_end.faults.conftest import KEY
from tests.end_to_end.faults.server import MEMORY_ID
from tests.support.timeouts import longer_and_longer, scaled, wait_until


JOB = "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4"
ALEX = F.user_id == "alex"

CALLS = {
    "ping": lambda client, **options: client.ping(**options),
    "list": lambda client, **options: list(client.memories.list(ALEX, **options)),
    "entities": lambda client, **options: list(client.entities.list(**options)),
    "get": lambda client, **options: client.exports.get(JOB, Result).poll(**options),
    "create": lambda client, **options: client.exports.create(Result, ALEX, **options),
    "add": lambda client, **options: client.memories.add("x", user_id="alex", **options),
    "get_memory": lambda client, **options: client.memories.get(MEMORY_ID, **options),
    "delete": lambda client, **options: client.memories.delete(MEMORY_ID, **options),
}

WAITS = {
    "result": lambda client, **options: client.exports.get(JOB, Result).result(**{"timeout": scaled(30), **options}),
    "run": lambda client, **options: client.exports.run(Result, ALEX, **{"timeout": scaled(30), **options}),
}


@pytest.fixture(autouse=True)
def job(server):
    server.jobs[JOB] = {"filters": {"user_id": "alex"}}


@pytest.mark.parametrize("name", [*CALLS, *WAITS])
@pytest.mark.parametrize("attempts", [1, 4])
def test_retry_of_a_call_overrides_that_of_the_client(server, client, name, attempts):
    server.script = lambda _request: faults.UNAVAILABLE

    with pytest.raises(Mem0ExportsError):
        (CALLS | WAITS)[name](client, retry=Retry(attempts=attempts, initial_delay=0))

    assert server.requests.total() == attempts


@pytest.mark.parametrize("name", CALLS)
def test_timeout_of_a_call_overrides_that_of_the_client(server, client, name):
    server.script = lambda _request: faults.STALL

    with pytest.raises(RequestTimeout) as late:
        CALLS[name](client, timeout=0.3)

    within = re.search(r"no answer from 127.0.0.1:\d+ within (\S+) s", str(late.value))
    # On a busy machine, the timeout may expire before anything is sent.
    assert float(within[1]) <= 0.3 if within else "no time is left" in str(late.value)


@pytest.mark.parametrize("name", WAITS)
def test_wait_ends_at_its_timeout_and_calls_on_poll_for_each_poll(server, client, name):
    server.polls_until_ready = 10**9
    polls = []

    for timeout in longer_and_longer(1):
        polls.clear()
        with pytest.raises(ExportTimeout):
            WAITS[name](client, timeout=timeout, on_poll=lambda *arguments: polls.append(arguments))
        if len(polls) >= 2:
            break

    assert [number for number, _ in polls] == list(range(1, len(polls) + 1))
    assert len(polls) >= 2


def test_with_options_sets_the_retry_of_a_client(server, client):
    server.script = lambda _request: faults.UNAVAILABLE

    with pytest.raises(Mem0ExportsError):
        client.with_options(retry=Retry(attempts=5, initial_delay=0)).ping()

    assert server.requests["ping"] == 5


def recorded_bodies(server):
    """Record the first body of each operation from now on, and return them by operation."""
    bodies = {}

    def script(request):
        bodies.setdefault(request.operation, request.body)

    server.script = script
    return bodies


PROJECT = {"org_id": "o", "project_id": "p"}


def test_create_and_polls_send_org_id_and_project_id(server, client):
    bodies = recorded_bodies(server)

    client.exports.create(Result, ALEX, instructions="newest wins", **PROJECT).result(timeout=scaled(30))

    assert bodies["create"].items() >= {"export_instructions": "newest wins", **PROJECT}.items()
    assert bodies["get"].items() >= PROJECT.items()


@pytest.mark.parametrize("method", ["run", "run_many"])
def test_run_and_run_many_send_org_id_and_project_id(server, client, method):
    bodies = recorded_bodies(server)

    if method == "run":
        client.exports.run(Result, ALEX, instructions="newest wins", timeout=scaled(30), **PROJECT)
    else:
        list(client.exports.run_many([ExportRequest(Result, ALEX, instructions="newest wins", **PROJECT)]))

    assert bodies["create"].items() >= {"export_instructions": "newest wins", **PROJECT}.items()
    assert bodies["get"].items() >= PROJECT.items()


def test_get_sends_org_id_and_project_id(server, client):
    bodies = recorded_bodies(server)

    client.exports.get(JOB, Result, **PROJECT).poll()

    assert bodies["get"] == {"memory_export_id": JOB, **PROJECT}


def test_each_bulk_run_has_its_own_gate(client):
    def plan():
        settings = client.exports._settings if hasattr(client, "exports") else client._settings
        return Plan.of(
            getattr(settings, "_target", settings),
            origin=Origin("https://api.example", "account"),
            filter_rules=None,
            concurrency=CONCURRENCY,
            timeout=TIMEOUT,
            ordered=False,
            retry=None,
            ledger=None,
            on_progress=None,
            strict=False,
            reports=False,
        )

    first, second = plan(), plan()

    assert first.settings.gate is not None
    assert first.settings.gate is not second.settings.gate


def slow_requests(server, count, consumed):
    for number in range(count):
        if number > 0:
            wait_until(lambda: server.answered["get", 200], "the first export is ready")
            time.sleep(scaled(0.2))
        consumed.append(number)
        yield ExportRequest(Result, F.user_id == f"user-{number}")


def test_slow_iterable_does_not_delay_outcomes(server):
    """The first outcome is yielded before the last request is consumed. Sync only: it would block an event loop."""
    server.polls_until_ready = 0
    consumed = []

    with Client(KEY, base_url=server.url) as client:
        outcomes = client.exports.run_many(slow_requests(server, 6, consumed), concurrency=8)
        next(outcomes)

        assert len(consumed) < 6
        assert len(list(outcomes)) == 5


def test_bulk_run_uses_one_connection_per_concurrent_export(server, client):
    server.polls_until_ready = 0
    numbers = set()

    def script(request):
        numbers.add(request.number)
        return faults.STALL if request.operation == "create" else None

    server.script = script
    requests = [ExportRequest(Result, F.user_id == f"user-{number}") for number in range(40)]
    outcomes = list(client.with_options(timeout=scaled(3)).exports.run_many(requests, concurrency=40))

    assert {outcome.status for outcome in outcomes} == {"unknown"}
    assert server.connections == 40
