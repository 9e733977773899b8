"""Test retries, deadlines and polling by running the flows with a fake clock: no I/O, no sleeping."""

from __future__ import annotations

import random

import pytest

from mem0_exports import ConfigurationError, InputError, RateLimited, Retry
from mem0_exports.errors import ConnectionFailed, ContractViolation, RequestTimeout, ServerError, StatusError
from mem0_exports.http.flow import FlowInterrupted, Request, Response, Send, TimedOut, send, wait
from mem0_exports.http.responses import refusal
from mem0_exports.http.settings import Gate, PollSchedule
from tests.support.flows import READ, FlowRunner, body, named, status


WRITE = Request("exports_create", "POST", "/x/", repeatable=False)

SUCCESS = Response(200, {}, b"body")
NOT_SENT = ConnectionFailed("refused", sent=False)
RESET = ConnectionFailed("reset")
SLOW = RequestTimeout("slow")
GARBLED = ContractViolation("no JSON", operation="x", excerpt="", garbled=True)
WRONG_SHAPE = ContractViolation("wrong", operation="x", excerpt="")


def repeating(answer):
    while True:
        yield answer


def body_when_ready(response):
    if response.status == 404:
        return None
    return body(response)


def polling(
    runner, timeout, request_timeout=30.0, schedule=PollSchedule(), on_poll=None, *, answered=False, **settings
):
    return wait(
        READ,
        body_when_ready,
        runner.settings(request_timeout, schedule, **settings),
        start=runner.clock(),
        timeout=timeout,
        answered=answered,
        on_poll=on_poll,
    )


# ---- one call and its retries ----------------------------------------------------------------------------------------


def test_send_returns_what_read_makes_of_the_response():
    runner = FlowRunner([SUCCESS])

    assert runner.run(send(READ, body, runner.settings(7))) == b"body"
    assert runner.done == [Send(READ, 7)]


RETRIED_READS = [RESET, NOT_SENT, SLOW, GARBLED, *map(status, (408, 429, 500, 502, 503, 504, 520, 599))]
RETRIED_WRITES = [NOT_SENT, status(429), status(429, retry_after="0"), status(503, retry_after="0")]
UNKNOWN_WITH_RETRY_AFTER = [status(code, retry_after="0") for code in (500, 502, 504)]
NOT_RETRIED_READS = [WRONG_SHAPE, *map(status, (302, 400, 401, 403, 404, 409, 413, 422))]
NOT_RETRIED_WRITES = [
    RESET,
    SLOW,
    GARBLED,
    *map(status, (408, 500, 502, 503, 504, 520)),
    *UNKNOWN_WITH_RETRY_AFTER,
    *NOT_RETRIED_READS,
]


@pytest.mark.parametrize(
    ("request_", "failure"),
    [(READ, each) for each in RETRIED_READS] + [(WRITE, each) for each in RETRIED_WRITES],
    ids=lambda value: value.operation if isinstance(value, Request) else named(value),
)
def test_retries_a_temporary_failure(request_, failure):
    runner = FlowRunner([failure, failure, SUCCESS])

    assert runner.run(send(request_, body, runner.settings())) == b"body"
    assert [command.attempt for command in runner.sends()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("request_", "failure"),
    [(READ, each) for each in NOT_RETRIED_READS] + [(WRITE, each) for each in NOT_RETRIED_WRITES],
    ids=lambda value: value.operation if isinstance(value, Request) else named(value),
)
def test_does_not_retry_a_final_failure_or_a_write_that_may_have_been_carried_out(request_, failure):
    runner = FlowRunner([failure, SUCCESS])

    with pytest.raises((StatusError, ConnectionFailed, RequestTimeout, ContractViolation)) as failed:
        runner.run(send(request_, body, runner.settings()))

    assert len(runner.sends()) == failed.value.attempts == 1
    assert runner.sleeps() == []


