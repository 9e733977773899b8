"""Test API keys and projects: who is let in, and that no project can see, guess or change anything of another."""

from __future__ import annotations

import json
import sqlite3

from contextlib import closing

import httpx
import pytest

from mem0_exports import Client, ConfigurationError, F, Forbidden, InputError, Unauthorized
from mem0_exports_engine import clock
from mem0_exports_engine.access import create_key, revoke_key
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.store.sqlite.store import SqliteStore
from tests.support import spec
from tests.support.command import command
from tests.support.requests import ask
from tests.support.serving import served
from tests.support.timeouts import scaled, wait_until


CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
RECORDS = {
    "type": "object",
    "properties": {"all": {"type": "array", "items": {"type": "object", "properties": {"memory": {"type": "string"}}}}},
}


@pytest.fixture
def engine():
    opened = Engine(served=True)
    yield opened
    opened.close()


@pytest.fixture
def both_keys(engine):
    """The Authorization headers of two projects, red and blue."""
    return [f"Token {create_key(engine.store.keys, project, '', clock.now())[1]}" for project in ("red", "blue")]


def add(engine, key, text="x", **more):
    body = {"messages": [{"role": "user", "content": text}], "infer": False, "user_id": "alex", **more}
    return ask(engine, "/v3/memories/add/", body, key=key)


def finished_export(engine, key, body):
    """Wait until the export is finished, and return the answer."""
    wait_until(lambda: ask(engine, "/v1/exports/get/", body, key=key)[0] != 404, "the export is finished")
    return ask(engine, "/v1/exports/get/", body, key=key)


def test_a_store_needs_no_key_until_the_first_one_is_created(engine):
    assert ask(engine, "/v1/ping/", b"", key=None, method="GET")[1]["project_id"] == "local"
    key, text = create_key(engine.store.keys, "red", "for a test", clock.now())

    assert ask(engine, "/v1/ping/", b"", key=None, method="GET")[0] == 401
    assert ask(engine, "/v1/ping/", b"", key=f"Token {text}", method="GET")[1]["project_id"] == "red"
    revoke_key(engine.store.keys, key.id, clock.now())
    assert ask(engine, "/v1/ping/", b"", key=f"Token {text}", method="GET")[0] == 401
    assert ask(engine, "/v1/ping/", b"", key=None, method="GET")[0] == 401, (
        "must need a key even after its last key was revoked"
    )


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda key: key[:-1],
        lambda key: key + "x",
        lambda key: key[:12] + ("a" if key[12] != "a" else "b") + key[13:],
        lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
        lambda key: key[:12],
        lambda key: key.replace("mx-", "Token mx-"),
        lambda _key: "mx-00000000-" + "A" * 43,
        lambda _key: "mx-00000000-" + "\0" * 43,
        lambda _key: "",
    ],
)
def test_accepts_only_the_exact_key(engine, change):
    _, text = create_key(engine.store.keys, "red", "", clock.now())

    assert ask(engine, "/v1/ping/", b"", key=f"Token {text}", method="GET")[0] == 200
    assert ask(engine, "/v1/ping/", b"", key=f"Token {change(text)}", method="GET")[0] == 401
    assert ask(engine, "/v1/ping/", b"", key=f"Bearer {text}", method="GET")[0] == 401


def test_every_operation_needs_a_key_but_the_health_check_does_not(engine, both_keys):
    paths = [(each.path, each.method) for each in spec.operations(spec.load()).values()]

    assert paths
    assert {ask(engine, path, {}, key=None, method=method)[0] for path, method in paths} == {401}
    assert ask(engine, "/health", b"", key=None, method="GET") == (200, {"status": "ok"})


