"""The flows, carried out by hand with a clock that the test moves: no I/O, no sleeping."""

from __future__ import annotations

import random

import pytest

from mem0_exports import ConfigurationError, InputError, RateLimited, Retry
from mem0_exports.errors import ConnectionFailed, ContractViolation, RequestTimeout, ServerError, StatusError
from mem0_exports.http.flow import FlowInterrupted, Request, Response, Send, TimedOut, send, wait
from mem0_exports.http.responses import refusal
from mem0_exports.http.settings import Gate, PollSchedule
from tests.support.flows import READ, World, body, named, status


WRITE = Request("exports_create", "POST", "/x/", repeatable=False)

OK = Response(200, {}, b"body")
NOT_SENT = ConnectionFailed("refused", sent=False)
RESET = ConnectionFailed("reset")
SLOW = RequestTimeout("slow")
GARBLED = ContractViolation("no JSON", operation="x", excerpt="", garbled=True)
MISSHAPEN = ContractViolation("wrong", operation="x", excerpt="")


def endless(answer):
    while True:
        yield answer


def ready(response):
    if response.status == 404:
        return None
    return body(response)


def waiting(world, timeout, request_timeout=30.0, schedule=PollSchedule(), on_poll=None, *, answered=False, **settings):
    return wait(
        READ,
        ready,
        world.settings(request_timeout, schedule, **settings),
        start=world.clock(),
        timeout=timeout,
        answered=answered,
        on_poll=on_poll,
    )


# ---- one call, repeated ----------------------------------------------------------------------------------------------


def test_send_gives_what_read_makes_of_the_answer():
    world = World([OK])

    assert world.run(send(READ, body, world.settings(7))) == b"body"
    assert world.done == [Send(READ, 7)]


PASSING_FOR_READS = [RESET, NOT_SENT, SLOW, GARBLED, *map(status, (408, 429, 500, 502, 503, 504, 520, 599))]
PASSING_FOR_WRITES = [NOT_SENT, status(429), status(429, retry_after="0"), status(503, retry_after="0")]
TOLD_BUT_UNKNOWN = [status(code, retry_after="0") for code in (500, 502, 504)]
FINAL_FOR_READS = [MISSHAPEN, *map(status, (302, 400, 401, 403, 404, 409, 413, 422))]
FINAL_FOR_WRITES = [
    RESET,
    SLOW,
    GARBLED,
    *map(status, (408, 500, 502, 503, 504, 520)),
    *TOLD_BUT_UNKNOWN,
    *FINAL_FOR_READS,
]


@pytest.mark.parametrize(
    ("request_", "trouble"),
    [(READ, each) for each in PASSING_FOR_READS] + [(WRITE, each) for each in PASSING_FOR_WRITES],
    ids=lambda value: value.operation if isinstance(value, Request) else named(value),
)
def test_what_may_pass_is_tried_again(request_, trouble):
    world = World([trouble, trouble, OK])

    assert world.run(send(request_, body, world.settings())) == b"body"
    assert [command.attempt for command in world.sends()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("request_", "trouble"),
    [(READ, each) for each in FINAL_FOR_READS] + [(WRITE, each) for each in FINAL_FOR_WRITES],
    ids=lambda value: value.operation if isinstance(value, Request) else named(value),
)
def test_what_is_final_or_may_have_been_done_is_not_tried_again(request_, trouble):
    world = World([trouble, OK])

    with pytest.raises((StatusError, ConnectionFailed, RequestTimeout, ContractViolation)) as failed:
        world.run(send(request_, body, world.settings()))

    assert len(world.sends()) == failed.value.attempts == 1
    assert world.sleeps() == []


@pytest.mark.parametrize(
    ("trouble", "unknown"),
    [
        (RESET, True),
        (SLOW, True),
        (GARBLED, True),
        (MISSHAPEN, True),
        (NOT_SENT, False),
        *[(status(code), True) for code in (408, 500, 502, 503, 520)],
        *[(status(code), False) for code in (302, 400, 401, 403, 404, 413, 422, 429)],
        (status(503, retry_after="1"), False),
        *[(each, True) for each in TOLD_BUT_UNKNOWN],
    ],
    ids=named,
)
def test_only_a_write_that_may_have_been_done_is_of_unknown_outcome(trouble, unknown):
    for request, expected in ((WRITE, unknown), (READ, False)):
        world = World(endless(trouble))
        with pytest.raises((StatusError, ConnectionFailed, RequestTimeout, ContractViolation)) as failed:
            world.run(send(request, body, world.settings()))
        assert failed.value.outcome_unknown is expected


