"""A long export is kept in parts while it is made: whoever is killed or paused over it, the result is whole, and once."""

from __future__ import annotations

import itertools
import random
import time

from pathlib import Path

import pytest

from mem0_exports import F
from tests.end_to_end.durability import audit
from tests.end_to_end.durability.processes import started
from tests.support.patience import patient, until


COUNT = 40_000
LEASE = 1.0
SLOW = {"batch_pause": 0.1}
"""Twenty batches leave time to see the first parts before the last are there."""

ITEM = {"type": "object", "properties": {"memory": {"type": "string"}, "number": {"type": "integer", "minimum": 0}}}
SCHEMA = {"type": "object", "properties": {"before": {"type": "integer", "x-mem0-source": {"count": True}}, "all": {
    "type": "array", "items": ITEM}}}  # fmt: skip
EXPECTED = {"before": COUNT, "all": [{"memory": f"memory {n}", "number": n} for n in range(COUNT)]}
PARTS = "SELECT number FROM export_parts ORDER BY place, number"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    # Every third has its number as text, so that the database cannot write the records.
    records = (
        {"memory": f"memory {n}", "user_id": "alex", "metadata": {"number": n if n % 3 else str(n)}}
        for n in range(COUNT)
    )
    return audit.audited(tmp_path / "store.db", records)


def parts(store: Path) -> list[int]:
    return [number for (number,) in audit.rows(store, PARTS)]


def whole(store: Path, export_id: str, attempts: int) -> None:
    """The parts are those of one attempt, and what became of the job is that attempts were lost until one was done."""
    assert parts(store) == list(range(len(parts(store))))
    taken = [("RUNNING", attempt) for attempt in range(1, attempts + 1)]
    assert audit.by_job(store) == {export_id: [*taken, ("DONE", attempts)]}
    assert audit.whole(store)


def test_killed_again_and_again_while_parts_are_written(store):
    draw = random.Random(5)
    kills = 4
    export_id = ""
    for number in range(kills):
        with started(store, lease=LEASE, **SLOW) as server:
            if not export_id:
                with server.client() as client:
                    export_id = client.exports.create(SCHEMA, F.user_id == "alex").id
            taken = [("RUNNING", attempt) for attempt in range(1, number + 2)]
            until(lambda taken=taken: [*audit.by_job(store).values()] == [taken], "the job is taken")
            # The attempt before left parts; this one begins from nothing, and is killed after some more.
            most = draw.randrange(1, 10)
            until(lambda most=most: most <= len(parts(store)) < 20, "parts are written", 60)
            server.kill()
            assert audit.rows(store, "SELECT state FROM exports") == [("RUNNING",)]

    with started(store, lease=LEASE) as server, server.client() as client:
        assert client.exports.get(export_id, SCHEMA).result(timeout=patient(60)) == EXPECTED
        server.stop()
    whole(store, export_id, kills + 1)
    assert audit.rows(store, "SELECT lost FROM exports") == [(kills,)]


def test_paused_while_parts_are_written(store):
    # Only the first has a short lease: from the second, nobody may take the job over, however busy the machine is.
    with started(store, lease=LEASE, **SLOW) as first, first.client() as client:
        export_id = client.exports.create(SCHEMA, F.user_id == "alex").id
        until(lambda: 2 <= len(parts(store)) < 15, "parts are written")
        first.pause(store)
        with started(store, lease=600.0) as second, second.client() as other:
            until(lambda: ("RUNNING", 2) in audit.by_job(store)[export_id], "the second takes the job over")
            until(lambda: len(parts(store)) >= 3, "and writes parts of its own")
            first.go_on()
            assert other.exports.get(export_id, SCHEMA).result(timeout=patient(60)) == EXPECTED
            until(lambda: "was taken over by another worker" in first.said(), "the first notices")
            second.stop()
        # Nothing of the first has got in between.
        assert client.exports.get(export_id, SCHEMA).poll() == EXPECTED
        first.stop()
    whole(store, export_id, 2)


def test_a_reader_that_is_slow_gets_all_of_it_while_others_write(store):
    import httpx

    with started(store) as server, server.client() as client:
        export = client.exports.create(SCHEMA, F.user_id == "alex")
        export.result(timeout=patient(60))
        texts = (f"more {n}" for n in itertools.count())
        headers = {"authorization": "Token a-key"}
        body = {"memory_export_id": export.id}
        received = b""
        with httpx.stream(
            "POST", f"{server.url}/v1/exports/get/", json=body, headers=headers, timeout=patient(60)
        ) as answer:
            assert "content-length" not in answer.headers, "it comes piece by piece"
            for piece in answer.iter_raw(100_000):
                received += piece
                client.memories.add(next(texts), user_id="mara")
                time.sleep(0.01)
        assert httpx.Response(200, content=received).json() == EXPECTED
        server.stop()
