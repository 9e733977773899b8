"""Test the engine's answers to requests that this package's clients never send."""

from __future__ import annotations

import json
import socket

from importlib.resources import files

import pytest

from mem0_exports_engine.engine import Engine
from tests.support.requests import ask
from tests.support.serving import served


@pytest.fixture(scope="module")
def engine():
    opened = Engine(":memory:", api_key="k")
    yield opened
    opened.close()


SCHEMA = {"type": "object"}


@pytest.mark.parametrize("key", [None, "", "k", "Bearer k", "Token", "Token ", "Token K", "Token k ", "Token é"])
def test_rejects_a_missing_or_wrong_key(engine, key):
    assert ask(engine, "/v1/ping/", b"", key=key, method="GET")[0] == 401


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("/v1/exports/", {}, {"message": "Schema is required and must be a valid object"}),
        ("/v1/exports/", {"schema": "{}"}, {"message": "Schema is required and must be a valid object"}),
        ("/v1/exports/", [], {"message": "Schema is required and must be a valid object"}),
        (
            "/v1/exports/",
            {"schema": SCHEMA},
            {"error": "One of the filters: app_id, user_id, agent_id, run_id, memory_export_id is required!"},
        ),
        ("/v1/exports/get/", {}, {"message": "One of the filters: app_id, user_id, agent_id, run_id is required!"}),
        ("/v3/memories/", {}, {"error": "Filters are required and cannot be empty"}),
    ],
    ids=str,
)
def test_refuses_in_the_words_of_the_hosted_service(engine, path, body, answer):
    assert ask(engine, path, body) == (400, answer)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/exports/", b"", "empty"),
        ("/v1/exports/", b"{", "the body is not valid JSON"),
        ("/v1/exports/", b"\xff", "the body is not valid JSON"),
        ("/v1/exports/", b"[" * 100_000, "deep"),
        ("/v1/exports/", b'{"schema": {"default": 1e400}}', "too large"),
        ("/v1/exports/", {"schema": {"type": "objekt"}, "filters": {"user_id": "a"}}, "/type"),
        ("/v1/exports/", {"schema": SCHEMA, "user_id": "a"}, "user_id belongs inside filters"),
        ("/v1/exports/", {"schema": SCHEMA, "filters": {"userId": "a"}}, "Write 'user_id'"),
        ("/v1/exports/", {"schema": SCHEMA, "filters": {"user_id": "*"}}, "positively-scoped"),
        (
            "/v1/exports/",
            {"schema": SCHEMA, "filters": {"AND": [{"user_id": "a"}], "OR": [{"run_id": "b"}]}},
            "drops the OR",
        ),
        ("/v1/exports/", {"schema": SCHEMA, "filters": {"user_id": "a"}, "more": 1}, "more"),
        ("/v3/memories/add/", {"messages": [{"role": "user", "content": "x"}], "user_id": "a"}, "infer must be false"),
        ("/v3/memories/add/", {"messages": [{"role": "user", "content": "x"}], "infer": False}, "user_id"),
        ("/v3/memories/add/", {"messages": [], "infer": False, "user_id": "a"}, "/messages"),
    ],
    ids=str,
)
def test_rejects_a_bad_request_and_says_why(engine, path, body, message):
    status, answer = ask(engine, path, body)

    assert status == 400
    assert message in json.dumps(answer)


@pytest.mark.parametrize("path", ["/v1/exports/", "/v3/memories/"])
@pytest.mark.parametrize(
    "filters",
    [
        {"user_id": "*"},
        {"agent_id": {"ne": "a"}},
        {"NOT": {"run_id": "a"}},
        {"AND": [{"app_id": "*"}, {"NOT": {"app_id": {"in": ["a"]}}}]},
        {"created_at": {"gte": "2025-01-01"}},
        {"categories": {"contains": "home"}},
        {"keywords": {"icontains": "home"}},
        {"memory_ids": ["0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4"]},
        {"metadata": {"user_id": "a"}},
    ],
    ids=str,
)
def test_rejects_filters_that_name_no_entity(engine, path, filters):
    body = {"filters": filters, "schema": SCHEMA} if path == "/v1/exports/" else {"filters": filters}

    assert ask(engine, path, body)[0] == 400


