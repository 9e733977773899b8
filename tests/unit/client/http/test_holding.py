"""Test that a service that can hold a poll is asked to, and that no other service ever sees the header."""

from __future__ import annotations

import httpx
import pytest

from mem0_exports import Client
from mem0_exports.http.flow import Response, wait
from mem0_exports.http.settings import Holding, PollSchedule
from tests.support.flows import READ, FlowRunner, body


HOLDS = {"mem0-exports-max-wait": "10"}
PENDING = Response(404, HOLDS, b"")
DONE = Response(200, HOLDS, b"body")
EXPORT = "550e8400-e29b-41d4-a716-446655440000"


def polling(runner, timeout=60.0, request_timeout=30.0):
    def read(response):
        return None if response.status == 404 else body(response)

    settings = runner.settings(request_timeout, PollSchedule(0.25, 2.0, 5.0), holding=Holding())
    return wait(READ, read, settings, start=runner.clock(), timeout=timeout)


def waits(runner):
    return [command.request.wait for command in runner.sends()]


class Service:
    """Answers polls that are held after the time that they ask for, and others at once."""

    def __init__(self, ready_after, headers=HOLDS):
        self.left = ready_after
        self.headers = headers
        self.runner = FlowRunner(self.answer)

    def answer(self, command):
        self.left -= 1
        if self.left < 0:
            return Response(200, self.headers, b"body")
        self.runner.now += command.request.wait
        return Response(404, self.headers, b"")


def test_polls_that_are_held_follow_each_other_without_a_pause():
    service = Service(ready_after=6)

    assert service.runner.run(polling(service.runner)) == b"body"

    assert waits(service.runner) == [0, 1, 1, 2, 2, 2, 2], "the first one does not know yet what the service can do"
    assert service.runner.sleeps() == [0.25, 0, 0, 0, 0, 0]


def test_a_service_that_does_not_hold_a_poll_is_polled_as_any_other():
    runner = FlowRunner([PENDING, PENDING, PENDING, DONE])

    assert runner.run(polling(runner)) == b"body"

    assert waits(runner) == [0, 1, 1, 2]
    assert runner.sleeps() == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("value", [None, "", "0", "-1", "1.5", "soon", "9" * 30, "²"])
def test_a_service_that_does_not_say_that_it_holds_polls_is_never_asked(value):
    service = Service(ready_after=4, headers={} if value is None else {"mem0-exports-max-wait": value})

    assert service.runner.run(polling(service.runner)) == b"body"

    assert waits(service.runner) == [0] * 5
    assert service.runner.sleeps() == [0.25, 0.5, 1.0, 2.0]


@pytest.mark.parametrize(("timeout", "request_timeout"), [(60.0, 1.9), (1.5, 30.0)])
def test_a_poll_is_not_held_for_longer_than_half_of_the_time_that_it_has(timeout, request_timeout):
    runner = FlowRunner(lambda command: PENDING if len(runner.done) < 4 else DONE)

    assert runner.run(polling(runner, timeout, request_timeout)) == b"body"

    assert waits(runner) == [0, 0, 0] if timeout > 2 else [0, 0]


@pytest.mark.parametrize("headers", [{}, HOLDS], ids=["the Platform", "the engine"])
def test_the_header_is_sent_only_to_a_service_that_has_announced_it(headers):
    seen = []

    def answer(request):
        seen.append(request.headers.get("prefer"))
        if request.url.path == "/v1/exports/":
            return httpx.Response(201, json={"message": "x", "id": EXPORT}, headers=headers)
        if len(seen) < 4:
            return httpx.Response(404, json={"error": "No memory export request found"}, headers=headers)
        return httpx.Response(200, json={}, headers=headers)

    with Client("a-long-key", transport=httpx.MockTransport(answer)) as client:
        client.exports.run({"type": "object"}, {"user_id": "a"}, timeout=30)

    assert seen == ([None] * 4 if headers == {} else [None, "wait=1", "wait=1", "wait=1"])
