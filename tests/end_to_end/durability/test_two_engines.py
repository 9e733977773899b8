"""Test two engines in one process on the same file, each with its own worker."""

from __future__ import annotations

from mem0_exports import Client, F
from tests.end_to_end.durability import audit
from tests.support.timeouts import scaled


JOBS = 100
SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "integer", "x-mem0-source": {"metadata": "number"}},
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
    },
}


def test_each_of_a_hundred_jobs_is_run_once(tmp_path):
    crowd = [{"memory": f"c{n}", "user_id": "crowd"} for n in range(200)]
    users = [{"memory": f"u{n}", "user_id": f"user-{n}", "metadata": {"number": n}} for n in range(JOBS)]
    store = audit.create_store(tmp_path / "store.db", [*crowd, *users])
    with Client.local(store) as one, Client.local(store) as two:
        exports = [
            (one, two)[number % 2].exports.create(SCHEMA, F.user_id.in_(f"user-{number}", "crowd")).id
            for number in range(JOBS)
        ]
        for number, export_id in enumerate(exports):
            for client in (one, two):
                found = client.exports.get(export_id, SCHEMA).result(timeout=scaled(60))
                assert found == {"number": number, "memories": len(crowd) + 1}
        assert one.engine.workers is not two.engine.workers

    done = [("RUNNING", 1), ("DONE", 1)]
    assert audit.history_by_job(store) == dict.fromkeys(exports, done), (
        "a job was not claimed and finished exactly once"
    )
    assert audit.max_concurrent(store) == 2, "not both workers ran jobs"
    assert audit.states(store) == {"DONE": JOBS}
