"""Test that a stopping server finishes the running export within the grace period, or hands it back."""

from __future__ import annotations

import socket
import sqlite3
import time

from contextlib import closing

import pytest

from mem0_exports import F
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import KEY, start_server
from tests.support.timeouts import scaled, wait_until


COUNT = 40_000
SLOW_SCHEMA = {
    "type": "object",
    "properties": {
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
        # No memory fills these, but every memory is searched for each of them, which makes the job slow.
        **{f"filler_{n}": {"type": "string", "x-mem0-source": {"category": str(n)}} for n in range(200)},
    },
}


@pytest.mark.parametrize(
    ("grace", "history"),
    [
        (0.2, [("RUNNING", 1), ("PENDING", 1), ("RUNNING", 2), ("DONE", 2)]),
        (600, [("RUNNING", 1), ("DONE", 1)]),
    ],
    ids=["handed_back", "finished"],
)
def test_running_export_is_finished_or_handed_back(tmp_path, grace, history):
    store = audit.create_store(tmp_path / "store.db", ({"memory": str(n), "user_id": "alex"} for n in range(COUNT)))
    # Without the hand-back, the next worker would have to wait for the end of the lease, longer than this test may take.
    with start_server(store, grace=grace, lease=3600.0) as server, server.client() as client:
        export_id = client.exports.create(SLOW_SCHEMA, F.user_id == "alex").id
        wait_until(lambda: bool(audit.changes(store)), "the worker claims the job")
        server.stop()
        assert "Traceback" not in server.stderr()

    with start_server(store) as server, server.client() as client:
        assert client.exports.get(export_id, SLOW_SCHEMA).result(timeout=scaled(50)) == {"memories": COUNT}
        server.stop()
    assert audit.history_by_job(store) == {export_id: history}
    assert audit.rows(store, "SELECT lost FROM exports") == [(0,)], "the attempt was counted as crashed"


def test_client_that_does_not_read_does_not_delay_the_shutdown(tmp_path):
    store = audit.create_store(
        tmp_path / "store.db", ({"memory": f"{n} {'x' * 60_000}", "user_id": "a"} for n in range(200))
    )
    body = b'{"filters": {"user_id": "a"}}'
    head = f"POST /v3/memories/?page_size=200 HTTP/1.1\r\nhost: x\r\nauthorization: Token {KEY}\r\n"
    with start_server(store, grace=1) as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        assert connection.recv(12) == b"HTTP/1.1 200"
        server.stop(seconds=20.0)  # below slow_clients.READ_TIMEOUT, 30 s, after which the server drops the client


def test_a_request_that_waits_for_the_store_does_not_keep_the_server_from_ending(tmp_path):
    store = audit.create_store(tmp_path / "store.db", [{"memory": "x", "user_id": "a"}])
    body = b'{"messages": [{"role": "user", "content": "y"}], "user_id": "a", "infer": false}'
    head = f"POST /v3/memories/add/ HTTP/1.1\r\nhost: x\r\nauthorization: Token {KEY}\r\n"
    with (
        start_server(store, grace=1) as server,
        closing(sqlite3.connect(store, isolation_level=None)) as other,
        socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection,
    ):
        other.execute("BEGIN IMMEDIATE")  # and the request waits for 30 s
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        time.sleep(0.3)  # if the request has not arrived by then, there is nothing to cut off, and the next line fails
        server.stop()
        assert "were cut off" in server.stderr()

    assert audit.rows(store, "SELECT memory FROM memories") == [("x",)]
