"""The suite for real deployments: it finds nothing in one that keeps the spec, and just what was planted in others."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from mem0_exports import Client, F
from mem0_exports_engine.engine import Engine
from tests.contract.deployment import __main__ as deployment
from tests.contract.deployment import reads, writes
from tests.contract.deployment.altered import Told, altered
from tests.support.patience import patient, until
from tests.support.serving import served
from tests.support.spec import load, operations


ROOT = Path(__file__).resolve().parents[3]
KEY = "m0-deployment-0123456789"


@pytest.fixture
def store(tmp_path):
    """A store with some memories of several entities."""
    path = tmp_path / "store.db"
    with Client.local(path) as client:
        for number in range(7):
            client.memories.add(f"fact {number}", user_id="alex", metadata={"number": number})
        client.memories.add("another fact", agent_id="helper", run_id="run-1")
    return path


def check(url, *arguments, key=KEY, rate=1000):
    """The command in a process of its own: its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.deployment", "--url", url, "--rate", str(rate), *arguments],
        cwd=ROOT,
        env={**os.environ, "MEM0_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=patient(120),
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def found(url, *arguments, monkeypatch, capsys):
    """The same in this process, which is quicker: the exit code and the names of the differences."""
    monkeypatch.setenv("MEM0_API_KEY", KEY)
    code = deployment.main(["--url", url, "--rate", "1000", *arguments])
    printed = capsys.readouterr().out
    assert KEY not in printed
    return code, re.findall(r"^([a-z]+\.[a-z0-9-]+:[a-z_-]+)$", printed, flags=re.MULTILINE), printed


def dump(store):
    with sqlite3.connect(store) as connection:
        return list(connection.iterdump())


def as_it_is(asked, told):
    return told


def test_a_server_that_keeps_the_spec_has_no_differences_and_nothing_is_written(store):
    with served(store, KEY) as url:
        before = dump(store)
        code, printed = check(url)
        after = dump(store)

    assert (code, after) == (0, before), printed
    announced, _, rest = printed.partition("\n\n")
    assert url in announced
    assert "reads only" in announced
    assert f"at most {reads.MOST} requests, one at a time, at most 1000 a second" in announced
    assert re.fullmatch(r"36 checks, 36 requests, no differences\n", rest), printed
    assert KEY not in printed


def test_writing_finds_no_differences_and_says_what_it_leaves(store):
    with served(store, KEY) as url:
        code, printed = check(url, "--write")

    assert code == 0, printed
    assert "43 checks" in printed
    (user,) = set(re.findall(r"mem0-exports-contract-[0-9a-f]{12}", printed))
    tomorrow = [(datetime.now(UTC) + timedelta(days=days)).date().isoformat() for days in (0, 1)]
    assert any(f"they expire on {day}" in printed for day in tomorrow)
    with Client.local(store) as client:
        left = list(client.memories.list(F.user_id == user))
        assert [memory.memory for memory in left] == ["Lives in Lisbon", "Größe 名前 😀"]
        assert {memory.expiration_date for memory in left} <= set(tomorrow)
        assert {entity.name for entity in client.entities.list()} == {"alex", "helper", "run-1", user}
    later = Engine(store, now=lambda: datetime.now(UTC) + timedelta(days=3))
    try:
        answer = later.respond("POST", "/v3/memories/", "", {}, f'{{"filters": {{"user_id": "{user}"}}}}'.encode())
    finally:
        later.close()
    assert json.loads(answer.body)["count"] == 0, "what is left is gone by itself"


def test_what_was_written_is_deleted_where_the_deployment_can(store, monkeypatch, capsys):
    deleted = []

    def delete(asked, told):
        if asked.method != "DELETE":
            return told
        deleted.append(asked.path.split("/")[3])
        return Told(204, b"")

    with altered(store, KEY, delete) as (url, _):
        code, _, printed = found(url, "--write", monkeypatch=monkeypatch, capsys=capsys)

    assert code == 0, printed
    assert re.search(r"^2 memories of mem0-exports-contract-\w+ were deleted$", printed, flags=re.MULTILINE)
    with Client.local(store) as client:
        (user,) = set(re.findall(r"mem0-exports-contract-[0-9a-f]{12}", printed))
        assert sorted(deleted) == sorted(memory.id for memory in client.memories.list(F.user_id == user))


def planted(asked, told):
    """Three differences: a status, a field that is not there, a type."""
    if asked.path == "/v1/entities/" and told.status == 404:
        return Told(200, {"count": 3, "next": None, "previous": None, "results": []})
    if asked.path == "/v1/ping/" and told.status == 200:
        return Told(200, {key: value for key, value in told.body.items() if key != "status"})
    if asked.path == "/v3/memories/" and told.status == 200:
        return Told(200, {**told.body, "results": [{**each, "memory": 5} for each in told.body["results"]]})
    return told


def test_three_planted_differences_are_listed_by_name_and_nothing_else_is(store):
    with altered(store, KEY, planted) as (url, _):
        code, printed = check(url)

    assert code == 1, printed
    names = ["ping.ok:body", "entities.page-beyond:status", "memories.of-an-entity:body"]
    assert re.findall(r"^\S+:\S+$", printed, flags=re.MULTILINE) == names
    blocks = dict(zip(names, printed.split("\n\n")[1:], strict=False))
    assert "GET /v1/entities/, asking for page=1000000" in blocks["entities.page-beyond:status"]
    assert "promised   404" in blocks["entities.page-beyond:status"]
    assert "came       200: " in blocks["entities.page-beyond:status"]
    assert '200, /: "status" is a required property' in blocks["ping.ok:body"]
    assert '200, /results/0/memory: 5 is not of type "string"' in blocks["memories.of-an-entity:body"]
    assert "36 checks, 36 requests, 3 differences" in printed
    assert KEY not in printed


def on(path, status, change):
    """The alteration of one answer."""

    def alter(asked, told):
        return change(asked, told) if (asked.path, told.status) == (path, status) else told

    return alter


def without(field):
    return lambda asked, told: Told(told.status, {key: each for key, each in told.body.items() if key != field})


def becomes(status):
    return lambda asked, told: Told(status, told.body)


def each(**fields):
    """Fields of every result."""
    return lambda asked, told: Told(
        told.status, {**told.body, "results": [{**result, **fields} for result in told.body["results"]]}
    )


CREATE, GET, PING, ADD, LIST, ENTITIES = (
    "/v1/exports/",
    "/v1/exports/get/",
    "/v1/ping/",
    "/v3/memories/add/",
    "/v3/memories/",
    "/v1/entities/",
)


def also(kind):
    """Another project's export is a 404 like any other, until the spec gives it a 403 of its own."""
    return [] if 403 in operations(load())["exports_get"].responses else [f"exports.get-elsewhere:{kind}"]


READS = {
    "the key is not asked for": (on(PING, 401, lambda a, t: Told(200, {"status": "ok"})), ["ping.wrong-key:status", "ping.no-key:status"]),
    "an undocumented status": (on(ADD, 401, becomes(403)), ["add.wrong-key:status"]),
    "an error of another shape": (on(GET, 400, lambda a, t: Told(400, {"error": "x"})), ["exports.get-nothing:body"]),
    "a page of a proxy": (on(GET, 404, lambda a, t: Told(404, b"<html>no</html>", "text/html")), ["exports.unknown-id:json", "exports.unknown-filters:json", *also("json")]),
    "another content type": (on(CREATE, 400, lambda a, t: t._replace(kind="text/plain")), ["exports.create-no-schema:content-type"]),
    "no next page": (on(ENTITIES, 200, lambda a, t: Told(200, {**t.body, "next": None})), ["entities.page-size-1:next"]),
    "too many results": (on(ENTITIES, 200, lambda a, t: Told(200, {**t.body, "results": t.body["results"] * 2})), ["entities.page-size-1:results"]),
    "a previous page before the first": (on(LIST, 200, lambda a, t: Told(200, {**t.body, "previous": "x"})), ["memories.of-an-entity:previous"]),
    "memories of somebody else": (on(LIST, 200, each(user_id="mara", agent_id="x", app_id="x", session_id="x")), ["memories.of-an-entity:others"]),
    "a filter that is overlooked": (on(LIST, 200, lambda a, t: t if t.body["count"] else Told(200, {**t.body, "count": 9})), ["memories.of-nobody:results"]),
    "a body that is not checked": (on(LIST, 400, lambda a, t: Told(200, {"count": 0, "next": None, "previous": None, "results": []}) if b"colour" in a.body else t), ["memories.unknown-filter:status", "memories.unknown-key:status"]),
    "a time that is none": (on(LIST, 200, each(created_at="yesterday")), ["memories.of-an-entity:body"]),
    "an unknown export that is there": (on(GET, 404, lambda a, t: Told(200, {})), ["exports.unknown-id:status", "exports.unknown-filters:status", *also("status")]),
}  # fmt: skip


@pytest.mark.parametrize(("alter", "names"), READS.values(), ids=READS)
def test_each_difference_is_found_by_name_by_reading(store, monkeypatch, capsys, alter, names):
    with altered(store, KEY, alter) as (url, _):
        code, differences, printed = found(url, monkeypatch=monkeypatch, capsys=capsys)

    assert (code, differences) == (1, names), printed


def only_of_the_run(change):
    return lambda asked, told: change(asked, told) if b"mem0-exports-contract-" in asked.body else told


WRITES = {
    "no receipt": (on(CREATE, 201, without("id")), ["write.create:body"]),
    "an id that is none": (on(CREATE, 201, lambda a, t: Told(201, {**t.body, "id": "1"})), ["write.create:body"]),
    "a result that does not fit": (on(GET, 200, lambda a, t: Told(200, {**t.body, "facts": "x"})), ["write.result:schema"]),
    "a result by filters that is another": (on(GET, 200, lambda a, t: t if b"memory_export_id" in a.body else Told(200, {})), ["write.by-filters:result"]),
    "a failed export": (on(GET, 200, lambda a, t: Told(404, {"error": "x", "reason": "no model"}) if b"memory_export_id" in a.body else t), ["write.result:failed"]),
    "metadata that is lost": (on(LIST, 200, only_of_the_run(each(metadata=None))), ["write.list:metadata"]),
    "another time": (on(LIST, 200, only_of_the_run(each(created_at="2025-03-04T11:20:00Z"))), ["write.list:created_at"]),
    "another text": (on(LIST, 200, only_of_the_run(each(memory="x"))), ["write.list:results"]),
    "no expiration date": (on(LIST, 200, only_of_the_run(each(expiration_date=None))), ["write.list:expiration_date"]),
    "the same twice": (on(ADD, 200, lambda a, t: Told(200, {**t.body, "results": t.body["results"] or [{"id": "550e8400-e29b-41d4-a716-446655440000", "data": {"memory": "x"}, "event": "ADD"}]})), ["write.add-again:results"]),
}  # fmt: skip


@pytest.mark.parametrize(("alter", "names"), WRITES.values(), ids=WRITES)
def test_each_difference_is_found_by_name_by_writing(store, monkeypatch, capsys, alter, names):
    with altered(store, KEY, alter) as (url, _):
        code, differences, printed = found(url, "--write", monkeypatch=monkeypatch, capsys=capsys)

    assert (code, differences) == (1, names), printed
    assert "expire on" in printed


def test_an_export_that_is_never_ready_ends_at_the_deadline(store, monkeypatch, capsys):
    monkeypatch.setattr(writes, "WAIT", 1.0)
    with altered(store, KEY, on(GET, 200, lambda a, t: Told(404, {"error": "x"}))) as (url, app):
        code, differences, _ = found(url, "--write", monkeypatch=monkeypatch, capsys=capsys)

    assert (code, differences) == (1, ["write.result:status"])
    assert len(app.asked) <= reads.MOST + writes.MOST


def test_the_rate_is_kept(store, monkeypatch):
    monkeypatch.setenv("MEM0_API_KEY", KEY)
    with altered(store, KEY, as_it_is) as (url, app):
        assert deployment.main(["--url", url, "--rate", "10"]) == 0

    times = [asked.at for asked in app.asked]
    assert times[-1] - times[0] >= (len(times) - 1) / 10 * 0.9
    # A busy machine hands over some requests late, and the ones after them then seem to be early.
    assert median(after - before for before, after in pairwise(times)) >= 0.09


def test_no_more_is_sent_than_was_announced(store, monkeypatch, capsys):
    monkeypatch.setattr(reads, "MOST", 10)
    with altered(store, KEY, as_it_is) as (url, app):
        code, _, printed = found(url, monkeypatch=monkeypatch, capsys=capsys)

    assert code == 2
    assert len(app.asked) == 10
    assert "at most 10 requests" in printed
    assert "the 10 requests that were announced are used up" in printed


def test_what_is_written_is_cleaned_up_after_an_error_too(store, monkeypatch, capsys):
    def broken(asked, told):
        if asked.path == CREATE and told.status == 201:
            return Told(429, {"detail": "enough"}, retry_after="0")
        return Told(204, b"") if asked.method == "DELETE" else told

    with altered(store, KEY, broken) as (url, _):
        code, _, printed = found(url, "--write", monkeypatch=monkeypatch, capsys=capsys)

    assert code == 2
    assert "could not run to the end: POST /v1/exports/ was answered with 429 three times" in printed
    assert re.search(r"2 memories of mem0-exports-contract-\w+ were deleted", printed)


def test_an_interrupted_run_cleans_up(store):
    arrived = []

    def slow(asked, told):
        if asked.path == CREATE and told.status == 201:
            arrived.append(asked)
        if asked.path == GET and arrived:
            return Told(404, {"error": "pending"})
        return Told(204, b"") if asked.method == "DELETE" else told

    with altered(store, KEY, slow) as (url, _):
        command = [sys.executable, "-m", "tests.contract.deployment", "--url", url, "--rate", "500", "--write"]
        environment = {**os.environ, "MEM0_API_KEY": KEY}
        # Ctrl-C is heeded also where whoever runs the tests in the background ignores it.
        heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=heeded,  # noqa: PLW1509 -- no thread of this process holds anything that it needs
        ) as process:
            until(lambda: arrived, "the command creates an export", 60)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            printed, _ = process.communicate(timeout=patient(30))

    assert process.returncode == 2, printed
    assert "could not run to the end: it was interrupted" in printed
    assert re.search(r"2 memories of mem0-exports-contract-\w+ were deleted", printed)


