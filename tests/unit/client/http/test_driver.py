"""Test that the drivers carry out flows alike, sync and async, with a fake clock: no real sleeping."""

from __future__ import annotations

import threading

from uuid import UUID

import anyio
import httpx
import pytest

from mem0_exports import ConnectionFailed, ExportTimeout, F, RateLimited, Retry
from mem0_exports.exports import flows
from mem0_exports.exports.spec import ExportSpec
from mem0_exports.http import operations
from mem0_exports.http.flow import FlowInterrupted, RunBlocking, Send, Sleep, send
from mem0_exports.http.network import MAX_CACHED_URLS
from mem0_exports.http.network_driver import AsyncNetworkDriver, NetworkDriver
from mem0_exports.http.settings import PollSchedule, Settings
from tests.support.flows import NO_WARNINGS, READ, body
from tests.support.timeouts import scaled


ID = "550e8400-e29b-41d4-a716-446655440000"
ADDRESS = "http://service.invalid"
HEADERS = {"authorization": "Token a-key-of-some-length"}

ACCEPTED = httpx.Response(201, json={"message": "ok", "id": ID})
PENDING = httpx.Response(404, json={"error": "No memory export request found"})
RESULT = httpx.Response(200, json={"city": "Lisbon"})
BAD_GATEWAY = httpx.Response(502, text="<h1>Bad gateway</h1>")
RATE_LIMITED = httpx.Response(429, headers={"retry-after": "7"}, json={"detail": "slow down"})
REFUSED = httpx.ConnectError("refused")
RESET = httpx.ReadError("reset")


class Service:
    """A service that answers from a list, each time after two seconds on a fake clock, and logs requests and sleeps."""

    def __init__(self, answers):
        self.answers = iter(answers)
        self.now = 0.0
        self.log = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.log.append(("sleep", self.now, seconds))
        self.now += seconds

    def answer(self, request):
        self.log.append((request.url.path, self.now, round(request.extensions["timeout"]["read"], 6)))
        self.now += 2.0
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


class FakeDriver(NetworkDriver):
    def __init__(self, service):
        super().__init__(ADDRESS, HEADERS, httpx.MockTransport(service.answer))
        self._sleep = lambda seconds, _stop: service.sleep(seconds)


class FakeAsyncDriver(AsyncNetworkDriver):
    def __init__(self, service):
        super().__init__(ADDRESS, HEADERS, httpx.MockTransport(service.answer))

        async def sleep(seconds):
            service.sleep(seconds)

        self._sleep = sleep


def run_in_all(make_flow, answers, **overrides):
    """Run a flow with the sync driver, on asyncio and on trio; check that they agree; return the outcome and the log."""
    runs = []
    for kind in ("sync", "asyncio", "trio"):
        service = Service(answers)
        settings = Settings(30.0, PollSchedule(1.0, 2.0, 4.0), service.clock, jitter=lambda: 0.5, **overrides)
        flow = make_flow(settings)
        try:
            if kind == "sync":
                outcome = FakeDriver(service).run(flow)
            else:
                outcome = anyio.run(FakeAsyncDriver(service).run, flow, backend=kind)
        except Exception as error:  # noqa: BLE001 -- compared below
            outcome = error
        runs.append((outcome, service.log))
    (first, log), *others = runs
    for outcome, other_log in others:
        assert other_log == log
        assert type(outcome) is type(first)
        assert str(outcome) == str(first)
    return first, log


def export_flow(timeout):
    def make(settings):
        spec = ExportSpec.of({"type": "object"}, F.user_id == "alex", None)
        return flows.run(spec, settings, timeout, NO_WARNINGS)

    return make


def test_retries_and_polls_through_failures_until_the_result():
    outcome, log = run_in_all(
        export_flow(60), [REFUSED, RATE_LIMITED, ACCEPTED, PENDING, BAD_GATEWAY, BAD_GATEWAY, RESET, PENDING, RESULT]
    )

    assert outcome == {"city": "Lisbon"}
    create, get = "/v1/exports/", "/v1/exports/get/"
    assert log == [
        (create, 0, 30),
        ("sleep", 2, 0.25),
        (create, 2.25, 30),
        ("sleep", 4.25, 7.25),
        (create, 11.5, 30),
        (get, 13.5, 30),
        ("sleep", 15.5, 1),
        (get, 16.5, 30),
        ("sleep", 18.5, 0.25),
        (get, 18.75, 30),
        ("sleep", 20.75, 0.5),
        (get, 21.25, 30),
        ("sleep", 23.25, 2),
        (get, 25.25, 30),
        ("sleep", 27.25, 4),
        (get, 31.25, 28.75),
    ]


