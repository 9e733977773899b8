"""Test that a slow worker keeps its job, a stopped one gives it back, and a clock that is set does no harm."""

from __future__ import annotations

import threading

from datetime import UTC, datetime, timedelta

import pytest

from mem0_exports import F
from mem0_exports_engine import clock, ports
from mem0_exports_engine.clock import ClockWatch
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor
from mem0_exports_engine.failures import Fenced, Interrupted, StoreBusy
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.workers import lease as lease_module
from mem0_exports_engine.workers import thread as thread_module
from mem0_exports_engine.workers.lease import Lease, Stop
from mem0_exports_engine.workers.run_job import run_job
from mem0_exports_engine.workers.thread import WorkerThread
from tests.support import stores
from tests.support.timeouts import scaled, wait_until


START = datetime(2025, 1, 1, tzinfo=UTC)
LONG = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 50000000) SELECT count(*) FROM n"
"""A statement that takes many seconds. It does end, so that a test of interrupting it can fail."""


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    with stores.with_one_memory(request.param, tmp_path, START) as opened:
        yield opened


def new_job(store, now=None):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    store.jobs.create(
        DEFAULT_PROJECT, "e-1", now or clock.now(), timedelta(days=7), schema=schema, filters=F.user_id == "alex"
    )


def row(store):
    return stores.job_row(store, "e-1")


class Blocked(OfflineExtractor):
    """An extractor that waits, as one does that calls a language model."""

    def __init__(self):
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def extract(self, *arguments, **named):
        self.has_begun.set()
        self.may_go_on.wait()
        return super().extract(*arguments, **named)


def test_the_lease_is_renewed_while_the_worker_is_busy(store, monkeypatch):
    monkeypatch.setattr(ports, "LEASE", timedelta(seconds=0.4))
    extractor, ends = Blocked(), set()
    new_job(store)
    job = store.jobs.claim(clock.now())
    running = threading.Thread(target=run_job, args=(store.jobs, store.memories, extractor, job, clock.now))
    running.start()

    def was_renewed():
        ends.add(row(store)["available_us"])
        return len(ends) > 4

    wait_until(was_renewed, "the lease is renewed several times")
    extractor.may_go_on.set()
    running.join()

    assert (row(store)["state"], row(store)["attempt"]) == ("DONE", 1)


def test_the_lease_is_renewed_four_times_in_its_length(store, monkeypatch):
    waits, answers = [], iter([False, False, False, True])

    class Over:
        def wait(self, seconds):
            waits.append(seconds)
            return next(answers)

        def is_set(self):
            return False

    new_job(store, START)
    now = iter(START + timedelta(minutes=minutes) for minutes in range(1, 9))
    lease = Lease(store.jobs, store.jobs.claim(START), lambda: next(now), Stop())
    lease._over = Over()
    lease._beat()

    quarter = ports.LEASE.total_seconds() / 4
    assert waits == [quarter] * 4
    assert row(store)["available_us"] == clock.microseconds(START + timedelta(minutes=3) + ports.LEASE)

    monkeypatch.setattr(store.jobs, "renew", lambda *_: (_ for _ in ()).throw(StoreBusy("busy")))
    waits.clear()
    answers = iter([False, False, True])
    lease._beat()
    assert waits == [quarter, 1.0, 1.0], "a renewal that failed is tried again soon"


def test_a_failed_renewal_is_tried_again(store, monkeypatch):
    monkeypatch.setattr(ports, "LEASE", timedelta(seconds=0.4))
    failures, renew = iter([StoreBusy("busy")] * 3), store.jobs.renew

    def fails_at_first(job, now):
        for failure in failures:
            raise failure
        renew(job, now)

    monkeypatch.setattr(store.jobs, "renew", fails_at_first)
    extractor = Blocked()
    new_job(store)
    job = store.jobs.claim(clock.now())
    first_end = row(store)["available_us"]
    running = threading.Thread(target=run_job, args=(store.jobs, store.memories, extractor, job, clock.now))
    running.start()
    wait_until(lambda: row(store)["available_us"] > first_end, "the lease is renewed")
    extractor.may_go_on.set()
    running.join()

    assert row(store)["state"] == "DONE"


def test_a_worker_that_lost_its_job_but_lives_has_not_crashed(store):
    extractor, raised = Blocked(), []
    new_job(store, START)
    slow = store.jobs.claim(START)

    def run():
        try:
            run_job(store.jobs, store.memories, extractor, slow, lambda: START)
        except Fenced as fenced:
            raised.append(fenced)

    running = threading.Thread(target=run)
    running.start()
    later = START + 2 * ports.LEASE
    fast = store.jobs.claim(later)
    assert (fast.attempt, row(store)["lost"]) == (2, 1)
    extractor.may_go_on.set()
    running.join()

    assert len(raised) == 1
    assert row(store)["lost"] == 0
    run_job(store.jobs, store.memories, OfflineExtractor(), fast, lambda: later)
    assert row(store)["state"] == "DONE"


