"""The HTTP shell and clients that mean no good, over real sockets: who is let in, how much is read, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import threading
import time

import httpx
import pytest
import uvicorn

from mem0_exports_engine.engine import Engine
from mem0_exports_engine.json_text import MAX_BYTES
from mem0_exports_engine.server.app import build
from mem0_exports_engine.server.slow_clients import TimeoutProtocol
from tests.support.command import command
from tests.support.patience import patient, until


KEY = "a-key"
HEAD = f"host: x\r\nauthorization: Token {KEY}\r\ncontent-type: application/json\r\n"
ADD = {"messages": [{"role": "user", "content": "x"}], "user_id": "a", "infer": False}


@pytest.fixture(scope="module")
def hurry():
    """How long the server waits for each part of a request, in seconds."""
    return patient(0.5)


@pytest.fixture(scope="module")
def service(tmp_path_factory, hurry):
    """The address of a server in a thread, and its engine."""

    class Hurried(TimeoutProtocol):
        head_timeout = hurry
        read_timeout = hurry

    engine = Engine(tmp_path_factory.mktemp("app") / "store.db", api_key=KEY)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # so that it is this process that has to wait
    config = uvicorn.Config(
        build(engine, body_timeout=hurry), http=Hurried, log_level="critical", lifespan="off", ws="none"
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
    with httpx.Client(base_url=f"http://{host}:{port}", headers=headers, timeout=60) as made:
        yield made


def memories(engine):
    with engine.store.database.read() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM memories").scalar_one()


@contextlib.contextmanager
def connected(service):
    address, engine = service
    before = memories(engine)
    with socket.create_connection(address, timeout=60) as connection:
        yield connection
    assert memories(engine) == before, "nothing was stored"


def answer(connection):
    """What comes until the server closes the connection: the status, the headers, the body."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else None, head.lower(), body


def test_the_health_path_needs_no_key(service, client):
    answer = httpx.get(client.base_url.join("/health"), timeout=60)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert client.post("/health").status_code == 405


@pytest.mark.parametrize("path", ["/a%0ab", "/v1/ping/%0A", "/%0d%0a"])
def test_an_odd_path_is_unknown_like_any_other(client, path):
    unknown = client.get(path)
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/json")
    assert "x-request-id" in unknown.headers


def test_a_store_that_cannot_be_read_is_not_healthy(tmp_path):
    engine = Engine(tmp_path / "store.db")
    engine.close()

    answer = engine.respond("GET", "/health", "", {}, b"")

    assert answer.status == 503
    assert json.loads(answer.body)["status"] == "down"


@pytest.mark.parametrize(
    "key", [None, "Token wrong", "Token", "Bearer a-key", "token a-key", "Token a-key\x7f", "Token ä"]
)
def test_without_the_key_the_body_is_not_even_read(service, key):
    with connected(service) as connection:
        authorization = "" if key is None else f"authorization: {key}\r\n"
        head = f"POST /v3/memories/add/ HTTP/1.1\r\nhost: x\r\n{authorization}content-length: 1000000\r\n\r\n"
        connection.sendall(head.encode("latin-1"))  # and no body
        status, headers, _ = answer(connection)

    assert status == 401
    assert b"connection: close" in headers


@pytest.mark.parametrize("length", [MAX_BYTES + 1, 10**30, "-1", "abc", "1_0", "٣"])
def test_a_body_that_says_it_is_too_large_is_not_read(service, length):
    with connected(service) as connection:
        head = f"POST /v3/memories/add/ HTTP/1.1\r\n{HEAD}content-length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        status, _, body = answer(connection)

    assert status == 400
    assert b"must be at most 10 MB" in body or b"Invalid HTTP" in body


def test_a_body_that_turns_out_too_large_is_not_read_to_its_end(service):
    with connected(service) as connection:
        connection.sendall(f"POST /v3/memories/add/ HTTP/1.1\r\n{HEAD}transfer-encoding: chunked\r\n\r\n".encode())
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 100:
                connection.sendall(chunk)
                sent += 1
        status, _, body = answer(connection)

    assert sent < 100
    assert status in {400, None}
    assert status is None or b"must be at most 10 MB" in body


