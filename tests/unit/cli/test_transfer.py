"""Test dump and import at a shell: copies are exact, and every file that people have can be read."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys

import pytest

from mem0_exports_engine.store import open_store
from tests.support.timeouts import scaled, wait_until


RICH = [
    {
        "memory": "Łódź 🍵 \n",
        "user_id": "a",
        "metadata": {"n": 12345678901234567890123, "f": 0.1, "deep": [{"ä": None}]},
    },
    {"memory": "gone", "user_id": "a", "expiration_date": "2020-01-01", "created_at": "2019-01-21T19:31:00+02:00"},
    {"memory": "of an agent", "agent_id": "b", "categories": ["x", "y"], "created_at": "2025-01-01T00:00:00.123456Z"},
    {"memory": "of all", "user_id": "a", "agent_id": "b", "app_id": "c", "run_id": "d", "metadata": {}},
]


def test_a_dump_imported_into_another_store_is_the_same_byte_for_byte(shop):
    shop.run("import", "-", given=b"\n".join(json.dumps(each).encode() for each in RICH))
    first = shop.run("dump").stdout

    assert shop.shell("mem0-exports dump -q | mem0-exports import - --store copy.db").stdout.decode() == (
        "109 added, 0 already stored, 0 rejected\n"
    )
    assert shop.run("dump", "--store", "copy.db").stdout == first
    assert len(first.splitlines()) == 109


def test_a_dump_imported_into_its_own_store_changes_nothing(shop):
    first = shop.run("dump", "-o", "dump.jsonl")
    done = shop.run("import", "dump.jsonl")

    assert first.stderr == b"105 memories written\n"
    assert done.stdout == b"0 added, 105 already stored, 0 rejected\n"
    assert shop.run("dump").stdout == (shop.folder / "dump.jsonl").read_bytes()


def test_projects_are_kept_apart(shop):
    shop.run("import", "-", "--project", "other", given=b'{"memory": "x", "user_id": "a"}')

    assert len(shop.run("dump", "--project", "other").stdout.splitlines()) == 1
    assert len(shop.run("dump").stdout.splitlines()) == 105


@pytest.mark.parametrize("name", ["array.json", "lines.jsonl.gz", "page.json", "table.csv"])
def test_a_list_of_memories_can_be_imported_from_any_output(shop, name):
    listed = shop.json("memories", "list", "-u", "alex", "--json")
    match name:
        case "array.json":
            (shop.folder / name).write_text(json.dumps(listed, indent=2))
        case "lines.jsonl.gz":
            (shop.folder / name).write_bytes(gzip.compress(b"\n".join(json.dumps(each).encode() for each in listed)))
        case "page.json":
            (shop.folder / name).write_text(json.dumps({"count": len(listed), "next": None, "results": listed}))
        case _:
            shop.run("memories", "list", "-u", "alex", "-o", name)

    done = shop.run("import", name)

    assert done.stdout.decode() == f"0 added, {len(listed)} already stored, 0 rejected\n", done.stderr.decode()


def test_the_user_of_records_that_name_nobody(shop):
    without = shop.run("import", "notes.csv")
    done = shop.run("import", "notes.csv", "-u", "alex")

    assert without.returncode == 1
    assert b"--user-id" in without.stderr
    assert (done.returncode, done.stdout) == (0, b"1 added, 0 already stored, 0 rejected\n")
    (found,) = [each for each in shop.json("memories", "list", "-u", "alex", "--json") if each["memory"] == "Likes tea"]
    assert found["metadata"] == {"mem0_raw": {"city": "Lisbon"}}


def test_a_dry_run_counts_and_changes_nothing(shop):
    before = (shop.folder / "memories.db").read_bytes()
    records = [{"memory": "new", "user_id": "a"}, {"memory": "new", "user_id": "a"}, {"memory": 5}]
    given = (
        b"\n".join(json.dumps(each).encode() for each in records)
        + b"\n"
        + (shop.folder / "memories.jsonl").read_bytes()
    )

    done = shop.run("import", "-", "--dry-run", given=given)
    fresh = shop.run("import", "-", "--dry-run", "--store", "new.db", given=given)

    assert (done.returncode, done.stdout) == (7, b"dry run: 1 added, 106 already stored, 1 rejected\n")
    assert fresh.stdout == b"dry run: 106 added, 1 already stored, 1 rejected\n"
    assert (shop.folder / "memories.db").read_bytes() == before
    assert not (shop.folder / "new.db").exists()
    assert shop.run("import", "-", given=given).stdout == b"1 added, 106 already stored, 1 rejected\n"


@pytest.mark.parametrize(
    ("choice", "counts", "text"),
    [
        ("error", "0 added, 0 already stored, 1 rejected\n", "old"),
        ("skip", "0 added, 0 already stored, 1 skipped, 0 rejected\n", "old"),
        ("update", "0 added, 0 already stored, 1 updated, 0 rejected\n", "new"),
    ],
)
def test_on_conflict(shop, choice, counts, text):
    record = {"id": "550e8400-e29b-41d4-a716-446655440000", "memory": "old", "user_id": "c"}
    shop.run("import", "-", given=json.dumps(record).encode())

    done = shop.run("import", "-", "--on-conflict", choice, given=json.dumps({**record, "memory": "new"}).encode())

    assert done.stdout.decode() == counts
    assert shop.json("memories", "list", "-u", "c", "--json")[0]["memory"] == text


def test_twenty_bad_lines_are_shown_and_the_rest_counted(shop):
    done = shop.run("import", "-", given=b'{"memory": 5}\n' * 50 + b'{"memory": "x", "user_id": "a"}\n')

    shown = done.stderr.decode().splitlines()
    assert done.returncode == 7
    assert [line for line in shown if line.startswith("standard input:")][1:21] == [
        f"standard input:{number}: memory must be a non-empty string, got 5" for number in range(1, 21)
    ]
    assert shown[-1] == "standard input: 30 more lines were rejected"
    assert done.stdout == b"1 added, 0 already stored, 50 rejected\n"


def test_records_of_a_document_are_counted_instead_of_lines(shop):
    done = shop.run("import", "-", given=b'[{"memory": "x", "user_id": "a"}, {"memory": 5, "user_id": "a"}]')

    assert b"standard input: record 2: memory must be a non-empty string, got 5" in done.stderr


DAMAGED = {
    "no format": b"hello",
    "zip": b"PK\x03\x04",
    "cut off": gzip.compress(b'{"memory": "x"}' * 99)[:-3],
    "missing": None,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_that_cannot_be_read_changes_nothing(shop, name):
    content = DAMAGED[name]
    if content is not None:
        (shop.folder / "in").write_bytes(content)

    done = shop.run("import", "in", "--store", "new.db")

    assert done.returncode in {1, 2}
    assert done.stderr.splitlines()[-1].startswith(b"mem0-exports: ")
    assert not (shop.folder / "new.db").exists() or not shop.run("dump", "--store", "new.db").stdout


def test_ctrl_c_says_what_was_done_and_how_to_go_on(shop):
    """The import waits for the rest of its input when it is interrupted."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mem0_exports", "import", "-", "--store", "new.db"],
        cwd=shop.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(b"".join(b'{"memory": "%d", "user_id": "a"}\n' % number for number in range(40_000)))
        process.stdin.flush()

        def has_rows() -> bool:
            if not (shop.folder / "new.db").exists():
                return False
            store = open_store(shop.folder / "new.db")
            try:
                return next(iter(store.memories.everything("local")), None) is not None
            finally:
                store.close()

        wait_until(has_rows, "the first rows")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=scaled(30))
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 130
    assert b"interrupted: " in errors
    assert b" added" in errors
    assert b"import the file again to go on, nothing is added twice" in errors
    assert b"Traceback" not in errors
