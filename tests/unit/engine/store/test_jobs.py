"""Test jobs on a real SQLite store: leases, fences, retries and expiry."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading

from datetime import UTC, datetime, timedelta

import pytest

from mem0_exports import ConfigurationError, F, Filter
from mem0_exports_engine import ports
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor
from mem0_exports_engine.failures import Fenced, StoreBusy, StoreFull
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.sqlite import batches
from mem0_exports_engine.store.sqlite.store import SqliteStore
from mem0_exports_engine.workers import lease as lease_module
from mem0_exports_engine.workers.lease import Lease, Stop
from mem0_exports_engine.workers.run_job import MAX_CRASHED_ATTEMPTS, run_job
from mem0_exports_engine.workers.thread import WorkerThread
from mem0_exports_engine.workers.workbench import Workbench
from tests.support import stores
from tests.support.timeouts import scaled, wait_until


START = datetime(2025, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
LEASE = ports.LEASE
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    with stores.with_one_memory(request.param, tmp_path, START) as opened:
        yield opened


def new_job(
    store,
    export_id="e-1",
    *,
    now=START,
    retention=WEEK,
    schema=SCHEMA,
    where=F.user_id == "alex",
    project=DEFAULT_PROJECT,
):
    store.jobs.create(project, export_id, now, retention, schema=schema, filters=where)


def row(store, export_id="e-1", now=START, project=DEFAULT_PROJECT):
    return store.jobs.find(project, now, export_id=export_id, filters=None)


def result(store, now=START):
    """Return the result of the only export, parsed."""
    found = store.jobs.result(row(store, now=now))
    return json.loads(found if isinstance(found, bytes) else b"".join(found))


def test_a_job_is_claimed_once_and_its_result_stored(store):
    new_job(store)

    job = store.jobs.claim(START)
    assert store.jobs.claim(START) is None
    run_job(store.jobs, store.memories, OfflineExtractor(), job, lambda: START)

    assert (row(store).state, result(store)) == ("DONE", {"city": "Graz"})
    assert store.jobs.claim(START + 10 * LEASE) is None


def test_claims_the_oldest_job_first(store):
    for number in (2, 1, 3):
        new_job(store, f"e-{number}")

    assert [store.jobs.claim(START).id for _ in range(3)] == ["e-2", "e-1", "e-3"]


def test_a_worker_paused_past_its_lease_is_fenced(store):
    new_job(store)
    slow = store.jobs.claim(START)
    later = START + LEASE + timedelta(seconds=1)
    fast = store.jobs.claim(later)
    wien = {"id": "m-2", "memory": "y", "user_id": "alex", "metadata": {"city": "Wien"}}
    stores.put(store, wien, now=later)

    with pytest.raises(Fenced):
        run_job(store.jobs, store.memories, OfflineExtractor(), slow, lambda: later)
    assert row(store).state == "RUNNING"
    run_job(store.jobs, store.memories, OfflineExtractor(), fast, lambda: later)
    with pytest.raises(Fenced):
        run_job(store.jobs, store.memories, OfflineExtractor(), slow, lambda: later)

    assert (result(store), stores.job_row(store, "e-1")["attempt"]) == ({"city": "Wien"}, 2)


def test_a_job_fails_after_too_many_crashed_attempts(store):
    new_job(store)
    now = START
    for _ in range(MAX_CRASHED_ATTEMPTS):
        assert store.jobs.claim(now) is not None
        now += LEASE + timedelta(seconds=1)

    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(now), lambda: now)

    assert row(store, now=now).state == "FAILED"
    assert "gave up" in row(store, now=now).reason


def test_an_unfillable_job_fails_with_a_reason_and_a_report(store):
    new_job(store, schema={**SCHEMA, "required": ["age"], "properties": {"age": {"type": "integer"}}})

    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(START), lambda: START)

    assert row(store).state == "FAILED"
    assert "required fields: age" in row(store).reason
    assert "age" in row(store).report


def test_an_export_expires_after_seven_days(store):
    new_job(store)

    assert row(store, now=START + timedelta(days=7) - timedelta(microseconds=1)) is not None
    assert row(store, now=START + timedelta(days=7)) is None


def test_finds_the_newest_export_by_equivalent_filters(store):
    new_job(store, "e-1")
    new_job(store, "e-2")
    new_job(store, "e-3", project="other")

    def newest_id(where, project=DEFAULT_PROJECT):
        each = store.jobs.find(project, START, export_id=None, filters=where)
        return None if each is None else each.id

    assert newest_id(F.user_id == "alex") == "e-2"
    assert newest_id(Filter.from_dict({"user_id": {"eq": "alex"}})) == "e-2"
    assert newest_id(F.user_id == "alex", "other") == "e-3"
    assert newest_id(F.user_id == "alex", "third") is None
    assert newest_id(F.user_id == "mara") is None


def test_rejects_a_store_of_a_newer_version(tmp_path):
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    with store.database.write() as connection:
        connection.execute("PRAGMA user_version = 99")
    store.close()

    with pytest.raises(ConfigurationError, match="newer"):
        SqliteStore(path)


def test_rejects_a_file_that_is_not_a_database_and_leaves_it_unchanged(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)

    with pytest.raises(ConfigurationError, match="cannot open"):
        SqliteStore(path)
    assert path.read_text() == "not a database " * 100


def test_rejects_a_path_in_a_missing_folder(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot open"):
        SqliteStore(tmp_path / "none" / "store.db")


def test_a_pending_job_survives_closing_the_store(tmp_path):
    path = tmp_path / "store.db"
    first = SqliteStore(path)
    new_job(first)
    first.close()

    second = SqliteStore(path)
    run_job(second.jobs, second.memories, OfflineExtractor(), second.jobs.claim(START), lambda: START)

    assert row(second).state == "DONE"
    second.close()


def test_worker_thread_goes_on_after_unexpected_errors(tmp_path, monkeypatch):
    store = SqliteStore(tmp_path / "store.db")
    errors = iter([RuntimeError("once"), MemoryError("twice")])
    original = store.jobs.claim

    def claim(now, **named):
        for error in errors:
            raise error
        return original(now, **named)

    monkeypatch.setattr(store.jobs, "claim", claim)
    thread = WorkerThread(store, OfflineExtractor(), lambda: START)
    new_job(store)

    def is_done_after_waking():
        thread.wake()
        return row(store).state == "DONE"

    wait_until(is_done_after_waking, "the job is done")
    thread.stop()

    assert row(store).state == "DONE"
    store.close()


def test_many_processes_can_create_the_same_store_at_once(tmp_path):
    code = f"from mem0_exports_engine.store.sqlite.store import SqliteStore; SqliteStore({str(tmp_path / 'store.db')!r}).close()"
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(6)]

    errors = [process.communicate(timeout=scaled(60))[1].decode() for process in running]

    assert errors == [""] * 6


def test_finds_an_export_by_filters_in_another_order(store):
    where = (F.user_id.in_("a", "b")) & (F.app_id == "c") & ((F.run_id == "r") | (F.run_id == "s"))
    new_job(store, where=where)
    same = ((F.run_id == "s") | (F.run_id == "r")) & (F.app_id == "c") & (F.user_id.in_("b", "a"))

    assert store.jobs.find(DEFAULT_PROJECT, START, export_id=None, filters=same).id == "e-1"


def test_a_panic_in_native_code_fails_the_job_but_not_the_worker(store):
    class PanicException(BaseException):
        pass

    class Panicking:
        def extract(self, *_arguments, **_named):
            raise PanicException("index out of bounds")

    new_job(store)
    run_job(store.jobs, store.memories, Panicking(), store.jobs.claim(START), lambda: START)

    assert row(store).state == "FAILED"
    assert row(store).reason == "internal error: PanicException"


@pytest.mark.parametrize("error", [StoreBusy, StoreFull])
def test_a_job_waits_while_the_store_cannot_be_read(store, monkeypatch, error):
    """Such as while the disk with SQLite's temporary files is full."""

    def fails(*_arguments):
        raise error("for now")

    new_job(store)
    now = START
    with monkeypatch.context() as patched:
        patched.setattr(store.memories, "batches", fails)
        for _ in range(2 * MAX_CRASHED_ATTEMPTS):
            run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(now), lambda: now)  # noqa: B023
            assert store.jobs.claim(now) is None, "the job waits, so that other jobs come first"
            now += timedelta(seconds=5)
    assert (row(store).state, stores.job_row(store, "e-1")["lost"]) == ("PENDING", 0)

    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(now), lambda: now)
    assert row(store, now=now).state == "DONE"


