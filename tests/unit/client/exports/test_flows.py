"""Test the flow that creates an export and waits for it, with a fake clock."""

from __future__ import annotations

import json

import pytest

from mem0_exports import ConnectionFailed, ExportTimeout, F, RequestTimeout
from mem0_exports.exports import flows
from mem0_exports.exports.spec import ExportSpec
from mem0_exports.http.flow import Response
from mem0_exports.http.settings import PollSchedule
from tests.support.flows import NO_WARNINGS, FlowRunner


ACCEPTED = Response(201, {}, b'{"message": "ok", "id": "550e8400-e29b-41d4-a716-446655440000"}')
PENDING = Response(404, {}, b'{"error": "No memory export request found"}')


def run(runner, timeout, request_timeout=30.0, on_poll=None):
    settings = runner.settings(request_timeout, PollSchedule(1.0, 1.0, 1.0))
    spec = ExportSpec.of({"type": "object"}, F.user_id == "a", None)
    return runner.run(flows.run(spec, settings, timeout, NO_WARNINGS, on_poll))


def test_run_polls_the_export_that_it_created():
    runner = FlowRunner([ACCEPTED, PENDING, Response(200, {}, b'{"a": 1}')])

    assert run(runner, 60) == {"a": 1}
    requests = [(command.request.path, json.loads(command.request.body)) for command in runner.sends()]
    assert requests[0][0] == "/v1/exports/"
    assert requests[1:] == [("/v1/exports/get/", {"memory_export_id": "550e8400-e29b-41d4-a716-446655440000"})] * 2


def test_the_create_counts_as_an_answer_of_the_service():
    """So temporary failures do not end the wait, even if every poll so far has failed."""
    runner = FlowRunner([ACCEPTED, *[ConnectionFailed("reset")] * 9, Response(200, {}, b'{"a": 1}')])

    assert run(runner, 60) == {"a": 1}


def test_timeout_includes_the_time_of_the_create():
    runner = FlowRunner([ACCEPTED, *[PENDING] * 50], latency=4.0)

    with pytest.raises(ExportTimeout, match="after 10 s") as timeout:
        run(runner, 10)

    assert runner.now == 110
    assert timeout.value.timeout == 10
    assert timeout.value.__context__ is None


def test_timeout_names_the_export_even_if_the_create_took_all_the_time():
    runner = FlowRunner([ACCEPTED], latency=10.0)

    with pytest.raises(ExportTimeout, match="550e8400"):
        run(runner, 10)


def test_request_timeout_is_at_most_the_time_left():
    runner = FlowRunner([ACCEPTED, Response(200, {}, b"{}")], latency=1.0)

    run(runner, 3)

    assert [command.timeout for command in runner.sends()] == [3, 2]


def test_a_create_that_times_out_raises_request_timeout():
    with pytest.raises(RequestTimeout):
        run(FlowRunner([RequestTimeout("slow")]), 10)


def test_on_poll_gets_the_time_since_the_start_of_run():
    runner = FlowRunner([ACCEPTED, PENDING, Response(200, {}, b"{}")], latency=2.0)
    calls = []

    run(runner, 60, on_poll=lambda *arguments: calls.append(arguments))

    assert calls == [(1, 4.0)]
