"""Every fault with every call, over real sockets: what is tried again, what the error says, what really took place."""

from __future__ import annotations

import json
import logging
import pickle
import re
import threading
import traceback

import pytest

from pydantic import BaseModel

from mem0_exports import (
    ConnectionFailed,
    ContractViolation,
    ExportInvalid,
    ExportTimeout,
    F,
    Mem0ExportsError,
    RateLimited,
    RequestTimeout,
    Retry,
    ServerError,
    StatusError,
)
from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.conftest import KEY
from tests.end_to_end.faults.server import EVERY, FaultServer, once
from tests.support.patience import patient


class Found(BaseModel):
    user: str
    n: int


ALEX = F.user_id == "alex"

JOB = "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4"


@pytest.fixture(autouse=True)
def job(server):
    """A job that nobody had to create."""
    server.jobs[JOB] = {"filters": {"user_id": "alex"}}


READS = {
    "ping": lambda client: client.ping(),
    "list": lambda client: list(client.memories.list(ALEX)),
    "entities": lambda client: list(client.entities.list()),
    "get": lambda client: client.exports.get(JOB, Found).poll() or "pending",
}
WRITES = {
    "create": lambda client: client.exports.create(Found, ALEX),
    "add": lambda client: client.memories.add("Lives in Lisbon", user_id="alex"),
}

FINAL = {"bad_request", "redirect", "wrong_types"}
"""What no second attempt can mend."""

SAFE_AGAIN = {"rate_limited", "rate_limited_date", "unavailable"}
"""What tells that a write did not take place."""

DRIPS = {"drip", "drip_headers"}

SOONER = {"rate_limited": {"seconds": 0.02}, "rate_limited_date": {"seconds": 0}}


def hurried(client, fault):
    """The client, with a short timeout where the server keeps silent. Elsewhere a busy machine has all the time."""
    return client.with_options(timeout=patient(0.5)) if fault.then == "hang" else client


def each(operations, *names_left_out):
    """Every fault with every operation; silence, which takes its time, with the first one."""
    chosen = [fault.but(**SOONER.get(fault.name, {})) for fault in EVERY if fault.name not in names_left_out]
    first = next(iter(operations))
    pairs = [(operation, fault) for operation in operations for fault in chosen]
    kept = [(operation, fault) for operation, fault in pairs if fault.then != "hang" or operation == first]
    return pytest.mark.parametrize(("operation", "fault"), kept, ids=str)


def failure(call, client):
    with pytest.raises(Mem0ExportsError) as failed:
        call(client)
    return failed.value


@each(READS, *FINAL, *DRIPS)
def test_a_read_gets_over_a_fault(server, client, operation, fault):
    server.script = once(fault, operation=operation)

    assert READS[operation](hurried(client, fault))

    assert server.requests[operation] == 1 + server.faults[fault.name]
    assert server.faults[fault.name] == 1


@each(READS, *DRIPS)
def test_a_read_that_fails_each_time_is_an_error_of_this_package(server, client, operation, fault):
    server.script = lambda asked: fault if asked.operation == operation else None
    error = failure(READS[operation], hurried(client, fault))

    assert error.attempts == server.requests[operation] == (1 if fault.name in FINAL else 3)
    assert error.operation is not None
    assert error.outcome_unknown is False
    alone(error)


@each(WRITES, *DRIPS)
def test_a_write_is_sent_again_only_where_it_cannot_have_taken_place(server, client, operation, fault):
    server.script = once(fault, operation=operation)

    if fault.name in SAFE_AGAIN:
        assert WRITES[operation](client)
        assert server.requests[operation] == 2
    else:
        error = failure(WRITES[operation], hurried(client, fault))
        assert server.requests[operation] == error.attempts == 1
        assert error.outcome_unknown is fault.dropped
        alone(error)
        expected = {"create": len(server.created), "add": server.adds}[operation]
        assert expected == int(fault.processed)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (faults.RESET_AFTER, ConnectionFailed, "exports_create"),
        (faults.STALL, RequestTimeout, r"no answer within [\d.]+ s"),
        (faults.TRUNCATE, ConnectionFailed, "peer closed|incomplete"),
        (faults.GARBAGE, ConnectionFailed, "exports_create"),
        (faults.HTML_502, ServerError, "502: 502 Bad Gateway$"),
        (faults.STATUS_520, ServerError, "520"),
        (faults.ERROR_500_AFTER, ServerError, "Internal server error"),
        (faults.UNAVAILABLE_BARE, ServerError, "Unavailable"),
        (faults.REDIRECT, StatusError, "redirected to https://elsewhere.invalid.*base_url"),
        (faults.EMPTY_SUCCESS, ContractViolation, "not JSON"),
        (faults.SHORT_JSON, ContractViolation, "not JSON"),
        (faults.INVALID_UTF8, ContractViolation, "not JSON"),
        (faults.NAN, ContractViolation, "NaN"),
        (faults.DEEP, ContractViolation, "nested too deep"),
        (faults.WRONG_TYPES, ContractViolation, "does not match openapi.yaml"),
    ],
    ids=str,
)
def test_the_error_says_what_happened(server, client, fault, kind, words):
    server.script = once(fault)

    error = failure(WRITES["create"], hurried(client, fault))

    assert type(error) is kind
    assert re.search(words, str(error)), str(error)