def test_times_out_exactly_at_the_deadline():
    outcome, log = run_in_all(export_flow(12), [ACCEPTED, *[PENDING] * 9])

    assert isinstance(outcome, ExportTimeout)
    assert [(what, when) for what, when, _ in log][-2:] == [("/v1/exports/get/", 9), ("sleep", 11)]
    assert sum(log[-1][1:]) == 12


def test_does_not_repeat_a_create_that_may_have_been_carried_out():
    outcome, log = run_in_all(export_flow(60), [RESET])

    assert isinstance(outcome, ConnectionFailed)
    assert outcome.outcome_unknown
    assert len(log) == 1


def test_raises_at_once_if_retry_after_exceeds_its_maximum():
    outcome, log = run_in_all(
        lambda settings: send(READ, body, settings, deadline=8.0), [RATE_LIMITED], retry=Retry(max_retry_after=5)
    )

    assert isinstance(outcome, RateLimited)
    assert len(log) == 1


def interrupted_sleep(log):
    """Return a flow that sleeps; if interrupted, it runs two blocking calls and logs them and `carried_out`."""
    try:
        yield Sleep(3600)
    except FlowInterrupted as interrupted:
        for step in ("first", "second"):
            yield RunBlocking(lambda step=step: log.append((step, threading.current_thread().name)))
        log.append(interrupted.carried_out)
        raise


def test_a_stopped_driver_runs_only_the_blocking_calls_of_the_interrupted_flow():
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    log = []

    with pytest.raises(FlowInterrupted):
        NetworkDriver(ADDRESS, HEADERS, None).run(after_a_sleep(interrupted_sleep(log)), stop)

    assert [each[0] for each in log[:2]] == ["first", "second"]
    assert log[2] is False


def after_a_sleep(flow):
    """Sleep before the flow: if that sleep is stopped, the flow's first command must not be carried out."""
    yield Sleep(3600)
    return (yield from flow)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_driver_runs_the_blocking_calls_of_the_interrupted_flow_in_a_thread(backend):
    log = []

    async def work():
        with anyio.move_on_after(0.05) as scope:
            await AsyncNetworkDriver(ADDRESS, HEADERS, None).run(interrupted_sleep(log))
        assert scope.cancelled_caught

    anyio.run(work, backend=backend)

    assert [each[0] for each in log[:2]] == ["first", "second"]
    assert threading.current_thread().name not in {each[1] for each in log[:2]}


def test_a_blocking_call_that_has_begun_is_finished_when_its_task_is_cancelled():
    import asyncio

    done = []
    begun = threading.Event()

    def slow():
        begun.set()
        threading.Event().wait(0.2)
        done.append("finished")

    def flow():
        try:
            yield RunBlocking(slow)
        except FlowInterrupted as interrupted:
            done.append(interrupted.carried_out)
            raise

    async def work():
        task = asyncio.create_task(AsyncNetworkDriver(ADDRESS, HEADERS, None).run(flow()))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert done == ["finished", True]


def test_a_blocking_call_does_not_block_the_event_loop():
    import asyncio

    answered = threading.Event()

    def flow():
        loop = asyncio.get_running_loop()

        def blocking_call():
            loop.call_soon_threadsafe(answered.set)
            return answered.wait(scaled(10))  # False if the loop cannot run meanwhile

        return (yield RunBlocking(blocking_call))

    async def work():
        return await AsyncNetworkDriver(ADDRESS, HEADERS, None).run(flow())

    assert asyncio.run(work())


def test_reprs_of_commands_do_not_show_the_users_data():
    assert "secret" not in repr(Send(READ.__class__("op", "POST", "/", body=b"secret"), 1.0))
    assert "secret" not in repr(RunBlocking(lambda: "secret"))


def test_a_client_that_reads_many_memories_does_not_keep_the_url_of_each():
    driver = NetworkDriver(ADDRESS, HEADERS, httpx.MockTransport(lambda _: httpx.Response(200, json={})))
    settings = Settings(5.0, PollSchedule(), driver.clock)

    for number in range(1000):
        call = operations.memories_get(UUID(int=number))
        driver.run(send(call.request, lambda response: response.status, settings))

    assert len(driver._urls) <= MAX_CACHED_URLS
    driver.close()
