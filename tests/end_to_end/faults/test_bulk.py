"""Test `run_many`: every export is made once, in little memory, on an unreliable network."""

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
from tests.end_to_end.faults.bulk_run import WEIGHTS, Result, check, requests, run
from tests.end_to_end.faults.conftest import KEY
from tests.end_to_end.faults.server import FaultServer, at_random, once
from tests.support.timeouts import scaled, wait_until


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("seed", [1, 2])
def test_all_results_are_right_and_no_job_is_created_twice(asynchronous, seed):
    with FaultServer(polls_until_ready=1, script=at_random(0.2, seed, WEIGHTS)) as server:
        outcomes = run(server.url, 200, asynchronous=asynchronous)

        figures = check(outcomes, server, 200)

    assert figures["faults"] > 50
    assert figures["unknown"] > 5


@pytest.mark.parametrize(("ordered", "indexes"), [(False, [1, 2, 3, 4, 5, 0]), (True, [0, 1, 2, 3, 4, 5])])
def test_yields_outcomes_as_they_complete_or_in_the_order_of_the_requests(server, client, ordered, indexes):
    """The first job is ready after four polls, the others after one; two run at the same time."""
    server.polls_until_ready = lambda body: 3 if faults.user_of(body["filters"]) == "user-0" else 0

    outcomes = list(client.exports.run_many(requests(6), concurrency=2, ordered=ordered))

    assert [outcome.index for outcome in outcomes] == indexes
    assert [outcome.request.tag for outcome in outcomes] == [f"user-{index}" for index in indexes]
    assert {outcome.status for outcome in outcomes} == {"ready"}


def test_ordered_run_works_ahead_of_a_slow_export_up_to_twice_the_concurrency(server, client):
    server.polls_until_ready = lambda body: 3 if faults.user_of(body["filters"]) == "user-0" else 0

    first = next(iter(client.exports.run_many(requests(9), concurrency=2, ordered=True)))

    assert first.index == 0
    assert len(server.created) == 4, "expected twice as many as the concurrency"


@pytest.mark.parametrize("ordered", [False, True])
def test_consumes_requests_lazily(server, client, ordered):
    consumed = 0

    def endless():
        nonlocal consumed
        while True:
            consumed += 1
            yield ExportRequest(Result, F.user_id == f"u{consumed}")

    outcomes = client.exports.run_many(endless(), concurrency=3, ordered=ordered)
    for given, _ in enumerate(outcomes, start=1):
        assert consumed <= given + 2 * 3
        if given == 10:
            break
    close(outcomes)


def close(outcomes):
    """Close an iterator of outcomes, as leaving the loop does; the wrapped async client has nothing to close."""
    if hasattr(outcomes, "close"):
        outcomes.close()


def test_failed_exports_do_not_stop_the_others(server, client):
    class Other(Result):
        more: int

    def failing_validator(value):
        raise ZeroDivisionError("the user's own validator")

    import pydantic

    class Broken(pydantic.BaseModel):
        user: str
        check = pydantic.field_validator("user")(failing_validator)

    export_requests = [
        ExportRequest(Result, {"user_id": []}, tag=FilterError),
        ExportRequest({"type": "array"}, F.user_id == "a", tag=SchemaError),
        ExportRequest(Other, F.user_id == "b", tag=ExportInvalid),
        ExportRequest(Broken, F.user_id == "c", tag=ZeroDivisionError),
        ExportRequest(Result, F.user_id == "d", tag=None),
        ExportRequest({"type": "object", "properties": {"n": {}}}, F.user_id == "e", tag=None),
    ]

    outcomes = list(client.exports.run_many(export_requests, concurrency=1))

    assert [type(outcome.error) for outcome in outcomes[:4]] == [outcome.request.tag for outcome in outcomes[:4]]
    assert [outcome.status for outcome in outcomes] == ["failed"] * 4 + ["ready"] * 2
    assert outcomes[2].export_id == server.created[0]
    with pytest.raises(ExportInvalid):
        outcomes[2].result()
    assert outcomes[4].result().user == "d"
    assert outcomes[5].result()["user"] == "e"