def test_the_last_error_is_raised_and_counts_the_attempts():
    world = World([RESET, status(500), status(502, x_request_id="r-9")])

    with pytest.raises(ServerError) as failed:
        world.run(send(READ, body, world.settings()))

    assert (failed.value.status, failed.value.attempts, failed.value.request_id) == (502, 3, "r-9")


def test_an_answer_that_cannot_be_read_has_its_request_id():
    def unreadable(_response):
        raise ContractViolation("wrong", operation="x", excerpt="")

    world = World([status(200, x_request_id="r-9")])
    with pytest.raises(ContractViolation) as failed:
        world.run(send(READ, unreadable, world.settings()))
    assert failed.value.request_id == "r-9"


def test_errors_of_earlier_attempts_do_not_hang_on_the_last():
    world = World([RESET, status(500), status(502)])
    with pytest.raises(ServerError) as failed:
        world.run(send(READ, body, world.settings()))
    assert failed.value.__context__ is None, "errors of earlier attempts do not hang on"


def test_waits_are_drawn_below_a_bound_that_doubles_up_to_the_longest():
    world = World(endless(RESET))
    with pytest.raises(ConnectionFailed):
        world.run(send(READ, body, world.settings(retry=Retry(attempts=8, initial_delay=0.5, max_delay=8))))
    assert world.sleeps() == [0.5, 1, 2, 4, 8, 8, 8]

    world = World(endless(RESET))
    with pytest.raises(ConnectionFailed):
        world.run(send(READ, body, world.settings(retry=Retry(attempts=3), jitter=iter([0.0, 0.25]).__next__)))
    assert world.sleeps() == [0.0, 0.25]


def test_a_hundred_attempts_wait_no_longer_than_the_longest():
    world = World(endless(RESET))

    with pytest.raises(ConnectionFailed):
        world.run(send(READ, body, world.settings(retry=Retry(attempts=100, max_delay=3600), jitter=random.random)))

    assert len(world.sends()) == 100
    assert max(world.sleeps()) <= 3600


DATE = "Mon, 23 Nov 2026 12:00:00 GMT"
LATER = "Mon, 23 Nov 2026 12:00:07 GMT"


