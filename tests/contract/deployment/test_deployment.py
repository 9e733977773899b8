"""The checks find nothing in a deployment that keeps the spec, and exactly what differs in others."""

from __future__ import annotations

import json
import re
import sqlite3

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

import pytest

from mem0_exports import Client, F
from mem0_exports_engine.engine import Engine
from tests.contract.deployment import command, coverage, generated, reads, writes
from tests.contract.deployment.altered import Answer, altered
from tests.contract.deployment.running import KEY, ROOT, differences, run, summary
from tests.support.serving import served
from tests.support.spec import load, operations


def dump(store):
    with sqlite3.connect(store) as connection:
        return list(connection.iterdump())


def entities(store):
    with Client.local(store) as client:
        return [entity.name for entity in client.entities.list()]


def unchanged(request, answer):
    return answer


def test_a_server_that_keeps_the_spec_has_no_differences_and_nothing_is_written(store):
    with served(store, KEY) as url:
        before = dump(store)
        code, printed = run(url)
        after = dump(store)

    assert (code, after) == (0, before), printed
    announced, _, rest = printed.partition("\n\n")
    guide = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    assert announced.replace(url, "http://127.0.0.1:8765").replace("most 1000 per", "most 2 per") in guide
    most = reads.MOST + generated.USUAL
    assert f"at most {most} requests, one at a time" in announced
    assert KEY not in printed
    *of_the_engine, deleting, _ = rest.splitlines()
    names = ("exports_list", "exports_delete", "exports_cancel", "exports_report")
    assert of_the_engine == [
        f"not checked: {name}: only the embedded engine has it (x-engine-only): --engine checks it" for name in names
    ]
    assert deleting == "not checked: memories_delete: it changes something: --write checks it"
    result, found, checks, requests, not_checked, seed = summary(printed)
    assert (result, found, not_checked, seed) == ("same", 0, 5, 1)
    assert checks == requests <= most


def test_every_operation_of_the_spec_is_checked_or_listed_with_a_reason(store, capsys):
    with altered(store, KEY, unchanged) as (url, _):
        _, _, printed = differences(url, capsys, "--write", "--engine")

    listed = dict(re.findall(r"^not checked: (\w+): (.*)$", printed, flags=re.MULTILINE))
    missing = [name for name in listed if name not in coverage.UNCHECKED]
    assert not missing, f"{missing}: {coverage.NO_CHECK}"
    stale = coverage.UNCHECKED.keys() - listed.keys()
    assert not stale, f"{stale} are in UNCHECKED of coverage.py, but are checked or not in openapi.yaml"


def test_an_operation_without_a_check_is_listed_and_one_of_the_engine_is_left_out(store, monkeypatch, capsys):
    def more():
        document = load()
        operation = document["paths"]["/v1/entities/"]["get"]
        document["paths"]["/v1/new/"] = {"post": {**operation, "operationId": "new_thing"}}
        document["paths"]["/v1/engine/"] = {"get": {**operation, "operationId": "engine_thing", "x-engine-only": True}}
        return document

    monkeypatch.setattr(command, "load", more)
    with altered(store, KEY, unchanged) as (url, app):
        code, _, printed = differences(url, capsys, "--write")

    assert "not checked: engine_thing: only the embedded engine has it" in printed
    assert f"not checked: new_thing: {coverage.NO_CHECK}" in printed
    assert summary(printed)[4] == 6, "those on exports are left out too"
    assert {request.path for request in app.requests}.isdisjoint({"/v1/new/", "/v1/engine/"})
    assert code == 0, printed


def test_writing_finds_no_differences_and_leaves_no_memories(store, capsys):
    before = set(entities(store))
    with altered(store, KEY, unchanged) as (url, _):
        code, names, printed = differences(url, capsys, "--write", "--engine")

    assert (code, names) == (0, []), printed
    assert re.search(r"^2 memories of mem0-exports-contract-\w+ were deleted$", printed, flags=re.MULTILINE)
    assert summary(printed)[4] == 0, "every operation was checked"
    assert set(entities(store)) == before


def test_memories_that_cannot_be_deleted_expire(store, capsys):
    with altered(store, KEY, unchanged, unknown={"DELETE"}) as (url, _):
        _, _, printed = differences(url, capsys, "--write")

    (user,) = set(re.findall(r"mem0-exports-contract-[0-9a-f]{12}", printed))
    tomorrow = [(datetime.now(UTC) + timedelta(days=days)).date().isoformat() for days in (0, 1)]
    assert any(f"they expire on {day}" in printed for day in tomorrow)
    with Client.local(store) as client:
        left = list(client.memories.list(F.user_id == user))
        assert [memory.memory for memory in left] == ["Lives in Lisbon", "Größe 名前 😀"]
        assert {memory.expiration_date for memory in left} <= set(tomorrow)
    assert set(entities(store)) == {"alex", "helper", "run-1", user}
    later = Engine(store, now=lambda: datetime.now(UTC) + timedelta(days=3))
    try:
        answer = later.respond("POST", "/v3/memories/", "", {}, f'{{"filters": {{"user_id": "{user}"}}}}'.encode())
    finally:
        later.close()
    assert json.loads(answer.body)["count"] == 0, "what is left expires by itself"


