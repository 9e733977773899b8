"""Test every call with every fault, over real sockets: retries, errors, and what the server carried out."""

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
from tests.end_to_end.faults.server import ALL_FAULTS, MEMORY_ID, FaultServer, once
from tests.support.timeouts import scaled


class Result(BaseModel):
    user: str
    n: int


ALEX = F.user_id == "alex"

JOB = "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4"


@pytest.fixture(autouse=True)
def job(server):
    """A job that exists without a create."""
    server.jobs[JOB] = {"filters": {"user_id": "alex"}}


READS = {
    "ping": lambda client: client.ping(),
    "list": lambda client: list(client.memories.list(ALEX)),
    "entities": lambda client: list(client.entities.list()),
    "get": lambda client: client.exports.get(JOB, Result).poll() or "pending",
    "get_memory": lambda client: client.memories.get(MEMORY_ID),
}
WRITES = {
    "create": lambda client: client.exports.create(Result, ALEX),
    "add": lambda client: client.memories.add("Lives in Lisbon", user_id="alex"),
    "delete": lambda client: client.memories.delete(MEMORY_ID) or "deleted",
}

PERMANENT = {"bad_request", "redirect", "wrong_types"}
"""Faults that are not retried."""

NOT_CARRIED_OUT = {"rate_limited", "rate_limited_date", "unavailable"}
"""Faults after which a write was certainly not carried out, so that it is retried."""

DRIPS = {"drip", "drip_headers"}

SHORTER_DELAYS = {"rate_limited": {"seconds": 0.02}, "rate_limited_date": {"seconds": 0}}


def with_short_timeout(client, fault):
    """Return the client with a short timeout if the fault is silence; otherwise a busy machine may need a long one."""
    return client.with_options(timeout=scaled(0.5)) if fault.then == "hang" else client


def with_each_fault(operations, *excluded):
    """Parametrize a test with all operations and faults; silence, which is slow, only with the first operation."""
    chosen = [fault.replace(**SHORTER_DELAYS.get(fault.name, {})) for fault in ALL_FAULTS if fault.name not in excluded]
    first = next(iter(operations))
    pairs = [(operation, fault) for operation in operations for fault in chosen]
    chosen_pairs = [(operation, fault) for operation, fault in pairs if fault.then != "hang" or operation == first]
    return pytest.mark.parametrize(("operation", "fault"), chosen_pairs, ids=str)


def error_of(call, client):
    with pytest.raises(Mem0ExportsError) as failed:
        call(client)
    return failed.value


@with_each_fault(READS, *PERMANENT, *DRIPS)
def test_read_succeeds_after_one_fault(server, client, operation, fault):
    server.script = once(fault, operation=operation)

    assert READS[operation](with_short_timeout(client, fault))

    assert server.requests[operation] == 1 + server.faults[fault.name]
    assert server.faults[fault.name] == 1


@with_each_fault(READS, *DRIPS)
def test_read_that_always_fails_raises_an_error_of_this_package(server, client, operation, fault):
    server.script = lambda request: fault if request.operation == operation else None
    error = error_of(READS[operation], with_short_timeout(client, fault))

    assert error.attempts == server.requests[operation] == (1 if fault.name in PERMANENT else 3)
    assert error.operation is not None
    assert error.outcome_unknown is False
    check_self_contained(error)


@with_each_fault(WRITES, *DRIPS)
def test_write_is_retried_only_if_it_cannot_have_been_carried_out(server, client, operation, fault):
    server.script = once(fault, operation=operation)

    if fault.name in NOT_CARRIED_OUT:
        assert WRITES[operation](client)
        assert server.requests[operation] == 2
    else:
        error = error_of(WRITES[operation], with_short_timeout(client, fault))
        assert server.requests[operation] == error.attempts == 1
        assert error.outcome_unknown is fault.ambiguous
        check_self_contained(error)
        expected = {"create": len(server.created), "add": server.adds, "delete": server.deletes}[operation]
        assert expected == int(fault.processed)