@pytest.mark.parametrize(
    ("failure", "unknown"),
    [
        (RESET, True),
        (SLOW, True),
        (GARBLED, True),
        (WRONG_SHAPE, True),
        (NOT_SENT, False),
        *[(status(code), True) for code in (408, 500, 502, 503, 520)],
        *[(status(code), False) for code in (302, 400, 401, 403, 404, 413, 422, 429)],
        (status(503, retry_after="1"), False),
        *[(each, True) for each in UNKNOWN_WITH_RETRY_AFTER],
    ],
    ids=named,
)
def test_outcome_is_unknown_only_for_a_write_that_may_have_been_carried_out(failure, unknown):
    for request, expected in ((WRITE, unknown), (READ, False)):
        runner = FlowRunner(repeating(failure))
        with pytest.raises((StatusError, ConnectionFailed, RequestTimeout, ContractViolation)) as failed:
            runner.run(send(request, body, runner.settings()))
        assert failed.value.outcome_unknown is expected


def test_raises_the_last_error_with_the_number_of_attempts():
    runner = FlowRunner([RESET, status(500), status(502, x_request_id="r-9")])

    with pytest.raises(ServerError) as failed:
        runner.run(send(READ, body, runner.settings()))

    assert (failed.value.status, failed.value.attempts, failed.value.request_id) == (502, 3, "r-9")


def test_contract_violation_has_the_request_id_of_the_response():
    def unreadable(_response):
        raise ContractViolation("wrong", operation="x", excerpt="")

    runner = FlowRunner([status(200, x_request_id="r-9")])
    with pytest.raises(ContractViolation) as failed:
        runner.run(send(READ, unreadable, runner.settings()))
    assert failed.value.request_id == "r-9"


def test_last_error_is_not_chained_to_earlier_attempts():
    runner = FlowRunner([RESET, status(500), status(502)])
    with pytest.raises(ServerError) as failed:
        runner.run(send(READ, body, runner.settings()))
    assert failed.value.__context__ is None


def test_delays_have_full_jitter_below_a_bound_that_doubles_up_to_max_delay():
    runner = FlowRunner(repeating(RESET))
    with pytest.raises(ConnectionFailed):
        runner.run(send(READ, body, runner.settings(retry=Retry(attempts=8, initial_delay=0.5, max_delay=8))))
    assert runner.sleeps() == [0.5, 1, 2, 4, 8, 8, 8]

    runner = FlowRunner(repeating(RESET))
    with pytest.raises(ConnectionFailed):
        runner.run(send(READ, body, runner.settings(retry=Retry(attempts=3), jitter=iter([0.0, 0.25]).__next__)))
    assert runner.sleeps() == [0.0, 0.25]


def test_delays_of_a_hundred_attempts_stay_within_max_delay():
    runner = FlowRunner(repeating(RESET))

    with pytest.raises(ConnectionFailed):
        runner.run(send(READ, body, runner.settings(retry=Retry(attempts=100, max_delay=3600), jitter=random.random)))

    assert len(runner.sends()) == 100
    assert max(runner.sleeps()) <= 3600


DATE = "Mon, 23 Nov 2026 12:00:00 GMT"
LATER = "Mon, 23 Nov 2026 12:00:07 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": " 7 "}, 7.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": LATER, "date": DATE}, 7.0),
        ({"retry_after": DATE, "date": LATER}, 0.0),
        ({"retry_after": LATER.replace("GMT", "-0000"), "date": DATE}, 7.0),
        ({"retry_after": "Mon, 23 Nov 2026 14:00:07 +0200", "date": DATE}, 7.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "²"}, None),
        ({"retry_after": "1e9"}, None),
        ({"retry_after": "0" * 20 + "7"}, 7.0),
        ({"retry_after": ""}, None),
        ({"retry_after": "Mon, 99 Nov 2026 12:00:00 GMT", "date": DATE}, None),
        ({}, None),
    ],
    ids=str,
)
def test_reads_retry_after_as_seconds_or_as_a_date(headers, seconds):
    answer = status(429, **headers)
    assert refusal("x", answer).retry_after == seconds
    runner = FlowRunner([answer, SUCCESS])

    runner.run(send(READ, body, runner.settings(retry=Retry(initial_delay=0.25))))

    assert runner.sleeps() == [0.25 if seconds is None else seconds + 0.25]


