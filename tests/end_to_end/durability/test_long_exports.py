"""Test long exports, which are stored in parts: after kills and pauses the result is complete, without duplicates."""

from __future__ import annotations

import itertools
import random
import time

from pathlib import Path

import pytest

from mem0_exports import F
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import start_server
from tests.support.timeouts import scaled, wait_until


COUNT = 40_000
LEASE = 1.0
SLOW = {"batch_pause": 0.1}
"""Twenty batches, each with a pause, so that a test can stop a worker between two parts."""

ITEM = {"type": "object", "properties": {"memory": {"type": "string"}, "number": {"type": "integer", "minimum": 0}}}
SCHEMA = {"type": "object", "properties": {"before": {"type": "integer", "x-mem0-source": {"count": True}}, "all": {
    "type": "array", "items": ITEM}}}  # fmt: skip
EXPECTED = {"before": COUNT, "all": [{"memory": f"memory {n}", "number": n} for n in range(COUNT)]}
PARTS = "SELECT number FROM export_parts ORDER BY place, number"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    # Every third number is a text, so that the records cannot be written by SQL alone.
    records = (
        {"memory": f"memory {n}", "user_id": "alex", "metadata": {"number": n if n % 3 else str(n)}}
        for n in range(COUNT)
    )
    return audit.create_store(tmp_path / "store.db", records)


def parts(store: Path) -> list[int]:
    return [number for (number,) in audit.rows(store, PARTS)]


def check_complete(store: Path, export_id: str, attempts: int) -> None:
    """Check that the parts are those of one attempt, and that only the last attempt finished the job."""
    assert parts(store) == list(range(len(parts(store))))
    claimed = [("RUNNING", attempt) for attempt in range(1, attempts + 1)]
    assert audit.history_by_job(store) == {export_id: [*claimed, ("DONE", attempts)]}
    assert audit.is_intact(store)


def test_export_is_complete_after_kills_while_parts_are_written(store):
    draw = random.Random(5)
    kills = 4
    export_id = ""
    for number in range(kills):
        with start_server(store, lease=LEASE, **SLOW) as server:
            if not export_id:
                with server.client() as client:
                    export_id = client.exports.create(SCHEMA, F.user_id == "alex").id
            claimed = [("RUNNING", attempt) for attempt in range(1, number + 2)]
            wait_until(
                lambda claimed=claimed: [*audit.history_by_job(store).values()] == [claimed],
                "the worker claims the job",
            )
            # The previous attempt left parts. This one starts again, and is killed when it has written some.
            minimum = draw.randrange(1, 10)
            wait_until(lambda minimum=minimum: minimum <= len(parts(store)) < 20, "the worker writes parts", 60)
            server.kill()
            assert audit.rows(store, "SELECT state FROM exports") == [("RUNNING",)]

    with start_server(store, lease=LEASE) as server, server.client() as client:
        assert client.exports.get(export_id, SCHEMA).result(timeout=scaled(60)) == EXPECTED
        server.stop()
    check_complete(store, export_id, kills + 1)
    assert audit.rows(store, "SELECT lost FROM exports") == [(kills,)]


def test_export_is_complete_after_a_takeover_while_parts_are_written(store):
    # Only the first worker has a short lease: nobody may take the job over from the second, however busy the machine is.
    with start_server(store, lease=LEASE, **SLOW) as first, first.client() as client:
        export_id = client.exports.create(SCHEMA, F.user_id == "alex").id
        wait_until(lambda: 2 <= len(parts(store)) < 15, "the worker writes parts")
        first.pause(store)
        with start_server(store, lease=600.0) as second, second.client() as other:
            wait_until(
                lambda: ("RUNNING", 2) in audit.history_by_job(store)[export_id], "the second worker takes the job over"
            )
            wait_until(lambda: len(parts(store)) >= 3, "the second worker writes parts")
            first.resume()
            assert other.exports.get(export_id, SCHEMA).result(timeout=scaled(60)) == EXPECTED
            wait_until(
                lambda: "was taken over by another worker" in first.stderr(),
                "the first worker reports that it lost the job",
            )
            second.stop()
        # The first worker has not added anything.
        assert client.exports.get(export_id, SCHEMA).poll() == EXPECTED
        first.stop()
    check_complete(store, export_id, 2)


def test_slow_reader_gets_the_whole_export_while_others_write(store):
    import httpx

    with start_server(store) as server, server.client() as client:
        export = client.exports.create(SCHEMA, F.user_id == "alex")
        export.result(timeout=scaled(60))
        texts = (f"more {n}" for n in itertools.count())
        headers = {"authorization": "Token a-key"}
        body = {"memory_export_id": export.id}
        received = b""
        with httpx.stream(
            "POST", f"{server.url}/v1/exports/get/", json=body, headers=headers, timeout=scaled(60)
        ) as answer:
            assert "content-length" not in answer.headers, "the answer is not streamed"
            for piece in answer.iter_raw(100_000):
                received += piece
                client.memories.add(next(texts), user_id="mara")
                time.sleep(0.01)
        assert httpx.Response(200, content=received).json() == EXPECTED
        server.stop()
