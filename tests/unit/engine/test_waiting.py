"""Test that a request with `Prefer: wait=N` is answered when its export ends, without polling and without a thread."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading

from types import SimpleNamespace

import anyio
import pytest

from mem0_exports import AsyncClient, Client, ConfigurationError, ExportFailed, ExportRequest, F
from mem0_exports_engine import waiting
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.waiting import Waiting, asked_wait
from tests.support.timeouts import scaled, wait_until


PENDING = SimpleNamespace(pending="e-1")
DONE = SimpleNamespace(pending=None)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
LONG = 60


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("wait=5", 5),
        ("wait=0", 0),
        ("wait=99999", 10),
        ("Wait = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=5", 5),
        ("wait=5, handling=lenient", 5),
        ("wait=5; x=1", 5),
        ("wait", 0),
        ("wait=", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("await=5", 0),
        ("wait=99999999999999999999", 0),
        ("", 0),
    ],
)
def test_the_preference_is_read_as_rfc_7240_says(text, seconds):
    assert asked_wait({"prefer": text}) == seconds
    assert asked_wait({}) == 0


class Store:
    """Performs requests; the export is done once `finish` was called."""

    def __init__(self):
        self.waiting = Waiting()
        self.is_done = False
        self.performed = 0

    def perform(self):
        self.performed += 1
        return DONE if self.is_done else PENDING

    def finish(self, export_id="e-1"):
        self.is_done = True
        self.waiting.ended(export_id)


def listeners(store):
    return len(store.waiting._calls.get("e-1", ()))


def held(store, kind, seconds=LONG):
    """Hold a request in a thread; return a function that waits for its answer."""
    found = []

    async def hold():
        async def perform():
            return store.perform()

        return await store.waiting.hold_async(perform, seconds)

    def run():
        found.append(store.waiting.hold(store.perform, seconds) if kind == "sync" else anyio.run(hold, backend=kind))

    thread = threading.Thread(target=run)
    thread.start()

    def answer():
        thread.join(scaled(30))
        return found[0]

    return answer


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_the_answer_comes_when_the_export_ends(kind):
    store = Store()
    answer = held(store, kind)
    wait_until(lambda: listeners(store) == 1, "the request waits")
    assert store.performed == 1
    store.waiting.ended("e-2")
    assert listeners(store) == 1, "the end of another export wakes nobody"

    store.finish()

    assert answer() is DONE
    assert store.performed == 2, "nothing looks at the store meanwhile"
    assert store.waiting._calls == {}


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_the_answer_comes_when_the_time_is_over(kind):
    store = Store()

    assert held(store, kind, seconds=0.01)() is PENDING

    assert store.waiting._calls == {}


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_an_export_that_ends_just_before_is_not_missed(kind):
    """It ends after the look at the store, and before the request listens."""
    store = Store()
    perform = store.perform

    def ends_at_once():
        answer = perform()
        if store.performed == 1:
            store.finish()
        return answer

    store.perform = ends_at_once

    assert held(store, kind)() is DONE


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_too_many_are_answered_at_once(kind, monkeypatch):
    monkeypatch.setattr(waiting, "MAX_WAITING", 1)
    store = Store()
    first = held(store, kind)
    wait_until(lambda: listeners(store) == 1, "the first request waits")

    assert held(store, kind)() is PENDING

    store.finish()
    assert first() is DONE


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_all_are_answered_when_the_server_stops(kind):
    store = Store()
    answer = held(store, kind)
    wait_until(lambda: listeners(store) == 1, "the request waits")

    store.waiting.close()

    assert answer() is PENDING
    assert held(store, kind)() is PENDING, "nobody waits any more"


@pytest.fixture
def looks(monkeypatch):
    """The operations that engines have performed."""
    performed, perform = [], Engine.perform

    def counted(self, admitted, *given):
        performed.append(admitted.operation.id)
        return perform(self, admitted, *given)

    monkeypatch.setattr(Engine, "perform", counted)
    return performed


def test_a_run_on_the_embedded_engine_does_not_poll(looks):
    polls = []
    with Client.local() as client:
        client.memories.add("x", user_id="a", metadata={"city": "Graz"})
        looks.clear()
        client.exports.run(SCHEMA, F.user_id == "a", timeout=scaled(30), on_poll=lambda *given: polls.append(given))

    assert polls == []
    assert looks.count("exports_create") == 1
    assert looks.count("exports_get") <= 3, "before the wait, if an export ended just then, and after it"


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_many_exports_on_the_embedded_engine_are_woken_one_by_one(looks, kind):
    requests = [ExportRequest(SCHEMA, F.user_id == "a", tag=str(number)) for number in range(40)]

    async def run():
        async with AsyncClient.local() as client:
            await client.memories.add("x", user_id="a", metadata={"city": "Graz"})
            return [each async for each in client.exports.run_many(requests, concurrency=16)]

    if kind == "sync":
        with Client.local() as client:
            client.memories.add("x", user_id="a", metadata={"city": "Graz"})
            outcomes = [*client.exports.run_many(requests, concurrency=16)]
    else:
        outcomes = asyncio.run(run())

    assert [each.value for each in outcomes] == [{"city": "Graz"}] * 40
    assert looks.count("exports_get") <= 3 * 40


def ask(engine, path, body, prefer=None):
    headers = {} if prefer is None else {"prefer": prefer}
    answer = engine.respond("POST", path, "", headers, json.dumps(body).encode())
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_a_cancelled_export_wakes_who_waits_for_it(end):
    with contextlib.closing(Engine()) as engine:
        engine.workers.take_no_more()
        _, created = ask(engine, "/v1/exports/", {"schema": SCHEMA, "filters": {"user_id": "a"}})
        answers = []
        body = {"memory_export_id": created["id"]}
        thread = threading.Thread(
            target=lambda: answers.append(ask(engine, "/v1/exports/get/", body, "wait=10")), daemon=True
        )
        thread.start()
        wait_until(lambda: engine.waiting._calls, "the request waits")
        how = (
            ("POST", f"/v1/exports/{created['id']}/cancel/")
            if end == "cancel"
            else ("DELETE", f"/v1/exports/{created['id']}/")
        )
        assert engine.respond(*how, "", {}, b"").status == 200
        thread.join(scaled(30))

    assert answers[0][0] == 404
    assert ("reason" in answers[0][1]) == (end == "cancel")


def test_closing_the_client_ends_the_wait_of_another_thread():
    client, found = Client.local(), []
    client.engine.workers.take_no_more()
    job = client.exports.create(SCHEMA, F.user_id == "a")

    def wait():
        try:
            job.result(timeout=scaled(60))
        except ConfigurationError as error:
            found.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(lambda: client.engine.waiting._calls, "the thread waits")
    client.close()
    thread.join(scaled(30))

    assert "closed" in str(found[0])


def test_an_unknown_export_is_not_waited_for(monkeypatch):
    def never(*_):
        raise AssertionError("nobody must wait")

    monkeypatch.setattr(Waiting, "_listening", never)
    with contextlib.closing(Engine()) as engine:
        body = {"memory_export_id": "550e8400-e29b-41d4-a716-446655440000"}
        assert ask(engine, "/v1/exports/get/", body, "wait=10")[0] == 404


def test_a_failed_export_is_reported_at_once():
    required = {**SCHEMA, "required": ["city"]}
    with Client.local() as client, pytest.raises(ExportFailed):
        client.exports.run(required, F.user_id == "nobody", timeout=scaled(30))