def test_stores_and_lists_messages_of_every_role_but_system(engine):
    spec = json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8"))
    roles = spec["components"]["schemas"]["Role"]["enum"]
    messages = [{"role": role, "content": f"text of the {role}"} for role in roles]

    _, added = ask(engine, "/v3/memories/add/", {"messages": messages, "infer": False, "user_id": "talker"})
    _, listed = ask(engine, "/v3/memories/", {"filters": {"user_id": "talker"}})

    expected = [each["content"] for each in messages if each["role"] != "system"]
    assert [each["data"]["memory"] for each in added["results"]] == expected
    assert [each["memory"] for each in listed["results"]] == expected


def test_source_which_the_mem0_command_sends_is_accepted_and_changes_nothing(engine):
    add = {"messages": [{"role": "user", "content": "x"}], "infer": False, "user_id": "sourced"}
    where = {"filters": {"AND": [{"user_id": "sourced"}]}}

    first = ask(engine, "/v3/memories/add/", {**add, "source": "CLI"})
    again = ask(engine, "/v3/memories/add/", {**add, "source": "another"})
    listed = ask(engine, "/v3/memories/", {**where, "source": "CLI"})

    assert (first[0], again[0], listed[0]) == (200, 200, 200)
    assert again[1]["results"] == []
    assert listed == ask(engine, "/v3/memories/", where)
    assert [memory["memory"] for memory in listed[1]["results"]] == ["x"]


def test_omitted_parameters_have_their_documented_defaults(engine):
    spec = json.loads(files("mem0_exports_api").joinpath("openapi.json").read_text(encoding="utf-8"))
    for number in range(3):
        messages = [{"role": "user", "content": f"n{number}-{each}"} for each in range(50)]
        body = {"messages": messages, "infer": False, "user_id": "many"}
        assert (
            ask(engine, "/v3/memories/add/", {**body, **({"expiration_date": "2020-01-01"} if number else {})})[0]
            == 200
        )
    defaults = [
        (path, where, name, node["default"])
        for path in ("/v3/memories/", "/v1/entities/")
        for where, schemas in (
            ("query", {each["name"]: each["schema"] for each in spec["components"]["parameters"].values()}),
            ("body", spec["components"]["schemas"]["ListMemoriesRequest"]["properties"] if "v3" in path else {}),
        )
        for name, node in schemas.items()
        if "default" in node
    ]
    assert len(defaults) == 5
    for path, where, name, default in defaults:
        body = {"filters": {"user_id": "many"}} if "v3" in path else b""
        given = {**body, name: default} if where == "body" else body
        method = "POST" if body else "GET"

        plain = ask(engine, path, body, method=method)

        assert ask(engine, path, given, f"{name}={default}" if where == "query" else "", method=method) == plain
        assert plain[0] == 200


def test_answers_or_rejects_large_filters_without_an_internal_error(engine):
    def status(filters):
        return ask(engine, "/v3/memories/", {"filters": filters})[0]

    nested = {"user_id": "a"}
    for _ in range(7):
        nested = {"AND": [{"user_id": "a"}, {"NOT": nested}]}
    many = [{"user_id": f"u{number}"} for number in range(401)]

    nots = {"user_id": "a"}
    for _ in range(15):
        nots = {"user_id": "a", "NOT": nots}

    assert status(nested) == 200
    assert status(nots) == 200
    assert status({"NOT": nested, "user_id": "a"}) == 200
    assert status({"AND": [{"AND": [nested]}, {"AND": [{"AND": [nested]}]}]}) == 400
    assert status({"OR": many[:400]}) == 200
    assert status({"AND": [{"user_id": "a"}, *many[:399]]}) == 200
    assert status({"OR": many}) == 400
    assert status({"user_id": {"in": [f"u{number}" for number in range(5000)]}}) == 200


