"""Test what happens to the file of an open store: deleted, replaced, damaged, a link, readable by others."""

from __future__ import annotations

import json
import logging
import shutil

from contextlib import closing

import pytest

from mem0_exports import Client, ExportFailed, F, ServerError
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.failures import NotAStore, StoreReplaced
from mem0_exports_engine.store import open_store
from tests.support.timeouts import scaled, wait_until


ADD = json.dumps({"messages": [{"role": "user", "content": "x"}], "user_id": "a", "infer": False}).encode()
LIST = json.dumps({"filters": {"user_id": "a"}}).encode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def ask(engine, path, body=b""):
    answer = engine.respond("GET" if path == "/health" else "POST", path, "", {}, body)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_nothing_is_acknowledged_after_the_file_was_deleted_or_replaced(path, how):
    with closing(Engine(path)) as engine:
        assert ask(engine, "/v3/memories/add/", ADD)[0] == 200
        if how == "deleted":
            path.unlink()
        else:
            path.rename(path.with_name("old.db"))
        if how == "replaced":
            with closing(open_store(path)):
                pass

        status, answer = ask(engine, "/v3/memories/add/", ADD)
        assert (status, "deleted or replaced" in answer["detail"]) == (500, True)
        status, answer = ask(engine, "/health")
        assert (status, answer["status"]) == (503, "down")
        assert "put it back, or restart the program" in answer["detail"]
        assert ask(engine, "/v3/memories/", LIST)[0] == 500, "another connection would read another file"
    if how == "moved":
        path.with_name("old.db").rename(path)
        with closing(Engine(path)) as engine:
            assert ask(engine, "/v3/memories/", LIST)[1]["count"] == 1


def test_a_file_that_is_put_back_is_used_again(path):
    with closing(open_store(path)) as store:
        path.rename(path.with_name("moved.db"))
        with pytest.raises(StoreReplaced), store.database.write():
            pass
        path.with_name("moved.db").rename(path)

        store.check()
        with store.database.write():
            pass


def test_the_worker_says_once_that_the_file_is_gone(path, caplog, monkeypatch):
    monkeypatch.setattr("mem0_exports_engine.workers.thread.POLL_INTERVAL", 0.01)
    with closing(Engine(path)) as engine:
        client_body = json.dumps({"schema": {"type": "object"}, "filters": {"user_id": "a"}}).encode()
        engine.workers.take_no_more()
        engine.workers._threads[0]._thread.join()
        assert ask(engine, "/v1/exports/", client_body)[0] == 201
        path.unlink()
        polls, read = [], engine.store.database.read
        monkeypatch.setattr(engine.store.database, "read", lambda *given: polls.append(1) or read(*given))
        engine.workers.__init__(engine.store, None, engine._service.now, lanes=[None])
        wait_until(lambda: len(polls) > 10, "the worker tries several times")
    said = [record for record in caplog.records if "deleted or replaced" in record.getMessage()]
    assert len(said) == 1
    assert said[0].exc_info is None


@pytest.fixture
def damaged(path):
    """A store in which the pages with the texts of the memories are damaged."""
    with closing(open_store(path)) as store, Client.local(path) as client:
        for number in range(200):
            client.memories.add(f"{number} {'x' * 2000}", user_id="a")
        with store.database.read() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            root = connection.value("SELECT rootpage FROM sqlite_master WHERE name = 'memories'")
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    return path


def test_a_damaged_file_is_reported(damaged):
    with closing(Engine(damaged)) as engine:
        assert ask(engine, "/health")[0] == 200, "nobody has read the damaged part yet"
        status, answer = ask(engine, "/v3/memories/", LIST)
        assert status == 500
        assert "the table 'memories' could not be read" in answer["detail"]
        status, answer = ask(engine, "/health")
        assert status == 503
        assert "damaged" in answer["detail"]


def test_an_export_from_a_damaged_file_says_what_to_do(damaged):
    schema = {"type": "object", "properties": {"memory": {"type": "string"}}}
    with Client.local(damaged) as client:
        with pytest.raises(ExportFailed) as caught:
            client.exports.run(schema, F.user_id == "a", timeout=scaled(30))
        with pytest.raises(ServerError, match="damaged"):
            list(client.memories.list(F.user_id == "a"))

    assert "the table 'memories' could not be read" in caught.value.reason
    assert ".recover" in caught.value.reason
    assert "backup" in caught.value.reason


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path, path):
    target = tmp_path / "elsewhere" / "target.db"
    target.parent.mkdir()
    path.symlink_to(target)

    with pytest.raises(NotAStore, match="is a link to a file that does not exist"):
        open_store(path)
    assert not target.exists()

    with closing(open_store(target)):
        pass
    with closing(open_store(path)) as store:  # a link to a store is one
        store.check()


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o660, False), (0o666, True), (0o604, True)])
def test_warns_if_everybody_can_use_the_file(path, caplog, mode, warns):
    with closing(open_store(path)):
        pass
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(mode)
    with caplog.at_level(logging.WARNING), closing(open_store(path)):
        pass

    assert (f"(mode {mode:o}); chmod 600" in caplog.text) == warns
    assert path.stat().st_mode & 0o777 == mode, "it is the user's file"


def test_a_copy_of_an_open_store_is_not_taken_for_it(path, tmp_path):
    """Some programs save a file by replacing it with a copy."""
    with closing(open_store(path)) as store:
        copy = tmp_path / "copy.db"
        shutil.copy(path, copy)
        copy.replace(path)

        with pytest.raises(StoreReplaced):
            store.check()
