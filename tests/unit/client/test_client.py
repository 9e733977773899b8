"""Test the configuration of clients, the secrecy of the key, and that sync and async have the same interface."""

from __future__ import annotations

import inspect
import logging
import pickle
import socket
import sqlite3
import threading

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mem0_exports import (
    AsyncClient,
    AsyncExport,
    Client,
    ConfigurationError,
    Export,
    F,
    InputError,
    ServerError,
    memories,
)
from mem0_exports.exports import api as exports
from mem0_exports.exports import api_async as async_exports
from mem0_exports_engine.store.sqlite import database


KEY = "m0-secret-key"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv("MEM0_API_KEY", raising=False)
    monkeypatch.delenv("MEM0_BASE_URL", raising=False)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_error_for_a_missing_key_names_every_alternative(kind):
    with pytest.raises(ConfigurationError, match=r"api_key.*MEM0_API_KEY.*MEM0_BASE_URL.*Client\.local\(\)"):
        kind()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_arguments_override_the_environment_and_the_defaults(kind, monkeypatch):
    assert "https://api.mem0.ai" in repr(kind(KEY))
    monkeypatch.setenv("MEM0_API_KEY", "two words")
    kind(KEY)
    with pytest.raises(ConfigurationError, match="empty or has"):
        kind()
    with pytest.raises(ConfigurationError, match="empty or has"):
        kind("")
    monkeypatch.setenv("MEM0_API_KEY", KEY)
    monkeypatch.setenv("MEM0_BASE_URL", "http://127.0.0.1:1/base/")
    assert "'http://127.0.0.1:1/base'" in repr(kind())
    assert "http://127.0.0.1:2" in repr(kind(base_url="http://127.0.0.1:2"))


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel", "tab\t", "\x00"])
def test_rejects_a_key_that_is_not_valid_in_a_header_without_showing_it(key):
    with pytest.raises(ConfigurationError) as refused:
        Client(key)

    assert key not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "api.mem0.ai"},
        {"base_url": "ftp://x"},
        {"base_url": ""},
        {"base_url": "http://127.0.0.1:port"},
        {"base_url": "http://[::1"},
        {"base_url": "http://user:secret@127.0.0.1"},
        {"base_url": "http://127.0.0.1/?x=1"},
        {"base_url": "http://127.0.0.1/#x"},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": None},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
    ],
    ids=str,
)
def test_rejects_an_invalid_base_url_or_timeout(wrong):
    with pytest.raises(ConfigurationError) as refused:
        Client(KEY, **wrong)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_constructor_does_no_io(kind, monkeypatch, tmp_path):
    def refuse(*_arguments, **_named):
        raise AssertionError("a constructor must not do I/O")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    kind(KEY)
    kind.local(tmp_path / "store.db")

    assert list(tmp_path.iterdir()) == []


def test_the_key_is_not_in_any_repr_error_or_log(caplog):
    caplog.set_level(logging.DEBUG)
    client = Client(KEY, base_url="http://127.0.0.1:9")

    with pytest.raises(ConnectionError) as failed:
        client.ping()

    shown = [repr(client), str(client), str(failed.value), repr(failed.value), repr(client.exports.get("id", dict))]
    shown += [pickle.dumps(failed.value).decode("latin-1"), caplog.text]
    assert not [text for text in shown if KEY in text]


def worker_threads():
    return {thread for thread in threading.enumerate() if thread.name == "mem0-exports-worker"}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_cancellation_leaves_no_worker_thread_or_temporary_file(backend, tmp_path):
    import anyio

    async def work():
        with anyio.CancelScope() as scope:
            async with AsyncClient.local(tmp_path / "store.db") as client:
                await client.memories.add("x", user_id="a")
                scope.cancel()
                await anyio.sleep_forever()

    workers_before = worker_threads()
    anyio.run(work, backend=backend)

    assert worker_threads() == workers_before
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


def test_a_closed_client_raises_an_error():
    for client in (Client(KEY), Client.local()):
        client.close()
        with pytest.raises(ConfigurationError, match="closed"):
            client.ping()


def test_a_client_of_a_service_has_no_engine():
    with pytest.raises(ConfigurationError, match="local"):
        Client(KEY).engine