def test_retry_after_date_is_relative_to_the_local_clock_without_a_date_header():
    assert refusal("x", status(429, retry_after="Fri, 01 Jan 2100 00:00:00 GMT")).retry_after > 10**9


def test_raises_at_once_if_retry_after_exceeds_its_maximum():
    for seconds, sleeps in ((120, 1), (121, 0)):
        runner = FlowRunner([status(429, retry_after=str(seconds)), SUCCESS])
        if sleeps:
            runner.run(send(READ, body, runner.settings()))
        else:
            with pytest.raises(RateLimited) as refused:
                runner.run(send(READ, body, runner.settings()))
            assert refused.value.retry_after == 121
        assert len(runner.sleeps()) == sleeps


def test_no_attempt_starts_after_the_deadline_or_lasts_beyond_it():
    runner = FlowRunner(repeating(RESET), latency=2.0)

    with pytest.raises(ConnectionFailed) as failed:
        runner.run(send(READ, body, runner.settings(30, retry=Retry(attempts=9)), deadline=110.0))

    assert [command.timeout for command in runner.sends()] == [10, 7.5, 4.5, 0.5]
    assert failed.value.attempts == 4
    assert runner.now == 110


def test_raises_at_once_if_the_delay_would_pass_the_deadline():
    runner = FlowRunner([status(429, retry_after="20"), SUCCESS])

    with pytest.raises(RateLimited):
        runner.run(send(READ, body, runner.settings(), deadline=110.0))

    assert runner.now == 100


