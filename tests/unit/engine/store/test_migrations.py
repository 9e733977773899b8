"""Stores of earlier versions: they are brought up to date once, whole, and nothing of them is lost."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

from contextlib import closing
from pathlib import Path

import pytest

from mem0_exports import Client, ExportFailed, F
from mem0_exports_engine.store.sqlite import tables
from mem0_exports_engine.store.sqlite.store import SqliteStore
from tests.support.patience import patient


OLD = Path(__file__).with_name("store_v1.sql")
DONE, FAILED, WAITING = (
    "bb7d9e27-6208-4402-9424-c0f93b091e53",
    "2ec6f243-3a80-4eda-a7d0-9608122cfb77",
    "b852095f-6369-4b22-b577-745c10253df2",
)
ALL = {"type": "object", "properties": {"memories": {"type": "array", "items": {"type": "object"}}}}


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD.read_text(encoding="utf-8"))
    return path


def schema_of(path):
    """What the database says of its tables, spaces apart."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        version = connection.execute("PRAGMA user_version").fetchone()
    return {name: "".join(sql.replace('"', "").split()) for name, sql in found}, version


def test_the_old_store_is_one_of_version_1(old):
    assert schema_of(old)[1] == (1,)


def test_a_store_that_was_brought_up_to_date_has_the_tables_of_a_new_one(old, tmp_path):
    SqliteStore(old).close()
    SqliteStore(tmp_path / "new.db").close()

    assert schema_of(old) == schema_of(tmp_path / "new.db")
    assert schema_of(old)[1] == (tables.VERSION,)


def test_memories_exports_and_jobs_are_all_there(old):
    with Client.local(old) as client:
        found = list(client.memories.list(F.user_id.in_("alex", "mara")))
        assert [memory.memory for memory in found] == ["Lives in Lisbon", "Prefers tea 🍵 to coffee", "Sails"]
        assert found[0].metadata == {"city": "Lisbon", "n": 123456789012345678901234567890}
        assert (found[1].agent_id, found[1].run_id, found[1].expiration_date) == ("planner", "r-1", "2999-01-01")
        assert found[2].categories == ["sport"]
        assert client.exports.get(DONE, {"type": "object"}).poll() == {"city": "Lisbon"}
        with pytest.raises(ExportFailed, match="required zip"):
            client.exports.get(FAILED, {"type": "object"}).poll()
        waited = client.exports.get(WAITING, {"type": "object"}).result(timeout=patient(10))
        assert [each["memory"] for each in waited["memories"]] == [memory.memory for memory in found]
        assert client.engine.report(DONE).memories == 2


def test_what_was_there_is_known_and_not_added_again(old):
    with Client.local(old) as client:
        again = {"memory": "Sails", "user_id": "mara", "categories": ["sport"]}
        again |= {"id": "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4", "created_at": "2024-07-26T10:29:36.630547-07:00"}
        done = client.engine.import_lines([json.dumps(again).encode()])
        assert (done.added, done.known) == (0, 1)
        assert client.memories.add("Lives in Lisbon", user_id="alex") == []


def test_a_step_that_fails_leaves_the_old_store_as_it_was(old, monkeypatch):
    from mem0_exports_engine.store.sqlite import migrations

    before = schema_of(old)
    monkeypatch.setattr(migrations, "_TO_2", migrations._TO_2 + "SELECT no_such_function();\n")

    with pytest.raises(Exception, match="no_such_function"):
        SqliteStore(old)
    monkeypatch.undo()

    assert schema_of(old) == before
    test_memories_exports_and_jobs_are_all_there(old)


def test_several_processes_may_find_an_old_store_at_once(old):
    code = f"from mem0_exports_engine.store.sqlite.store import SqliteStore; SqliteStore({str(old)!r}).close()"
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(5)]

    assert [process.communicate(timeout=patient(60))[1] for process in running] == [b""] * 5
    test_memories_exports_and_jobs_are_all_there(old)
