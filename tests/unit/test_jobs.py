"""Jobs over a real store: leases, fences, and what expires."""

from __future__ import annotations

import subprocess
import sys
import time

from datetime import UTC, datetime, timedelta

import pytest

from mem0_exports import ConfigurationError, F
from mem0_exports.local import jobs, memories
from mem0_exports.local.store import Store


START = datetime(2025, 1, 1, tzinfo=UTC)
LEASE = timedelta(microseconds=jobs.LEASE)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    made = Store(":memory:" if request.param == "memory" else tmp_path / "store.db")
    row = memories.row_for({"memory": "x", "user_id": "alex", "metadata": {"city": "Graz"}}, "m-1", START)
    memories.import_rows(made, [row])
    yield made
    made.close()


def new_job(store, export_id="e-1", **fields):
    jobs.create(store, export_id, START, schema=SCHEMA, filters=F.user_id == "alex", **fields)


def row(store, export_id="e-1", now=START):
    return jobs.find(store, now, export_id=export_id, filters=None)


def test_a_job_is_taken_once_and_its_result_kept(store):
    new_job(store)

    job = jobs.claim(store, START)
    assert jobs.claim(store, START) is None
    jobs.run(store, job, lambda: START)

    assert (row(store)["state"], row(store)["result"]) == ("DONE", '{"city": "Graz"}')
    assert jobs.claim(store, START + 10 * LEASE) is None


def test_the_job_that_waited_longest_is_first(store):
    for number in (2, 1, 3):
        new_job(store, f"e-{number}")

    assert [jobs.claim(store, START).id for _ in range(3)] == ["e-2", "e-1", "e-3"]


def test_a_worker_that_was_paused_past_its_lease_writes_nothing(store):
    new_job(store)
    slow = jobs.claim(store, START)
    later = START + LEASE + timedelta(seconds=1)
    fast = jobs.claim(store, later)
    memories.import_rows(
        store, [memories.row_for({"memory": "y", "user_id": "alex", "metadata": {"city": "Wien"}}, "m-2", later)]
    )

    with pytest.raises(jobs.Fenced):
        jobs.run(store, slow, lambda: later)
    assert row(store)["state"] == "RUNNING"
    jobs.run(store, fast, lambda: later)
    with pytest.raises(jobs.Fenced):
        jobs.run(store, slow, lambda: later)

    assert (row(store)["result"], row(store)["attempt"]) == ('{"city": "Wien"}', 2)


def test_a_job_whose_workers_vanish_fails_at_last(store):
    new_job(store)
    now = START
    for _ in range(jobs.MOST_ATTEMPTS):
        assert jobs.claim(store, now) is not None
        now += LEASE + timedelta(seconds=1)

    jobs.run(store, jobs.claim(store, now), lambda: now)

    assert row(store, now=now)["state"] == "FAILED"
    assert "gave up" in row(store, now=now)["reason"]


def test_a_job_that_cannot_be_done_fails_with_its_reason(store):
    jobs.create(
        store,
        "e-1",
        START,
        schema={**SCHEMA, "required": ["age"], "properties": {"age": {"type": "integer"}}},
        filters=F.user_id == "alex",
    )

    jobs.run(store, jobs.claim(store, START), lambda: START)

    assert row(store)["state"] == "FAILED"
    assert "required age" in row(store)["reason"]
    assert "age" in row(store)["report"]


def test_an_export_expires_after_seven_days(store):
    new_job(store)

    assert row(store, now=START + timedelta(days=7) - timedelta(microseconds=1)) is not None
    assert row(store, now=START + timedelta(days=7)) is None


def test_by_filters_the_newest_export_is_found_however_they_are_written(store):
    new_job(store, "e-1")
    new_job(store, "e-2", org_id="o", project_id="p")

    def found(where, **filed):
        each = jobs.find(store, START, export_id=None, filters=where, **filed)
        return None if each is None else each["id"]

    assert found(F.user_id == "alex") == "e-2"
    assert found(jobs.Filter.from_dict({"user_id": {"eq": "alex"}})) == "e-2"
    assert found(F.user_id == "alex", org_id="o", project_id="p") == "e-2"
    assert found(F.user_id == "alex", org_id="other") is None
    assert found(F.user_id == "mara") is None


def test_a_store_of_a_newer_version_is_not_touched(tmp_path):
    path = tmp_path / "store.db"
    store = Store(path)
    with store.write() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 99")
    store.close()

    with pytest.raises(ConfigurationError, match="newer"):
        Store(path)


def test_a_file_that_is_no_store_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)

    with pytest.raises(ConfigurationError, match="cannot open"):
        Store(path)
    assert path.read_text() == "not a database " * 100


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot open"):
        Store(tmp_path / "none" / "store.db")


def test_a_job_waits_in_the_file_for_the_next_engine(tmp_path):
    path = tmp_path / "store.db"
    first = Store(path)
    new_job(first)
    first.close()

    second = Store(path)
    jobs.run(second, jobs.claim(second, START), lambda: START)

    assert row(second)["state"] == "DONE"
    second.close()


def test_a_worker_that_stumbles_goes_on(tmp_path, monkeypatch):
    store = Store(tmp_path / "store.db")
    stumbles = iter([RuntimeError("once"), MemoryError("twice")])
    original = jobs.claim

    def claim(*arguments):
        for error in stumbles:
            raise error
        return original(*arguments)

    monkeypatch.setattr(jobs, "claim", claim)
    worker = jobs.Worker(store, lambda: START)
    new_job(store)
    deadline = time.monotonic() + 10
    while row(store)["state"] != "DONE" and time.monotonic() < deadline:
        worker.wake()
        time.sleep(0.01)
    worker.stop()

    assert row(store)["state"] == "DONE"
    store.close()


def test_many_processes_may_open_one_new_file_at_once(tmp_path):
    code = f"from mem0_exports.local.store import Store; Store({str(tmp_path / 'store.db')!r}).close()"
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(6)]

    errors = [process.communicate(timeout=60)[1].decode() for process in running]

    assert errors == [""] * 6
