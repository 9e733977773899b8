"""Bulk exports: all of them, once each, in little memory, whatever the network does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time

import pytest

from mem0_exports import (
    AsyncClient,
    Client,
    ExportInvalid,
    ExportRequest,
    ExportTimeout,
    F,
    FilterError,
    InputError,
    Ledger,
    OutcomeUnknown,
    Retry,
    SchemaError,
)
from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.bulk_run import WEIGHTS, Found, check, requests, run
from tests.end_to_end.faults.conftest import KEY
from tests.end_to_end.faults.server import FaultServer, at_random, once
from tests.support.patience import patient, until


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("seed", [1, 2])
def test_all_results_are_right_and_nothing_is_created_twice(asynchronous, seed):
    with FaultServer(polls_until_ready=1, script=at_random(0.2, seed, WEIGHTS)) as server:
        outcomes = run(server.url, 200, asynchronous=asynchronous)

        figures = check(outcomes, server, 200)

    assert figures["faults"] > 50
    assert figures["unknown"] > 5


@pytest.mark.parametrize(("ordered", "places"), [(False, [1, 2, 3, 4, 5, 0]), (True, [0, 1, 2, 3, 4, 5])])
def test_outcomes_come_as_they_complete_or_in_the_order_of_the_requests(server, client, ordered, places):
    """The first job is ready after three polls, the others after one; two are under way at once."""
    server.polls_until_ready = lambda body: 3 if faults.user_of(body["filters"]) == "user-0" else 0

    outcomes = list(client.exports.run_many(requests(6), concurrency=2, ordered=ordered))

    assert [outcome.index for outcome in outcomes] == places
    assert [outcome.request.tag for outcome in outcomes] == [f"user-{place}" for place in places]
    assert {outcome.status for outcome in outcomes} == {"ready"}


def test_a_slow_export_holds_the_others_back_only_where_they_have_to_wait_for_it(server, client):
    server.polls_until_ready = lambda body: 3 if faults.user_of(body["filters"]) == "user-0" else 0

    first = next(iter(client.exports.run_many(requests(9), concurrency=2, ordered=True)))

    assert first.index == 0
    assert len(server.created) == 4, "twice as many as may be under way"


@pytest.mark.parametrize("ordered", [False, True])
def test_requests_are_taken_only_as_there_is_room(server, client, ordered):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield ExportRequest(Found, F.user_id == f"u{taken}")

    outcomes = client.exports.run_many(endless(), concurrency=3, ordered=ordered)
    for given, _ in enumerate(outcomes, start=1):
        assert taken <= given + 2 * 3
        if given == 10:
            break
    close(outcomes)


def close(outcomes):
    """What leaving the loop does, in either client."""
    if hasattr(outcomes, "close"):
        outcomes.close()


def test_one_failure_never_stops_the_others(server, client):
    class Other(Found):
        more: int

    def refusing_value(value):
        raise ZeroDivisionError("the user's own validator")

    import pydantic

    class Broken(pydantic.BaseModel):
        user: str
        check = pydantic.field_validator("user")(refusing_value)

    asked = [
        ExportRequest(Found, {"user_id": []}, tag=FilterError),
        ExportRequest({"type": "array"}, F.user_id == "a", tag=SchemaError),
        ExportRequest(Other, F.user_id == "b", tag=ExportInvalid),
        ExportRequest(Broken, F.user_id == "c", tag=ZeroDivisionError),
        ExportRequest(Found, F.user_id == "d", tag=None),
        ExportRequest({"type": "object", "properties": {"n": {}}}, F.user_id == "e", tag=None),
    ]

    outcomes = list(client.exports.run_many(asked, concurrency=1))

    assert [type(outcome.error) for outcome in outcomes[:4]] == [outcome.request.tag for outcome in outcomes[:4]]
    assert [outcome.status for outcome in outcomes] == ["failed"] * 4 + ["ready"] * 2
    assert outcomes[2].export_id == server.created[0]
    with pytest.raises(ExportInvalid):
        outcomes[2].result()
    assert outcomes[4].result().user == "d"
    assert outcomes[5].result()["user"] == "e"


def test_an_export_that_is_not_ready_in_time_names_its_job(server, client):
    server.polls_until_ready = 10**9

    (outcome,) = client.exports.run_many(requests(1), timeout=patient(1.5))

    assert isinstance(outcome.error, ExportTimeout)
    assert outcome.export_id == outcome.error.export_id == server.created[0]


def test_all_wait_when_the_service_says_429(server, client):
    """One of them is told to wait a second, in which the others could send all that they have."""
    server.polls_until_ready = 0
    told = None
    waited = 0

    def script(asked):
        nonlocal told, waited
        if asked.operation == "create" and asked.number == 4:
            told = time.monotonic()
            return faults.RATE_LIMITED.but(seconds=1)
        waited += asked.operation == "create" and told is not None and time.monotonic() - told >= 1
        return None

    server.script = script
    outcomes = list(client.exports.run_many(requests(40), concurrency=4, retry=Retry(initial_delay=0.05)))

    assert {outcome.status for outcome in outcomes} == {"ready"}
    # Some creates come before all have heard of it, on a busy machine more of them.
    assert waited >= 20


def test_progress_counts_up_to_the_end(server, client):
    heard, threads = [], set()
    server.script = once(None, faults.RESET_AFTER)

    def on_progress(step):
        heard.append(step)
        threads.add(threading.current_thread().name.partition("-bulk")[1])
        assert step.ready == sum(each.event == "ready" for each in heard)

    outcomes = list(client.exports.run_many(requests(5), concurrency=2, on_progress=on_progress))

    assert len(outcomes) == 5
    assert threads == {""}, "never in a worker's thread"
    last = heard[-1]
    assert (last.started, last.finished, last.ready) == (5, 5, 4)
    assert [step.finished for step in heard] == sorted(step.finished for step in heard)
    events = {index: [step.event for step in heard if step.index == index] for index in range(5)}
    assert sorted(each[-1] for each in events.values()) == ["ready"] * 4 + ["unknown"]
    assert sorted(each[0] for each in events.values()) == ["created"] * 4 + ["unknown"]
    ready = next(step for step in heard if step.event == "ready")
    assert (ready.tag, ready.polls >= 1, ready.export_id in server.created) == (f"user-{ready.index}", True, True)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 101}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"timeout": 0}, "timeout"),
        ({"retry": 3}, "retry"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_before_anything_is_taken(server, client, wrong, field):
    with pytest.raises(InputError) as refused:
        client.exports.run_many(requests(1), **wrong)

    assert refused.value.field == field
    assert server.requests.total() == 0


def test_what_is_no_request_fails_alone(server, client):
    asked = [*requests(1), (Found, F.user_id == "a"), *requests(1)]

    outcomes = list(client.exports.run_many(asked, ordered=True))

    assert [outcome.status for outcome in outcomes] == ["ready", "failed", "ready"]
    assert isinstance(outcomes[1].error, InputError)
    assert "ExportRequest" in str(outcomes[1].error)


class Mistake(Exception):
    """The caller's own."""