def alone(error):
    """No exception of another package hangs on it, and it can be sent to another process."""
    chain = [error]
    while (chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)
    assert {type(each).__module__.partition(".")[0] for each in chain} == {"mem0_exports"}
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_export_of_other_types_is_invalid_and_keeps_its_data(server, client):
    job = client.exports.create(Found, ALEX)
    server.script = once(faults.WRONG_TYPES, operation="get")

    with pytest.raises(ExportInvalid) as invalid:
        job.result(timeout=patient(30))

    assert invalid.value.data["user"] == 5
    assert invalid.value.export_id == job.id


@pytest.mark.parametrize("said", [faults.RATE_LIMITED.but(seconds=300), faults.UNAVAILABLE.but(seconds=300)], ids=str)
def test_a_long_retry_after_is_raised_at_once(server, client, said):
    server.script = lambda _asked: said

    for call in (*READS.values(), *WRITES.values()):
        error = failure(call, client)
        assert (error.retry_after, error.attempts, error.outcome_unknown) == (300, 1, False)
        assert type(error) is (RateLimited if said.name == "rate_limited" else ServerError)


def test_a_date_is_read_by_the_clock_of_the_server(server, client):
    server.script = once(faults.RATE_LIMITED_DATE.but(seconds=500, skew=-86400), operation="ping")

    assert failure(READS["ping"], client).retry_after == 500


@pytest.mark.parametrize("fault", [faults.DRIP.but(interval=0.05), faults.DRIP_HEADERS.but(interval=0.05)], ids=str)
def test_a_timeout_is_for_the_whole_request(server, client, fault):
    """Each byte comes in time, all of them do not. The headers of a sync request are the documented exception."""
    server.script = lambda _asked: fault

    error = failure(lambda client: client.ping(retry=Retry(attempts=1)), client.with_options(timeout=0.5))

    assert type(error) is RequestTimeout, "the whole answer takes more than 5 s, and would be right"


def test_nobody_listens_so_a_create_is_tried_again_and_is_known_to_be_unsent(server, client):
    with server.refusing():
        error = failure(WRITES["create"], client)
        assert (type(error), error.sent, error.outcome_unknown, error.attempts) == (ConnectionFailed, False, False, 3)
    assert server.requests.total() == 0


def test_a_create_waits_until_somebody_listens(server, client):
    refusing = server.refusing()
    refusing.__enter__()
    opener = threading.Timer(0.3, refusing.__exit__, (None, None, None))
    opener.start()

    job = client.exports.create(Found, ALEX, retry=Retry(attempts=100, initial_delay=0.2, max_delay=0.2))

    opener.join()
    assert server.created == [job.id]


def test_a_deadline_of_a_call_holds_for_all_its_attempts(server, client):
    server.script = lambda _asked: faults.STALL
    unit = patient(0.5)
    impatient = client.with_options(timeout=unit)

    error = failure(
        lambda client: client.ping(timeout=1.8 * unit, retry=Retry(attempts=50, initial_delay=0)), impatient
    )

    assert type(error) is RequestTimeout
    assert error.attempts == 2, "one unit for the first, what is left for the second"


def test_a_wait_lasts_through_an_outage(server, client):
    server.polls_until_ready = 2
    job = client.exports.create(Found, ALEX)
    assert job.poll() is None
    trouble = [faults.RESET_BEFORE, faults.HTML_502, faults.STATUS_520, faults.SHORT_JSON]
    server.script = once(None, *trouble, operation="get")

    assert job.result(timeout=patient(60), retry=Retry(attempts=1)).user == "alex"
    assert server.faults.total() == len(trouble)


def test_a_wait_ends_at_its_deadline_and_tells_the_last_trouble(server, client):
    server.polls_until_ready = 10**9
    job = client.exports.create(Found, ALEX)
    server.script = lambda asked: faults.HTML_502 if asked.number > 1 else None

    with pytest.raises(ExportTimeout, match="502 Bad Gateway") as timed_out:
        job.result(timeout=patient(1.5))

    assert timed_out.value.export_id == job.id
    assert timed_out.value.polls == 1, "what got no usable answer is no poll"
    assert timed_out.value.attempts == server.requests["get"] > 1