def test_what_was_written_is_deleted_even_if_the_spec_does_not_say_how(store, monkeypatch, capsys):
    without = load()
    without["paths"].pop(writes.MEMORY_PATH, None)
    monkeypatch.setattr(command, "load", lambda: without)
    deleted = []

    def delete(request, answer):
        if request.method != "DELETE":
            return answer
        deleted.append(request.path.split("/")[3])
        return Answer(204, b"")

    with altered(store, KEY, delete) as (url, _):
        code, _, printed = differences(url, capsys, "--write")

    assert code == 0, printed
    assert re.search(r"^2 memories of mem0-exports-contract-\w+ were deleted$", printed, flags=re.MULTILINE)
    assert len(set(deleted)) == 2


def planted(request, answer):
    """Three differences: a status, a missing field, a type."""
    if request.path == "/v1/entities/" and answer.status == 404:
        return Answer(200, {"count": 3, "next": None, "previous": None, "results": []})
    if request.path == "/v1/ping/" and answer.status == 200:
        return Answer(200, {key: value for key, value in answer.body.items() if key != "status"})
    if request.path == "/v3/memories/" and answer.status == 200:
        return Answer(200, {**answer.body, "results": [{**each, "memory": 5} for each in answer.body["results"]]})
    return answer


def test_three_planted_differences_are_listed_by_name_and_nothing_else_is(store, capsys):
    with altered(store, KEY, planted) as (url, _):
        code, names, printed = differences(url, capsys)

    assert (code, names) == (1, ["ping.ok:body", "entities.page-beyond:status", "memories.of-an-entity:body"])
    blocks = dict(zip(names, printed.split("\n\n")[1:], strict=False))
    assert "GET /v1/entities/, page=1000000" in blocks["entities.page-beyond:status"]
    assert "promised   404" in blocks["entities.page-beyond:status"]
    assert "received   200: " in blocks["entities.page-beyond:status"]
    assert '200, /: "status" is a required property' in blocks["ping.ok:body"]
    assert '200, /results/0/memory: 5 is not of type "string"' in blocks["memories.of-an-entity:body"]
    assert summary(printed)[:2] == ("different", 3)


def on(path, status, change):
    """Alter the answers of one path that have this status."""

    def alter(request, answer):
        return change(request, answer) if (request.path, answer.status) == (path, status) else answer

    return alter


def becomes(status, *body, **more):
    """Replace the status, and the body if there is one."""
    return lambda request, answer: Answer(status, *(body or [answer.body]), **more)


def fields(**changed):
    """Replace fields of the body."""
    return lambda request, answer: Answer(answer.status, {**answer.body, **changed})


def each(**changed):
    """Replace fields of every result."""
    return lambda request, answer: Answer(
        answer.status, {**answer.body, "results": [{**result, **changed} for result in answer.body["results"]]}
    )


def only(text, change):
    """Alter only the answers to requests whose body contains `text`."""
    return lambda request, answer: change(request, answer) if text in request.body else answer


def twice(request, answer):
    return Answer(200, {**answer.body, "results": answer.body["results"] * 2})


CREATE, GET, PING, ADD, LIST, ENTITIES = (
    "/v1/exports/",
    "/v1/exports/get/",
    "/v1/ping/",
    "/v3/memories/add/",
    "/v3/memories/",
    "/v1/entities/",
)
EMPTY_PAGE = {"count": 0, "next": None, "previous": None, "results": []}


def elsewhere(kind):
    """The export of another project is a 404 like any other, unless the spec has a 403 for it."""
    return [] if 403 in operations(load())["exports_get"].responses else [f"exports.get-elsewhere:{kind}"]


READS = {
    "no key is required": (on(PING, 401, becomes(200, {"status": "ok"})), ["ping.wrong-key:status", "ping.no-key:status"]),
    "an undocumented status": (on(ADD, 401, becomes(418)), ["add.wrong-key:status"]),
    "an error of another shape": (on(GET, 400, becomes(400, {"error": "x"})), ["exports.get-nothing:body"]),
    "the page of a proxy": (on(GET, 404, becomes(404, b"<html>no</html>", kind="text/html")), ["exports.unknown-id:json", "exports.unknown-filters:json", *elsewhere("json")]),
    "a number that JSON does not have": (on(PING, 200, becomes(200, b'{"status": NaN}')), ["ping.ok:json"]),
    "endless nesting": (on(PING, 200, becomes(200, b"[" * 100_000)), ["ping.ok:json"]),
    "another content type": (on(CREATE, 400, becomes(400, kind="text/plain")), ["exports.create-no-schema:content-type"]),
    "no next page": (on(ENTITIES, 200, fields(next=None)), ["entities.page-size-1:next"]),
    "too many results": (on(ENTITIES, 200, twice), ["entities.page-size-1:results"]),
    "a previous page before the first": (on(LIST, 200, only(b"alex", fields(previous="x"))), ["memories.of-an-entity:previous"]),
    "memories of another user": (on(LIST, 200, each(user_id="mara", agent_id="x", app_id="x", session_id="x")), ["memories.of-an-entity:others"]),
    "an ignored filter": (on(LIST, 200, only(b"unknown", fields(count=9))), ["memories.unknown-user:results"]),
    "an unchecked body": (on(LIST, 400, only(b"colour", becomes(200, EMPTY_PAGE))), ["memories.unknown-filter:status", "memories.unknown-key:status"]),
    "a time that is not one": (on(LIST, 200, each(created_at="yesterday")), ["memories.of-an-entity:body"]),
    "an unknown export that exists": (on(GET, 404, becomes(200, {})), ["exports.unknown-id:status", "exports.unknown-filters:status", *elsewhere("status")]),
}  # fmt: skip


