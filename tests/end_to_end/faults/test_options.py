"""Every option of every method, in both clients: it reaches what it is for."""

from __future__ import annotations

import re
import time

import pytest

from mem0_exports import Client, ExportRequest, ExportTimeout, F, Mem0ExportsError, RequestTimeout, Retry
from mem0_exports.exports.api import CONCURRENCY, TIMEOUT
from mem0_exports.exports.bulk import Plan
from mem0_exports.exports.spec import Origin
from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.bulk_run import Found
from tests.end_to_end.faults.conftest import KEY
from tests.support.patience import patient, until


JOB = "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4"
ALEX = F.user_id == "alex"

CALLS = {
    "ping": lambda client, **options: client.ping(**options),
    "list": lambda client, **options: list(client.memories.list(ALEX, **options)),
    "entities": lambda client, **options: list(client.entities.list(**options)),
    "get": lambda client, **options: client.exports.get(JOB, Found).poll(**options),
    "create": lambda client, **options: client.exports.create(Found, ALEX, **options),
    "add": lambda client, **options: client.memories.add("x", user_id="alex", **options),
}

WAITS = {
    "result": lambda client, **options: client.exports.get(JOB, Found).result(**{"timeout": patient(30), **options}),
    "run": lambda client, **options: client.exports.run(Found, ALEX, **{"timeout": patient(30), **options}),
}


@pytest.fixture(autouse=True)
def job(server):
    server.jobs[JOB] = {"filters": {"user_id": "alex"}}


@pytest.mark.parametrize("name", [*CALLS, *WAITS])
@pytest.mark.parametrize("attempts", [1, 4])
def test_the_retry_of_a_call_is_the_one_that_counts(server, client, name, attempts):
    server.script = lambda _asked: faults.UNAVAILABLE

    with pytest.raises(Mem0ExportsError):
        (CALLS | WAITS)[name](client, retry=Retry(attempts=attempts, initial_delay=0))

    assert server.requests.total() == attempts


@pytest.mark.parametrize("name", CALLS)
def test_the_timeout_of_a_call_is_the_one_that_counts(server, client, name):
    server.script = lambda _asked: faults.STALL

    with pytest.raises(RequestTimeout) as late:
        CALLS[name](client, timeout=0.3)

    within = re.search(r"no answer within (\S+) s", str(late.value))
    # On a busy machine, the time may be over before anything is sent.
    assert float(within[1]) <= 0.3 if within else "no time is left" in str(late.value)


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_has_a_timeout_and_tells_of_each_poll(server, client, name):
    server.polls_until_ready = 10**9
    heard = []

    with pytest.raises(ExportTimeout):
        WAITS[name](client, timeout=patient(1), on_poll=lambda *said: heard.append(said))

    assert [polls for polls, _ in heard] == list(range(1, len(heard) + 1))
    assert len(heard) >= 2


def test_other_options_of_a_client(server, client):
    server.script = lambda _asked: faults.UNAVAILABLE

    with pytest.raises(Mem0ExportsError):
        client.with_options(retry=Retry(attempts=5, initial_delay=0)).ping()

    assert server.requests["ping"] == 5


def sent(server):
    """The bodies of all requests, by operation."""
    bodies = {}

    def script(asked):
        bodies.setdefault(asked.operation, asked.body)

    server.script = script
    return bodies


FILED = {"org_id": "o", "project_id": "p"}


def test_what_an_export_is_filed_under_goes_with_the_create_and_with_each_poll(server, client):
    bodies = sent(server)

    client.exports.create(Found, ALEX, instructions="newest wins", **FILED).result(timeout=patient(30))

    assert bodies["create"].items() >= {"export_instructions": "newest wins", **FILED}.items()
    assert bodies["get"].items() >= FILED.items()


@pytest.mark.parametrize("kind", ["run", "run_many"])
def test_the_same_for_run_and_for_many(server, client, kind):
    bodies = sent(server)

    if kind == "run":
        client.exports.run(Found, ALEX, instructions="newest wins", timeout=patient(30), **FILED)
    else:
        list(client.exports.run_many([ExportRequest(Found, ALEX, instructions="newest wins", **FILED)]))

    assert bodies["create"].items() >= {"export_instructions": "newest wins", **FILED}.items()
    assert bodies["get"].items() >= FILED.items()


def test_a_handle_by_its_id_is_filed_too(server, client):
    bodies = sent(server)

    client.exports.get(JOB, Found, **FILED).poll()

    assert bodies["get"] == {"memory_export_id": JOB, **FILED}


def test_each_bulk_run_has_a_gate_of_its_own(client):
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
        )

    first, second = plan(), plan()

    assert first.settings.gate is not None
    assert first.settings.gate is not second.settings.gate


def slow_requests(server, count, taken):
    for number in range(count):
        if number > 0:
            until(lambda: server.answered["get", 200], "the first export is ready")
            time.sleep(patient(0.2))
        taken.append(number)
        yield ExportRequest(Found, F.user_id == f"user-{number}")


def test_a_slow_iterable_holds_nothing_back(server):
    """What is ready is given before the last request is taken. (On an event loop it holds up everything.)"""
    server.polls_until_ready = 0
    taken = []

    with Client(KEY, base_url=server.url) as client:
        outcomes = client.exports.run_many(slow_requests(server, 6, taken), concurrency=8)
        next(outcomes)

        assert len(taken) < 6
        assert len(list(outcomes)) == 5


def test_a_whole_bulk_run_goes_over_as_many_connections_as_it_has_exports_under_way(server, client):
    server.polls_until_ready = 0
    waiting = set()

    def script(asked):
        waiting.add(asked.number)
        return faults.STALL if asked.operation == "create" else None

    server.script = script
    requests = [ExportRequest(Found, F.user_id == f"user-{number}") for number in range(40)]
    outcomes = list(client.with_options(timeout=patient(3)).exports.run_many(requests, concurrency=40))

    assert {outcome.status for outcome in outcomes} == {"unknown"}
    assert server.connections == 40