def test_run_is_created_once_whatever_happens_to_its_polls(server, client):
    server.script = once(*[faults.RESET_BEFORE] * 2, None, *[faults.HTML_502] * 4, operation="get")

    assert client.exports.run(Found, ALEX, timeout=patient(30)) == Found(
        user="alex", n=faults.result_of({"filters": {"user_id": "alex"}})["n"]
    )
    assert len(server.created) == 1


# ---- secrets and the log ---------------------------------------------------------------------------------------------


def test_the_key_is_not_sent_to_another_origin(server, client):
    with FaultServer(key=KEY) as elsewhere:
        server.script = lambda _asked: faults.REDIRECT.but(location=f"{elsewhere.url}/v1/ping/")
        for call in (*READS.values(), *WRITES.values()):
            failure(call, client)
        assert elsewhere.connections == 0


ECHO = faults.Fault(
    "echo", False, True, lambda _fault, _answer: faults._message(400, f'{{"detail": "bad: Token {KEY}"}}'.encode())
)
ECHO_PAGE = faults.Fault(
    "echo_page", False, True, lambda _fault, _answer: faults._message(200, f"<p>Token {KEY}".encode(), x_request_id=KEY)
)


ECHO_CUT = faults.Fault(
    "echo_cut", False, True, lambda _fault, _answer: faults._message(200, b"x" * 190 + KEY.encode() + b"x" * 2000)
)
ECHO_REASON = faults.Fault(
    "echo_reason",
    False,
    True,
    lambda _fault, _answer: faults._message(404, f'{{"error": "-", "reason": "{KEY}"}}'.encode()),
)
ECHO_SHAPE = faults.Fault(
    "echo_shape",
    False,
    True,
    lambda _fault, _answer: faults._message(201, f'{{"id": "{KEY}", "message": "-"}}'.encode()),
)


@pytest.mark.parametrize("fault", [*EVERY, ECHO, ECHO_PAGE, ECHO_CUT, ECHO_REASON], ids=str)
def test_the_key_shows_nowhere(server, client, fault, caplog):
    caplog.set_level(logging.DEBUG)
    quick = {"interval": 0.0005} if fault.drips != "nothing" else {}
    server.script = lambda _asked: fault.but(seconds=300, **quick)

    shown = []
    for call in (READS["ping"], READS["get"], WRITES["create"]):
        try:
            call(hurried(client, fault).with_options(retry=Retry(attempts=1)))
        except Mem0ExportsError as error:
            said = traceback.TracebackException.from_exception(error, capture_locals=True)
            # What the service tells in a body, a debugger may see in the frame that reads it.
            ours = [
                frame for frame in said.stack if "mem0_exports" in frame.filename and not fault.name.startswith("echo")
            ]
            shown += [str(error), repr(error), repr(vars(error)), pickle.dumps(error).decode("latin-1")]
            shown += [f"{frame.name} {frame.locals}" for frame in ours]
    # httpcore logs the headers of answers: what the server puts there, it tells.
    own = [record.getMessage() for record in caplog.records if record.name == "mem0_exports"]
    shown += own if fault is ECHO_PAGE else [caplog.text]
    assert own

    assert server.seen_headers["authorization"] == f"Token {KEY}"
    assert not [text for text in shown if KEY[:8] in text], "not even its beginning"


def echo_time(_fault, _answer):
    memory = {"id": JOB, "memory": "x", "created_at": KEY}
    return faults._message(200, json.dumps({"count": 1, "next": None, "previous": None, "results": [memory]}).encode())


ECHO_TIME = faults.Fault("echo_time", False, True, echo_time)


@pytest.mark.parametrize(
    ("operation", "fault"), [("create", ECHO_SHAPE), ("list", ECHO_TIME)], ids=["as an id", "as a time"]
)
def test_the_key_in_an_answer_of_another_shape_is_not_shown(server, client, operation, fault):
    server.script = once(fault, operation=operation)

    error = failure({**READS, **WRITES}[operation], client)

    assert type(error) is ContractViolation
    assert KEY[:8] not in f"{error} {vars(error)}"


def test_one_line_for_each_attempt(server, client, caplog):
    caplog.set_level(logging.DEBUG, logger="mem0_exports")
    answer = faults.Fault(
        "told", False, True, lambda _fault, _answer: faults._message(502, b"secret body", x_request_id="r-1")
    )
    server.script = once(answer, faults.RESET_BEFORE, operation="ping")

    client.ping()

    lines = [record.getMessage() for record in caplog.records if record.name == "mem0_exports"]
    assert [record.levelname for record in caplog.records if record.name == "mem0_exports"] == ["DEBUG"] * 3
    expected = [
        r"ping: 502, attempt 1, \d+ ms, request id r-1",
        r"ping: ConnectionFailed, attempt 2, \d+ ms, request id -",
        r"ping: 200, attempt 3, \d+ ms, request id -",
    ]
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line
