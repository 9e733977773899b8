"""Jobs over a real store: leases, fences, and what expires."""

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
from mem0_exports_engine.ports import Fenced, StoreBusy, StoreFull
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.sqlite import batches, memories
from mem0_exports_engine.store.sqlite.store import SqliteStore
from mem0_exports_engine.workers import run_job as run_job_module
from mem0_exports_engine.workers.run_job import MAX_CRASHED_ATTEMPTS, Stop, _Lease, _Parts, run_job
from mem0_exports_engine.workers.thread import WorkerThread
from tests.support import stores
from tests.support.patience import patient, until


START = datetime(2025, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
LEASE = ports.LEASE
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    made = SqliteStore(":memory:" if request.param == "memory" else tmp_path / "store.db")
    stores.put(made, {"memory": "x", "user_id": "alex", "metadata": {"city": "Graz"}}, now=START)
    yield made
    made.close()


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
    """The result of the one export, whole."""
    found = store.jobs.result(row(store, now=now))
    return json.loads(found if isinstance(found, bytes) else b"".join(found))


def test_a_job_is_taken_once_and_its_result_kept(store):
    new_job(store)

    job = store.jobs.claim(START)
    assert store.jobs.claim(START) is None
    run_job(store.jobs, store.memories, OfflineExtractor(), job, lambda: START)

    assert (row(store).state, result(store)) == ("DONE", {"city": "Graz"})
    assert store.jobs.claim(START + 10 * LEASE) is None


def test_the_job_that_waited_longest_is_first(store):
    for number in (2, 1, 3):
        new_job(store, f"e-{number}")

    assert [store.jobs.claim(START).id for _ in range(3)] == ["e-2", "e-1", "e-3"]


def test_a_worker_that_was_paused_past_its_lease_writes_nothing(store):
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


def test_a_job_whose_workers_vanish_fails_at_last(store):
    new_job(store)
    now = START
    for _ in range(MAX_CRASHED_ATTEMPTS):
        assert store.jobs.claim(now) is not None
        now += LEASE + timedelta(seconds=1)

    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(now), lambda: now)

    assert row(store, now=now).state == "FAILED"
    assert "gave up" in row(store, now=now).reason


def test_a_job_that_cannot_be_done_fails_with_its_reason(store):
    new_job(store, schema={**SCHEMA, "required": ["age"], "properties": {"age": {"type": "integer"}}})

    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(START), lambda: START)

    assert row(store).state == "FAILED"
    assert "required fields: age" in row(store).reason
    assert "age" in row(store).report


def test_an_export_expires_after_seven_days(store):
    new_job(store)

    assert row(store, now=START + timedelta(days=7) - timedelta(microseconds=1)) is not None
    assert row(store, now=START + timedelta(days=7)) is None


def test_by_filters_the_newest_export_is_found_however_they_are_written(store):
    new_job(store, "e-1")
    new_job(store, "e-2")
    new_job(store, "e-3", project="other")

    def found(where, project=DEFAULT_PROJECT):
        each = store.jobs.find(project, START, export_id=None, filters=where)
        return None if each is None else each.id

    assert found(F.user_id == "alex") == "e-2"
    assert found(Filter.from_dict({"user_id": {"eq": "alex"}})) == "e-2"
    assert found(F.user_id == "alex", "other") == "e-3"
    assert found(F.user_id == "alex", "third") is None
    assert found(F.user_id == "mara") is None


def test_a_store_of_a_newer_version_is_not_touched(tmp_path):
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    with store.database.write() as connection:
        connection.exec_driver_sql("PRAGMA user_version = 99")
    store.close()

    with pytest.raises(ConfigurationError, match="newer"):
        SqliteStore(path)


def test_a_file_that_is_no_store_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)

    with pytest.raises(ConfigurationError, match="cannot open"):
        SqliteStore(path)
    assert path.read_text() == "not a database " * 100


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot open"):
        SqliteStore(tmp_path / "none" / "store.db")


def test_a_job_waits_in_the_file_for_the_next_engine(tmp_path):
    path = tmp_path / "store.db"
    first = SqliteStore(path)
    new_job(first)
    first.close()

    second = SqliteStore(path)
    run_job(second.jobs, second.memories, OfflineExtractor(), second.jobs.claim(START), lambda: START)

    assert row(second).state == "DONE"
    second.close()