def test_a_statement_is_interrupted(store):
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(Interrupted), store.database.read(should_stop) as connection:
        connection.execute(LONG)
    assert len(asked) == 3
    with store.database.read() as connection:
        assert connection.value("SELECT 1") == 1, "the connection can still be used"


def test_a_worker_in_a_long_statement_stops_and_hands_its_job_back(store, monkeypatch):
    has_begun = threading.Event()

    def endless(_project, _filters, _now, should_stop):
        def asked():
            has_begun.set()
            return should_stop()

        with store.database.read(asked) as connection:
            connection.execute(LONG)
        return iter(())

    monkeypatch.setattr(store.memories, "batches", endless)
    new_job(store)
    worker = WorkerThread(store, OfflineExtractor(), clock.now)
    assert has_begun.wait(scaled(10))
    worker.stop(grace=0.4)

    assert not worker._thread.is_alive()
    assert (row(store)["state"], row(store)["lost"]) == ("PENDING", 0)


@pytest.mark.parametrize("closed", [False, True])
def test_a_worker_that_cannot_be_interrupted_is_left_behind_without_its_job(store, caplog, closed):
    extractor = Blocked()
    new_job(store)
    worker = WorkerThread(store, extractor, clock.now)
    assert extractor.has_begun.wait(scaled(10))

    worker.stop(grace=0.4)  # it returns, although the thread never ends by itself

    assert worker._thread.is_alive()
    assert (row(store)["state"], row(store)["lost"]) == ("PENDING", 0)
    if closed:
        store.close()
    extractor.may_go_on.set()
    worker._thread.join()
    assert [record for record in caplog.records if record.exc_info] == []
    if not closed:
        assert row(store)["state"] == "PENDING", "the worker that was left behind wrote nothing"


@pytest.mark.parametrize("ahead", [timedelta(days=8), timedelta(days=-8)])
def test_a_worker_neither_deletes_nor_takes_anything_while_the_clock_is_wrong(store, monkeypatch, ahead):
    monkeypatch.setattr(thread_module, "POLL_INTERVAL", 0.01)
    new_job(store)
    store.jobs.claim(clock.now())  # by a worker of another process
    offset, polls, claim = [timedelta(0)], [], store.jobs.claim

    def counted(now, **named):
        polls.append(now)
        return claim(now, **named)

    monkeypatch.setattr(store.jobs, "claim", counted)
    worker = WorkerThread(store, OfflineExtractor(), lambda: clock.now() + offset[0])
    for moved in (timedelta(0), ahead, timedelta(0)):
        offset[0], before = moved, len(polls)
        wait_until(lambda before=before: len(polls) > before + 5, "the worker looks for jobs several times")
    worker.stop()

    assert (row(store)["state"], row(store)["attempt"]) == ("RUNNING", 1)


def test_the_watch_notices_a_clock_that_is_set_and_waits_until_it_is_steady():
    wall, elapsed = [START], [100.0]
    watch = ClockWatch(lambda: wall[0], timedelta(seconds=60), lambda: elapsed[0])

    def after(seconds, *, moved=0.0):
        elapsed[0] += seconds
        wall[0] += timedelta(seconds=seconds + moved)
        return watch.read()[1]

    assert after(10)
    assert after(3600, moved=4.9), "a correction"
    assert not after(1, moved=3600)
    assert not after(30)
    assert not after(1, moved=-3600)
    assert not after(59)
    assert after(1)
    assert watch.read() == (wall[0], True)


def test_a_job_that_was_created_while_the_clock_was_ahead_does_not_wait(store):
    new_job(store, START + timedelta(hours=1))

    job = store.jobs.claim(START)

    assert job.id == "e-1"
    assert store.jobs.claim(START + ports.LEASE) is not None, "and its lease ends as usual"


def test_a_lease_that_was_taken_while_the_clock_was_ahead_ends(store):
    new_job(store)
    assert store.jobs.claim(clock.now() + timedelta(hours=1)) is not None

    assert store.jobs.claim(clock.now(), take_over=False) is None
    assert store.jobs.claim(clock.now()).attempt == 2


def test_a_beat_after_the_job_has_ended_says_nothing(store, monkeypatch, caplog):
    monkeypatch.setattr(ports, "LEASE", timedelta(seconds=0.04))
    new_job(store)
    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(clock.now()), clock.now)

    wait_until(
        lambda: not any(thread.name == "mem0-exports-lease" for thread in threading.enumerate()),
        "the thread that renews the lease ends",
    )
    assert not [record for record in caplog.records if record.name == lease_module._log.name and record.levelno > 20]
