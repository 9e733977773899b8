"""Test that the store does little at once: short transactions, searches with indexes, and each memory parsed once."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading

from datetime import UTC, datetime, timedelta

import pytest

from mem0_exports import BadRequest, Client, F, any_of
from mem0_exports_engine import clock
from mem0_exports_engine.extract.offline import record_lists
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor
from mem0_exports_engine.importing import importer
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.sqlite import functions, jobs, memories
from mem0_exports_engine.store.sqlite.store import SqliteStore
from mem0_exports_engine.workers.run_job import run_job
from tests.support import stores


START = datetime(2025, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
ITEM = {"type": "object", "properties": {"memory": {"type": "string"}}}
LIST = {"type": "object", "properties": {"all": {"type": "array", "items": ITEM}}}


@pytest.fixture
def store(tmp_path):
    with contextlib.closing(SqliteStore(tmp_path / "store.db")) as opened:
        yield opened


@pytest.fixture
def written(store, monkeypatch):
    """The number of rows that each transaction has written."""
    counts, write = [], store.database.write

    @contextlib.contextmanager
    def counted():
        with write() as connection:
            driver = connection.driver
            before = driver.total_changes
            yield connection
            counts.append(driver.total_changes - before)

    monkeypatch.setattr(store.database, "write", counted)
    return counts


def new_job(store, number, now=START):
    store.jobs.create(DEFAULT_PROJECT, f"e-{number}", now, WEEK, schema=LIST, filters=F.user_id == "a")


def parts_of(store):
    with store.database.read() as connection:
        return connection.value("SELECT count(*) FROM export_parts")


def test_an_import_writes_at_most_a_thousand_rows_at_once(store, written):
    lines = (json.dumps({"memory": f"m{number}", "user_id": "a"}).encode() for number in range(3500))

    assert importer.import_lines(store.memories, lines).added == 3500

    assert max(written) == importer.MAX_BATCH + 1, "and the revision of the project"
    assert len([count for count in written if count]) == 4


@pytest.mark.parametrize("end", ["fail", "clear", "purge"])
def test_the_parts_of_an_export_are_deleted_a_few_at_a_time(store, written, monkeypatch, end):
    monkeypatch.setattr(jobs, "MAX_ROWS", 10)
    monkeypatch.setattr(record_lists, "_MAX_RECORDS", 1)
    monkeypatch.setattr(memories, "_MAX_BATCH", 1)
    stores.put(store, *({"memory": f"m{number}", "user_id": "a"} for number in range(35)), now=START)
    new_job(store, 1)
    job = store.jobs.claim(START)
    for number in range(35):
        store.jobs.put(job, START, 0, number, b"1")
    assert parts_of(store) == 35
    written.clear()

    if end == "fail":
        store.jobs.fail(job, "why")
    elif end == "clear":
        store.jobs.clear(job, START)
    else:
        for number in range(2, 27):
            new_job(store, number)
        written.clear()
        assert store.jobs.purge(START + WEEK) == 26

    assert parts_of(store) == 0
    assert max(written) <= 11, "ten parts, and the row of the export"


def test_an_export_writes_each_part_in_a_transaction_of_its_own(store, written, monkeypatch):
    monkeypatch.setattr(record_lists, "_MAX_RECORDS", 3)
    monkeypatch.setattr(memories, "_MAX_BATCH", 3)
    stores.put(store, *({"memory": f"m{number}", "user_id": "a"} for number in range(35)), now=START)
    new_job(store, 1)
    written.clear()

    run_job(store.jobs, store.memories, OfflineExtractor(), store.jobs.claim(START), lambda: START)

    assert len(written) > 10
    assert max(written) <= 2, "a part, and the row of the export"


def test_a_purge_does_not_take_the_parts_of_a_new_export_with_the_seq_of_an_old_one(store, monkeypatch):
    """Another worker purges the old export in the middle of this purge, and a client creates a new one."""
    new_job(store, 1)
    store.jobs.put(store.jobs.claim(START), START, 0, 0, b"1")
    delete, later = store.jobs._delete_parts, START + WEEK

    def interfered(*given):
        monkeypatch.setattr(store.jobs, "_delete_parts", delete)
        assert store.jobs.purge(later) == 1
        new_job(store, 2, later)
        store.jobs.put(store.jobs.claim(later), later, 0, 0, b"2")
        delete(*given)

    monkeypatch.setattr(store.jobs, "_delete_parts", interfered)
    store.jobs.purge(later)

    assert stores.job_row(store, "e-2")["seq"] == 1
    assert parts_of(store) == 1


def test_a_waiting_writer_looks_at_the_lock_again_and_again(store, monkeypatch):
    """It must find the short pauses of a writer that writes for long."""
    looks = []
    with contextlib.closing(sqlite3.connect(store.database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def sleep(seconds):
            looks.append(seconds)
            if len(looks) == 20:
                other.execute("COMMIT")

        monkeypatch.setattr("mem0_exports_engine.store.sqlite.database.time.sleep", sleep)
        new_job(store, 1)
    assert looks == [0.002] * 20


def test_an_add_searches_with_indexes_only(store):
    """Otherwise each add reads all memories of its project."""
    with store.database.read() as connection:
        driver = connection.driver
        names = dict.fromkeys(("text_key", "record_key", "project", "today"))
        plan = driver.execute(f"EXPLAIN QUERY PLAN {memories._KNOWN}", names).fetchall()

    searches = [step for *_, step in plan if "memories" in step]
    assert len(searches) == 2
    assert all("text_key=?" in step or "record_key=?" in step for step in searches), searches


def test_many_conditions_parse_the_metadata_of_a_memory_once(store, monkeypatch):
    stores.put(store, {"memory": "x", "user_id": "a", "metadata": {"k": 1}}, now=START)
    parsed, load = [], functions.load
    monkeypatch.setattr(functions, "load", lambda document: parsed.append(document) or load(document))
    where = (F.user_id == "a") & any_of(*(F.metadata["k"] == number for number in range(2, 300)))

    assert store.memories.page(DEFAULT_PROJECT, where, START, show_expired=True, offset=0, limit=1)[0] == 0
    assert len(parsed) <= 2, "once for the number of memories, and at most once for the page"
    assert (functions._last.document, functions._last.value) == ("", None), "nothing is kept after the transaction"


def test_a_list_that_takes_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(memories, "MAX_SECONDS", -1.0)
    monkeypatch.setattr("mem0_exports_engine.store.sqlite.database._STEPS", 1)
    with Client.local(tmp_path / "store.db") as client:
        client.memories.add("x", user_id="a")
        with pytest.raises(BadRequest, match="these filters take more than 20 s; use fewer conditions, or an export"):
            list(client.memories.list(F.user_id == "a"))


def test_a_page_of_large_memories_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(memories, "MAX_PAGE", 10_000)
    read, record_of = [], memories.record_of
    monkeypatch.setattr(memories, "record_of", lambda row: read.append(row[0]) or record_of(row))
    with Client.local(tmp_path / "store.db") as client:
        for number in range(20):
            client.memories.add(f"{number} {'x' * 1000}", user_id="a", metadata={"k": "y" * 1000})
        with pytest.raises(BadRequest, match="ask for a smaller page_size"):
            list(client.memories.list(F.user_id == "a"))
        assert len(read) == 4
        assert len([*client.memories.list(F.user_id == "a", page_size=4)]) == 20


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pages_of_entities_are_read_from_the_store_one_by_one(store, size):
    owners = [{"user_id": f"u{n}", "run_id": f"r{n}"} for n in range(4)] + [{"agent_id": "g"}, {"app_id": "p"}] * 2
    stores.put(store, *({"memory": f"m{n}", **owner} for n, owner in enumerate(owners)), now=START)
    expected = [
        *(("user", f"u{n}") for n in range(4)),
        ("agent", "g"),
        ("app", "p"),
        *(("run", f"r{n}") for n in range(4)),
    ]

    found = []
    for offset in range(0, 10, size):
        totals, page = store.memories.entities(DEFAULT_PROJECT, offset=offset, limit=size)
        assert totals == {"user": 4, "agent": 1, "app": 1, "run": 4}
        assert len(page) <= size
        found += [(entity["type"], entity["name"]) for entity in page]

    assert found == expected
    assert store.memories.entities(DEFAULT_PROJECT, offset=10**30, limit=size)[1] == []


def test_a_local_writer_gets_its_turn_during_an_import(tmp_path):
    """Counted in batches of the import, not in seconds."""
    path = tmp_path / "store.db"
    with contextlib.closing(SqliteStore(path)) as importing, contextlib.closing(SqliteStore(path)) as local:
        done, added, batches, has_begun = threading.Event(), [], [], threading.Event()

        def lines():
            number = 0
            while not done.is_set() and number < 200_000:
                if number % importer.MAX_BATCH == 0:
                    batches.append(number)
                if len(batches) == 3:
                    has_begun.set()
                number += 1
                yield json.dumps({"memory": f"m{number}", "user_id": "a"}).encode()

        thread = threading.Thread(target=importer.import_lines, args=(importing.memories, lines()))
        thread.start()
        has_begun.wait()
        try:
            for number in range(5):
                before = len(batches)
                new_job(local, number, clock.now())
                added.append(len(batches) - before)
        finally:
            done.set()
            thread.join()

    assert max(added) < 20, f"batches of the import for each write of the local writer: {added}"