def test_purge_deletes_expired_exports_with_their_parts(store):
    new_job(store, "e-1", retention=timedelta(days=1))
    new_job(store, "e-2")
    for _ in range(2):
        store.jobs.put(store.jobs.claim(START), START, 0, 0, b'{"a": 1}')

    assert store.jobs.purge(START + timedelta(days=1, microseconds=-1)) == 0
    assert store.jobs.purge(START + timedelta(days=1)) == 1

    assert row(store, "e-2", START) is not None
    with store.database.read() as connection:
        assert [each for (each,) in connection.execute("SELECT id FROM exports")] == ["e-2"]
        assert connection.value("SELECT count(*) FROM export_parts") == 1


def test_rejects_the_database_of_another_program_and_leaves_it_unchanged(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE memories (id, body)")
    other.close()

    with pytest.raises(ConfigurationError, match="database of another program"):
        SqliteStore(path)
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("memories",)]
    other.close()


def test_rejects_an_empty_path():
    with pytest.raises(ConfigurationError, match="path must not be empty"):
        SqliteStore("")


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_closing_during_calls_of_other_threads_raises_errors_in_them_but_does_not_crash(tmp_path, kind):
    code = f"""
import threading
from mem0_exports import Client, ConfigurationError, ConnectionFailed
client = Client.local({":memory:" if kind == "memory" else str(tmp_path / "store.db")!r})
def work():
    try:
        for n in range(100000):
            client.memories.add(str(n), user_id="a")
    except (ConfigurationError, ConnectionFailed) as error:  # ConnectionFailed if a request was in progress
        assert "closed" in str(error)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
import time; time.sleep(0.3)
client.close()
for thread in threads: thread.join(20)
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=scaled(60), check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.parametrize("what", ["put", "clear"])
def test_lease_starts_with_the_write_that_succeeds_not_with_the_first_try(store, monkeypatch, what):
    """When a full disk has room again after more than a lease, the job must not be free for other workers at once."""
    monkeypatch.setattr(lease_module, "POLL_INTERVAL", 0.0)
    clock, full = [START], [True]
    write = getattr(store.jobs, what)

    def fails_once(*given):
        if full.pop() if full else False:
            clock[0] += 2 * LEASE
            raise StoreFull("database or disk is full")
        write(*given)

    new_job(store)
    job = store.jobs.claim(START)
    monkeypatch.setattr(store.jobs, what, fails_once)
    lease = Lease(store.jobs, job, lambda: clock[0], Stop())
    if what == "put":
        Workbench(store.jobs, job, lease).put(0, b"1")
    else:
        lease.write_and_renew(lambda moment: store.jobs.clear(job, moment))

    assert full == [], "the write must have been tried again"
    assert store.jobs.claim(clock[0]) is None


def test_an_expired_job_is_not_claimed(store):
    new_job(store, "e-1", retention=timedelta(hours=1))

    assert store.jobs.claim(START + timedelta(hours=1)) is None
    assert store.jobs.claim(START + timedelta(minutes=59)).id == "e-1"


def test_a_damaged_row_fails_the_job_at_once(store):
    """Another attempt could not read the row either, so there must be none."""
    with store.database.write() as connection:
        connection.execute("UPDATE memories SET metadata = '{no json'")
    new_job(store)

    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(START), lambda: START)

    assert (row(store).state, stores.job_row(store, "e-1")["attempt"]) == ("FAILED", 1)
    assert row(store).reason == "internal error: StoreFailed"


def test_reads_memories_in_batches_of_limited_text_length(store, monkeypatch):
    monkeypatch.setattr(batches, "_MAX_LETTERS", 1000)
    many = [
        {"id": f"n-{n}", "memory": "x" * length, "user_id": "mara"} for n, length in enumerate((400, 500, 600, 5000, 1))
    ]
    stores.put(store, *many, now=START)

    found_batches = list(store.memories.batches(DEFAULT_PROJECT, F.user_id == "mara", START))

    assert [batch.size for batch in found_batches] == [2, 1, 1, 1]
    assert [each["memory"] for batch in found_batches for each in stores.records_of(batch)] == [
        each["memory"] for each in many
    ]


def test_rejects_an_old_sqlite_version(monkeypatch):
    from mem0_exports_engine.store.sqlite import database as module

    monkeypatch.setattr(module.sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(ConfigurationError, match=r"SQLite must be 3\.35\.0 or newer"):
        SqliteStore(":memory:")


def test_a_stopping_worker_takes_no_new_jobs(store, monkeypatch):
    has_claimed, claim = threading.Event(), store.jobs.claim

    def signalling_claim(now, **named):
        job = claim(now, **named)
        has_claimed.set()
        return job

    monkeypatch.setattr(store.jobs, "claim", signalling_claim)
    first = WorkerThread(store, OfflineExtractor(), lambda: START)
    assert has_claimed.wait(scaled(10))  # a worker that is about to claim may take one more job
    first.take_no_more()
    new_job(store)
    first.wake()
    first.stop()
    assert row(store).state == "PENDING"

    second = WorkerThread(store, OfflineExtractor(), lambda: START)
    wait_until(lambda: row(store).state == "DONE", "the second worker does the job")
    second.stop()
    assert (row(store).state, stores.job_row(store, "e-1")["lost"]) == ("DONE", 0)
