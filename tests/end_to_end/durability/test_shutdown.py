"""A server that is told to stop while an export is under way: it finishes it, or hands it back at once."""

from __future__ import annotations

import socket

import pytest

from mem0_exports import F
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import KEY, started
from tests.support.patience import patient, until


COUNT = 40_000
LONG = {
    "type": "object",
    "properties": {
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
        # Looked at for every memory, and filled by none.
        **{f"filler_{n}": {"type": "string", "x-mem0-source": {"category": str(n)}} for n in range(200)},
    },
}


@pytest.mark.parametrize(
    ("grace", "history"),
    [
        (0.2, [("RUNNING", 1), ("PENDING", 1), ("RUNNING", 2), ("DONE", 2)]),
        (600, [("RUNNING", 1), ("DONE", 1)]),
    ],
    ids=["handed back", "finished"],
)
def test_a_running_export_is_finished_or_handed_back(tmp_path, grace, history):
    store = audit.audited(tmp_path / "store.db", ({"memory": str(n), "user_id": "alex"} for n in range(COUNT)))
    # Whoever takes over from a worker that vanished has to wait for the end of its lease: longer than this test may take.
    with started(store, grace=grace, lease=3600.0) as server, server.client() as client:
        export_id = client.exports.create(LONG, F.user_id == "alex").id
        until(lambda: bool(audit.notes(store)), "the job is taken")
        server.stop()
        assert "Traceback" not in server.said()

    with started(store) as server, server.client() as client:
        assert client.exports.get(export_id, LONG).result(timeout=patient(50)) == {"memories": COUNT}
        server.stop()
    assert audit.by_job(store) == {export_id: history}
    assert audit.rows(store, "SELECT lost FROM exports") == [(0,)], "nothing was lost on the way"


def test_a_client_that_does_not_read_its_answer_does_not_keep_a_server_from_stopping(tmp_path):
    store = audit.audited(
        tmp_path / "store.db", ({"memory": f"{n} {'x' * 60_000}", "user_id": "a"} for n in range(200))
    )
    body = b'{"filters": {"user_id": "a"}}'
    head = f"POST /v3/memories/?page_size=200 HTTP/1.1\r\nhost: x\r\nauthorization: Token {KEY}\r\n"
    with started(store, grace=1) as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        assert connection.recv(12) == b"HTTP/1.1 200"
        server.stop(seconds=20.0)  # before the client loses the connection anyway: slow_clients.READ_TIMEOUT is 30 s