def test_timeout_error_has_the_id_of_the_export(server, client):
    server.polls_until_ready = 10**9

    (outcome,) = client.exports.run_many(requests(1), timeout=scaled(1.5))

    assert isinstance(outcome.error, ExportTimeout)
    assert outcome.export_id == outcome.error.export_id == server.created[0]


def test_all_exports_wait_after_a_429(server, client):
    """One export is asked to wait a second, in which the others could send all their requests."""
    server.polls_until_ready = 0
    limited_at = None
    delayed = 0

    def script(request):
        nonlocal limited_at, delayed
        if request.operation == "create" and request.number == 4:
            limited_at = time.monotonic()
            return faults.RATE_LIMITED.replace(seconds=1)
        delayed += request.operation == "create" and limited_at is not None and time.monotonic() - limited_at >= 1
        return None

    server.script = script
    outcomes = list(client.exports.run_many(requests(40), concurrency=4, retry=Retry(initial_delay=0.05)))

    assert {outcome.status for outcome in outcomes} == {"ready"}
    # Some creates are sent before all exports know of the 429, on a busy machine more of them.
    assert delayed >= 20, "the other exports did not wait"


def test_on_progress_reports_every_event_in_the_callers_thread(server, client):
    steps, threads = [], set()
    server.script = once(None, faults.RESET_AFTER)

    def on_progress(step):
        steps.append(step)
        threads.add(threading.current_thread().name.partition("-bulk")[1])
        assert step.ready == sum(each.event == "ready" for each in steps)

    outcomes = list(client.exports.run_many(requests(5), concurrency=2, on_progress=on_progress))

    assert len(outcomes) == 5
    assert threads == {""}, "on_progress was called in a worker thread"
    last = steps[-1]
    assert (last.started, last.finished, last.ready) == (5, 5, 4)
    assert [step.finished for step in steps] == sorted(step.finished for step in steps)
    events = {index: [step.event for step in steps if step.index == index] for index in range(5)}
    assert sorted(each[-1] for each in events.values()) == ["ready"] * 4 + ["unknown"]
    assert sorted(each[0] for each in events.values()) == ["created"] * 4 + ["unknown"]
    ready = next(step for step in steps if step.event == "ready")
    assert (ready.tag, ready.polls >= 1, ready.export_id in server.created) == (f"user-{ready.index}", True, True)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 101}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"timeout": 0}, "timeout"),
        ({"retry": 3}, "retry"),
    ],
    ids=str,
)
def test_refuses_invalid_arguments_before_sending(server, client, arguments, field):
    with pytest.raises(InputError) as refused:
        client.exports.run_many(requests(1), **arguments)

    assert refused.value.field == field
    assert server.requests.total() == 0


def test_item_that_is_not_a_request_fails_alone(server, client):
    export_requests = [*requests(1), (Result, F.user_id == "a"), *requests(1)]

    outcomes = list(client.exports.run_many(export_requests, ordered=True))

    assert [outcome.status for outcome in outcomes] == ["ready", "failed", "ready"]
    assert isinstance(outcomes[1].error, InputError)
    assert "ExportRequest" in str(outcomes[1].error)


class UserError(Exception):
    """An error raised by the user's code."""


def failing_after(count):
    yield from requests(count)
    raise UserError


def test_raises_errors_of_the_users_iterable_and_callback_to_the_caller(server, client):
    def on_progress(_step):
        raise UserError

    with pytest.raises(UserError):
        list(client.exports.run_many(failing_after(3), concurrency=2))
    with pytest.raises(UserError):
        list(client.exports.run_many(requests(3), on_progress=on_progress))
    assert not bulk_threads()


def bulk_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("mem0-exports-bulk")]