def test_stores_only_digests_of_keys(tmp_path):
    path = tmp_path / "store.db"
    with closing(SqliteStore(path)) as store:
        key, text = create_key(store.keys, "red", "laptop", clock.now())
        assert store.keys.all() == [key]

    content = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"laptop" in content
    assert text.encode() not in content
    assert text.split("-", 2)[2].encode() not in content  # the secret part may contain hyphens, too
    with closing(sqlite3.connect(path)) as raw:
        ((digest,),) = raw.execute("SELECT digest FROM keys")
    assert len(digest) == 32


def test_cannot_see_memories_of_another_project(engine, both_keys):
    red, blue = both_keys
    (added,) = add(engine, red, "red's", metadata={"city": "Rome"})[1]["results"]

    both_filters = {"filters": {"OR": [{"user_id": "alex"}, {"memory_ids": [added["id"]]}]}}
    assert ask(engine, "/v3/memories/", both_filters, key=red)[1]["count"] == 1
    assert ask(engine, "/v3/memories/", both_filters, key=blue)[1] == {
        "count": 0,
        "next": None,
        "previous": None,
        "results": [],
    }
    negative = {"filters": {"AND": [{"user_id": "alex"}, {"NOT": {"metadata": {"city": "Oslo"}}}]}}
    assert ask(engine, "/v3/memories/", negative, key=blue)[1]["count"] == 0
    assert ask(engine, "/v1/entities/", b"", key=blue, method="GET")[1]["results"] == []
    assert ask(engine, "/v1/entities/", b"", key=red, method="GET")[1]["total_users"] == 1
    # The same text makes a new memory there: a duplicate must not reveal that another project has it.
    assert len(add(engine, blue, "red's", metadata={"city": "Rome"})[1]["results"]) == 1
    assert ask(engine, "/v3/memories/", both_filters, key=red)[1]["count"] == 1


def test_an_export_of_another_project_looks_like_an_unknown_id(engine, both_keys):
    red, blue = both_keys
    for key, city in ((red, "Rome"), (blue, "Bern")):
        add(engine, key, metadata={"city": city})
    request = {"schema": CITY, "filters": {"user_id": "alex"}}
    ids = {key: ask(engine, "/v1/exports/", request, key=key)[1]["id"] for key in both_keys}

    assert finished_export(engine, red, {"memory_export_id": ids[red]}) == (200, {"city": "Rome"})
    assert finished_export(engine, blue, {"memory_export_id": ids[blue]}) == (200, {"city": "Bern"})
    unknown = ask(engine, "/v1/exports/get/", {"memory_export_id": "no such id"}, key=blue)
    assert ask(engine, "/v1/exports/get/", {"memory_export_id": ids[red]}, key=blue) == unknown
    assert unknown == (404, {"error": "No memory export request found"})
    assert ask(engine, "/v1/exports/get/", {"filters": {"user_id": "alex"}}, key=red)[1] == {"city": "Rome"}
    assert ask(engine, "/v1/exports/get/", {"filters": {"user_id": "alex"}}, key=blue)[1] == {"city": "Bern"}


def test_cannot_see_why_an_export_of_another_project_failed(engine, both_keys):
    red, blue = both_keys
    add(engine, red)
    request = {"schema": {**CITY, "required": ["city"]}, "filters": {"user_id": "alex"}}
    export_id = ask(engine, "/v1/exports/", request, key=red)[1]["id"]
    get = {"memory_export_id": export_id}
    wait_until(lambda: "reason" in ask(engine, "/v1/exports/get/", get, key=red)[1], "the export has failed")

    answer = ask(engine, "/v1/exports/get/", {"memory_export_id": export_id}, key=blue)
    assert answer == (404, {"error": "No memory export request found"})


