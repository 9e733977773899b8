"""Operating a server: what it logs, how long it keeps exports, what its help says."""

from __future__ import annotations

import json
import sqlite3

from contextlib import closing
from datetime import datetime, timedelta

import httpx
import pytest

from mem0_exports import Client, ExportFailed, F
from mem0_exports_engine.engine import Engine
from tests.support.command import command
from tests.support.patience import patient
from tests.support.serving import served


KEY = "m0-a-very-secret-key"
SECRETS = [KEY, "Lisbon", "alex", "full_name", "page_size", "newest wins"]
PROFILE = {"type": "object", "properties": {"full_name": {"type": "string"}}}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """The log of a server that was used in all kinds of ways."""
    folder = tmp_path_factory.mktemp("serve")
    with served(folder / "store.db", KEY, log_level="info", log=folder / "log") as url, Client(KEY, base_url=url) as c:
        c.memories.add("Lives in Lisbon", user_id="alex")
        list(c.memories.list(F.user_id == "alex"))
        c.exports.create(PROFILE, F.user_id == "alex", instructions="newest wins").result(timeout=patient(10))
        with pytest.raises(ExportFailed):
            c.exports.run({**PROFILE, "required": ["full_name"]}, F.user_id == "alex", timeout=patient(10))
        answer = httpx.get(f"{url}/v1/ping/", headers={"authorization": "Token wrong"})
        httpx.get(f"{url}/health")
        httpx.get(f"{url}/v1/{'x' * 5000}", params={"secret": "Lisbon"})
    text = (folder / "log").read_text()
    return [json.loads(line) for line in text.splitlines()], text, answer


def test_each_request_is_one_line_of_json(lines):
    found, _, refused = lines
    requests = [line for line in found if line.get("event") == "request"]

    assert all(datetime.fromisoformat(line["time"]).tzinfo is not None for line in found)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in found)
    seen = {(line["method"], line["path"], line["status"], line["project"]) for line in requests}
    assert ("POST", "/v3/memories/add/", 200, "local") in seen
    assert ("POST", "/v1/exports/", 201, "local") in seen
    assert ("GET", "/v1/ping/", 401, None) in seen
    assert ("GET", "/health", 200, None) in seen
    assert all(line["ms"] >= 0 for line in requests)
    ids = [line["request_id"] for line in requests]
    assert len(set(ids)) == len(ids)
    assert refused.headers["x-request-id"] in ids, "what the client is told is what the log has"


def test_the_end_of_each_export_is_one_line(lines):
    done, failed = (
        next(line for line in lines[0] if line.get("event") == f"export {end}") for end in ("done", "failed")
    )

    assert (done["attempt"], done["memories"], done["project"], done["level"]) == (1, 1, "local", "info")
    assert failed["attempt"] == 1
    assert done["export_id"] != failed["export_id"]


def test_nothing_of_memories_schemas_filters_or_keys_is_in_the_log(lines):
    _, text, _ = lines

    assert [secret for secret in SECRETS if secret in text] == []
    assert max(map(len, text.splitlines())) < 20_000
    assert "x" * 101 not in text


def test_nothing_of_a_memory_is_in_the_log_where_the_store_fails(caplog):
    body = {"messages": [{"role": "user", "content": "Lives in Lisbon"}], "user_id": "alex", "infer": False}
    with closing(Engine()) as engine:
        with engine.store.database.write() as connection:
            full = "CREATE TRIGGER full BEFORE INSERT ON memories BEGIN SELECT raise(ABORT, 'disk is full'); END"
            connection.exec_driver_sql(full)
        answer = engine.respond("POST", "/v3/memories/add/", "", {}, json.dumps(body).encode())

    assert answer.status == 500
    assert "disk is full" in caplog.text
    assert [secret for secret in SECRETS if secret in caplog.text] == []


def test_an_exports_time_is_set_when_the_engine_is():
    moment = datetime.fromisoformat("2025-01-01T00:00:00Z")
    with closing(Engine(retention=timedelta(hours=1), now=lambda: moment)) as engine:
        body = json.dumps({"schema": PROFILE, "filters": {"user_id": "a"}}).encode()
        export_id = json.loads(engine.respond("POST", "/v1/exports/", "", {}, body).body)["id"]
        wanted = json.dumps({"memory_export_id": export_id}).encode()
        while engine.respond("POST", "/v1/exports/get/", "", {}, wanted).status != 200:
            pass
        moment += timedelta(minutes=59, seconds=59)
        assert engine.respond("POST", "/v1/exports/get/", "", {}, wanted).status == 200
        moment += timedelta(seconds=1)
        assert engine.respond("POST", "/v1/exports/get/", "", {}, wanted).status == 404


def test_the_command_sets_it_too(tmp_path):
    with served(tmp_path / "store.db", KEY, "--keep-exports", "2.5") as url, Client(KEY, base_url=url) as client:
        client.exports.create(PROFILE, F.user_id == "alex")
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        assert connection.execute("SELECT expires_us - created_us FROM exports").fetchone() == (216_000_000_000,)


@pytest.mark.parametrize("days", ["0", "-1", "nan", "x"])
def test_a_time_that_is_none_is_refused(tmp_path, days):
    done = command("serve", "--store", tmp_path / "store.db", "--keep-exports", days)

    assert done.returncode == 2
    assert "--keep-exports" in done.stderr


def test_the_help_of_serve_says_what_a_newcomer_needs():
    text = " ".join(command("serve", "--help").stdout.split())

    for words in (
        "Requests need a key as soon as the store has had one",
        "default: 8765",
        "SIGTERM",
        "default: 7",
        "--grace",
    ):
        assert words in text