@pytest.mark.parametrize(
    ("fault", "error_class", "pattern"),
    [
        (faults.RESET_AFTER, ConnectionFailed, "exports_create"),
        (faults.STALL, RequestTimeout, r"no answer from 127.0.0.1:\d+ within [\d.]+ s"),
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
def test_error_names_the_problem(server, client, fault, error_class, pattern):
    server.script = once(fault)

    error = error_of(WRITES["create"], with_short_timeout(client, fault))

    assert type(error) is error_class
    assert re.search(pattern, str(error)), str(error)


def check_self_contained(error):
    """Check that no exception of another package is chained to the error, and that it can be pickled."""
    chain = [error]
    while (chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)
    assert {type(each).__module__.partition(".")[0] for each in chain} == {"mem0_exports"}
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_result_of_wrong_types_raises_export_invalid_with_the_data(server, client):
    job = client.exports.create(Result, ALEX)
    server.script = once(faults.WRONG_TYPES, operation="get")

    with pytest.raises(ExportInvalid) as invalid:
        job.result(timeout=scaled(30))

    assert invalid.value.data["user"] == 5
    assert invalid.value.export_id == job.id


@pytest.mark.parametrize(
    "fault", [faults.RATE_LIMITED.replace(seconds=300), faults.UNAVAILABLE.replace(seconds=300)], ids=str
)
def test_long_retry_after_is_raised_instead_of_awaited(server, client, fault):
    server.script = lambda _request: fault

    for call in (*READS.values(), *WRITES.values()):
        error = error_of(call, client)
        assert (error.retry_after, error.attempts, error.outcome_unknown) == (300, 1, False)
        assert type(error) is (RateLimited if fault.name == "rate_limited" else ServerError)


def test_retry_after_date_is_relative_to_the_clock_of_the_server(server, client):
    server.script = once(faults.RATE_LIMITED_DATE.replace(seconds=500, skew=-86400), operation="ping")

    assert error_of(READS["ping"], client).retry_after == 500


@pytest.mark.parametrize(
    "fault", [faults.DRIP.replace(interval=0.05), faults.DRIP_HEADERS.replace(interval=0.05)], ids=str
)
def test_timeout_applies_to_the_whole_answer(server, client, fault):
    """Each byte arrives in time, but the whole answer does not."""
    server.script = lambda _request: fault

    error = error_of(lambda client: client.ping(retry=Retry(attempts=1)), client.with_options(timeout=0.5))

    assert type(error) is RequestTimeout, "the timeout did not apply to the whole answer, which takes more than 5 s"


def test_create_is_retried_while_connections_are_refused(server, client):
    with server.refuse_connections():
        error = error_of(WRITES["create"], client)
        assert (type(error), error.sent, error.outcome_unknown, error.attempts) == (ConnectionFailed, False, False, 3)
    assert server.requests.total() == 0


def test_create_succeeds_once_the_server_listens_again(server, client):
    refuse_connections = server.refuse_connections()
    refuse_connections.__enter__()
    opener = threading.Timer(0.3, refuse_connections.__exit__, (None, None, None))
    opener.start()

    job = client.exports.create(Result, ALEX, retry=Retry(attempts=100, initial_delay=0.2, max_delay=0.2))

    opener.join()
    assert server.created == [job.id]


def test_timeout_of_a_call_covers_all_its_attempts(server, client):
    server.script = lambda _request: faults.STALL
    timeout = scaled(0.5)
    short_timeout = client.with_options(timeout=timeout)

    error = error_of(
        lambda client: client.ping(timeout=1.8 * timeout, retry=Retry(attempts=50, initial_delay=0)), short_timeout
    )

    assert type(error) is RequestTimeout
    assert error.attempts == 2, "expected the full timeout for the first attempt and the remaining time for the second"


def test_wait_survives_an_outage(server, client):
    server.polls_until_ready = 2
    job = client.exports.create(Result, ALEX)
    assert job.poll() is None
    outage = [faults.RESET_BEFORE, faults.HTML_502, faults.STATUS_520, faults.SHORT_JSON]
    server.script = once(None, *outage, operation="get")

    assert job.result(timeout=scaled(60), retry=Retry(attempts=1)).user == "alex"
    assert server.faults.total() == len(outage)


def test_wait_ends_at_its_deadline_with_the_last_failure(server, client):
    server.polls_until_ready = 10**9
    job = client.exports.create(Result, ALEX)
    server.script = lambda request: faults.HTML_502 if request.number > 1 else None

    with pytest.raises(ExportTimeout, match="502 Bad Gateway") as timed_out:
        job.result(timeout=scaled(1.5))

    assert timed_out.value.export_id == job.id
    assert timed_out.value.polls == 1, "an attempt without a usable answer was counted as a poll"
    assert timed_out.value.attempts == server.requests["get"] > 1


def test_run_creates_one_job_although_polls_fail(server, client):
    server.script = once(*[faults.RESET_BEFORE] * 2, None, *[faults.HTML_502] * 4, operation="get")

    assert client.exports.run(Result, ALEX, timeout=scaled(30)) == Result(
        user="alex", n=faults.result_of({"filters": {"user_id": "alex"}})["n"]
    )
    assert len(server.created) == 1


# ---- secrets and the log ---------------------------------------------------------------------------------------------


def test_key_is_not_sent_to_another_origin(server, client):
    with FaultServer(key=KEY) as elsewhere:
        server.script = lambda _request: faults.REDIRECT.replace(location=f"{elsewhere.url}/v1/ping/")
        for call in (*READS.values(), *WRITES.values()):
            error_of(call, client)
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


@pytest.mark.parametrize("fault", [*ALL_FAULTS, ECHO, ECHO_PAGE, ECHO_CUT, ECHO_REASON], ids=str)
def test_key_is_in_no_error_and_no_log(server, client, fault, caplog):
    caplog.set_level(logging.DEBUG)
    quick = {"interval": 0.0005} if fault.drips != "nothing" else {}
    server.script = lambda _request: fault.replace(seconds=300, **quick)

    shown = []
    for call in (READS["ping"], READS["get"], WRITES["create"]):
        try:
            call(with_short_timeout(client, fault).with_options(retry=Retry(attempts=1)))
        except Mem0ExportsError as error:
            trace = traceback.TracebackException.from_exception(error, capture_locals=True)
            # The frame that reads a body may hold it, and a service may echo the key in a body.
            ours = [
                frame for frame in trace.stack if "mem0_exports" in frame.filename and not fault.name.startswith("echo")
            ]
            shown += [str(error), repr(error), repr(vars(error)), pickle.dumps(error).decode("latin-1")]
            shown += [f"{frame.name} {frame.locals}" for frame in ours]
    # httpcore logs the headers of answers, so a key that the service echoes there is in its log.
    own = [record.getMessage() for record in caplog.records if record.name == "mem0_exports"]
    shown += own if fault is ECHO_PAGE else [caplog.text]
    assert own

    assert server.seen_headers["authorization"] == f"Token {KEY}"
    assert not [text for text in shown if KEY[:8] in text], "the key, or the beginning of it, is shown"


def echo_time(_fault, _answer):
    memory = {"id": JOB, "memory": "x", "created_at": KEY}
    return faults._message(200, json.dumps({"count": 1, "next": None, "previous": None, "results": [memory]}).encode())


ECHO_TIME = faults.Fault("echo_time", False, True, echo_time)


@pytest.mark.parametrize(
    ("operation", "fault"), [("create", ECHO_SHAPE), ("list", ECHO_TIME)], ids=["as_id", "as_time"]
)
def test_key_in_an_invalid_answer_is_not_shown(server, client, operation, fault):
    server.script = once(fault, operation=operation)

    error = error_of({**READS, **WRITES}[operation], client)

    assert type(error) is ContractViolation
    assert KEY[:8] not in f"{error} {vars(error)}"


def test_logs_one_line_per_attempt(server, client, caplog):
    caplog.set_level(logging.DEBUG, logger="mem0_exports")
    answer = faults.Fault(
        "echo_request_id", False, True, lambda _fault, _answer: faults._message(502, b"secret body", x_request_id="r-1")
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