@pytest.mark.parametrize("path", ["/v1/exports/", "/v1/exports/get/"])
@pytest.mark.parametrize(("name", "value"), [("project_id", "blue"), ("org_id", "acme"), ("project_id", "")])
def test_rejects_an_organization_or_project_that_the_key_does_not_belong_to(engine, both_keys, path, name, value):
    red, _ = both_keys
    body = {"filters": {"user_id": "alex"}, name: value, **({"schema": CITY} if path == "/v1/exports/" else {})}

    status, answer = ask(engine, path, body, key=red)

    assert status == 403
    assert answer["detail"].startswith(f"{name}: this key belongs to ")
    own = {"org_id": "local", "project_id": "red"}
    assert ask(engine, "/v1/exports/get/", {"filters": {"user_id": "alex"}, **own}, key=red)[0] == 404, (
        "no job must exist"
    )


def test_two_projects_can_import_the_same_id(tmp_path):
    record = {"id": "0d6e7c4b-9a59-4c83-b9a2-0c60b6a2f0d4", "memory": "x", "user_id": "alex"}
    (tmp_path / "memories.jsonl").write_text(json.dumps(record))

    for project in ("red", "blue"):
        arguments = ["--store", tmp_path / "store.db", "--project", project]
        assert command("import", tmp_path / "memories.jsonl", *arguments).stdout.startswith("1 added")
        assert command("import", tmp_path / "memories.jsonl", *arguments).stdout.startswith("0 added, 1 already stored")

    for project, count in (("red", 1), ("blue", 1), ("local", 0)):
        with Client.local(tmp_path / "store.db", project=project) as client:
            assert len(list(client.memories.list(F.user_id == "alex"))) == count
            assert client.ping().project_id == project


def test_creates_uses_lists_and_revokes_keys_of_a_running_server(tmp_path):
    store = tmp_path / "store.db"
    created = command("keys", "create", "--store", store, "--project", "red", "--name", "laptop")
    key = created.stdout.strip()
    assert created.stderr.startswith(f"created key {key[3:11]} for project red; save it now")
    other = command("keys", "create", "--store", store, "--project", "blue").stdout.strip()

    with served(store) as url, Client(key, base_url=url) as red, Client(other, base_url=url) as blue:
        red.memories.add("Lives in Rome", user_id="alex", metadata={"city": "Rome"})
        assert red.exports.run(CITY, F.user_id == "alex", timeout=scaled(10)) == {"city": "Rome"}
        assert list(blue.memories.list(F.user_id == "alex")) == []
        with pytest.raises(Forbidden, match="project_id: this key belongs to 'blue'"):
            blue.exports.create(CITY, F.user_id == "alex", project_id="red")
        with pytest.raises(Unauthorized), Client("mx-" + "0" * 52, base_url=url) as client:
            client.ping()
        listed = command("keys", "list", "--store", store).stdout.splitlines()
        assert [line.split()[:2] for line in listed] == [["id", "project"], [key[3:11], "red"], [other[3:11], "blue"]]
        assert key not in str(listed)
        # Revoked while the server runs: it must notice at once.
        assert command("keys", "revoke", key[3:11], "--store", store).returncode == 0
        with pytest.raises(Unauthorized):
            red.ping()
        assert blue.ping().project_id == "blue"
        assert httpx.get(f"{url}/health").status_code == 200
    again = command("keys", "revoke", key[3:11], "--store", store)
    assert (again.returncode, "no active key has the id" in again.stderr) == (1, True)


def test_serve_needs_a_key_on_a_public_address_and_accepts_one_in_the_store(tmp_path):
    store = tmp_path / "store.db"
    refused = command("serve", "--store", store, "--port", "0", "--host", "0.0.0.0")
    assert (refused.returncode, "the server needs an API key" in refused.stderr) == (1, True)
    key = command("keys", "create", "--store", store).stdout.strip()

    with served(store, None, "--host", "127.0.0.1") as url, Client(key, base_url=url) as client:
        assert client.ping().project_id == "local"


@pytest.mark.parametrize("name", ["", "a b", "../x", "ä", "-x", "x" * 65, "a/b"])
def test_rejects_an_invalid_project_name(tmp_path, name):
    with closing(SqliteStore(":memory:")) as store, pytest.raises(InputError, match="project must be 1 to 64 letters"):
        create_key(store.keys, name, "", clock.now())
    with pytest.raises(InputError), Client.local(project=name) as client:
        client.ping()


