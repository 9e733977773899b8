"""Test a worker that is paused beyond its lease: another process takes its job over, and it can no longer write."""

from __future__ import annotations

import time

from pathlib import Path
from typing import Any

import pytest

from mem0_exports import F
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import start_server
from tests.support.timeouts import scaled, wait_until


COUNT = 20_000
CROWD = F.user_id == "crowd"
SLOW = {"batch_pause": 0.3}
"""Ten batches, each with a pause, so that a worker can be paused in the middle of a job."""

SCHEMA = {
    "type": "object",
    "properties": {
        "newest": {"type": "integer", "x-mem0-source": {"metadata": "number"}},
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
    },
}
COUNT_SCHEMA = {"type": "object", "properties": {"memories": SCHEMA["properties"]["memories"]}}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    records = ({"memory": str(n), "user_id": "crowd", "metadata": {"number": n}} for n in range(COUNT))
    return audit.create_store(tmp_path / "store.db", records)


def export_row(store: Path, export_id: str) -> tuple[Any, ...]:
    (row,) = audit.rows(store, f"SELECT state, attempt, frame, report FROM exports WHERE id = '{export_id}'")
    return row


@pytest.mark.parametrize("resumed", ["while_the_second_runs", "after_the_second_finished"])
def test_result_is_that_of_the_worker_that_took_over(store, resumed):
    # Only the first worker has a short lease: nobody may take the job over from the second, however busy the machine is.
    with start_server(store, lease=1.0, **SLOW) as first, first.client() as client:
        export_id = client.exports.create(SCHEMA, CROWD).id
        wait_until(
            lambda: audit.history_by_job(store) == {export_id: [("RUNNING", 1)]}, "the first worker claims the job"
        )
        first.pause(store)
        assert audit.history_by_job(store) == {export_id: [("RUNNING", 1)]}, "the job ended before the pause"
        audit.add_memories(store, [{"memory": "one more", "user_id": "crowd", "metadata": {"number": 1_000_000}}])

        with start_server(store, lease=600.0, **SLOW) as second, second.client() as other:
            taken_over = [("RUNNING", 1), ("RUNNING", 2)]
            wait_until(
                lambda: audit.history_by_job(store)[export_id] == taken_over, "the second worker takes the job over"
            )
            if resumed == "while_the_second_runs":
                first.resume()
            result = other.exports.get(export_id, SCHEMA).result(timeout=scaled(30))
            assert result["newest"] == 1_000_000, "the result is not the second worker's: only it saw this memory"
            assert result["memories"] == COUNT + 1
            written = export_row(store, export_id)
            first.resume()
            wait_until(
                lambda: f"export {export_id} was taken over by another worker" in first.stderr(),
                "the first worker reports that it lost the job",
            )
            assert client.exports.get(export_id, SCHEMA).poll() == result
            second.stop()
            assert "taken over" not in second.stderr()
            assert "Traceback" not in second.stderr()

        # The first server still works: it answers, and its worker runs the next job.
        assert client.exports.create(SCHEMA, CROWD).result(timeout=scaled(30)) == result
        first.stop()
        assert "Traceback" not in first.stderr()
    assert export_row(store, export_id) == written
    assert written[:2] == ("DONE", 2)
    assert audit.history_by_job(store)[export_id] == [*taken_over, ("DONE", 2)], "the job was not finished exactly once"


def test_running_worker_renews_its_lease(store):
    lease = 2.0 + scaled(1.0)
    slow = {"lease": lease, "batch_pause": lease / 6}  # ten batches take longer than a lease, but need little CPU
    with start_server(store, **slow) as first, start_server(store, **slow) as second, first.client() as client:
        started_at = time.monotonic()
        export = client.exports.create(COUNT_SCHEMA, CROWD)
        assert export.result(timeout=20 * lease)["memories"] == COUNT
        assert time.monotonic() - started_at > 1.5 * lease, (
            "the job was too short for the other worker to look for jobs after the lease"
        )
        second.stop()
        first.stop()
        assert "Traceback" not in first.stderr() + second.stderr()

    assert audit.history_by_job(store) == {export.id: [("RUNNING", 1), ("DONE", 1)]}
