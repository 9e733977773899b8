"""Test the mem0-exports command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx
import pytest

from tests.support.command import command
from tests.support.serving import served
from tests.support.timeouts import scaled


def test_import_prints_counts_and_adds_nothing_the_second_time(tmp_path):
    source = tmp_path / "memories.jsonl"
    source.write_text('{"memory": "a", "user_id": "u"}\n{"memory": "b", "user_id": "u"}\n')

    first = command("import", source, "--store", tmp_path / "store.db")
    second = command("import", source, "--store", tmp_path / "store.db")

    assert (first.returncode, first.stdout) == (0, "2 added, 0 already stored, 0 rejected\n")
    assert first.stderr == f"{source}: JSON Lines\n"
    assert (second.returncode, second.stdout) == (0, "0 added, 2 already stored, 0 rejected\n")


def test_import_reports_bad_lines_and_imports_the_others(tmp_path):
    source = tmp_path / "memories.jsonl"
    source.write_text('{"memory": "a", "user_id": "u"}\n{"memory": 5}\n')

    done = command("import", source, "--store", tmp_path / "store.db")

    assert done.returncode == 7
    assert done.stdout == "1 added, 0 already stored, 1 rejected\n"
    assert done.stderr == f"{source}: JSON Lines\n{source}:2: memory must be a non-empty string, got 5\n"


def test_import_of_a_missing_file_prints_a_message_without_a_traceback(tmp_path):
    done = command("import", tmp_path / "none.jsonl", "--store", tmp_path / "store.db")

    assert done.returncode == 1
    assert done.stderr == f"mem0-exports: No such file or directory: {tmp_path / 'none.jsonl'}\n"
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("arguments", "code"), [(["demo"], 141), (["--help"], 141), (["--version"], 141)], ids=["demo", "help", "version"]
)
def test_a_closed_pipe_ends_the_command_quietly(tmp_path, arguments, code):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mem0_exports_cli.main", *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            timeout=scaled(60),
            check=False,
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (code, b"")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_keys_are_listed_whatever_the_encoding_of_standard_output(tmp_path, encoding):
    store = tmp_path / "store.db"
    command("keys", "create", "--store", store, "--project", "p", "--name", "名前 🍵")

    done = command("keys", "list", "--store", store, PYTHONIOENCODING=encoding)

    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u540d\\u524d \\U0001f375" in done.stdout


def test_demo_works_if_standard_output_is_ascii(tmp_path):
    done = command("demo", "--out", tmp_path / "out", cwd=tmp_path, PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (0, "")
    assert "In\\xeas" in done.stdout, "letters outside ASCII must be written as escapes"


def test_demo_prints_and_writes_the_documented_results(tmp_path):
    done = command("demo", "--out", tmp_path / "out", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "full_name='Jonas Pichlbauer'" in done.stdout
    assert 'birth_year: "early forties" was left out: it is not of type "integer"' in done.stdout
    written = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert written.keys() == {"memories.db", "profile.json", "timeline.json", "filtered.json"}
    assert all(f"{tmp_path / 'out' / name}" in done.stdout for name in written)
    assert json.loads(written["profile.json"].read_text())["hobbies"] == ["fly fishing", "choir singing"]
    assert len(json.loads(written["timeline.json"].read_text())) == 13
    assert done.stdout == command("demo", "--out", tmp_path / "out", cwd=tmp_path).stdout, (
        "a second run must print the same"
    )


def test_serve_answers_only_requests_with_the_key(tmp_path):
    with served(tmp_path / "store.db", "k") as url:
        allowed = httpx.get(f"{url}/v1/ping/", headers={"Authorization": "Token k"})
        refused = [httpx.get(f"{url}/v1/ping/", headers=headers) for headers in ({}, {"Authorization": "Token x"})]

    assert allowed.json()["status"] == "ok"
    assert [answer.status_code for answer in refused] == [401, 401]
    assert "detail" in refused[0].json()


def test_serve_on_a_port_in_use_prints_a_message_without_a_traceback(tmp_path):
    with served(tmp_path / "store.db", "k") as url:
        port = url.rpartition(":")[2]
        done = command("serve", "--store", tmp_path / "other.db", "--port", port)

    assert done.returncode == 1
    assert done.stderr.startswith("mem0-exports: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["import", "--help"], ["--version"]])
def test_help_and_version_exit_with_0(arguments):
    assert command(*arguments).returncode == 0


@pytest.mark.parametrize("group", [[], ["export"], ["keys"]])
def test_a_group_without_a_command_prints_its_help(group):
    done = command(*group)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == command(*group, "--help").stdout


def test_serve_shuts_down_cleanly_on_sigterm(tmp_path):
    with served(tmp_path / "store.db", "k") as url:
        httpx.post(f"{url}/v3/memories/", headers={"Authorization": "Token k"}, json={"filters": {"user_id": "a"}})

    assert [path.name for path in tmp_path.iterdir()] == ["store.db"], (
        "the write-ahead log must be merged into the store"
    )


@pytest.mark.parametrize("key", ["", "clé", "two words"])
def test_serve_rejects_a_key_that_is_not_valid_in_a_header(tmp_path, key):
    done = command("serve", "--store", tmp_path / "store.db", "--port", "0", "--api-key", key)

    assert done.returncode == 1
    assert done.stderr.startswith("mem0-exports: the API key")


@pytest.mark.parametrize("port", ["-1", "99999", "http"])
def test_serve_rejects_an_invalid_port(tmp_path, port):
    assert command("serve", "--store", tmp_path / "store.db", "--port", port).returncode == 2


def test_serve_reads_the_key_from_a_file(tmp_path):
    key = tmp_path / "key.txt"
    key.write_text("m0-a-long-secret\nmore\n")
    log = tmp_path / "log"
    with served(tmp_path / "store.db", None, "--api-key-file", str(key), log=log) as url:
        assert httpx.get(f"{url}/v1/ping/").status_code == 401
        assert httpx.get(f"{url}/v1/ping/", headers={"Authorization": "Token m0-a-long-secret"}).status_code == 200
    assert log.read_text() == ""


def test_serve_warns_of_a_key_in_the_list_of_processes(tmp_path):
    log = tmp_path / "log"
    with served(tmp_path / "store.db", None, "--api-key", "m0-a-long-secret", log=log):
        pass
    (line,) = log.read_text().splitlines()
    assert "other users of this machine can see the --api-key" in json.loads(line)["message"]


def test_serve_says_that_the_key_comes_from_the_environment(tmp_path, monkeypatch):
    """It may have been set for the Platform."""
    monkeypatch.setenv("MEM0_API_KEY", "m0-a-long-secret")
    log = tmp_path / "log"
    with served(tmp_path / "store.db", log=log) as url:
        assert httpx.get(f"{url}/v1/ping/").status_code == 401
    (line,) = log.read_text().splitlines()
    assert "environment variable MEM0_API_KEY" in json.loads(line)["message"]


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "cannot be read"), (b"\n", "is empty"), (b"\xff", "cannot be read")]
)
def test_serve_refuses_a_key_file_without_a_key(tmp_path, content, problem):
    key = tmp_path / "key.txt"
    if content is not None:
        key.write_bytes(content)
    done = command("serve", "--store", tmp_path / "store.db", "--port", "0", "--api-key-file", key)

    assert done.returncode == 1
    assert done.stderr.startswith("mem0-exports: --api-key-file: ")
    assert problem in done.stderr


def test_the_folder_of_the_demo_is_for_its_owner_only(tmp_path):
    before = os.umask(0)
    try:
        done = command("demo", "--out", tmp_path / "out")
    finally:
        os.umask(before)

    assert done.returncode == 0
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700