def test_leaving_the_loop_stops_waiting_exports_immediately(server, caplog):
    """The exports would wait for an hour, longer than the test may take."""
    caplog.set_level(logging.DEBUG, logger="mem0_exports")
    server.polls_until_ready = lambda body: 0 if faults.user_of(body["filters"]) == "user-0" else 10**9
    with Client(KEY, base_url=server.url, retry=Retry(max_retry_after=3600)) as client:
        for outcome in client.exports.run_many(requests(50), concurrency=8, timeout=7200):
            assert outcome.request.tag == "user-0"
            server.script = lambda _request: faults.RATE_LIMITED.replace(seconds=3600)
            wait_until(lambda: ": 429," in caplog.text, "one export is told to wait, after which all of them wait")
            time.sleep(0.1)  # so that the exports wait by now; if they do not, this test shows less but does not fail
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


def test_run_many_on_trio_raises_an_error_with_advice(server):
    import trio

    from mem0_exports import ConfigurationError

    async def work():
        client = AsyncClient(KEY, base_url=server.url)
        with pytest.raises(ConfigurationError, match="nursery"):
            async for _outcome in client.exports.run_many(requests(1)):
                pass
        assert (await client.exports.run(Result, F.user_id == "a", timeout=scaled(20))).user == "a"
        await client.close()

    trio.run(work)


# ---- with a ledger ---------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


def test_finished_exports_are_not_requested_again(server, client, path):
    with Ledger(path) as ledger:
        first = list(client.exports.run_many(requests(10), ledger=ledger))
        requests_before = server.requests.total()
        second = list(client.exports.run_many(requests(12), ledger=ledger, ordered=True))

    assert {outcome.status for outcome in first + second} == {"ready"}
    assert len(server.created) == 12
    assert server.requests.total() == requests_before + 2 + 2 * 2, "expected two creates and two polls for each"
    assert [outcome.value.user for outcome in second] == [f"user-{number}" for number in range(12)]


def test_duplicate_requests_in_one_run_create_one_job(server, client, path):
    export_requests = [ExportRequest(Result, F.user_id == "alex", tag=number) for number in range(8)]

    with Ledger(path) as ledger:
        outcomes = list(client.exports.run_many(export_requests, concurrency=8, ledger=ledger))

    assert {outcome.status for outcome in outcomes} == {"ready"}, [
        repr(outcome.error) for outcome in outcomes if outcome.error
    ]
    assert len(server.created) == 1


def test_second_run_waits_for_pending_exports(server, client, path):
    server.polls_until_ready = 10**9
    with Ledger(path) as ledger:
        timed_out = list(client.exports.run_many(requests(3), ledger=ledger, timeout=scaled(2)))
    server.polls_until_ready = 0
    steps = []
    with Ledger(path) as ledger:
        outcomes = list(client.exports.run_many(requests(3), ledger=ledger, on_progress=steps.append))

    assert [type(outcome.error) for outcome in timed_out] == [ExportTimeout] * 3
    assert {outcome.status for outcome in outcomes} == {"ready"}
    assert len(server.created) == 3
    assert [step.event for step in steps if step.event in {"created", "resumed"}] == ["resumed"] * 3


@pytest.mark.parametrize(
    ("on_unknown", "status", "created"), [("raise", "unknown", 1), ("skip", "skipped", 1), ("ask_again", "ready", 2)]
)
def test_on_unknown_decides_about_an_export_whose_answer_was_lost(server, client, path, on_unknown, status, created):
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


def test_ask_again_repeats_a_lost_create_in_the_same_run(server, client, path):
    server.script = once(faults.RESET_AFTER, faults.HTML_502)
    with Ledger(path, on_unknown="ask_again") as ledger:
        (outcome,) = client.exports.run_many(requests(1), ledger=ledger)
        (again,) = client.exports.run_many(requests(1), ledger=ledger)
        (entry,) = ledger.entries()

    assert (outcome.status, outcome.lost_answers) == ("ready", 2)
    assert (again.status, again.lost_answers) == ("ready", 2), "the ledger does not keep the number of lost answers"
    assert (entry.state, entry.asks, entry.lost_answers) == ("ready", 3, 2)
    assert (server.requests["create"], len(server.created)) == (3, 2)