def test_a_worker_that_stumbles_goes_on(tmp_path, monkeypatch):
    store = SqliteStore(tmp_path / "store.db")
    stumbles = iter([RuntimeError("once"), MemoryError("twice")])
    original = store.jobs.claim

    def claim(now):
        for error in stumbles:
            raise error
        return original(now)

    monkeypatch.setattr(store.jobs, "claim", claim)
    thread = WorkerThread(store.jobs, store.memories, OfflineExtractor(), lambda: START)
    new_job(store)

    def woken_again():
        thread.wake()
        return row(store).state == "DONE"

    until(woken_again, "the job is done")
    thread.stop()

    assert row(store).state == "DONE"
    store.close()


def test_many_processes_may_open_one_new_file_at_once(tmp_path):
    code = f"from mem0_exports_engine.store.sqlite.store import SqliteStore; SqliteStore({str(tmp_path / 'store.db')!r}).close()"
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(6)]

    errors = [process.communicate(timeout=patient(60))[1].decode() for process in running]

    assert errors == [""] * 6


def test_filters_find_their_export_in_whatever_order_they_are_written(store):
    where = (F.user_id.in_("a", "b")) & (F.app_id == "c") & ((F.run_id == "r") | (F.run_id == "s"))
    new_job(store, where=where)
    same = ((F.run_id == "s") | (F.run_id == "r")) & (F.app_id == "c") & (F.user_id.in_("b", "a"))

    assert store.jobs.find(DEFAULT_PROJECT, START, export_id=None, filters=same).id == "e-1"


def test_a_panic_of_native_code_fails_the_job_and_not_the_worker(store):
    class PanicException(BaseException):
        pass

    class Panicking:
        def extract(self, *_arguments, **_named):
            raise PanicException("index out of bounds")

    new_job(store)
    run_job(store.jobs, store.memories, Panicking(), store.jobs.claim(START), lambda: START)

    assert row(store).state == "FAILED"
    assert row(store).reason == "internal error: PanicException"


def test_a_fault_of_the_store_is_no_fault_of_the_job(store, monkeypatch):
    def locked(*_arguments):
        raise StoreBusy("the store is busy")

    new_job(store)
    job = store.jobs.claim(START)
    with monkeypatch.context() as patched:
        patched.setattr(store.memories, "batches", locked)
        with pytest.raises(StoreBusy):
            run_job(store.jobs, store.memories, OfflineExtractor(), job, lambda: START)
    assert row(store).state == "RUNNING"

    later = START + LEASE + timedelta(seconds=1)
    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(later), lambda: later)
    assert row(store, now=later).state == "DONE"


def test_a_lease_is_renewed_while_the_work_goes_on(store, monkeypatch):
    new_job(store)
    monkeypatch.setattr(memories, "_MAX_BATCH", 1)
    stores.put(store, *({"id": f"n-{n}", "memory": str(n), "user_id": "alex"} for n in range(20)), now=START)
    job = store.jobs.claim(START)
    clock = iter(START + n * LEASE / 3 for n in range(1000))

    run_job(store.jobs, store.memories, OfflineExtractor(), job, lambda: next(clock))

    assert (row(store).state, stores.job_row(store, "e-1")["attempt"]) == ("DONE", 1)


def test_expired_exports_are_deleted_with_their_parts(store):
    new_job(store, "e-1", retention=timedelta(days=1))
    new_job(store, "e-2")
    for _ in range(2):
        store.jobs.put(store.jobs.claim(START), START, 0, 0, b'{"a": 1}')

    assert store.jobs.purge(START + timedelta(days=1, microseconds=-1)) == 0
    assert store.jobs.purge(START + timedelta(days=1)) == 1

    assert row(store, "e-2", START) is not None
    with store.database.read() as connection:
        assert [each for (each,) in connection.exec_driver_sql("SELECT id FROM exports")] == ["e-2"]
        assert connection.exec_driver_sql("SELECT count(*) FROM export_parts").scalar_one() == 1