def test_one_attempt_means_no_retry():
    runner = FlowRunner([RESET])

    with pytest.raises(ConnectionFailed):
        runner.run(send(READ, body, runner.settings(retry=Retry(attempts=1))))


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": True},
        {"attempts": 1.5},
        {"attempts": 101},
        {"initial_delay": -1},
        {"initial_delay": True},
        {"initial_delay": float("nan")},
        {"max_delay": "8"},
        {"max_retry_after": float("inf")},
    ],
    ids=str,
)
def test_rejects_an_invalid_retry_policy(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Retry(**wrong)


def test_settings_accept_a_retry_policy_and_a_timeout_per_call():
    settings = FlowRunner([]).settings()

    assert settings.with_retry(None) is settings
    assert settings.with_retry(Retry(attempts=9)).retry.attempts == 9
    assert (settings.deadline(None), settings.deadline(5)) == (None, 105)
    with pytest.raises(InputError, match="Retry"):
        settings.with_retry(3)
    for wrong in (0, "5", True, float("nan")):
        with pytest.raises(InputError, match="timeout"):
            settings.deadline(wrong)


# ---- a gate that several calls share ---------------------------------------------------------------------------------


def test_a_429_to_one_call_delays_all_calls():
    gate = Gate()
    runner = FlowRunner([status(429, retry_after="10"), SUCCESS, SUCCESS])
    settings = runner.settings(gate=gate, retry=Retry(initial_delay=1), jitter=lambda: 0.5)

    assert runner.run(send(READ, body, settings)) == b"body"
    assert runner.sleeps() == [10.5], "Retry-After plus jitter"
    runner.now, runner.done = 105, []
    assert runner.run(send(READ, body, settings)) == b"body"

    assert runner.sleeps() == [5.5]


@pytest.mark.parametrize(("failure", "seconds"), [(status(503, retry_after="9"), 9), (status(502, retry_after="9"), 0)])
def test_gate_closes_after_a_503_but_not_a_502_with_retry_after(failure, seconds):
    gate = Gate()
    runner = FlowRunner([failure])

    with pytest.raises(ServerError):
        runner.run(send(READ, body, runner.settings(gate=gate, retry=Retry(attempts=1))))

    assert gate.left(100) == seconds


def test_a_shorter_hold_does_not_open_the_gate_earlier():
    gate = Gate()
    gate.hold(150)
    gate.hold(120)

    assert gate.left(100) == 50


def test_does_not_wait_for_a_gate_that_opens_at_the_deadline():
    gate = Gate()
    gate.hold(110)
    runner = FlowRunner([])

    with pytest.raises(RateLimited):
        runner.run(send(READ, body, runner.settings(gate=gate), deadline=110.0))
    assert runner.done == []


def test_raises_the_earlier_failure_if_the_gate_closed_after_it():
    gate = Gate()

    def answers(_command):
        gate.hold(1000)
        return ConnectionFailed("reset")

    runner = FlowRunner(answers)
    with pytest.raises(ConnectionFailed) as failed:
        runner.run(send(READ, body, runner.settings(gate=gate)))
    assert failed.value.attempts == 1


def test_sends_nothing_if_no_time_is_left():
    runner = FlowRunner([])

    with pytest.raises(RequestTimeout, match="no time is left") as failed:
        runner.run(send(WRITE, body, runner.settings(), deadline=runner.now))

    assert (failed.value.sent, runner.done) == (False, [])


def test_gate_stays_open_after_other_failures():
    gate = Gate()
    runner = FlowRunner([RESET, SUCCESS])

    runner.run(send(READ, body, runner.settings(gate=gate)))

    assert gate.left(0) == 0


def test_raises_without_sending_if_the_gate_opens_after_the_deadline():
    gate = Gate()
    gate.hold(150)
    runner = FlowRunner([])

    with pytest.raises(RateLimited, match="not sent") as failed:
        runner.run(send(WRITE, body, runner.settings(gate=gate), deadline=110.0))

    assert (failed.value.retry_after, failed.value.outcome_unknown, failed.value.attempts) == (50, False, 0)
    assert runner.done == []


@pytest.mark.parametrize(
    "retry", [Retry(attempts=1), Retry(max_retry_after=5)], ids=["last attempt", "above max_retry_after"]
)
def test_a_429_closes_the_gate_even_if_this_call_gives_up(retry):
    gate = Gate()
    runner = FlowRunner([status(429, retry_after="10")])
    with pytest.raises(RateLimited):
        runner.run(send(READ, body, runner.settings(gate=gate, retry=retry)))

    other = FlowRunner([SUCCESS])
    other.run(send(READ, body, other.settings(gate=gate)))

    assert other.sleeps() == [10.5]


def test_raises_without_sending_if_the_gate_is_closed_for_longer_than_max_retry_after():
    gate = Gate()
    gate.hold(100 + 600)
    runner = FlowRunner([])

    with pytest.raises(RateLimited):
        runner.run(send(READ, body, runner.settings(gate=gate)))


def test_waits_for_a_gate_that_is_closed_for_exactly_max_retry_after():
    gate = Gate()
    gate.hold(100 + 120)
    runner = FlowRunner([SUCCESS])

    runner.run(send(READ, body, runner.settings(gate=gate)))

    assert runner.sleeps() == [120.5]


def test_jitter_at_the_gate_leaves_time_for_the_request():
    gate = Gate()
    runner = FlowRunner([status(429, retry_after="2"), SUCCESS])

    runner.run(send(READ, body, runner.settings(gate=gate), deadline=102.6))

    assert runner.sleeps() == [pytest.approx(2.3)]


# ---- polling ---------------------------------------------------------------------------------------------------------


def test_returns_without_sleeping_if_the_first_poll_has_a_value():
    runner = FlowRunner([SUCCESS])

    assert runner.run(polling(runner, 60)) == b"body"
    assert runner.sleeps() == []


def test_polling_delays_grow_up_to_the_longest():
    runner = FlowRunner([*[status(404)] * 6, SUCCESS])

    assert runner.run(polling(runner, 60, schedule=PollSchedule(1.0, 2.0, 5.0))) == b"body"
    assert runner.sleeps() == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize("timeout", [0.1, 3.0, 10.0, 61.7])
def test_times_out_exactly_at_the_deadline(timeout):
    runner = FlowRunner(repeating(status(404)))

    with pytest.raises(TimedOut) as timed_out:
        runner.run(polling(runner, timeout))

    assert runner.now == pytest.approx(100.0 + timeout)
    assert timed_out.value.polls == len(runner.sends())


def test_request_timeout_is_at_most_the_time_left():
    runner = FlowRunner(repeating(status(404)), latency=2.0)

    with pytest.raises(TimedOut):
        runner.run(polling(runner, 5, request_timeout=30, schedule=PollSchedule(1.0, 1.0, 1.0)))

    assert [command.timeout for command in runner.sends()] == [5, 2]
    assert runner.now == 105


def test_request_timeout_is_at_most_its_own_limit():
    runner = FlowRunner([SUCCESS])

    runner.run(polling(runner, 60, request_timeout=30))

    assert runner.sends()[0].timeout == 30


def test_a_request_cut_off_by_the_deadline_raises_timed_out():
    runner = FlowRunner([RequestTimeout("slow")], latency=99)

    with pytest.raises(TimedOut):
        runner.run(polling(runner, 5))


def test_a_request_that_times_out_before_the_deadline_raises_request_timeout():
    runner = FlowRunner([RequestTimeout("slow")], latency=99)

    with pytest.raises(RequestTimeout, match="slow"):
        runner.run(polling(runner, 60, request_timeout=5, retry=Retry(attempts=1)))


def test_calls_on_poll_after_each_poll_without_a_value():
    runner = FlowRunner([*[status(404)] * 2, SUCCESS])
    calls = []

    runner.run(
        polling(runner, 60, schedule=PollSchedule(1.0, 2.0, 9.0), on_poll=lambda *arguments: calls.append(arguments))
    )

    assert calls == [(1, 0.0), (2, 1.0)]


def test_raises_a_temporary_failure_if_the_service_has_never_answered():
    runner = FlowRunner(repeating(RESET))

    with pytest.raises(ConnectionFailed):
        runner.run(polling(runner, 600))

    assert len(runner.sends()) == 3


@pytest.mark.parametrize("failure", [RESET, NOT_SENT, SLOW, GARBLED, status(429), status(502)], ids=named)
def test_polls_through_temporary_failures_once_the_service_has_answered(failure):
    for answers, answered in (([failure] * 9, True), ([status(404), *[failure] * 9], False)):
        runner = FlowRunner([*answers, SUCCESS])
        assert runner.run(polling(runner, 600, answered=answered)) == b"body"


def test_a_final_failure_ends_the_polling():
    runner = FlowRunner([status(404), status(401)])

    with pytest.raises(StatusError, match="401"):
        runner.run(polling(runner, 600))


def test_a_retry_after_above_its_maximum_ends_the_polling():
    runner = FlowRunner([status(404), status(429, retry_after="3600")])

    with pytest.raises(RateLimited):
        runner.run(polling(runner, 7200))


def test_polling_obeys_retry_after():
    runner = FlowRunner([status(404), *[status(429, retry_after="60")] * 3, SUCCESS])

    runner.run(polling(runner, 600, retry=Retry(attempts=1), schedule=PollSchedule(1.0, 1.0, 1.0)))

    assert runner.sleeps() == [1, 60, 60, 60]


def test_times_out_at_the_deadline_with_the_last_failure():
    runner = FlowRunner(repeating(RESET), latency=1.0)

    with pytest.raises(TimedOut) as timed_out:
        runner.run(polling(runner, 33.3, answered=True))

    assert runner.now == pytest.approx(133.3)
    assert timed_out.value.failure is RESET
    assert timed_out.value.sends == len(runner.sends()) > timed_out.value.polls == 0


def test_timeout_does_not_mention_a_failure_that_has_passed():
    answers = iter([status(404), status(502)])
    runner = FlowRunner(lambda _command: next(answers, status(404)))

    with pytest.raises(TimedOut) as timed_out:
        runner.run(polling(runner, 30, retry=Retry(attempts=1)))

    assert timed_out.value.failure is None


def test_an_interrupted_flow_yields_no_further_command():
    flow = polling(FlowRunner([]), 60)
    next(flow)

    with pytest.raises(FlowInterrupted):
        flow.throw(FlowInterrupted(carried_out=False))