def failing_after(count):
    yield from requests(count)
    raise Mistake


def test_what_the_callers_code_raises_is_raised_where_it_iterates(server, client):
    def on_progress(_step):
        raise Mistake

    with pytest.raises(Mistake):
        list(client.exports.run_many(failing_after(3), concurrency=2))
    with pytest.raises(Mistake):
        list(client.exports.run_many(requests(3), on_progress=on_progress))
    assert not bulk_threads()


def bulk_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("mem0-exports-bulk")]


def test_leaving_the_loop_stops_what_sleeps_at_once(server, caplog):
    """They sleep for longer than the test may take."""
    caplog.set_level(logging.DEBUG, logger="mem0_exports")
    server.polls_until_ready = lambda body: 0 if faults.user_of(body["filters"]) == "user-0" else 10**9
    with Client(KEY, base_url=server.url, retry=Retry(max_retry_after=3600)) as client:
        for outcome in client.exports.run_many(requests(50), concurrency=8, timeout=7200):
            assert outcome.request.tag == "user-0"
            server.script = lambda _asked: faults.RATE_LIMITED.but(seconds=3600)
            until(lambda: ": 429," in caplog.text, "one of them is told to wait, and so are all")
            time.sleep(0.1)  # so that it sleeps by now; if it does not, this test shows less, but does not fail
            break

    assert not bulk_threads()
    assert len(server.created) < 20


async def tasks_after_leaving(client):
    async with contextlib.aclosing(client.exports.run_many(requests(50), concurrency=8, timeout=600)) as outcomes:
        async for _outcome in outcomes:
            break
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


def test_leaving_the_loop_cancels_the_tasks(server):
    async def work():
        async with AsyncClient(KEY, base_url=server.url) as client:
            return await tasks_after_leaving(client)

    assert asyncio.run(work()) == []
    assert len(server.created) < 20