@pytest.mark.parametrize(("alter", "names"), READS.values(), ids=READS)
def test_each_difference_is_found_by_name_by_reading(store, capsys, alter, names):
    with altered(store, KEY, alter) as (url, _):
        code, found, printed = differences(url, capsys)

    assert (code, found) == (1, names), printed


def of_the_run(change):
    return only(b'"mem0-exports-contract-', change)


UUID = "550e8400-e29b-41d4-a716-446655440000"
TWICE = [{"id": UUID, "data": {"memory": "x"}, "event": "ADD"}]


def stored_twice(request, answer):
    return Answer(200, {**answer.body, "results": answer.body["results"] or TWICE})


WRITES = {
    "no id of the export": (on(CREATE, 201, becomes(201, {"message": "x"})), ["write.create:body"]),
    "an id that is not a UUID": (on(CREATE, 201, fields(id="1")), ["write.create:body"]),
    "a result that does not match": (on(GET, 200, fields(facts="x")), ["write.result:schema"]),
    "another result by filters": (on(GET, 200, only(b'"filters"', becomes(200, {}))), ["write.by-filters:result"]),
    "a failed export": (on(GET, 200, only(b"memory_export_id", becomes(404, {"error": "x", "reason": "no model"}))), ["write.result:failed"]),
    "lost metadata": (on(LIST, 200, of_the_run(each(metadata=None))), ["write.list:metadata"]),
    "another time": (on(LIST, 200, of_the_run(each(created_at="2025-03-04T11:20:00Z"))), ["write.list:created_at"]),
    "another text": (on(LIST, 200, of_the_run(each(memory="x"))), ["write.list:results"]),
    "no expiration date": (on(LIST, 200, of_the_run(each(expiration_date=None))), ["write.list:expiration_date"]),
    "the same memory twice": (on(ADD, 200, stored_twice), ["write.add-again:results"]),
}  # fmt: skip


@pytest.mark.parametrize(("alter", "names"), WRITES.values(), ids=WRITES)
def test_each_difference_is_found_by_name_by_writing(store, monkeypatch, capsys, alter, names):
    without = load()
    without["paths"].pop(writes.MEMORY_PATH, None)  # test_memory_operations.py has the operations on one memory
    monkeypatch.setattr(command, "load", lambda: without)
    with altered(store, KEY, alter, unknown={"DELETE"}) as (url, _):
        code, found, printed = differences(url, capsys, "--write")

    assert (code, found) == (1, names), printed
    assert "expire on" in printed


def test_an_export_that_never_becomes_ready_ends_at_the_deadline(store, monkeypatch, capsys):
    monkeypatch.setattr(writes, "WAIT", 1.0)
    with altered(store, KEY, on(GET, 200, becomes(404, {"error": "x"}))) as (url, app):
        _, found, _ = differences(url, capsys, "--write")

    assert "write.result:status" in found
    assert len(app.requests) <= reads.MOST + writes.MOST


def test_the_rate_is_kept(store, capsys):
    with altered(store, KEY, unchanged) as (url, app):
        assert command.main(["--url", url, "--rate", "10", "--max-requests", str(reads.MOST)]) == 0

    times = [request.at for request in app.requests]
    assert times[-1] - times[0] >= (len(times) - 1) / 10 * 0.9
    # A busy machine delivers some requests late, and the ones after them then seem to be early.
    assert median(after - before for before, after in pairwise(times)) >= 0.09


def test_no_more_is_sent_than_was_announced(store, monkeypatch, capsys):
    monkeypatch.setattr(reads, "MOST", 10)
    with altered(store, KEY, unchanged) as (url, app):
        code, _, printed = differences(url, capsys)

    assert code == 2
    assert len(app.requests) == 10
    assert "at most 10 requests" in printed
    assert "the 10 requests that were announced are used up" in printed


def test_the_key_is_not_shown_even_if_the_deployment_repeats_it(store, capsys):
    alter = on(PING, 200, becomes(500, {"detail": f"bad: Token {KEY}"}))
    with altered(store, KEY, alter) as (url, _):
        code, found, printed = differences(url, capsys)

    assert (code, found) == (1, ["ping.ok:status"])
    assert "bad: Token ***" in printed
