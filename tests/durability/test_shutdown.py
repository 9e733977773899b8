"""A server that is told to stop while an export is under way: it finishes it, or hands it back at once."""

from __future__ import annotations

import time

import pytest

from mem0_exports import F
from tests.durability import audit
from tests.durability.processes import started, until


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
        (60, [("RUNNING", 1), ("DONE", 1)]),
    ],
    ids=["handed back", "finished"],
)
def test_a_running_export_is_finished_or_handed_back(tmp_path, grace, history):
    store = audit.audited(tmp_path / "store.db", ({"memory": str(n), "user_id": "alex"} for n in range(COUNT)))
    with started(store, grace=grace) as server, server.client() as client:
        export_id = client.exports.create(LONG, F.user_id == "alex").id
        until(lambda: bool(audit.notes(store)), "the job is taken")
        server.stop()
        assert "Traceback" not in server.said()

    begun = time.monotonic()
    with started(store) as server, server.client() as client:
        assert client.exports.get(export_id, LONG).result(timeout=50) == {"memories": COUNT}
        server.stop()
    # The lease is 60 s: whoever takes over from a worker that vanished has to wait for that.
    assert time.monotonic() - begun < 55
    assert audit.by_job(store) == {export_id: history}
    assert audit.rows(store, "SELECT lost FROM exports") == [(0,)], "nothing was lost on the way"
