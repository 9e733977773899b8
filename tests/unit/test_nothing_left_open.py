"""Test that a constructor which raises leaves no connection, file, socket or thread open."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading

from datetime import timedelta
from pathlib import Path

import pytest

from mem0_exports import LLM, AsyncClient, Client, ConfigurationError, F, Ledger, Mem0ExportsError
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.failures import NotAStore, StoreBusy
from mem0_exports_engine.server import serve as serve_module
from mem0_exports_engine.server.serve import serve
from mem0_exports_engine.store import open_store
from mem0_exports_engine.store.sqlite import database
from mem0_exports_engine.workers.thread import WorkerThread


class Fails:
    def __init__(self, *_given, **_named):
        raise RuntimeError("no more threads")


@pytest.fixture
def opened(monkeypatch):
    """All connections to SQLite that the test opens."""
    connections, connect = [], sqlite3.connect

    def recorded(*given, **named):
        connection = connect(*given, **{**named, "check_same_thread": False})
        connections.append(connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", recorded)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", recorded)
    return connections


def is_open(connection):
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:  # it is closed
        return False
    except sqlite3.Error:
        return True
    return True


def descriptors():
    """Return the files and sockets that this process has open, by their descriptors."""
    found: dict[str, str] = {}
    if not Path("/proc/self/fd").is_dir():  # not Linux: there, only the connections and threads are compared
        return found
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the folder itself
            found[link.name] = str(link.readlink())
    return found


def newer(path):
    with contextlib.closing(open_store(path)), contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    return path


def of_another_program(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    return path


def no_database(path):
    path.write_bytes(b"not a database " * 100)
    return path


def a_port_in_use(path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        run(path, port=other.getsockname()[1])


def run(path, *, port=0, **named):
    serve(
        path,
        **{"host": "127.0.0.1", "port": port, "api_key": None, "retention": timedelta(days=7), "grace": 1.0}
        | {"log_level": "error"}
        | named,
    )


def a_locked_store(path, patch):
    patch.setattr(database, "_TIMEOUT", 0.05)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        open_store(path)


def local(path, **named):
    with Client.local(path, **named) as client:
        client.ping()


def no_second_thread(patch):
    """Let the first worker of an engine start, and the second one fail."""
    started = []

    def start(*given, **named):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(WorkerThread(*given, **named))
        return started[0]

    patch.setattr("mem0_exports_engine.workers.lanes.WorkerThread", start)


CASES = {
    "engine: project": (lambda path, _: Engine(path, project="no/project"), Mem0ExportsError),
    "engine: key": (lambda path, _: Engine(path, api_key="clé"), ConfigurationError),
    "engine: newer store": (lambda path, _: Engine(newer(path)), ConfigurationError),
    "engine: other program": (lambda path, _: Engine(of_another_program(path)), NotAStore),
    "engine: no database": (lambda path, _: Engine(no_database(path)), NotAStore),
    "engine: missing folder": (lambda path, _: Engine(path / "none" / "store.db"), NotAStore),
    "engine: no thread": (
        lambda path, patch: (patch.setattr("mem0_exports_engine.workers.lanes.WorkerThread", Fails), Engine(path)),
        RuntimeError,
    ),
    "engine: no second thread": (
        lambda path, patch: (no_second_thread(patch), Engine(path, llm=LLM("http://127.0.0.1:1/v1", model="m"))),
        RuntimeError,
    ),
    "store: locked": (a_locked_store, StoreBusy),
    "store: interrupted": (
        lambda path, patch: (patch.setattr(database, "migrate", Fails), open_store(path)),
        RuntimeError,
    ),
    "local client: project": (lambda path, _: local(path, project="no/project"), Mem0ExportsError),
    "local client: other program": (lambda path, _: local(of_another_program(path)), NotAStore),
    "client: key": (lambda _path, _patch: Client("clé"), ConfigurationError),
    "async client: timeout": (lambda _path, _patch: AsyncClient("k", timeout=-1), ConfigurationError),
    "ledger: other program": (lambda path, _: Ledger(of_another_program(path)), Mem0ExportsError),
    "ledger: no database": (lambda path, _: Ledger(no_database(path)), Mem0ExportsError),
    "ledger: newer": (
        lambda path, _: (
            Ledger(path).close(),
            contextlib.closing(sqlite3.connect(path)).__enter__().execute("PRAGMA user_version = 9").connection.close(),
            Ledger(path),
        ),
        Mem0ExportsError,
    ),
    "ledger: option": (lambda path, _: Ledger(path, on_unknown="sometimes"), Mem0ExportsError),
    "ledger: interrupted": (
        lambda path, patch: (patch.setattr("mem0_exports.exports.ledger_file._prepare", Fails), Ledger(path)),
        RuntimeError,
    ),
    "server: port in use": (lambda path, _: a_port_in_use(path), OSError),
    "server: host": (lambda path, _: run(path, host="0.0.0.0"), ConfigurationError),
    "server: newer store": (lambda path, _: run(newer(path)), ConfigurationError),
    "server: no log": (
        lambda path, patch: (patch.setattr(serve_module.logs, "to_stderr", Fails), run(path)),
        RuntimeError,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_constructor_that_raises_leaves_nothing_open(tmp_path, opened, monkeypatch, name):
    construct, error = CASES[name]
    threads, files = set(threading.enumerate()), descriptors()

    with pytest.raises(error):
        construct(tmp_path / "store.db", monkeypatch)

    assert [connection for connection in opened if is_open(connection)] == []
    assert set(threading.enumerate()) - threads == set()
    assert {name: target for name, target in descriptors().items() if files.get(name) != target} == {}


def test_a_client_that_was_closed_leaves_nothing_open(tmp_path, opened):
    """Otherwise the test above could not tell."""
    with Client.local(tmp_path / "store.db") as client:
        list(client.memories.list(F.user_id == "a"))
        assert any(map(is_open, opened))

    assert not any(map(is_open, opened))
