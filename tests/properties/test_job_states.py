"""Test the states of a job against a small model, with many workers, some of them late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from mem0_exports import F
from mem0_exports_engine import clock, ports
from mem0_exports_engine.extract.offline import record_lists as list_module
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor
from mem0_exports_engine.failures import Fenced
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.sqlite import memories
from mem0_exports_engine.store.sqlite.store import SqliteStore
from mem0_exports_engine.workers.lease import Stop
from mem0_exports_engine.workers.run_job import MAX_CRASHED_ATTEMPTS, run_job
from tests.support.examples import examples
from tests.support.stores import job_row, put


START = datetime(2025, 1, 1, tzinfo=UTC)
LEASE = ports.LEASE


class Jobs(RuleBasedStateMachine):
    claimed = Bundle("claimed")

    @initialize()
    def create(self):
        self.store, self.now = SqliteStore(":memory:"), START
        self.store.jobs.create(DEFAULT_PROJECT, "e", START, timedelta(days=7), schema={}, filters=F.user_id == "a")
        self.state, self.attempt, self.crashed_attempts, self.available = "PENDING", 0, 0, START
        self.parts: list[bytes] = []

    def teardown(self):
        self.store.close()

    @rule(seconds=st.sampled_from([1, 30, 59, 60, 61]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(target=claimed)
    def a_worker_claims_the_job(self):
        job = self.store.jobs.claim(self.now)
        if self.available is None or self.available > self.now:
            assert job is None
        else:
            self.crashed_attempts += self.state == "RUNNING"
            self.attempt += 1
            self.state, self.available = "RUNNING", self.now + LEASE
            assert (job.attempt, job.crashed_attempts) == (self.attempt, self.crashed_attempts)
        return job

    @rule(job=claimed, what=st.sampled_from(["renew", "put", "clear", "drop", "hand_back", "finish", "fail"]))
    def a_worker_writes(self, job, what):
        if job is None:
            return
        arguments = {
            "renew": [self.now],
            "put": [self.now, 0, len(self.parts), b"%d" % job.attempt],
            "clear": [self.now],
            "drop": [0],
            "hand_back": [self.now],
            "finish": [["{}"], "{}"],
            "fail": ["why"],
        }[what]
        if job.attempt != self.attempt or self.state != "RUNNING":
            with pytest.raises(Fenced):
                getattr(self.store.jobs, what)(job, *arguments)
            return
        getattr(self.store.jobs, what)(job, *arguments)
        if what in {"renew", "put", "clear"}:
            self.available = self.now + LEASE
        if what == "put":
            self.parts.append(b"%d" % job.attempt)
        if what in {"clear", "drop", "fail"}:
            self.parts = []
        if what == "hand_back":
            self.state, self.available = "PENDING", self.now
        if what in {"finish", "fail"}:
            self.state, self.available = {"finish": "DONE", "fail": "FAILED"}[what], None

    @rule(job=claimed)
    def a_worker_says_that_it_has_not_crashed(self, job):
        if job is None:
            return
        self.store.jobs.not_crashed(job)
        if self.attempt > job.attempt and self.crashed_attempts:
            self.crashed_attempts -= 1

    @rule()
    def a_worker_whose_clock_was_set_takes_no_job_of_another(self):
        if self.state != "PENDING":
            assert self.store.jobs.claim(self.now, take_over=False) is None

    @invariant()
    def the_row_matches_the_model(self):
        row = job_row(self.store)
        available = None if self.available is None else clock.microseconds(self.available)
        assert (row["state"], row["attempt"], row["lost"], row["available_us"]) == (
            self.state,
            self.attempt,
            self.crashed_attempts,
            available,
        )
        assert (row["reason"] is None) == (self.state != "FAILED")
        with self.store.database.read() as connection:
            rows = connection.execute("SELECT content FROM export_parts ORDER BY number")
            assert [content for (content,) in rows] == self.parts


Jobs.TestCase.settings = settings(
    deadline=None, derandomize=True, database=None, max_examples=examples(150), stateful_step_count=30
)
TestJobs = Jobs.TestCase


@pytest.fixture
def long_job(monkeypatch):
    """A store with a job whose result is stored in parts: a list of the texts of 30 memories, read in small batches."""
    monkeypatch.setattr(memories, "_MAX_BATCH", 2)
    monkeypatch.setattr(list_module, "_MAX_RECORDS", 2)
    store = SqliteStore(":memory:")
    put(store, *({"memory": f"n{number}", "user_id": "a"} for number in range(30)), now=START)
    item = {"type": "object", "properties": {"memory": {"type": "string"}}}
    schema = {"type": "object", "properties": {"all": {"type": "array", "items": item}}}
    store.jobs.create(DEFAULT_PROJECT, "e", START, timedelta(days=7), schema=schema, filters=F.user_id == "a")
    yield store
    store.close()


def outcome(store):
    row = store.jobs.find(DEFAULT_PROJECT, START, export_id="e", filters=None)
    found = store.jobs.result(row)
    text = found if isinstance(found, bytes) else b"".join(found)
    return row.state, text


ALL_RECORDS = "".join(f'{{"memory":"n{number}"}},' for number in range(30))[:-1]


@pytest.mark.parametrize("crashes", range(MAX_CRASHED_ATTEMPTS))
@pytest.mark.parametrize("calls", [3, 6, 12])
def test_result_has_no_parts_of_crashed_workers(long_job, crashes, calls):
    for number in range(crashes):
        times = iter([START] * calls)

        def now(times=times):
            try:
                return next(times)
            except StopIteration:
                raise SystemExit from None

        with pytest.raises(SystemExit):
            run_job(
                long_job.jobs,
                long_job.memories,
                OfflineExtractor(),
                long_job.jobs.claim(START + number * 2 * LEASE),
                now,
            )
    later = START + crashes * 2 * LEASE
    run_job(long_job.jobs, long_job.memories, OfflineExtractor(), long_job.jobs.claim(later), lambda: later)

    assert outcome(long_job) == ("DONE", f'{{"all":[{ALL_RECORDS}]}}'.encode())


def test_handing_a_job_back_does_not_count_as_a_crash(long_job):
    stop = Stop()
    stop.at_once = True
    for _ in range(2 * MAX_CRASHED_ATTEMPTS):
        run_job(long_job.jobs, long_job.memories, OfflineExtractor(), long_job.jobs.claim(START), lambda: START, stop)
    run_job(long_job.jobs, long_job.memories, OfflineExtractor(), long_job.jobs.claim(START), lambda: START)

    assert outcome(long_job) == ("DONE", f'{{"all":[{ALL_RECORDS}]}}'.encode())
