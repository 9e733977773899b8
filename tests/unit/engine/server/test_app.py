"""Test the HTTP server over real sockets against bad clients: authentication, size limits and timeouts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import select
import socket
import sqlite3
import threading
import time

import httpx
import pytest
import uvicorn

from mem0_exports import Client
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.limits import MAX_BODIES, MAX_BYTES
from mem0_exports_engine.server.app import build
from mem0_exports_engine.server.slow_clients import TimeoutProtocol
from tests.support.command import command
from tests.support.timeouts import longer_and_longer, scaled, wait_until


KEY = "a-key"
HEAD = f"host: x\r\nauthorization: Token {KEY}\r\ncontent-type: application/json\r\n"
ADD = {"messages": [{"role": "user", "content": "x"}], "user_id": "a", "infer": False}


@pytest.fixture(scope="module")
def timeout():
    """The server's timeout for each part of a request, in seconds."""
    return scaled(0.5)


def hasty(seconds):
    """Return the protocol of a server that gives clients only this many seconds."""

    class ShortTimeouts(TimeoutProtocol):
        head_timeout = seconds
        read_timeout = seconds

    return ShortTimeouts


@pytest.fixture(scope="module")
def service(tmp_path_factory, timeout):
    """The address of a server that runs in a thread, and its engine."""
    with running(tmp_path_factory.mktemp("app") / "store.db", hasty(timeout), timeout) as server:
        yield server


@pytest.fixture
def patient_service(tmp_path):
    """The same for a server that waits long for each part of a request."""
    with running(tmp_path / "store.db", TimeoutProtocol, scaled(60)) as server:
        yield server


@contextlib.contextmanager
def running(store, protocol, body_timeout):
    engine = Engine(store, api_key=KEY)
    listening = socket.create_server(("127.0.0.1", 0))
    # A small send buffer, so that a client that does not read blocks the server soon.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    config = uvicorn.Config(
        build(engine, body_timeout=body_timeout), http=protocol, log_level="critical", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listening.getsockname(), engine
    server.should_exit = True
    thread.join()
    engine.close()


@pytest.fixture
def client(service):
    (host, port), _ = service
    headers = {"authorization": f"Token {KEY}"}
    with httpx.Client(base_url=f"http://{host}:{port}", headers=headers, timeout=60) as opened:
        yield opened


def count_memories(engine):
    with engine.store.database.read() as connection:
        return connection.value("SELECT count(*) FROM memories")


@contextlib.contextmanager
def raw_connection(service):
    """Connect a socket to the server; check at the end that no memory was stored."""
    address, engine = service
    before = count_memories(engine)
    with socket.create_connection(address, timeout=60) as connection:
        yield connection
    assert count_memories(engine) == before, "must store nothing"


