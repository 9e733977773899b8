"""The flows, carried out by hand with a clock that the test moves: no I/O, no sleeping."""

from __future__ import annotations

import pytest

from mem0_exports._flow import Request, Response, Schedule, Send, Sleep, TimedOut, send, wait
from mem0_exports.errors import RequestTimeout


REQUEST = Request("op", "POST", "/x/")


class World:
    """Carries out a flow: answers from a list, a clock that only sleeping and answering move."""

    def __init__(self, answers, latency=0.0):
        self.answers = iter(answers)
        self.latency = latency
        self.now = 100.0
        self.done = []

    def clock(self):
        return self.now

    def run(self, flow):
        try:
            command = next(flow)
            while True:
                self.done.append(command)
                if isinstance(command, Sleep):
                    self.now += command.seconds
                    command = flow.send(None)
                    continue
                answer = next(self.answers)
                self.now += min(self.latency, command.timeout)
                command = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
        except StopIteration as stop:
            return stop.value

    def sleeps(self):
        return [command.seconds for command in self.done if isinstance(command, Sleep)]

    def sends(self):
        return [command for command in self.done if isinstance(command, Send)]


def endless(status):
    while True:
        yield Response(status, {}, b"")


def ready(response):
    return "value" if response.status == 200 else None


def waiting(world, timeout, request_timeout=30.0, schedule=Schedule(), on_poll=None):
    return wait(
        REQUEST,
        ready,
        start=world.clock(),
        timeout=timeout,
        request_timeout=request_timeout,
        schedule=schedule,
        clock=world.clock,
        on_poll=on_poll,
    )


def test_send_gives_what_read_makes_of_the_answer():
    world = World([Response(200, {}, b"body")])

    assert world.run(send(REQUEST, lambda response: response.body, timeout=7)) == b"body"
    assert world.done == [Send(REQUEST, 7)]


def test_a_ready_answer_needs_no_sleep():
    world = World([Response(200, {}, b"")])

    assert world.run(waiting(world, 60)) == "value"
    assert world.sleeps() == []


def test_the_waits_grow_up_to_the_longest():
    world = World([*[Response(404, {}, b"")] * 6, Response(200, {}, b"")])

    assert world.run(waiting(world, 60, schedule=Schedule(1.0, 2.0, 5.0))) == "value"
    assert world.sleeps() == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize("timeout", [0.1, 3.0, 10.0, 61.7])
def test_the_deadline_is_kept_to_the_moment(timeout):
    world = World(endless(404))

    with pytest.raises(TimedOut) as timed_out:
        world.run(waiting(world, timeout))

    assert world.now == pytest.approx(100.0 + timeout)
    assert timed_out.value.polls == len(world.sends())


def test_no_request_may_last_longer_than_what_is_left():
    world = World(endless(404), latency=2.0)

    with pytest.raises(TimedOut):
        world.run(waiting(world, 5, request_timeout=30, schedule=Schedule(1.0, 1.0, 1.0)))

    assert [command.timeout for command in world.sends()] == [5, 2]
    assert world.now == 105


def test_one_request_never_gets_more_than_its_own_timeout():
    world = World([Response(200, {}, b"")])

    world.run(waiting(world, 60, request_timeout=30))

    assert world.sends()[0].timeout == 30


def test_a_request_that_runs_into_the_deadline_is_the_deadline():
    world = World([RequestTimeout("slow")], latency=99)

    with pytest.raises(TimedOut):
        world.run(waiting(world, 5))


def test_a_request_that_times_out_earlier_is_an_error():
    world = World([RequestTimeout("slow")], latency=99)

    with pytest.raises(RequestTimeout, match="slow"):
        world.run(waiting(world, 60, request_timeout=5))


def test_on_poll_hears_of_every_unready_answer():
    world = World([*[Response(404, {}, b"")] * 2, Response(200, {}, b"")])
    heard = []

    world.run(waiting(world, 60, schedule=Schedule(1.0, 2.0, 9.0), on_poll=lambda *said: heard.append(said)))

    assert heard == [(1, 0.0), (2, 1.0)]