def test_one_client_can_be_used_by_many_threads():
    with Client.local() as client:
        client.memories.add("x", user_id="alex", metadata={"city": "Lisbon"})
        found: list[object] = []

        def work() -> None:
            found.append(client.exports.run({"type": "object", "properties": {"city": {}}}, F.user_id == "alex"))

        threads = [threading.Thread(target=work) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == [{"city": "Lisbon"}] * 32


PAIRS = [
    (Client, AsyncClient),
    (Export, AsyncExport),
    (exports.Exports, async_exports.AsyncExports),
    (memories.Memories, memories.AsyncMemories),
    (memories.Entities, memories.AsyncEntities),
]


@pytest.mark.parametrize(("sync", "asynchronous"), PAIRS, ids=lambda kind: kind.__name__)
def test_sync_and_async_have_the_same_names_and_signatures(sync, asynchronous):
    ours, theirs = public(sync), public(asynchronous)

    assert ours.keys() == theirs.keys()
    for name, method in ours.items():
        if callable(method):
            assert parameters(method) == parameters(theirs[name]), name


def public(kind):
    names = [name for name in dir(kind) if not name.startswith("_")]
    return {name: getattr(kind, name) for name in names}


def parameters(method):
    """Return names, kinds, defaults and annotations, with the prefix Async removed from annotations."""
    return [
        (each.name, each.kind, each.default, str(each.annotation).replace("Async", ""))
        for each in inspect.signature(method).parameters.values()
    ]


@pytest.mark.parametrize(("sync", "asynchronous"), PAIRS, ids=lambda kind: kind.__name__)
def test_async_methods_are_coroutines_exactly_if_they_do_io(sync, asynchronous):
    no_io = {"local", "list", "run_many", "with_options"}  # lists and bulk runs return an async iterator
    no_io |= {"get"} if sync is exports.Exports else set()  # that of an export only makes a handle
    for name, method in public(asynchronous).items():
        if inspect.isfunction(method):
            assert inspect.iscoroutinefunction(method) is (name not in no_io), name
    assert not [name for name, method in public(sync).items() if inspect.iscoroutinefunction(method)]


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda client: client.memories.add([], user_id="a"), "messages"),
        (lambda client: client.memories.add("", user_id="a"), "messages"),
        (lambda client: client.memories.get("1"), "memory_id"),
        (lambda client: client.memories.delete(None), "memory_id"),
        (lambda client: client.memories.add([{"role": "wizard", "content": "x"}], user_id="a"), "messages"),
        (lambda client: client.memories.add([{"role": "user", "content": ""}], user_id="a"), "messages"),
        (lambda client: client.memories.add(["x"], user_id="a"), "messages"),
        (lambda client: client.memories.add([{"role": "user", "content": "x", "name": "y"}], user_id="a"), "messages"),
        (lambda client: client.memories.add("x", user_id="a", metadata="ab"), "metadata"),
        (
            lambda client: client.memories.add("x", user_id="a", expiration_date=datetime(2025, 1, 1, tzinfo=UTC)),
            "expiration_date",
        ),
        (lambda client: client.memories.add("x", user_id="a", expiration_date="2025-01-01"), "expiration_date"),
        (lambda client: client.memories.add("x"), "user_id"),
        (lambda client: client.memories.add("x", user_id="a", timestamp=datetime(2025, 1, 1)), "timestamp"),  # noqa: DTZ001
        (
            lambda client: client.memories.add("x", user_id="a", timestamp=datetime(2025, 1, 1, 0, 0, 0, 5, UTC)),
            "timestamp",
        ),
        (lambda client: client.memories.list(F.user_id == "a", page_size=0), "page_size"),
        (lambda client: client.memories.list(F.user_id == "a", page_size=201), "page_size"),
        (lambda client: client.memories.list({"userId": "a"}), "filters"),
        (lambda client: client.exports.get(" ", dict), "export_id"),
        (lambda client: client.exports.get(None, dict), "export_id"),
        (lambda client: client.exports.get("id", dict).result(timeout=float("nan")), "timeout"),
        (lambda client: client.exports.get("id", dict).result(timeout="5"), "timeout"),
        (lambda client: client.exports.run({"type": "array"}, F.user_id == "a"), "schema"),
        (lambda client: client.exports.get("id", {"type": "object"}).result(timeout=0), "timeout"),
        (lambda client: client.exports.run({"type": "object"}, F.user_id == "a", timeout=-1), "timeout"),
        (lambda client: client.memories.add("\ud800", user_id="a"), "body"),
        (lambda client: client.memories.add("x", user_id="a", metadata={"n": float("nan")}), "body"),
    ],
)
def test_rejects_bad_input_with_its_field_before_sending(call, field):
    client = Client(KEY, base_url="http://127.0.0.1:9")  # no server listens there, so sending would raise another error

    with pytest.raises(InputError) as refused:
        call(client)

    assert refused.value.field == field


def test_raises_server_error_while_another_process_locks_the_store(tmp_path, monkeypatch):
    with Client.local(tmp_path / "store.db") as client:
        client.engine.workers.stop()
        monkeypatch.setattr(
            database, "_TIMEOUT", 0.05
        )  # the store waits 30 seconds for another writer; do not wait here
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServerError, match="busy"):
            client.memories.add("x", user_id="a")
        other.execute("ROLLBACK")
        other.close()
        assert len(client.memories.add("x", user_id="a")) == 1