def test_a_deployment_that_repeats_the_key_does_not_make_it_show(store, monkeypatch, capsys):
    def echo(asked, told):
        return Told(500, {"detail": f"bad: Token {KEY}"}) if asked.path == PING and told.status == 200 else told

    with altered(store, KEY, echo) as (url, _):
        code, differences, printed = found(url, monkeypatch=monkeypatch, capsys=capsys)

    assert (code, differences) == (1, ["ping.ok:status"])
    assert "bad: Token ***" in printed


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("ftp://example.com", KEY, "http(s)://"),
        ("http://name:secret@example.com", KEY, "without a name, a password"),
        ("nonsense", KEY, "http(s)://"),
        ("http://127.0.0.1:1", "", "set MEM0_API_KEY"),
    ],
)
def test_what_cannot_be_asked_is_not_asked(monkeypatch, capsys, url, key, words):
    monkeypatch.setenv("MEM0_API_KEY", key)

    assert deployment.main(["--url", url]) == 2
    assert words in capsys.readouterr().out


def test_nobody_there_and_a_refused_key_are_no_differences(store):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, printed = check(f"http://127.0.0.1:{port}")
    assert code == 2
    assert "could not run to the end: GET /v1/ping/ got no answer" in printed

    with served(store, "another-key") as url:
        code, printed = check(url)
    assert code == 2
    assert "refuses the key in MEM0_API_KEY" in printed


def test_make_contract_with_a_url_runs_it(store):
    with served(store, KEY) as url:
        done = subprocess.run(
            ["make", "--silent", "--old-file=.venv/.ready", "contract", f"URL={url}", "RATE=1000"],
            cwd=ROOT,
            env={**os.environ, "MEM0_API_KEY": KEY},
            capture_output=True,
            text=True,
            timeout=patient(120),
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "36 requests, no differences" in done.stdout