def test_rejects_revoking_an_unknown_key():
    with (
        closing(SqliteStore(":memory:")) as store,
        pytest.raises(ConfigurationError, match="no active key has the id 'deadbeef'"),
    ):
        revoke_key(store.keys, "deadbeef", clock.now())


LOCAL = [{}, {"host": "127.0.0.1:8765"}, {"host": "localhost"}, {"host": "[::1]:80"}, {"sec-fetch-site": "none"},
         {"host": "localhost:1", "origin": "http://localhost:1", "sec-fetch-site": "same-origin"}]  # fmt: skip
FOREIGN = [{"host": "evil.example"}, {"host": "127.0.0.1.evil.example"}, {"host": ""}, {"host": "10.0.0.1:8765"}, {"host": "[::1"},
           {"host": "localhost:1", "origin": "https://evil.example"}, {"host": "localhost:1", "origin": "null"},
           {"host": "localhost:1", "origin": "http://localhost:2"}, {"host": "localhost:1", "sec-fetch-site": "cross-site"},
           {"host": "localhost:1", "sec-fetch-site": "same-site"}]  # fmt: skip


@pytest.mark.parametrize(("headers", "status"), [*((each, 200) for each in LOCAL), *((each, 401) for each in FOREIGN)])
def test_without_keys_rejects_foreign_web_pages_and_host_names(engine, headers, status):
    """Any web page can send requests to this machine, and its author can let a DNS name point here (DNS rebinding)."""
    body = json.dumps({"messages": [{"role": "user", "content": "x"}], "infer": False, "user_id": "a"}).encode()

    assert engine.respond("POST", "/v3/memories/add/", "", headers, body).status == status
    with engine.store.database.read() as connection:
        stored = connection.value("SELECT count(*) FROM memories")
    assert stored == (status == 200)
    # Once there is a key, only the key counts.
    _, text = create_key(engine.store.keys, "red", "", clock.now())
    with_key = {**headers, "authorization": f"Token {text}"}
    assert engine.respond("GET", "/v1/ping/", "", with_key, b"").status == 200


def test_a_stored_key_passed_to_the_server_still_opens_its_own_project(tmp_path):
    path = tmp_path / "store.db"
    with closing(SqliteStore(path)) as store:
        _, text = create_key(store.keys, "red", "", clock.now())
    with closing(Engine(path, served=True, api_key=text)) as engine:
        assert ask(engine, "/v1/ping/", b"", key=f"Token {text}", method="GET")[1]["project_id"] == "red"


@pytest.mark.parametrize("action", [["list"], ["revoke", "00000000"]])
def test_key_commands_do_not_create_a_store_at_a_mistyped_path(tmp_path, action):
    done = command("keys", *action, "--store", tmp_path / "mistyped.db")

    assert (done.returncode, "must be an existing store" in done.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keys", "create", "--store", ":memory:"], "'--store': must be a file, got ':memory:'"),
        (
            ["keys", "create", "--store", "x.db", "--name", "two\nlines"],
            r"'--name': must be one line of printable text, got 'two\nlines'",
        ),
        (["serve", "--store", ":memory:"], "'--store': must be a file, got ':memory:'"),
        (
            ["serve", "--store", "x.db", "--port", "99999"],
            "'--port': 99999 is not in the range 0<=x<=65535",
        ),
    ],
    ids=str,
)
def test_rejects_command_arguments_that_can_only_be_a_mistake(tmp_path, arguments, message):
    done = command(*arguments, cwd=tmp_path)

    assert (done.returncode, message in done.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_new_store_is_readable_only_for_its_owner(tmp_path):
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        create_key(store.keys, "red", "", clock.now())
        modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}

    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