def test_the_largest_body_is_read(client):
    messages = [{"role": "user", "content": "x" * 100_000}] * 99
    body = json.dumps({**ADD, "messages": messages})
    assert MAX_BYTES * 0.9 < len(body) < MAX_BYTES

    answer = client.post("/v3/memories/", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert b"larger" not in answer.content


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", ""]
)
def test_another_content_type_is_refused(service, client, kind):
    before = memories(service[1])

    answer = client.post("/v3/memories/add/", content=json.dumps(ADD), headers={"content-type": kind})

    assert answer.status_code == 400
    assert "application/json" in answer.text
    assert memories(service[1]) == before


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_said_in_other_ways(client, kind):
    answer = client.post("/v3/memories/add/", content=json.dumps(ADD), headers={"content-type": kind})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /v3/mem", b"POST /v3/memories/add/ HTTP/1.1\r\nhost: x\r\nx-slow: "],
    ids=["nothing", "half a line", "half a head"],
)
def test_a_client_that_is_slow_with_the_head_loses_the_connection(service, sent):
    with connected(service) as connection:
        connection.sendall(sent)
        connection.settimeout(0.1)

        def is_closed():
            try:
                connection.send(b"x" if sent else b"")  # one byte after another, and never the whole head
                return connection.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        until(is_closed, "the server closes the connection without a word")


@pytest.mark.parametrize("what", ["POST /v3/memories/add/", "GET /v1/ping/"])
def test_a_client_that_is_slow_with_the_body_gets_a_400(service, hurry, what):
    with connected(service) as connection:
        connection.sendall(f"{what} HTTP/1.1\r\n{HEAD}content-length: 100\r\n\r\n{{".encode())
        status, _, body = answer(connection)

    assert status == 400
    assert f"the body must arrive within {hurry:g} s".encode() in body


def test_a_connection_is_kept_for_the_next_request(service, client, hurry):
    for _ in range(3):
        assert client.get("/v1/ping/").status_code == 200
    time.sleep(1.4 * hurry)  # longer than a head may take, with no request begun
    assert client.get("/v1/ping/").status_code == 200


def test_an_answer_that_nobody_reads_is_given_up(service, client, hurry):
    text = "x" * 90_000
    messages = [{"role": "user", "content": f"{number} {text}"} for number in range(100)]
    client.post("/v3/memories/add/", json={**ADD, "messages": messages, "user_id": "large"})
    wanted = json.dumps({"filters": {"user_id": "large"}}).encode()
    head = f"POST /v3/memories/?page_size=200 HTTP/1.1\r\n{HEAD}content-length: {len(wanted)}\r\n\r\n".encode()
    with connected(service) as connection:
        connection.sendall(head + wanted)
        time.sleep(4 * hurry)  # and do not read
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += len(chunk)

    assert received < 100 * len(text), "the server did not wait"
    assert client.get("/v1/ping/").status_code == 200


def test_an_answer_that_is_read_slowly_is_given_whole(service, client):
    text = "x" * 90_000
    messages = [{"role": "user", "content": f"{number} {text}"} for number in range(50)]
    client.post("/v3/memories/add/", json={**ADD, "messages": messages, "user_id": "steady"})
    wanted = json.dumps({"filters": {"user_id": "steady"}}).encode()
    head = f"POST /v3/memories/?page_size=200 HTTP/1.1\r\n{HEAD}content-length: {len(wanted)}\r\n"
    with connected(service) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(f"{head}connection: close\r\n\r\n".encode() + wanted)
        received = b""
        while chunk := connection.recv(100_000):
            received += chunk
            time.sleep(0.03)

    assert len(json.loads(received.partition(b"\r\n\r\n")[2])["results"]) == 50


def test_others_are_served_while_many_are_slow(service, client):
    address, _ = service
    with contextlib.ExitStack() as slow:
        for _ in range(100):
            connection = slow.enter_context(socket.create_connection(address))
            connection.sendall(b"POST /v3/mem")
        assert client.get("/v1/ping/").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_nobody_else_is_let_in_without_a_key(tmp_path, host, monkeypatch):
    monkeypatch.delenv("MEM0_API_KEY", raising=False)

    done = command("serve", "--store", tmp_path / "store.db", "--port", "0", "--host", host)

    assert done.returncode == 1
    assert "the server needs an API key" in done.stderr
    assert not (tmp_path / "store.db").exists()


def test_health_and_keys_are_answered_while_everybody_waits_to_write(service, client):
    """More writers than the server has threads, all behind one that keeps the store."""
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
            assert not any(is_answered(writer) for writer in writers), "all of them still wait"
            other.execute("ROLLBACK")
        assert client.get("/v1/ping/").status_code == 200


def is_answered(connection):
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
