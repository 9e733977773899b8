"""Two engines, each with a worker of its own, on one file in one process."""

from __future__ import annotations

from mem0_exports import Client, F
from tests.end_to_end.durability import audit
from tests.support.patience import patient


JOBS = 100
SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "integer", "x-mem0-source": {"metadata": "number"}},
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
    },
}


def test_a_hundred_jobs_are_done_once_each(tmp_path):
    crowd = [{"memory": f"c{n}", "user_id": "crowd"} for n in range(200)]
    users = [{"memory": f"u{n}", "user_id": f"user-{n}", "metadata": {"number": n}} for n in range(JOBS)]
    store = audit.audited(tmp_path / "store.db", [*crowd, *users])
    with Client.local(store) as one, Client.local(store) as two:
        exports = [
            (one, two)[number % 2].exports.create(SCHEMA, F.user_id.in_(f"user-{number}", "crowd")).id
            for number in range(JOBS)
        ]
        for number, export_id in enumerate(exports):
            for client in (one, two):
                found = client.exports.get(export_id, SCHEMA).result(timeout=patient(60))
                assert found == {"number": number, "memories": len(crowd) + 1}
        assert one.engine.worker is not two.engine.worker

    done = [("RUNNING", 1), ("DONE", 1)]
    assert audit.by_job(store) == dict.fromkeys(exports, done), "each job was taken once and done once"
    assert audit.most_at_once(store) == 2, "by both workers"
    assert audit.states(store) == {"DONE": JOBS}
