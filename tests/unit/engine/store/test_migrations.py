"""Test the migration of stores of earlier versions: once, completely or not at all, and without loss."""

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
from tests.support.timeouts import scaled


VERSIONS = [1, 2, 3, 4, 5]
DONE, FAILED, PENDING = (
    "bb7d9e27-6208-4402-9424-c0f93b091e53",
    "2ec6f243-3a80-4eda-a7d0-9608122cfb77",
    "b852095f-6369-4b22-b577-745c10253df2",
)
ALL = {"type": "object", "properties": {"memories": {"type": "array", "items": {"type": "object"}}}}


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def old_store(tmp_path, version):
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name(f"store_v{version}.sql").read_text(encoding="utf-8"))
    path.chmod(0o600)
    return path


def schema_of(path):
    """Return the SQL of the tables, without spaces and quotes, and the version."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        version = connection.execute("PRAGMA user_version").fetchone()
    return {name: "".join(sql.replace('"', "").split()) for name, sql in found}, version


def test_every_earlier_version_has_a_store(old_store, version):
    assert schema_of(old_store)[1] == (version,)
    assert max(VERSIONS) == tables.VERSION - 1, "keep a store of the version before, as SQL"


def check_contents(path):
    """Check that all memories, exports and jobs of the old store are there."""
    with Client.local(path) as client:
        found = list(client.memories.list(F.user_id.in_("alex", "mara")))
        assert [memory.memory for memory in found] == ["Lives in Lisbon", "Prefers tea 🍵 to coffee", "Sails"]
        assert found[0].metadata == {"city": "Lisbon", "n": 123456789012345678901234567890}
        assert (found[1].agent_id, found[1].run_id, found[1].expiration_date) == ("planner", "r-1", "2999-01-01")
        assert found[2].categories == ["sport"]
        assert client.exports.get(DONE, {"type": "object"}).poll() == {"city": "Lisbon"}
        with pytest.raises(ExportFailed, match="required zip"):
            client.exports.get(FAILED, {"type": "object"}).poll()
        finished = client.exports.get(PENDING, {"type": "object"}).result(timeout=scaled(10))
        assert [each["memory"] for each in finished["memories"]] == [memory.memory for memory in found]
        assert client.engine.report(DONE).memories == 2


def test_a_migrated_store_has_the_schema_of_a_new_one(old_store, tmp_path):
    SqliteStore(old_store).close()
    SqliteStore(tmp_path / "new.db").close()

    assert schema_of(old_store) == schema_of(tmp_path / "new.db")
    assert schema_of(old_store)[1] == (tables.VERSION,)


def test_migration_keeps_memories_exports_and_jobs(old_store):
    check_contents(old_store)


def test_migrated_memories_are_recognized_as_duplicates(old_store):
    with Client.local(old_store) as client:
        record = {"memory": "Sails", "user_id": "mara", "categories": ["sport"]}
        record |= {"id": "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4", "created_at": "2024-07-26T10:29:36.630547-07:00"}
        result = client.engine.import_lines([json.dumps(record).encode()])
        assert (result.added, result.known) == (0, 1)
        assert client.memories.add("Lives in Lisbon", user_id="alex") == []


def test_a_failed_migration_leaves_the_store_unchanged(old_store, monkeypatch):
    from mem0_exports_engine.store.sqlite import migrations

    before = schema_of(old_store)
    monkeypatch.setattr(migrations, "_TO_6", migrations._TO_6 + "SELECT no_such_function();\n")

    with pytest.raises(Exception, match="no_such_function"):
        SqliteStore(old_store)
    monkeypatch.undo()

    assert schema_of(old_store) == before
    check_contents(old_store)


def test_several_processes_can_migrate_a_store_at_once(old_store):
    code = f"from mem0_exports_engine.store.sqlite.store import SqliteStore; SqliteStore({str(old_store)!r}).close()"
    running = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(5)]

    assert [process.communicate(timeout=scaled(60))[1] for process in running] == [b""] * 5
    check_contents(old_store)
