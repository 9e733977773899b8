"""Test the operation of a server: its log, how long it keeps exports, and its help."""

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
from tests.support.serving import served
from tests.support.timeouts import scaled


KEY = "m0-a-very-secret-key"
SECRETS = [KEY, "Lisbon", "alex", "full_name", "page_size", "newest wins"]
PROFILE = {"type": "object", "properties": {"full_name": {"type": "string"}}}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """The log of a server that has served all kinds of requests: parsed, as text, and one refused response."""
    folder = tmp_path_factory.mktemp("serve")
    with served(folder / "store.db", KEY, log_level="info", log=folder / "log") as url, Client(KEY, base_url=url) as c:
        c.memories.add("Lives in Lisbon", user_id="alex")
        list(c.memories.list(F.user_id == "alex"))
        c.exports.create(PROFILE, F.user_id == "alex", instructions="newest wins").result(timeout=scaled(10))
        with pytest.raises(ExportFailed):
            c.exports.run({**PROFILE, "required": ["full_name"]}, F.user_id == "alex", timeout=scaled(10))
        answer = httpx.get(f"{url}/v1/ping/", headers={"authorization": "Token wrong"})
        httpx.get(f"{url}/health")
        httpx.get(f"{url}/v1/{'x' * 5000}", params={"secret": "Lisbon"})
    text = (folder / "log").read_text()
    return [json.loads(line) for line in text.splitlines()], text, answer


def test_logs_each_request_as_one_line_of_json(log):
    records, _, refused = log
    requests = [line for line in records if line.get("event") == "request"]

    assert all(datetime.fromisoformat(line["time"]).tzinfo is not None for line in records)
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in records)
    seen = {(line["method"], line["path"], line["status"], line["project"]) for line in requests}
    assert ("POST", "/v3/memories/add/", 200, "local") in seen
    assert ("POST", "/v1/exports/", 201, "local") in seen
    assert ("GET", "/v1/ping/", 401, None) in seen
    assert ("GET", "/health", 200, None) in seen
    assert all(line["ms"] >= 0 for line in requests)
    ids = [line["request_id"] for line in requests]
    assert len(set(ids)) == len(ids)
    assert refused.headers["x-request-id"] in ids, "the client and the log must have the same request id"


def test_logs_the_end_of_each_export_as_one_line(log):
    done, failed = (next(line for line in log[0] if line.get("event") == f"export {end}") for end in ("done", "failed"))

    assert (done["attempt"], done["memories"], done["project"], done["level"]) == (1, 1, "local", "info")
    assert failed["attempt"] == 1
    assert done["export_id"] != failed["export_id"]


def test_log_has_no_content_of_memories_schemas_filters_or_keys(log):
    _, text, _ = log

    assert [secret for secret in SECRETS if secret in text] == []
    assert max(map(len, text.splitlines())) < 20_000
    assert "x" * 101 not in text


def test_log_has_no_content_of_memories_if_the_store_fails(caplog):
    body = {"messages": [{"role": "user", "content": "Lives in Lisbon"}], "user_id": "alex", "infer": False}
    with closing(Engine()) as engine:
        with engine.store.database.write() as connection:
            full = "CREATE TRIGGER full BEFORE INSERT ON memories BEGIN SELECT raise(ABORT, 'disk is full'); END"
            connection.execute(full)
        answer = engine.respond("POST", "/v3/memories/add/", "", {}, json.dumps(body).encode())

    assert answer.status == 500
    assert "disk is full" in caplog.text
    assert [secret for secret in SECRETS if secret in caplog.text] == []


def test_engine_deletes_exports_after_its_retention():
    moment = datetime.fromisoformat("2025-01-01T00:00:00Z")
    with closing(Engine(retention=timedelta(hours=1), now=lambda: moment)) as engine:
        body = json.dumps({"schema": PROFILE, "filters": {"user_id": "a"}}).encode()
        export_id = json.loads(engine.respond("POST", "/v1/exports/", "", {}, body).body)["id"]
        body_of_get = json.dumps({"memory_export_id": export_id}).encode()
        while engine.respond("POST", "/v1/exports/get/", "", {}, body_of_get).status != 200:
            pass
        moment += timedelta(minutes=59, seconds=59)
        assert engine.respond("POST", "/v1/exports/get/", "", {}, body_of_get).status == 200
        moment += timedelta(seconds=1)
        assert engine.respond("POST", "/v1/exports/get/", "", {}, body_of_get).status == 404


def test_keep_exports_sets_the_retention_in_days(tmp_path):
    with served(tmp_path / "store.db", KEY, "--keep-exports", "2.5") as url, Client(KEY, base_url=url) as client:
        client.exports.create(PROFILE, F.user_id == "alex")
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        assert connection.execute("SELECT expires_us - created_us FROM exports").fetchone() == (216_000_000_000,)


@pytest.mark.parametrize("days", ["0", "-1", "nan", "x"])
def test_rejects_an_invalid_number_of_days(tmp_path, days):
    done = command("serve", "--store", tmp_path / "store.db", "--keep-exports", days)

    assert done.returncode == 2
    assert "--keep-exports" in done.stderr


def test_help_of_serve_explains_keys_port_signals_and_retention():
    help_text = " ".join(command("serve", "--help").stdout.split())

    for text in (
        "Requests need a key once one has been created",
        "default: 8765",
        "SIGTERM",
        "default: 7",
        "--grace",
    ):
        assert text in help_text