def test_a_database_of_something_else_is_not_changed(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE memories (id, body)")
    other.close()

    with pytest.raises(ConfigurationError, match="database of another program"):
        SqliteStore(path)
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("memories",)]
    other.close()


def test_a_path_is_not_empty():
    with pytest.raises(ConfigurationError, match="path must not be empty"):
        SqliteStore("")


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_closing_while_others_work_is_an_error_and_no_crash(tmp_path, kind):
    code = f"""
import threading
from mem0_exports import Client, ConfigurationError, ConnectionFailed
client = Client.local({":memory:" if kind == "memory" else str(tmp_path / "store.db")!r})
def work():
    try:
        for n in range(100000):
            client.memories.add(str(n), user_id="a")
    except (ConfigurationError, ConnectionFailed) as error:  # the second where a request was under way
        assert "closed" in str(error)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
import time; time.sleep(0.3)
client.close()
for thread in threads: thread.join(20)
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=patient(60), check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.parametrize("what", ["put", "renew", "clear"])
def test_a_lease_begins_with_the_write_that_succeeds_however_long_that_took(store, monkeypatch, what):
    """A disk that was full for longer than a lease: the job is not for others at once when there is room again."""
    monkeypatch.setattr(run_job_module, "POLL_INTERVAL", 0.0)
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
    lease = _Lease(store.jobs, job, lambda: clock[0], Stop(), START)
    if what == "put":
        _Parts(store.jobs, job, lease).put(0, b"1")
    elif what == "renew":
        clock[0] += LEASE / 2
        lease.keep()
    else:
        lease.write_and_renew(lambda moment: store.jobs.clear(job, moment))

    assert full == [], "the write was tried again"
    assert store.jobs.claim(clock[0]) is None


def test_an_export_that_has_expired_is_not_made_any_more(store):
    new_job(store, "e-1", retention=timedelta(hours=1))

    assert store.jobs.claim(START + timedelta(hours=1)) is None
    assert store.jobs.claim(START + timedelta(minutes=59)).id == "e-1"


def test_a_fault_of_the_store_that_will_not_pass_fails_the_job_at_once(store):
    """A row that is damaged: no other attempt would read it."""
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE memories SET metadata = '{no json'")
    new_job(store)

    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(START), lambda: START)

    assert (row(store).state, stores.job_row(store, "e-1")["attempt"]) == ("FAILED", 1)
    assert row(store).reason == "internal error: StoreFailed"


def test_memories_are_read_in_batches_that_are_not_large(store, monkeypatch):
    monkeypatch.setattr(batches, "_MAX_LETTERS", 1000)
    many = [
        {"id": f"n-{n}", "memory": "x" * length, "user_id": "mara"} for n, length in enumerate((400, 500, 600, 5000, 1))
    ]
    stores.put(store, *many, now=START)

    found = list(store.memories.batches(DEFAULT_PROJECT, F.user_id == "mara", START))

    assert [batch.size for batch in found] == [2, 1, 1, 1]
    assert [each["memory"] for batch in found for each in batch.records()] == [each["memory"] for each in many]


def test_an_old_sqlite_is_refused_with_a_sentence(monkeypatch):
    from mem0_exports_engine.store.sqlite import database as module

    monkeypatch.setattr(module.sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(ConfigurationError, match=r"SQLite must be 3\.35\.0 or newer"):
        SqliteStore(":memory:")


def test_a_worker_that_is_to_stop_leaves_new_jobs_to_others(store, monkeypatch):
    looked, claim = threading.Event(), store.jobs.claim

    def watched(now):
        job = claim(now)
        looked.set()
        return job

    monkeypatch.setattr(store.jobs, "claim", watched)
    first = WorkerThread(store.jobs, store.memories, OfflineExtractor(), lambda: START)
    assert looked.wait(patient(10))  # a worker that is just about to look for a job may take one more
    first.take_no_more()
    new_job(store)
    first.wake()
    first.stop()
    assert row(store).state == "PENDING"

    second = WorkerThread(store.jobs, store.memories, OfflineExtractor(), lambda: START)
    until(lambda: row(store).state == "DONE", "the second does the job")
    second.stop()
    assert (row(store).state, stores.job_row(store, "e-1")["crashed_attempts"]) == ("DONE", 0)
