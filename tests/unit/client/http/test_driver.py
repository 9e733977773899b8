"""Both drivers carry out the same flows in the same way, on a clock that the test moves: nobody sleeps here."""

from __future__ import annotations

import threading

import anyio
import httpx
import pytest

from mem0_exports import ConnectionFailed, ExportTimeout, F, RateLimited, Retry
from mem0_exports.exports import flows
from mem0_exports.exports.spec import ExportSpec
from mem0_exports.http.driver import AsyncDriver, Driver
from mem0_exports.http.flow import FlowInterrupted, RunBlocking, Send, Sleep, send
from mem0_exports.http.settings import PollSchedule, Settings
from tests.support.flows import READ, body


ID = "550e8400-e29b-41d4-a716-446655440000"
ADDRESS = "http://service.invalid"
HEADERS = {"authorization": "Token a-key-of-some-length"}

ACCEPTED = httpx.Response(201, json={"message": "ok", "id": ID})
PENDING = httpx.Response(404, json={"error": "No memory export request found"})
RESULT = httpx.Response(200, json={"city": "Lisbon"})
DOWN = httpx.Response(502, text="<h1>Bad gateway</h1>")
BUSY = httpx.Response(429, headers={"retry-after": "7"}, json={"detail": "slow down"})
REFUSED = httpx.ConnectError("refused")
RESET = httpx.ReadError("reset")


class Service:
    """Answers from a list, each after two seconds of a clock of its own; keeps when it was asked for what."""

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


class SyncDriver(Driver):
    def __init__(self, service):
        super().__init__(ADDRESS, HEADERS, httpx.MockTransport(service.answer))
        self._sleep = lambda seconds, _stop: service.sleep(seconds)


class AwaitingDriver(AsyncDriver):
    def __init__(self, service):
        super().__init__(ADDRESS, HEADERS, httpx.MockTransport(service.answer))

        async def sleep(seconds):
            service.sleep(seconds)

        self._sleep = sleep


def in_both(make_flow, answers, **settings):
    """The outcome and the log of each driver: sync, asyncio, trio."""
    runs = []
    for kind in ("sync", "asyncio", "trio"):
        service = Service(answers)
        known = Settings(30.0, PollSchedule(1.0, 2.0, 4.0), service.clock, jitter=lambda: 0.5, **settings)
        flow = make_flow(known)
        try:
            if kind == "sync":
                outcome = SyncDriver(service).run(flow)
            else:
                outcome = anyio.run(AwaitingDriver(service).run, flow, backend=kind)
        except Exception as error:  # noqa: BLE001 -- compared below
            outcome = error
        runs.append((outcome, service.log))
    (first, log), *others = runs
    for outcome, other_log in others:
        assert other_log == log
        assert type(outcome) is type(first)
        assert str(outcome) == str(first)
    return first, log


def export(timeout):
    def make(settings):
        spec = ExportSpec.of({"type": "object"}, F.user_id == "alex", None)
        return flows.run(spec, settings, timeout)

    return make


def test_trouble_on_the_way_to_a_result():
    outcome, log = in_both(export(60), [REFUSED, BUSY, ACCEPTED, PENDING, DOWN, DOWN, RESET, PENDING, RESULT])

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


def test_the_deadline_is_kept_to_the_moment():
    outcome, log = in_both(export(12), [ACCEPTED, *[PENDING] * 9])

    assert isinstance(outcome, ExportTimeout)
    assert [(what, when) for what, when, _ in log][-2:] == [("/v1/exports/get/", 9), ("sleep", 11)]
    assert sum(log[-1][1:]) == 12


def test_a_create_that_may_have_been_done_is_sent_once():
    outcome, log = in_both(export(60), [RESET])

    assert isinstance(outcome, ConnectionFailed)
    assert outcome.outcome_unknown
    assert len(log) == 1


def test_a_retry_after_that_is_too_long_for_the_deadline():
    outcome, log = in_both(
        lambda settings: send(READ, body, settings, deadline=8.0), [BUSY], retry=Retry(max_retry_after=5)
    )

    assert isinstance(outcome, RateLimited)
    assert len(log) == 1


def recording(log):
    """Yields a sleep, and writes down what comes of it."""
    try:
        yield Sleep(3600)
    except FlowInterrupted as broken:
        for step in ("first", "second"):
            yield RunBlocking(lambda step=step: log.append((step, threading.current_thread().name)))
        log.append(broken.carried_out)
        raise


def test_a_driver_that_is_told_to_stop_lets_the_flow_write_and_does_nothing_else():
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    log = []

    with pytest.raises(FlowInterrupted):
        Driver(ADDRESS, HEADERS, None).run(then_more(recording(log)), stop)

    assert [each[0] for each in log[:2]] == ["first", "second"]
    assert log[2] is False


def then_more(flow):
    """A sleep that ends early is followed by another command, which must not be carried out."""
    yield Sleep(3600)
    return (yield from flow)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_driver_lets_the_flow_write_in_a_thread(backend):
    log = []

    async def work():
        with anyio.move_on_after(0.05) as scope:
            await AsyncDriver(ADDRESS, HEADERS, None).run(recording(log))
        assert scope.cancelled_caught

    anyio.run(work, backend=backend)

    assert [each[0] for each in log[:2]] == ["first", "second"]
    assert threading.current_thread().name not in {each[1] for each in log[:2]}


def test_work_that_has_begun_is_finished_though_its_task_is_cancelled():
    import asyncio

    done = []
    begun = threading.Event()

    def slow():
        begun.set()
        threading.Event().wait(0.2)
        done.append("all of it")

    def flow():
        try:
            yield RunBlocking(slow)
        except FlowInterrupted as broken:
            done.append(broken.carried_out)
            raise

    async def work():
        task = asyncio.create_task(AsyncDriver(ADDRESS, HEADERS, None).run(flow()))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert done == ["all of it", True]


def test_the_loop_goes_on_while_a_ledger_writes():
    import asyncio

    ticked = threading.Event()

    def flow():
        return (yield RunBlocking(lambda: ticked.wait(30)))

    async def tick():
        for _ in range(5):
            await asyncio.sleep(0.01)
        ticked.set()  # nobody else ends the write

    async def work():
        ticking = asyncio.create_task(tick())
        written = await AsyncDriver(ADDRESS, HEADERS, None).run(flow())
        await ticking
        return written

    assert asyncio.run(work()), "the loop went on before the write ended"


def test_what_is_sent_does_not_show_in_what_is_drawn():
    assert "secret" not in repr(Send(READ.__class__("op", "POST", "/", body=b"secret"), 1.0))
    assert "secret" not in repr(RunBlocking(lambda: "secret"))
