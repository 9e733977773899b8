"""Test that nothing more is done for an export that was cancelled or deleted, whatever its worker is doing."""

from __future__ import annotations

import json
import threading

from datetime import UTC, datetime, timedelta

import pytest

from mem0_exports import Client, ExportFailed, F, NotFound
from mem0_exports_engine import clock
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor
from mem0_exports_engine.failures import Fenced
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.workers.lease import Lease, Stop
from tests.support import stores
from tests.support.timeouts import scaled, wait_until


START = datetime(2025, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CANCELLED = "it was cancelled"


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    with stores.with_one_memory(request.param, tmp_path, START) as opened:
        yield opened


def new_job(store, export_id="e", project=DEFAULT_PROJECT, now=START):
    store.jobs.create(project, export_id, now, WEEK, schema=SCHEMA, filters=F.user_id == "alex")


def count(store, table):
    with store.database.read() as connection:
        return connection.value(f"SELECT count(*) FROM {table}")


def test_a_waiting_job_is_never_claimed_once_it_is_cancelled(store):
    new_job(store)

    found = store.jobs.cancel(DEFAULT_PROJECT, START, "e", CANCELLED)

    assert (found.state, found.reason) == ("FAILED", CANCELLED)
    assert store.jobs.claim(START + WEEK / 2) is None
    assert store.jobs.find(DEFAULT_PROJECT, START, export_id="e").reason == CANCELLED


@pytest.mark.parametrize("change", ["cancel", "delete"])
def test_the_worker_can_store_nothing_from_then_on(store, change):
    new_job(store)
    job = store.jobs.claim(START)
    store.jobs.put(job, START, 0, 0, b'"a"')

    assert getattr(store.jobs, change)(DEFAULT_PROJECT, START, "e", *([CANCELLED] if change == "cancel" else []))

    assert count(store, "export_parts") == 0
    for write in (
        lambda: store.jobs.put(job, START, 0, 1, b'"b"'),
        lambda: store.jobs.finish(job, ["{}"], "{}"),
        lambda: store.jobs.fail(job, "x"),
        lambda: store.jobs.renew(job, START),
        lambda: store.jobs.hand_back(job, START),
    ):
        with pytest.raises(Fenced):
            write()
    store.jobs.not_crashed(job)
    assert count(store, "export_parts") == 0
    assert store.jobs.claim(START + WEEK / 2) is None


def test_a_finished_export_stays_as_it_is_when_it_is_cancelled(store):
    new_job(store)
    job = store.jobs.claim(START)
    store.jobs.put(job, START, 0, 0, b'"a"')
    store.jobs.finish(job, ["[", 0, "]"], "{}")

    found = store.jobs.cancel(DEFAULT_PROJECT, START, "e", CANCELLED)

    assert (found.state, found.reason) == ("DONE", None)
    assert b"".join(store.jobs.result(store.jobs.find(DEFAULT_PROJECT, START, export_id="e"))) == b'["a"]'


def test_a_failed_export_keeps_its_reason_when_it_is_cancelled(store):
    new_job(store)
    store.jobs.fail(store.jobs.claim(START), "no such city")

    assert store.jobs.cancel(DEFAULT_PROJECT, START, "e", CANCELLED).reason == "no such city"


def test_a_deleted_export_leaves_nothing_and_its_place_is_safe(store):
    new_job(store)
    job = store.jobs.claim(START)
    store.jobs.put(job, START, 0, 0, b'"a"')
    store.jobs.finish(job, ["[", 0, "]"], "{}")
    new_job(store, "other")

    assert store.jobs.delete(DEFAULT_PROJECT, START, "e")

    assert not store.jobs.delete(DEFAULT_PROJECT, START, "e")
    assert (count(store, "exports"), count(store, "export_parts")) == (1, 0)


def test_other_projects_and_expired_exports_cannot_be_changed(store):
    new_job(store, project="theirs")
    new_job(store, "old", now=START - WEEK)

    for project, export_id in ((DEFAULT_PROJECT, "e"), (DEFAULT_PROJECT, "old"), ("theirs", "unknown")):
        assert store.jobs.cancel(project, START, export_id, CANCELLED) is None
        assert not store.jobs.delete(project, START, export_id)
    assert store.jobs.find("theirs", START, export_id="e").state == "PENDING"


def test_lists_the_newest_first_and_each_project_its_own(store):
    for number in range(5):
        new_job(store, f"e-{number}", now=START + timedelta(seconds=number))
    new_job(store, "theirs", project="theirs")
    new_job(store, "old", now=START - WEEK)
    store.jobs.claim(START + timedelta(seconds=9))

    total, found = store.jobs.page(DEFAULT_PROJECT, START + timedelta(seconds=9), offset=1, limit=3)

    assert total == 5
    assert [each.id for each in found] == ["e-3", "e-2", "e-1"]
    assert store.jobs.page(DEFAULT_PROJECT, START, offset=10**30, limit=3)[1] == []


def test_a_lease_knows_at_once_that_its_job_was_cancelled(store):
    new_job(store)
    stop = Stop()
    lease = Lease(store.jobs, store.jobs.claim(START), lambda: START, stop)

    stop.cancelled = "another"
    assert not lease.is_over()
    lease.check()
    stop.cancelled = "e"

    assert lease.is_over()
    with pytest.raises(Fenced):
        lease.check()


def test_the_worker_of_the_same_process_stops_at_once_and_goes_on_with_other_jobs(tmp_path):
    """The lease would be renewed, and the cancellation noticed, only after 15 seconds."""
    started, may_stop = threading.Event(), threading.Event()

    class Waits(OfflineExtractor):
        def extract(self, schema, batches, sink, **named):
            if "slow" not in schema["properties"]:
                return super().extract(schema, batches, sink, **named)
            started.set()
            for _ in batches:
                may_stop.wait(scaled(30))
            raise AssertionError("the job was not ended")

    engine = Engine(tmp_path / "store.db", extractor=Waits())
    try:
        engine.import_lines([b'{"memory": "x", "user_id": "alex"}'])
        body = {"schema": {"type": "object", "properties": {"slow": {}}}, "filters": {"user_id": "alex"}}

        def call(method, path, document=None):
            return engine.respond(method, path, "", {}, b"" if document is None else json.dumps(document).encode())

        slow = json.loads(call("POST", "/v1/exports/", body).body)["id"]
        assert started.wait(scaled(30))
        answer = call("POST", f"/v1/exports/{slow}/cancel/")
        assert json.loads(answer.body)["state"] == "failed"
        may_stop.set()
        body["schema"] = SCHEMA
        other = json.loads(call("POST", "/v1/exports/", body).body)["id"]
        wait_until(
            lambda: engine.store.jobs.find(DEFAULT_PROJECT, clock.now(), export_id=other).state == "DONE",
            "the worker goes on with the next job",
        )
        found = engine.store.jobs.find(DEFAULT_PROJECT, clock.now(), export_id=slow)
        assert (found.state, found.reason) == ("FAILED", CANCELLED)
    finally:
        may_stop.set()
        engine.close()


def test_whoever_waits_for_a_cancelled_export_is_told():
    with Client.local() as client:
        client.engine.workers.stop()
        job = client.exports.create(SCHEMA, F.user_id == "alex")
        assert [(each.id, each.state) for each in client.exports.list()] == [(job.id, "pending")]

        assert job.cancel().state == "failed"

        with pytest.raises(ExportFailed, match="it was cancelled"):
            job.result(timeout=scaled(10))
        client.exports.delete(job.id)
        assert [*client.exports.list()] == []
        with pytest.raises(NotFound):
            client.exports.cancel(job.id)