def test_stores_a_text_again_if_the_earlier_copy_has_expired(engine):
    body = {"messages": [{"role": "user", "content": "x"}], "infer": False, "user_id": "expiring"}

    first = ask(engine, "/v3/memories/add/", {**body, "expiration_date": "2020-01-01"})
    again = ask(engine, "/v3/memories/add/", body)

    assert len(first[1]["results"]) == len(again[1]["results"]) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page=1&page_size=200", 200),
        ("page=2", 404),
        ("page=99999999999999999999999999", 404),
        ("page=0", 400),
        ("page_size=201", 400),
        ("page=one", 400),
        ("page=1&page=1", 400),
        ("pagesize=1", 400),
        ("page=", 400),
    ],
)
def test_validates_page_and_page_size(engine, query, status):
    assert ask(engine, "/v3/memories/", {"filters": {"user_id": "nobody"}}, query)[0] == status


def test_answers_404_for_other_paths_and_405_for_other_methods(engine):
    assert ask(engine, "/v1/exports", {}) == (404, {"detail": "No such path: /v1/exports"})
    assert engine.respond("GET", "/v1/exports/get/", "", {}, b"").status == 405
    assert engine.respond("GET", "/v1/exports/get/", "", {}, b"").headers == {"allow": "POST"}
    assert engine.respond("PUT", "/v1/exports/", "", {}, b"").headers == {"allow": "GET, POST"}


def test_answers_500_instead_of_an_answer_that_breaks_the_contract(engine, monkeypatch):
    from mem0_exports_engine import operations

    monkeypatch.setitem(operations.HANDLERS, "ping", lambda *_: operations.Outcome(200, {"state": "ok"}))

    status, answer = ask(engine, "/v1/ping/", b"", method="GET")

    assert status == 500
    assert "does not match openapi.yaml: ping 200" in answer["detail"]


def test_answers_are_reproducible_with_a_given_clock_and_ids():
    from datetime import UTC, datetime
    from itertools import count
    from uuid import UUID

    def answers_of_a_new_engine():
        numbers = count(1)
        engine = Engine(now=lambda: datetime(2025, 1, 1, tzinfo=UTC), new_id=lambda: UUID(int=next(numbers)))
        body = {"messages": [{"role": "user", "content": "x"}], "infer": False, "user_id": "a"}
        answers = [ask(engine, "/v3/memories/add/", body), ask(engine, "/v3/memories/", {"filters": {"user_id": "a"}})]
        engine.close()
        return answers

    assert answers_of_a_new_engine() == answers_of_a_new_engine()


def test_logs_no_traceback_if_a_client_disconnects_during_a_request(tmp_path, capfd):
    request = b"POST /v1/exports/ HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"
    with served(tmp_path / "store.db", "k") as url:
        connection = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
        connection.sendall(request)
        connection.close()

    assert capfd.readouterr().err == ""


ADD = {"messages": [{"role": "user", "content": "once"}], "user_id": "expiring", "infer": False}


def test_does_not_store_the_same_expired_memory_twice(engine):
    old = {**ADD, "timestamp": 1_700_000_000, "expiration_date": "2020-01-01"}

    first, second = (ask(engine, "/v3/memories/add/", old) for _ in range(2))

    assert (first[0], second[0]) == (200, 200)
    assert (len(first[1]["results"]), len(second[1]["results"])) == (1, 0)


def test_answers_500_if_the_store_fails_and_recovers(engine):
    with engine.store.database.write() as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON memories BEGIN SELECT RAISE(FAIL, 'full'); END")

    status, failed = ask(engine, "/v3/memories/add/", {**ADD, "user_id": "unlucky"})
    with engine.store.database.write() as connection:
        connection.execute("DROP TRIGGER full")
    retried_status, retried = ask(engine, "/v3/memories/add/", {**ADD, "user_id": "unlucky"})

    assert (status, retried_status) == (500, 200)
    assert "nothing was stored: full" in failed["detail"]
    assert len(retried["results"]) == 1
