"""Test that a server answers others, and ends, while it works on the most expensive requests that it accepts."""

from __future__ import annotations

import signal
import subprocess
import sys

import httpx
import pytest

from mem0_exports_engine.access import create_key
from mem0_exports_engine.clock import now
from mem0_exports_engine.store import open_store
from tests.support.timeouts import scaled
from tests.support.worst_cases import CASES, largest


NAMES = ("many properties of one large value", "lists and many keys", "large patterns", "a root union")


@pytest.fixture
def server(tmp_path):
    """A process that serves a store, its URL, and the keys of two projects."""
    path = tmp_path / "s.db"
    store = open_store(path)
    keys = [create_key(store.keys, project, "", now())[1] for project in ("red", "blue")]
    store.close()
    command = [sys.executable, "-m", "mem0_exports_cli.main", "serve", "--store", str(path), "--port", "0"]
    with subprocess.Popen(
        [*command, "--grace", "2", "--log-level", "error"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().removeprefix("listening on ").strip(), keys
        finally:
            process.kill()


def client(url, key):
    return httpx.Client(base_url=url, headers={"authorization": f"Token {key}"}, timeout=scaled(20))


def start(red, name, user):
    """Start an export of a case, and return the body that gets it."""
    number = largest(CASES[name])
    message = {"messages": [{"role": "user", "content": name}], "user_id": user, "infer": False}
    added = red.post("/v3/memories/add/", json={**message, "metadata": CASES[name].metadata(number)})
    assert added.status_code == 200, added.text[:300]
    created = red.post("/v1/exports/", json={"schema": CASES[name].schema(number), "filters": {"user_id": user}})
    assert created.status_code == 201, created.text[:300]
    return {"memory_export_id": created.json()["id"]}


def test_others_are_answered_while_the_most_expensive_exports_run(server):
    _, url, (red_key, blue_key) = server
    with client(url, red_key) as red, client(url, blue_key) as blue:
        waiting = [start(red, name, f"user-{number}") for number, name in enumerate(NAMES)]
        answered = 0
        while waiting:
            answer = red.post("/v1/exports/get/", json=waiting[0])
            if answer.status_code == 200 or "reason" in answer.json():
                waiting.pop(0)
            assert blue.get("/v1/ping/").status_code == 200
            assert blue.get("/health").status_code == 200
            answered += 1

    assert answered > len(NAMES), "an export was ready before it was looked at, so nothing was tested"


def test_the_server_ends_while_the_most_expensive_exports_run(server):
    process, url, (red_key, _) = server
    with client(url, red_key) as red:
        for number, name in enumerate(NAMES):
            start(red, name, f"user-{number}")
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=scaled(20)) == 0