def read_answer(connection):
    """Read until the server closes the connection; return the status (None without an answer), the head and the body."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else None, head.lower(), body


def is_readable(connection):
    """Return whether the server has answered or closed the connection."""
    return bool(select.select([connection], [], [], 0)[0])


def is_closed(connection):
    """Return whether the server closes the connection within 0.1 s; check that it sends nothing before."""
    connection.settimeout(0.1)
    try:
        assert connection.recv(1) == b"", "must close the connection without an answer"
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def test_health_check_needs_no_key(service, client):
    answer = httpx.get(client.base_url.join("/health"), timeout=60)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert client.post("/health").status_code == 405


@pytest.mark.parametrize("path", ["/a%0ab", "/v1/ping/%0A", "/%0d%0a"])
def test_answers_a_path_with_control_characters_with_404(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert "x-request-id" in answer.headers


def test_health_check_fails_if_the_store_cannot_be_read(tmp_path):
    engine = Engine(tmp_path / "store.db")
    engine.close()

    answer = engine.respond("GET", "/health", "", {}, b"")

    assert answer.status == 503
    assert json.loads(answer.body)["status"] == "down"


@pytest.mark.parametrize(
    "key", [None, "Token wrong", "Token", "Bearer a-key", "token a-key", "Token a-key\x7f", "Token ä"]
)
def test_rejects_a_wrong_key_without_reading_the_body(service, key):
    with raw_connection(service) as connection:
        authorization = "" if key is None else f"authorization: {key}\r\n"
        head = f"POST /v3/memories/add/ HTTP/1.1\r\nhost: x\r\n{authorization}content-length: 1000000\r\n\r\n"
        connection.sendall(head.encode("latin-1"))  # the head without the body
        status, headers, _ = read_answer(connection)

    assert status == 401
    assert b"connection: close" in headers


@pytest.mark.parametrize("length", [MAX_BYTES + 1, 10**30, "-1", "abc", "1_0", "٣"])
def test_rejects_a_bad_content_length_without_reading_the_body(service, length):
    with raw_connection(service) as connection:
        head = f"POST /v3/memories/add/ HTTP/1.1\r\n{HEAD}content-length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        status, _, body = read_answer(connection)

    assert status == 400
    assert b"must be at most 10 MB" in body or b"Invalid HTTP" in body


def test_stops_reading_a_chunked_body_that_is_too_large(service):
    with raw_connection(service) as connection:
        connection.sendall(f"POST /v3/memories/add/ HTTP/1.1\r\n{HEAD}transfer-encoding: chunked\r\n\r\n".encode())
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 100:
                connection.sendall(chunk)
                sent += 1
        status, _, body = read_answer(connection)

    assert sent < 100
    assert status in {400, None}
    assert status is None or b"must be at most 10 MB" in body


def test_bodies_that_are_held_open_are_bounded_together_and_small_requests_are_served(patient_service):
    """Without a bound, slow clients with large bodies fill the memory."""
    address, _ = patient_service
    url, headers = f"http://{address[0]}:{address[1]}/v3/memories", {"authorization": f"Token {KEY}"}
    size = 9_000_000
    head = f"POST /v3/memories/add/ HTTP/1.1\r\n{HEAD}content-length: {size + 10}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(12)]
        answers = []
        for connection in held:
            with contextlib.suppress(ConnectionError):  # the server has closed it already
                connection.sendall(head + b" " * size)
            answers.append(httpx.post(f"{url}/add/", json=ADD, headers=headers, timeout=60).status_code)
        assert set(answers) == {200}
        refused = len(held) - MAX_BODIES // size
        wait_until(lambda: sum(map(is_readable, held)) == refused, "the server refuses those it has no room for")
        statuses = [read_answer(connection)[:2] for connection in filter(is_readable, held)]

    assert len(statuses) == refused
    assert {status for status, _ in statuses} <= {503, None}, (
        "None if the answer was lost, because we were still sending"
    )
    assert all(b"retry-after" in head and b"connection: close" in head for status, head in statuses if status)
    wait_until(
        lambda: httpx.post(f"{url}/", content=b" " * size, headers=headers, timeout=60).status_code == 400,
        "there is room again",
    )


@pytest.mark.parametrize("lengths", ["content-length: 4\r\ntransfer-encoding: chunked", "content-length: 4"])
def test_closes_the_connection_if_the_length_of_the_body_is_ambiguous(service, lengths):
    address, _ = service
    body = b"4\r\n[[[[\r\n0\r\n\r\n" if "chunked" in lengths else b"[[[["
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(f"POST /v3/memories/add/ HTTP/1.1\r\n{HEAD}{lengths}\r\n\r\n".encode() + body)
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)

    assert head.startswith(b"HTTP/1.1 400")
    assert (b"connection: close" in head.lower()) == ("chunked" in lengths)


def test_reads_a_body_just_below_the_limit(client):
    messages = [{"role": "user", "content": "x" * 100_000}] * 99
    body = json.dumps({**ADD, "messages": messages})
    assert MAX_BYTES * 0.9 < len(body) < MAX_BYTES

    answer = client.post("/v3/memories/", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert b"must be at most 10 MB" not in answer.content


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", ""]
)
def test_rejects_another_content_type(service, client, kind):
    before = count_memories(service[1])

    answer = client.post("/v3/memories/add/", content=json.dumps(ADD), headers={"content-type": kind})

    assert answer.status_code == 400
    assert "application/json" in answer.text
    assert count_memories(service[1]) == before


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_accepts_variants_of_the_json_content_type(client, kind):
    answer = client.post("/v3/memories/add/", content=json.dumps(ADD), headers={"content-type": kind})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /v3/mem", b"POST /v3/memories/add/ HTTP/1.1\r\nhost: x\r\nx-slow: "],
    ids=["nothing", "half a line", "half a head"],
)
def test_closes_the_connection_if_the_head_arrives_too_slowly(service, sent):
    with raw_connection(service) as connection:
        connection.sendall(sent)

        def is_closed_after_a_byte():
            if sent:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(b"x")
            return is_closed(connection)

        wait_until(is_closed_after_a_byte, "the server closes the connection")


@pytest.mark.parametrize("what", ["POST /v3/memories/add/", "GET /v1/ping/"])
def test_answers_400_if_the_body_arrives_too_slowly(service, timeout, what):
    with raw_connection(service) as connection:
        connection.sendall(f"{what} HTTP/1.1\r\n{HEAD}content-length: 100\r\n\r\n{{".encode())
        status, _, body = read_answer(connection)

    assert status == 400
    assert f"the body must arrive within {timeout:g} s".encode() in body


def test_keeps_an_idle_connection_open_between_requests(service, client, timeout):
    for _ in range(3):
        assert client.get("/v1/ping/").status_code == 200
    time.sleep(1.4 * timeout)  # longer than the head timeout, which must not apply between requests
    assert client.get("/v1/ping/").status_code == 200


def test_drops_a_connection_whose_client_does_not_read_the_answer(tmp_path):
    with Client.local(tmp_path / "store.db", project="local") as adding:
        for number in range(100):
            adding.memories.add(f"{number} {'x' * 90_000}", user_id="large")
    body = json.dumps({"filters": {"user_id": "large"}}).encode()
    head = f"POST /v3/memories/?page_size=200 HTTP/1.1\r\n{HEAD}content-length: {len(body)}\r\n\r\n".encode()
    dropped = threading.Event()

    class Watched(TimeoutProtocol):
        read_timeout = 0.5

        def connection_lost(self, exc):
            super().connection_lost(exc)
            dropped.set()

    with running(tmp_path / "store.db", Watched, scaled(60)) as service, raw_connection(service) as connection:
        connection.sendall(head + body)
        wait_until(dropped.is_set, "the server drops the connection, from which nothing is read")
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += len(chunk)

    assert 0 < received < 100 * 90_000, "the server must have given up before the end"


def test_sends_the_whole_answer_to_a_client_that_reads_slowly(tmp_path):
    with Client.local(tmp_path / "store.db", project="local") as adding:
        for number in range(50):
            adding.memories.add(f"{number} {'x' * 90_000}", user_id="steady")
    body = json.dumps({"filters": {"user_id": "steady"}}).encode()
    head = f"POST /v3/memories/?page_size=200 HTTP/1.1\r\n{HEAD}content-length: {len(body)}\r\n"
    for timeout in longer_and_longer(0.5):  # a busy machine can take longer to read what it was sent
        with (
            running(tmp_path / "store.db", hasty(timeout), timeout) as service,
            raw_connection(service) as connection,
        ):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.sendall(f"{head}connection: close\r\n\r\n".encode() + body)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := connection.recv(100_000):
                    received += chunk
                    time.sleep(0.03)
        if received.endswith(b"]}"):
            break

    assert len(json.loads(received.partition(b"\r\n\r\n")[2])["results"]) == 50


def test_serves_other_clients_while_many_are_slow(service, client):
    address, _ = service
    with contextlib.ExitStack() as slow:
        for _ in range(100):
            connection = slow.enter_context(socket.create_connection(address))
            connection.sendall(b"POST /v3/mem")
        assert client.get("/v1/ping/").status_code == 200


def test_serves_others_while_many_requests_are_held(patient_service):
    """They are more than the server has threads."""
    (host, port), engine = patient_service
    engine.workers.take_no_more()
    headers = {"authorization": f"Token {KEY}"}

    def held(client, export_id):
        return client.post("/v1/exports/get/", json={"memory_export_id": export_id}, headers={"prefer": "wait=10"})

    with (
        httpx.Client(base_url=f"http://{host}:{port}", headers=headers, timeout=60) as client,
        concurrent.futures.ThreadPoolExecutor(60) as threads,
    ):
        body = {"schema": {"type": "object"}, "filters": {"user_id": "a"}}
        export_id = client.post("/v1/exports/", json=body).json()["id"]
        answers = [threads.submit(held, client, export_id) for _ in range(60)]
        wait_until(lambda: len(engine.waiting._calls.get(export_id, ())) == 60, "60 requests are held")

        assert client.get("/v1/ping/").status_code == 200
        assert client.post(f"/v1/exports/{export_id}/cancel/").status_code == 200
        assert [answer.result().json()["reason"] for answer in answers] == ["it was cancelled"] * 60


def test_a_large_request_is_not_held(patient_service, monkeypatch):
    (host, port), engine = patient_service
    engine.workers.take_no_more()
    monkeypatch.setattr(engine.waiting, "_listening", lambda *_: pytest.fail("it must be answered at once"))
    with httpx.Client(
        base_url=f"http://{host}:{port}", headers={"authorization": f"Token {KEY}"}, timeout=60
    ) as client:
        body = {"schema": {"type": "object"}, "filters": {"user_id": "a"}}
        export_id = client.post("/v1/exports/", json=body).json()["id"]
        padded = json.dumps({"memory_export_id": export_id}) + 70_000 * " "
        headers = {"prefer": "wait=10", "content-type": "application/json"}
        assert client.post("/v1/exports/get/", content=padded, headers=headers).status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_refuses_to_serve_on_a_public_address_without_a_key(tmp_path, host, monkeypatch):
    monkeypatch.delenv("MEM0_API_KEY", raising=False)

    done = command("serve", "--store", tmp_path / "store.db", "--port", "0", "--host", host)

    assert done.returncode == 1
    assert "the server needs an API key" in done.stderr
    assert not (tmp_path / "store.db").exists()


def test_answers_health_checks_and_wrong_keys_while_all_writers_wait(service, client):
    """More writers than the server has threads wait for another process that has locked the store."""
    (host, port), engine = service
    body = json.dumps({**ADD, "user_id": "waits"}).encode()
    head = f"POST /v3/memories/add/ HTTP/1.1\r\n{HEAD}content-length: {len(body)}\r\n\r\n".encode()
    with contextlib.ExitStack() as waiting:
        with contextlib.closing(sqlite3.connect(engine.store.database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writers = [waiting.enter_context(socket.create_connection((host, port))) for _ in range(60)]
            for writer in writers:
                writer.sendall(head + body)
            time.sleep(0.5)
            assert client.get("/health").json() == {"status": "ok"}
            assert client.get("/v1/ping/", headers={"authorization": "Token wrong"}).status_code == 401
            assert not any(is_answered(writer) for writer in writers), "all of them must still wait"
            other.execute("ROLLBACK")
        assert client.get("/v1/ping/").status_code == 200


def is_answered(connection):
    """Return whether the server has sent anything or closed the connection; do not wait."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    return True