def test_cancelling_the_caller_cancels_the_tasks(server):
    server.polls_until_ready = 10**9

    async def collect(client):
        return [outcome async for outcome in client.exports.run_many(requests(50), concurrency=8, timeout=600)]

    async def work():
        async with AsyncClient(KEY, base_url=server.url) as client:
            collecting = asyncio.create_task(collect(client))
            while len(server.created) < 8:
                await asyncio.sleep(0.005)
            collecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await collecting
            await asyncio.sleep(0)
            return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(work()) == []
    assert len(server.created) == 8


def test_on_trio_it_says_what_to_do_instead(server):
    import trio

    from mem0_exports import ConfigurationError

    async def work():
        client = AsyncClient(KEY, base_url=server.url)
        with pytest.raises(ConfigurationError, match="nursery"):
            async for _outcome in client.exports.run_many(requests(1)):
                pass
        assert (await client.exports.run(Found, F.user_id == "a", timeout=patient(20))).user == "a"
        await client.close()

    trio.run(work)


# ---- with a ledger ---------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def test_what_is_finished_is_not_asked_again(server, client, path):
    with Ledger(path) as ledger:
        first = list(client.exports.run_many(requests(10), ledger=ledger))
        asked = server.requests.total()
        second = list(client.exports.run_many(requests(12), ledger=ledger, ordered=True))

    assert {outcome.status for outcome in first + second} == {"ready"}
    assert len(server.created) == 12
    assert server.requests.total() == asked + 2 + 2 * 2, "two creates, and two polls for each"
    assert [outcome.value.user for outcome in second] == [f"user-{number}" for number in range(12)]


def test_an_export_that_is_asked_for_twice_in_one_run_is_created_once(server, client, path):
    asked = [ExportRequest(Found, F.user_id == "alex", tag=number) for number in range(8)]

    with Ledger(path) as ledger:
        outcomes = list(client.exports.run_many(asked, concurrency=8, ledger=ledger))

    assert {outcome.status for outcome in outcomes} == {"ready"}, [
        repr(outcome.error) for outcome in outcomes if outcome.error
    ]
    assert len(server.created) == 1


def test_what_is_pending_is_waited_for(server, client, path):
    server.polls_until_ready = 10**9
    with Ledger(path) as ledger:
        late = list(client.exports.run_many(requests(3), ledger=ledger, timeout=patient(2)))
    server.polls_until_ready = 0
    heard = []
    with Ledger(path) as ledger:
        outcomes = list(client.exports.run_many(requests(3), ledger=ledger, on_progress=heard.append))

    assert [type(outcome.error) for outcome in late] == [ExportTimeout] * 3
    assert {outcome.status for outcome in outcomes} == {"ready"}
    assert len(server.created) == 3
    assert [step.event for step in heard if step.event in {"created", "resumed"}] == ["resumed"] * 3


@pytest.mark.parametrize(
    ("on_unknown", "status", "created"), [("raise", "unknown", 1), ("skip", "skipped", 1), ("ask_again", "ready", 2)]
)
def test_a_lost_answer_follows_the_choice_of_the_caller(server, client, path, on_unknown, status, created):
    server.script = once(faults.RESET_AFTER)
    with Ledger(path) as ledger:
        (lost,) = client.exports.run_many(requests(1), ledger=ledger)
    with Ledger(path, on_unknown=on_unknown) as ledger:
        (outcome,) = client.exports.run_many(requests(1), ledger=ledger)
        (entry,) = ledger.entries()

    assert (lost.status, lost.lost_answers, lost.error.outcome_unknown) == ("unknown", 1, True)
    assert (outcome.status, outcome.lost_answers, len(server.created)) == (status, 1, created)
    if outcome.status != "ready":
        assert isinstance(outcome.error, OutcomeUnknown)
    assert entry.lost_answers == 1
    assert entry.asks == created


def test_asked_again_at_once_where_the_ledger_says_so(server, client, path):
    server.script = once(faults.RESET_AFTER, faults.HTML_502)
    with Ledger(path, on_unknown="ask_again") as ledger:
        (outcome,) = client.exports.run_many(requests(1), ledger=ledger)
        (again,) = client.exports.run_many(requests(1), ledger=ledger)
        (entry,) = ledger.entries()

    assert (outcome.status, outcome.lost_answers) == ("ready", 2)
    assert (again.status, again.lost_answers) == ("ready", 2), "the ledger remembers"
    assert (entry.state, entry.asks, entry.lost_answers) == ("ready", 3, 2)
    assert (server.requests["create"], len(server.created)) == (3, 2)
