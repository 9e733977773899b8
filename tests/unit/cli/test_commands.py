"""The command, as a person runs it."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.support.command import command
from tests.support.serving import served


def test_import_counts_and_a_second_time_adds_nothing(tmp_path):
    source = tmp_path / "memories.jsonl"
    source.write_text('{"memory": "a", "user_id": "u"}\n{"memory": "b", "user_id": "u"}\n')

    first = command("import", source, "--store", tmp_path / "store.db")
    second = command("import", source, "--store", tmp_path / "store.db")

    assert (first.returncode, first.stdout, first.stderr) == (0, "2 added, 0 already stored, 0 rejected\n", "")
    assert (second.returncode, second.stdout) == (0, "0 added, 2 already stored, 0 rejected\n")


def test_import_names_bad_lines_and_keeps_the_good_ones(tmp_path):
    source = tmp_path / "memories.jsonl"
    source.write_text('{"memory": "a", "user_id": "u"}\n{"memory": 5}\n')

    done = command("import", source, "--store", tmp_path / "store.db")

    assert done.returncode == 1
    assert done.stdout == "1 added, 0 already stored, 1 rejected\n"
    assert done.stderr == f"{source}:2: memory must be a non-empty string, got 5\n"


def test_a_file_that_is_not_there_is_a_sentence_and_no_traceback(tmp_path):
    done = command("import", tmp_path / "none.jsonl", "--store", tmp_path / "store.db")

    assert done.returncode == 1
    assert done.stderr == f"mem0-exports: No such file or directory: {tmp_path / 'none.jsonl'}\n"
    assert not (tmp_path / "store.db").exists()


def test_the_demonstration_works_where_standard_output_is_ascii(tmp_path):
    done = command("demo", "--out", tmp_path / "out", cwd=tmp_path, PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (0, "")
    assert "In\\xeas" in done.stdout, "letters that it has not are written as escapes"


def test_the_demonstration_shows_and_writes_what_it_promises(tmp_path):
    done = command("demo", "--out", tmp_path / "out", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "full_name='Jonas Pichlbauer'" in done.stdout
    assert 'birth_year: "early forties" was left out: it is not of type "integer"' in done.stdout
    written = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert written.keys() == {"memories.db", "profile.json", "timeline.json", "filtered.json"}
    assert all(f"{tmp_path / 'out' / name}" in done.stdout for name in written)
    assert json.loads(written["profile.json"].read_text())["hobbies"] == ["fly fishing", "choir singing"]
    assert len(json.loads(written["timeline.json"].read_text())) == 13
    assert done.stdout == command("demo", "--out", tmp_path / "out", cwd=tmp_path).stdout, "it can be run again"


def test_serve_answers_with_the_key_and_refuses_without(tmp_path):
    with served(tmp_path / "store.db", "k") as url:
        allowed = httpx.get(f"{url}/v1/ping/", headers={"Authorization": "Token k"})
        refused = [httpx.get(f"{url}/v1/ping/", headers=headers) for headers in ({}, {"Authorization": "Token x"})]

    assert allowed.json()["status"] == "ok"
    assert [answer.status_code for answer in refused] == [401, 401]
    assert "detail" in refused[0].json()


def test_serve_on_a_taken_port_is_a_sentence_and_no_traceback(tmp_path):
    with served(tmp_path / "store.db", "k") as url:
        port = url.rpartition(":")[2]
        done = command("serve", "--store", tmp_path / "other.db", "--port", port)

    assert done.returncode == 1
    assert done.stderr.startswith("mem0-exports: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["import", "--help"], ["--version"]])
def test_help_helps(arguments):
    assert command(*arguments).returncode == 0


def test_no_command_is_wrong_use():
    assert command().returncode == 2


def test_serve_stops_in_peace_when_it_is_told_to(tmp_path):
    with served(tmp_path / "store.db", "k") as url:
        httpx.post(f"{url}/v3/memories/", headers={"Authorization": "Token k"}, json={"filters": {"user_id": "a"}})

    assert [path.name for path in tmp_path.iterdir()] == ["store.db"], "the write-ahead log is folded into the store"


@pytest.mark.parametrize("key", ["", "clé", "two words"])
def test_serve_refuses_a_key_that_no_request_can_carry(tmp_path, key):
    done = command("serve", "--store", tmp_path / "store.db", "--port", "0", "--api-key", key)

    assert done.returncode == 1
    assert done.stderr.startswith("mem0-exports: the API key")


@pytest.mark.parametrize("port", ["-1", "99999", "http"])
def test_serve_refuses_a_port_that_is_none(tmp_path, port):
    assert command("serve", "--store", tmp_path / "store.db", "--port", port).returncode == 2