@pytest.mark.parametrize(
    ("said", "seconds"),
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
def test_retry_after_as_seconds_and_as_a_date(said, seconds):
    answer = status(429, **said)
    assert refusal("x", answer).retry_after == seconds
    world = World([answer, OK])

    world.run(send(READ, body, world.settings(retry=Retry(initial_delay=0.25))))

    assert world.sleeps() == [0.25 if seconds is None else seconds + 0.25]


def test_without_a_date_of_its_own_the_date_is_compared_with_this_clock():
    assert refusal("x", status(429, retry_after="Fri, 01 Jan 2100 00:00:00 GMT")).retry_after > 10**9


def test_a_retry_after_beyond_the_cap_is_raised_at_once():
    for seconds, sleeps in ((120, 1), (121, 0)):
        world = World([status(429, retry_after=str(seconds)), OK])
        if sleeps:
            world.run(send(READ, body, world.settings()))
        else:
            with pytest.raises(RateLimited) as refused:
                world.run(send(READ, body, world.settings()))
            assert refused.value.retry_after == 121
        assert len(world.sleeps()) == sleeps


def test_no_attempt_begins_after_the_deadline_and_none_may_last_beyond_it():
    world = World(endless(RESET), latency=2.0)

    with pytest.raises(ConnectionFailed) as failed:
        world.run(send(READ, body, world.settings(30, retry=Retry(attempts=9)), deadline=110.0))

    assert [command.timeout for command in world.sends()] == [10, 7.5, 4.5, 0.5]
    assert failed.value.attempts == 4
    assert world.now == 110


def test_a_wait_that_would_pass_the_deadline_is_not_begun():
    world = World([status(429, retry_after="20"), OK])

    with pytest.raises(RateLimited):
        world.run(send(READ, body, world.settings(), deadline=110.0))

    assert world.now == 100


def test_one_attempt_repeats_nothing():
    world = World([RESET])

    with pytest.raises(ConnectionFailed):
        world.run(send(READ, body, world.settings(retry=Retry(attempts=1))))


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
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Retry(**wrong)


def test_settings_take_a_policy_and_a_deadline_from_a_call_and_nothing_else():
    settings = World([]).settings()

    assert settings.with_retry(None) is settings
    assert settings.with_retry(Retry(attempts=9)).retry.attempts == 9
    assert (settings.deadline(None), settings.deadline(5)) == (None, 105)
    with pytest.raises(InputError, match="Retry"):
        settings.with_retry(3)
    for wrong in (0, "5", True, float("nan")):
        with pytest.raises(InputError, match="timeout"):
            settings.deadline(wrong)


# ---- a gate that several calls share ---------------------------------------------------------------------------------


def test_a_429_of_one_call_holds_all_others_back():
    gate = Gate()
    world = World([status(429, retry_after="10"), OK, OK])
    settings = world.settings(gate=gate, retry=Retry(initial_delay=1), jitter=lambda: 0.5)

    assert world.run(send(READ, body, settings)) == b"body"
    assert world.sleeps() == [10.5], "Retry-After, and jitter"
    world.now, world.done = 105, []
    assert world.run(send(READ, body, settings)) == b"body"

    assert world.sleeps() == [5.5]


@pytest.mark.parametrize(("trouble", "held"), [(status(503, retry_after="9"), 9), (status(502, retry_after="9"), 0)])
def test_the_gate_is_shut_by_what_tells_everybody_to_wait(trouble, held):
    gate = Gate()
    world = World([trouble])

    with pytest.raises(ServerError):
        world.run(send(READ, body, world.settings(gate=gate, retry=Retry(attempts=1))))

    assert gate.left(100) == held


def test_a_gate_is_never_opened_earlier():
    gate = Gate()
    gate.hold(150)
    gate.hold(120)

    assert gate.left(100) == 50


def test_a_gate_that_opens_at_the_deadline_opens_too_late():
    gate = Gate()
    gate.hold(110)
    world = World([])

    with pytest.raises(RateLimited):
        world.run(send(READ, body, world.settings(gate=gate), deadline=110.0))
    assert world.done == [], "it does not even wait"


def test_what_failed_before_the_gate_was_shut_is_what_is_raised():
    gate = Gate()

    def answers(_command):
        gate.hold(1000)
        return ConnectionFailed("reset")

    world = World(answers)
    with pytest.raises(ConnectionFailed) as failed:
        world.run(send(READ, body, world.settings(gate=gate)))
    assert failed.value.attempts == 1


def test_without_any_time_nothing_is_sent():
    world = World([])

    with pytest.raises(RequestTimeout, match="no time is left") as late:
        world.run(send(WRITE, body, world.settings(), deadline=world.now))

    assert (late.value.sent, world.done) == (False, [])


def test_other_failures_hold_nobody_back():
    gate = Gate()
    world = World([RESET, OK])

    world.run(send(READ, body, world.settings(gate=gate)))

    assert gate.left(0) == 0


def test_a_gate_that_opens_after_the_deadline_is_an_error_and_nothing_is_sent():
    gate = Gate()
    gate.hold(150)
    world = World([])

    with pytest.raises(RateLimited, match="not sent") as late:
        world.run(send(WRITE, body, world.settings(gate=gate), deadline=110.0))

    assert (late.value.retry_after, late.value.outcome_unknown, late.value.attempts) == (50, False, 0)
    assert world.done == []


@pytest.mark.parametrize("retry", [Retry(attempts=1), Retry(max_retry_after=5)], ids=["last attempt", "over the cap"])
def test_a_429_shuts_the_gate_also_where_this_call_gives_up(retry):
    gate = Gate()
    world = World([status(429, retry_after="10")])
    with pytest.raises(RateLimited):
        world.run(send(READ, body, world.settings(gate=gate, retry=retry)))

    other = World([OK])
    other.run(send(READ, body, other.settings(gate=gate)))

    assert other.sleeps() == [10.5]


def test_beyond_the_cap_the_others_fail_without_being_sent():
    gate = Gate()
    gate.hold(100 + 600)
    world = World([])

    with pytest.raises(RateLimited):
        world.run(send(READ, body, world.settings(gate=gate)))


def test_a_gate_that_is_shut_for_as_long_as_the_cap_is_waited_for():
    gate = Gate()
    gate.hold(100 + 120)
    world = World([OK])

    world.run(send(READ, body, world.settings(gate=gate)))

    assert world.sleeps() == [120.5]


def test_jitter_at_the_gate_leaves_time_for_the_request():
    gate = Gate()
    world = World([status(429, retry_after="2"), OK])

    world.run(send(READ, body, world.settings(gate=gate), deadline=102.6))

    assert world.sleeps() == [pytest.approx(2.3)]


# ---- waiting ---------------------------------------------------------------------------------------------------------


def test_a_ready_answer_needs_no_sleep():
    world = World([OK])

    assert world.run(waiting(world, 60)) == b"body"
    assert world.sleeps() == []


def test_the_waits_grow_up_to_the_longest():
    world = World([*[status(404)] * 6, OK])

    assert world.run(waiting(world, 60, schedule=PollSchedule(1.0, 2.0, 5.0))) == b"body"
    assert world.sleeps() == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize("timeout", [0.1, 3.0, 10.0, 61.7])
def test_the_deadline_is_kept_to_the_moment(timeout):
    world = World(endless(status(404)))

    with pytest.raises(TimedOut) as timed_out:
        world.run(waiting(world, timeout))

    assert world.now == pytest.approx(100.0 + timeout)
    assert timed_out.value.polls == len(world.sends())


def test_no_request_may_last_longer_than_what_is_left():
    world = World(endless(status(404)), latency=2.0)

    with pytest.raises(TimedOut):
        world.run(waiting(world, 5, request_timeout=30, schedule=PollSchedule(1.0, 1.0, 1.0)))

    assert [command.timeout for command in world.sends()] == [5, 2]
    assert world.now == 105


def test_one_request_never_gets_more_than_its_own_timeout():
    world = World([OK])

    world.run(waiting(world, 60, request_timeout=30))

    assert world.sends()[0].timeout == 30


def test_a_request_that_runs_into_the_deadline_is_the_deadline():
    world = World([RequestTimeout("slow")], latency=99)

    with pytest.raises(TimedOut):
        world.run(waiting(world, 5))


def test_a_request_that_times_out_earlier_is_an_error():
    world = World([RequestTimeout("slow")], latency=99)

    with pytest.raises(RequestTimeout, match="slow"):
        world.run(waiting(world, 60, request_timeout=5, retry=Retry(attempts=1)))


def test_on_poll_hears_of_every_unready_answer():
    world = World([*[status(404)] * 2, OK])
    heard = []

    world.run(waiting(world, 60, schedule=PollSchedule(1.0, 2.0, 9.0), on_poll=lambda *said: heard.append(said)))

    assert heard == [(1, 0.0), (2, 1.0)]


def test_a_service_that_was_never_heard_of_ends_the_wait():
    world = World(endless(RESET))

    with pytest.raises(ConnectionFailed):
        world.run(waiting(world, 600))

    assert len(world.sends()) == 3


@pytest.mark.parametrize("trouble", [RESET, NOT_SENT, SLOW, GARBLED, status(429), status(502)], ids=named)
def test_once_the_service_was_heard_of_the_wait_lasts_through_what_may_pass(trouble):
    for answers, answered in (([trouble] * 9, True), ([status(404), *[trouble] * 9], False)):
        world = World([*answers, OK])
        assert world.run(waiting(world, 600, answered=answered)) == b"body"


def test_what_cannot_pass_ends_the_wait_all_the_same():
    world = World([status(404), status(401)])

    with pytest.raises(StatusError, match="401"):
        world.run(waiting(world, 600))


def test_a_retry_after_beyond_the_cap_ends_the_wait():
    world = World([status(404), status(429, retry_after="3600")])

    with pytest.raises(RateLimited):
        world.run(waiting(world, 7200))


def test_a_wait_obeys_retry_after():
    world = World([status(404), *[status(429, retry_after="60")] * 3, OK])

    world.run(waiting(world, 600, retry=Retry(attempts=1), schedule=PollSchedule(1.0, 1.0, 1.0)))

    assert world.sleeps() == [1, 60, 60, 60]


def test_the_deadline_is_kept_through_trouble_and_the_last_trouble_is_told():
    world = World(endless(RESET), latency=1.0)

    with pytest.raises(TimedOut) as timed_out:
        world.run(waiting(world, 33.3, answered=True))

    assert world.now == pytest.approx(133.3)
    assert timed_out.value.failure is RESET
    assert timed_out.value.sends == len(world.sends()) > timed_out.value.polls == 0


def test_trouble_that_has_passed_is_not_told():
    answers = iter([status(404), status(502)])
    world = World(lambda _command: next(answers, status(404)))

    with pytest.raises(TimedOut) as timed_out:
        world.run(waiting(world, 30, retry=Retry(attempts=1)))

    assert timed_out.value.failure is None


def test_a_driver_that_stops_is_not_answered_with_another_command():
    flow = waiting(World([]), 60)
    next(flow)

    with pytest.raises(FlowInterrupted):
        flow.throw(FlowInterrupted(carried_out=False))
