"""A worker that is paused past its lease: another process does its job, and it can write nothing any more."""

from __future__ import annotations

import time

from pathlib import Path
from typing import Any

import pytest

from mem0_exports import F
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import started
from tests.support.patience import patient, until


COUNT = 20_000
CROWD = F.user_id == "crowd"
SLOW = {"batch_pause": 0.3}
"""Ten batches make a job of some seconds, which a worker can be paused in the middle of."""

SCHEMA = {
    "type": "object",
    "properties": {
        "newest": {"type": "integer", "x-mem0-source": {"metadata": "number"}},
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
    },
}
COUNTED = {"type": "object", "properties": {"memories": SCHEMA["properties"]["memories"]}}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    records = ({"memory": str(n), "user_id": "crowd", "metadata": {"number": n}} for n in range(COUNT))
    return audit.audited(tmp_path / "store.db", records)


def result_in(store: Path, export_id: str) -> tuple[Any, ...]:
    (row,) = audit.rows(store, f"SELECT state, attempt, frame, report FROM exports WHERE id = '{export_id}'")
    return row


@pytest.mark.parametrize("resumed", ["while the other is at work", "after the other is done"])
def test_the_result_is_that_of_the_worker_that_took_over(store, resumed):
    # Only the first has a short lease: from the second, nobody may take the job over, however busy the machine is.
    with started(store, lease=1.0, **SLOW) as first, first.client() as client:
        export_id = client.exports.create(SCHEMA, CROWD).id
        until(lambda: audit.by_job(store) == {export_id: [("RUNNING", 1)]}, "the first takes the job")
        first.pause(store)
        assert audit.by_job(store) == {export_id: [("RUNNING", 1)]}, "it was paused in the middle"
        audit.put(store, [{"memory": "one more", "user_id": "crowd", "metadata": {"number": 1_000_000}}])

        with started(store, lease=600.0, **SLOW) as second, second.client() as other:
            taken_over = [("RUNNING", 1), ("RUNNING", 2)]
            until(lambda: audit.by_job(store)[export_id] == taken_over, "the second takes the job over")
            if resumed == "while the other is at work":
                first.go_on()
            result = other.exports.get(export_id, SCHEMA).result(timeout=patient(30))
            assert result["newest"] == 1_000_000, "the second's: the first began before that memory was there"
            assert result["memories"] == COUNT + 1
            written = result_in(store, export_id)
            first.go_on()
            until(lambda: f"export {export_id} was taken over by another worker" in first.said(), "the first notices")
            assert client.exports.get(export_id, SCHEMA).poll() == result
            second.stop()
            assert "taken over" not in second.said()
            assert "Traceback" not in second.said()

        # The first goes on: it answers, and its worker does the next job.
        assert client.exports.create(SCHEMA, CROWD).result(timeout=patient(30)) == result
        first.stop()
        assert "Traceback" not in first.said()
    assert result_in(store, export_id) == written
    assert written[:2] == ("DONE", 2)
    assert audit.by_job(store)[export_id] == [*taken_over, ("DONE", 2)], "written once"


def test_a_worker_that_is_alive_keeps_its_job_for_longer_than_a_lease(store):
    lease = 2.0 + patient(1.0)
    slow = {
        "lease": lease,
        "batch_pause": lease / 6,
    }  # for ten batches, which are longer than a lease and far from busy
    with started(store, **slow) as first, started(store, **slow) as second, first.client() as client:
        begun = time.monotonic()
        export = client.exports.create(COUNTED, CROWD)
        assert export.result(timeout=20 * lease)["memories"] == COUNT
        assert time.monotonic() - begun > 1.5 * lease, "long enough for the other one to look for jobs"
        second.stop()
        first.stop()
        assert "Traceback" not in first.said() + second.said()

    assert audit.by_job(store) == {export.id: [("RUNNING", 1), ("DONE", 1)]}
