"""Test the errors of a store with real causes: another writer, a full disk, a damaged file, a file of another program."""

from __future__ import annotations

import contextlib
import pickle
import sqlite3

from datetime import UTC, datetime

import pytest

from mem0_exports import ConfigurationError, F, Mem0ExportsError
from mem0_exports_engine import json_text
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.failures import NotAStore, StoreBusy, StoreError, StoreFailed, StoreFull
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store import open_store
from mem0_exports_engine.store.rows import row_for
from mem0_exports_engine.store.sqlite import connections, database


NOW = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "_TIMEOUT", 0.01)  # the store waits 30 seconds for another writer; do not wait here
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    with contextlib.closing(open_store(path)) as opened:
        yield opened


def add(store, text="x"):
    rows = [row_for({"memory": text, "user_id": "alex"}, DEFAULT_PROJECT, text[:8], NOW)]
    return store.memories.add(rows, NOW)


def count(store):
    return store.memories.page(DEFAULT_PROJECT, F.user_id == "alex", NOW, show_expired=True, offset=0, limit=1)[0]


@contextlib.contextmanager
def write_lock(path):
    """Hold the write lock with another connection."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_raises_store_busy_only_while_another_connection_writes(path, store):
    with write_lock(path), pytest.raises(StoreBusy, match="another process is writing to it"):
        add(store)

    assert len(add(store)) == 1


def test_raises_store_busy_if_all_connections_are_in_use(path, monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    with (
        contextlib.closing(open_store(path)) as store,
        store.database.read(),
        pytest.raises(StoreBusy, match="busy with other requests"),
    ):
        count(store)


def test_raises_store_full_only_while_there_is_no_room(store):
    with store.database.write() as connection:
        pages = connection.value("PRAGMA page_count")
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StoreFull, match="full"):
        add(store, "x" * 100_000)
    assert count(store) == 0, "a failed write must leave nothing behind"

    with store.database.write() as connection:
        connection.execute("PRAGMA max_page_count = 100000")
    assert len(add(store, "x" * 100_000)) == 1


def test_raises_store_full_if_the_store_is_read_only(store):
    with store.database.write() as connection:
        connection.execute("PRAGMA query_only = on")

    with pytest.raises(StoreFull, match="readonly"):
        add(store)


def test_raises_store_failed_if_the_file_is_damaged(path, store):
    add(store, "x" * 100_000)
    with store.database.read() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    damaged = path.read_bytes()
    path.write_bytes(damaged[:4096] + b"\xff" * (len(damaged) - 4096))

    with contextlib.closing(open_store(path)) as reopened, pytest.raises(StoreFailed, match="malformed"):
        count(reopened)


@pytest.mark.parametrize("version", [None, 0, 1, 2, 99], ids=lambda version: f"version {version}")
def test_raises_not_a_store_for_a_foreign_file_and_leaves_it_unchanged(path, version):
    if version is None:
        path.write_bytes(b"not a database, but longer than a header " * 9)
    else:
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE memories (x)")
            other.execute(f"PRAGMA user_version = {version}")
    content = path.read_bytes()

    with pytest.raises(NotAStore) as caught:
        open_store(path)

    assert isinstance(caught.value, ConfigurationError)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_raises_not_a_store_if_the_folder_does_not_exist(tmp_path):
    with pytest.raises(NotAStore, match="unable to open"):
        open_store(tmp_path / "none" / "store.db")


@pytest.mark.parametrize("kind", [StoreBusy, StoreFull, StoreFailed, NotAStore])
def test_errors_can_be_pickled_and_have_no_cause(kind, path, store):
    error = pickle.loads(pickle.dumps(kind("why")))

    assert (type(error), str(error)) == (kind, "why")
    assert isinstance(error, StoreError)
    assert isinstance(error, Mem0ExportsError)
    with write_lock(path), pytest.raises(StoreBusy) as caught:
        add(store)
    assert caught.value.__cause__ is caught.value.__context__ is None, "must not be chained to an error of sqlite3"


@pytest.mark.parametrize(("problem", "status"), [("busy", 503), ("full", 500)])
def test_engine_answers_503_with_retry_after_if_busy_and_500_if_full(path, problem, status):
    engine = Engine(path)
    body = json_text.dump({"messages": [{"role": "user", "content": "x" * 100_000}], "infer": False, "user_id": "alex"})
    with contextlib.closing(engine):
        engine.workers.stop()
        with (
            engine.store.database.write() as connection
        ):  # the limit is set per connection, and one is used for all writes
            pages = connection.value("PRAGMA page_count")
            connection.execute(f"PRAGMA max_page_count = {pages + 1 if problem == 'full' else 100_000}")
        with write_lock(path) if problem == "busy" else contextlib.nullcontext():
            answer = engine.respond("POST", "/v3/memories/add/", "", {}, body)

    assert (answer.status, answer.headers.get("retry-after")) == (status, "1" if status == 503 else None)


@pytest.mark.parametrize(
    ("version", "statements"),
    [
        (0, ["CREATE TABLE memories (a)", "CREATE TABLE exports (b)"]),
        (0, ["CREATE VIEW of_something AS SELECT 1"]),
        (2, ["CREATE TABLE memories (a)", "CREATE TABLE exports (b)"]),
        (1, ["CREATE VIEW of_something AS SELECT 1"]),
        (2, []),
        (-1, []),
    ],
)
def test_raises_not_a_store_for_a_database_that_only_resembles_one(path, version, statements):
    with contextlib.closing(sqlite3.connect(path)) as other:
        for statement in statements:
            other.execute(statement)
        other.execute(f"PRAGMA user_version = {version}")
    content = path.read_bytes()

    with pytest.raises(NotAStore, match="another program"):
        open_store(path)

    assert path.read_bytes() == content


def test_raises_store_busy_if_the_store_is_locked_while_it_is_opened(path, monkeypatch):
    open_store(path).close()
    monkeypatch.setattr(database, "_TIMEOUT", 0.1)

    with write_lock(path), pytest.raises(StoreBusy, match="locked"):
        open_store(path)
