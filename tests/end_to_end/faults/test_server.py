"""Test the server with scripted faults: the bytes that it sends, and its counters."""

from __future__ import annotations

import contextlib
import email.utils
import gc
import http.client
import json
import math
import socket
import threading
import time
import zlib

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.server import (
    ALL_FAULTS,
    MEMORY_ID,
    FaultServer,
    ReceivedRequest,
    at_random,
    canonical,
    no_faults,
    once,
)
from tests.support.timeouts import wait_until


BODY = {"schema": {"type": "object"}, "filters": {"AND": [{"created_at": {"gt": "2025-01-01"}}, {"user_id": "alex"}]}}
KEY = {"Authorization": "Token key"}
PATHS = {
    "create": ("POST", "/v1/exports/", BODY),
    "get": ("POST", "/v1/exports/get/", {"memory_export_id": "none"}),
    "ping": ("GET", "/v1/ping/", None),
    "add": ("POST", "/v3/memories/add/", {"messages": [{"role": "user", "content": "m"}], "infer": False}),
    "list": ("POST", "/v3/memories/?page=1&page_size=200", {"filters": {"user_id": "alex"}}),
    "entities": ("GET", "/v1/entities/?page=1", None),
    "get_memory": ("GET", f"/v1/memories/{MEMORY_ID}/", None),
    "delete": ("DELETE", f"/v1/memories/{MEMORY_ID}/", None),
}


@contextlib.contextmanager
def connect(server):
    """Yield a function that sends requests on one connection and returns the status, the headers and the JSON."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:

        def send(operation, body=None, headers=KEY):
            method, path, default = PATHS[operation]
            body = default if body is None else body
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, answer.headers, json.loads(content) if content else None

        yield send


def send_raw(server, operation="create", body=None, timeout=60.0):
    """Send one request; return the bytes of the answer, and how it ended: whole, eof, reset or silence."""
    method, path, default = PATHS[operation]
    content = json.dumps(default if body is None else body).encode()
    head = f"{method} {path} HTTP/1.1\r\nauthorization: Token key\r\ncontent-length: {len(content)}\r\n\r\n"
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as connection:
            connection.sendall(head.encode() + content)
            while part := connection.recv(1 << 20):
                received += part
                top, _, rest = received.partition(b"\r\n\r\n")
                if top.endswith(b"\r\ncontent-length: %d" % len(rest)):
                    return received, "whole"
    except TimeoutError:
        return received, "silence"
    except (ConnectionResetError, BrokenPipeError):
        return received, "reset"
    return received, "eof"


def test_answers_without_faults_match_the_spec():
    spec = yaml.load(Path("openapi.yaml").read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    with FaultServer(polls_until_ready=2) as server, connect(server) as send:
        accepted = send("create")[2]
        get = {"memory_export_id": accepted["id"]}
        answers = [(operation, send(operation)) for operation in PATHS]
        answers += [("get", send("get", get)) for _ in range(3)]
        answers += [("ping", send("ping", headers={})), ("ping", send("ping", headers={"Authorization": "Token k"}))]
        seen_headers = server.seen_headers

    for operation, (status, headers, value) in answers:
        method, path, _ = PATHS[operation]
        path = path.partition("?")[0].replace(MEMORY_ID, "{memory_id}")
        response = spec["paths"][path][method.lower()]["responses"][str(status)]
        if "$ref" in response:
            response = spec["components"]["responses"][response["$ref"].rpartition("/")[2]]
        schema = {**response["content"]["application/json"]["schema"], "components": spec["components"]}
        jsonschema_rs.validator_for(schema, validate_formats=True).validate(value)
        assert headers["content-type"] == "application/json"
    assert [status for _, (status, *_) in answers] == [201, 404, *[200] * 6, 404, 404, 200, 401, 401]
    assert answers[-3][1][2] == {"user": "alex", "n": zlib.crc32(b"alex")}
    assert seen_headers["authorization"] == "Token k"
    assert server.connections == 1
    assert server.requests == {name: {"create": 2, "get": 4, "ping": 3}.get(name, 1) for name in PATHS}
    assert server.answered["get", 404] == 3
    assert server.answered["ping", 401] == 2
    assert server.polls == {accepted["id"]: 3}
    assert server.adds == 1
    assert len(server.created) == 2
    assert server.creates_by_body == {canonical(BODY): 2}
    assert server.jobs[accepted["id"]] == BODY
    assert not server.faults


EXPECTED = {
    "reset_before": (None, "reset"),
    "reset_after": (None, "reset"),
    "close_before": (None, "eof"),
    "close_after": (None, "eof"),
    "stall": (None, "silence"),
    "stall_after": (None, "silence"),
    "truncate": (201, "eof"),
    "garbage": (None, "eof"),
    "drip": (201, "whole"),
    "drip_headers": (201, "whole"),
    "html_502": (502, "whole"),
    "html_502_after": (502, "whole"),
    "status_520": (520, "whole"),
    "error_500_after": (500, "whole"),
    "unavailable_bare": (503, "whole"),
    "rate_limited": (429, "whole"),
    "rate_limited_date": (429, "whole"),
    "unavailable": (503, "whole"),
    "redirect": (302, "whole"),
    "bad_request": (400, "whole"),
    "empty_success": (201, "whole"),
    "short_json": (201, "whole"),
    "invalid_utf8": (201, "whole"),
    "nan": (201, "whole"),
    "wrong_types": (201, "whole"),
    "deep": (201, "whole"),
}
PROCESSED = {
    "truncate",
    "garbage",
    "drip",
    "drip_headers",
    "empty_success",
    "short_json",
    "invalid_utf8",
    "nan",
    "deep",
}
UNAMBIGUOUS = {"rate_limited", "rate_limited_date", "unavailable", "redirect", "bad_request", "drip", "drip_headers"}
"""Faults after which a client that waits for the whole answer knows the outcome of its create."""


@pytest.mark.parametrize("fault", ALL_FAULTS, ids=str)
def test_fault_is_on_the_wire_and_in_the_counters(fault):
    status, ending = EXPECTED[fault.name]
    processed = fault.name in PROCESSED or fault.name.endswith("_after") or fault.name == "wrong_types"
    ambiguous = fault.name not in UNAMBIGUOUS
    with FaultServer(script=once(fault.replace(interval=0.0002))) as server:
        if ending == "silence":
            received, actual_ending = send_raw(server, timeout=0.1)
            wait_until(lambda: server.faults, "the first request arrives before the second is sent")
        else:
            received, actual_ending = send_raw(server)
        default = send_raw(server)

    assert actual_ending == ending
    assert received.startswith(b"HTTP/1.1 ") is (status is not None)
    assert status is None or int(received[9:12]) == status
    assert default[0].startswith(b"HTTP/1.1 201 Created\r\n")
    assert len(server.created) == processed + 1
    assert (server.ambiguous_creates, server.orphaned_jobs) == (ambiguous, ambiguous and processed)
    assert server.faults == {fault.name: 1}
    assert server.answered == ({("create", 201): 2} if status == 201 else {("create", status): 1, ("create", 201): 1})


def test_lists_of_faults_are_complete():
    assert [fault.name for fault in ALL_FAULTS] == list(EXPECTED)
    assert {fault.name for fault in set(ALL_FAULTS) - set(faults.IMMEDIATE)} == {
        "stall",
        "stall_after",
        "drip",
        "drip_headers",
        "rate_limited",
        "rate_limited_date",
    }


def test_content_of_answers_with_a_fault():
    def answer_to(fault, operation="create", body=None):
        server.script = once(fault, operation=operation)
        top, _, rest = send_raw(server, operation, body)[0].partition(b"\r\n\r\n")
        fields = [line.partition(": ")[::2] for line in top.decode().split("\r\n")[1:]]
        return dict(fields), rest

    with FaultServer(polls_until_ready=9) as server:
        assert answer_to(faults.RATE_LIMITED.replace(seconds=7))[0]["retry-after"] == "7"
        assert answer_to(faults.UNAVAILABLE)[0]["retry-after"] == "0"
        assert "retry-after" not in answer_to(faults.UNAVAILABLE_BARE)[0]
        before = int(time.time())
        headers, _ = answer_to(faults.RATE_LIMITED_DATE.replace(seconds=3, skew=3600))
        after = time.time()
        date, until = (email.utils.parsedate_to_datetime(headers[name]) for name in ("date", "retry-after"))
        assert (until - date).total_seconds() == 3
        assert before <= date.timestamp() - 3600 <= after
        assert answer_to(faults.REDIRECT.replace(location="http://other/"))[0]["location"] == "http://other/"
        assert answer_to(faults.HTML_502)[0]["content-type"] == "text/html"
        assert answer_to(faults.STATUS_520)[1] == answer_to(faults.EMPTY_SUCCESS)[1] == b""
        headers, body = answer_to(faults.TRUNCATE)
        assert 0 < len(body) < int(headers["content-length"])
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            json.loads(answer_to(faults.SHORT_JSON)[1])
        with pytest.raises(UnicodeDecodeError):
            answer_to(faults.INVALID_UTF8)[1].decode()
        assert math.isnan(json.loads(answer_to(faults.NAN)[1])["id"])
        assert json.loads(answer_to(faults.WRONG_TYPES)[1])["id"] == 5
        assert json.loads(answer_to(faults.WRONG_TYPES, "list")[1])["results"] == "wrong"
        assert answer_to(faults.DEEP)[1].startswith(b"[" * 100_000)
        pending = {"memory_export_id": server.created[0]}
        assert json.loads(answer_to(faults.WRONG_TYPES, "get", pending)[1]) == {"user": 5, "n": "wrong"}
        assert json.loads(answer_to(faults.DRIP.replace(interval=0), "get", pending)[1]) == {
            "error": faults._PENDING["error"]
        }
        assert server.polls[server.created[0]] == 2


def test_create_with_a_dripped_answer_is_ambiguous_if_the_client_disconnects_early():
    slow_headers = faults.DRIP_HEADERS.replace(interval=0.1)  # takes some ten seconds in all
    with FaultServer(script=once(faults.DRIP.replace(interval=0.0002), slow_headers)) as server:
        assert send_raw(server)[1] == "whole"
        assert server.ambiguous_creates == 0
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            content = json.dumps(BODY).encode()
            head = f"POST /v1/exports/ HTTP/1.1\r\nauthorization: Token key\r\ncontent-length: {len(content)}\r\n\r\n"
            connection.sendall(head.encode() + content)
            assert connection.recv(1) == b"H"
        assert (server.ambiguous_creates, server.orphaned_jobs, len(server.created)) == (1, 1, 2)
        wait_until(lambda: not server._conversations, "the server notices that the client is gone")
    assert server.ambiguous_creates == 1


def test_refusing_rejects_connections_until_it_ends_on_the_same_port():
    with FaultServer(script=once(faults.STALL)) as server:
        idle = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        with idle, ThreadPoolExecutor(1) as pool:
            stalled = pool.submit(send_raw, server)
            wait_until(lambda: server.faults, "the request arrives")
            for _ in range(3):
                with server.refuse_connections():
                    for _ in range(20):
                        with pytest.raises(ConnectionRefusedError):
                            socket.create_connection(("127.0.0.1", server.port))
                    assert idle.recv(1) == b""
                    assert stalled.result(60)[1] in {"eof", "reset"}
                with connect(server) as send:
                    assert send("ping")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_on_connect_resets_connections_before_reading():
    with FaultServer(on_connect=lambda number: number % 2 == 1) as server:
        endings = [send_raw(server)[1] for _ in range(4)]

    assert endings == ["reset", "whole", "reset", "whole"]
    assert (server.connections, server.connections_reset) == (4, 2)
    assert server.requests["create"] == len(server.created) == 2
    assert server.ambiguous_creates == 0


def test_once_applies_to_the_next_requests_of_its_operation():
    with FaultServer() as server, connect(server) as send:
        send("ping")
        server.script = once(faults.STATUS_520, None, faults.BAD_REQUEST, operation="ping")
        assert [send(operation)[0] for operation in ("entities", "ping", "ping", "ping", "ping")] == [
            200,
            520,
            200,
            400,
            200,
        ]


def test_random_faults_depend_on_the_seed_and_keep_rate_and_weights():
    weights = {faults.HTML_502: 3, faults.RATE_LIMITED: 1}
    requests = [ReceivedRequest("create", number, None, {}) for number in range(1, 4001)]
    drawn, same, different = (list(map(at_random(0.25, seed, weights), requests)) for seed in (1, 1, 2))

    assert drawn == same != different
    assert drawn.count(None) == pytest.approx(3000, rel=0.05)
    assert drawn.count(faults.HTML_502) == pytest.approx(750, rel=0.15)
    assert drawn.count(faults.RATE_LIMITED) == pytest.approx(250, rel=0.25)
    assert at_random(1, 1)(requests[0]) in faults.IMMEDIATE
    assert at_random(1, 1, operations={"get"})(requests[0]) is None


def test_error_of_a_script_is_raised_at_the_end():
    def script(request):
        raise AssertionError(request.operation)

    with pytest.raises(AssertionError, match="create"), FaultServer(script=script) as server:
        assert send_raw(server)[1] == "eof"


@pytest.mark.parametrize(
    ("filters", "user"),
    [
        ({"user_id": "a"}, "a"),
        ({"OR": [{"AND": [{"app_id": "x"}, {"user_id": {"in": ["b", "c"]}}]}, {"user_id": "d"}]}, "b"),
        ({"NOT": {"user_id": {"eq": "e"}}}, "e"),
        ({"app_id": "x"}, None),
        (None, None),
    ],
)
def test_default_result_has_the_first_user_of_the_filters(filters, user):
    assert faults.result_of({"filters": filters}) == {"user": user, "n": zlib.crc32((user or "").encode())}


def test_stops_with_64_connections_in_any_state_and_leaves_no_threads():
    script = at_random(0.5, 7, {faults.STALL: 1, faults.DRIP: 1, faults.TRUNCATE.replace(then="hang"): 1})
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        server = FaultServer(script=script)
        server.__enter__()
        for _ in range(64):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(b"GET /v1/ping/ HTTP/1.1\r\nauthorization: Token key\r\n\r\n")
        wait_until(lambda: server.requests["ping"] == 64, "all requests have arrived")
        server.__exit__(None, None, None)
    gc.collect()

    assert threading.active_count() == before
    assert server.faults.total() > 10


def test_64_concurrent_clients_are_counted_exactly():
    def send_ten(_):
        with connect(server) as send:
            return [send("create")[0] for _ in range(10)]

    with FaultServer(script=no_faults) as server, ThreadPoolExecutor(64) as pool:
        statuses = [status for each in pool.map(send_ten, range(64)) for status in each]

    assert statuses == [201] * 640
    assert len(set(server.created)) == server.answered["create", 201] == server.creates_by_body.total() == 640
