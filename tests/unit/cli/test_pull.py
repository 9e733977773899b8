"""Test `mem0-exports pull`: what it prints, what it changes, and its exit codes."""

from __future__ import annotations

import uuid

import pytest

from tests.support.oss_folders import faiss_folder


IDS = [str(uuid.UUID(int=number)) for number in range(10)]
ALL = {each: {"data": f"fact {number}", "user_id": "alex", "n": number} for number, each in enumerate(IDS)}


def pull(shop, *more, payloads):
    faiss_folder(shop.folder / "mem0", payloads)
    return shop.run("pull", "mem0", "--store", "copy.db", *more)


def stored(shop):
    lines = shop.run("dump", "--store", "copy.db", "-q").stdout.splitlines()
    return len(lines)


def test_says_what_has_changed_since_the_last_time(shop):
    assert pull(shop, payloads=ALL).stdout == b"10 added, 0 changed, 0 the same, 0 gone\n"
    changed = {**ALL, IDS[0]: {**ALL[IDS[0]], "n": 99}, "new": {"data": "new", "user_id": "mara"}}
    del changed[IDS[9]]

    done = pull(shop, payloads=changed)

    assert (done.returncode, done.stdout) == (0, b"1 added, 1 changed, 8 the same, 1 gone\n")
    assert shop.json("export", "run", "profile.json", "-u", "mara", "--store", "copy.db", "--format", "json") == {}


def test_a_dry_run_changes_nothing(shop):
    pull(shop, payloads=ALL)

    done = pull(shop, "--dry-run", payloads=dict([*ALL.items()][:9]))

    assert (done.returncode, done.stdout) == (0, b"dry run: 0 added, 0 changed, 9 the same, 1 gone\n")
    assert done.stderr == b""
    assert stored(shop) == 10


def test_many_deletions_have_to_be_accepted(shop):
    pull(shop, payloads=ALL)
    few = dict([*ALL.items()][:5])

    done = pull(shop, payloads=few)
    assert (done.returncode, done.stdout) == (7, b"0 added, 0 changed, 5 the same, 0 gone, 5 not deleted\n")
    assert b"more than a fifth" in done.stderr
    assert b"--accept-deletions" in done.stderr
    assert stored(shop) == 10

    assert pull(shop, "--accept-deletions", payloads=few).stdout == b"0 added, 0 changed, 5 the same, 5 gone\n"
    assert stored(shop) == 5


def test_names_the_memories_that_cannot_be_kept(shop):
    nobody = {**ALL, "odd": {"data": "whose is this"}}

    done = pull(shop, payloads=nobody)
    assert (done.returncode, done.stdout) == (7, b"10 added, 0 changed, 0 the same, 0 gone, 1 rejected\n")
    assert done.stderr.startswith(b"odd: at least one of user_id")

    assert pull(shop, "-u", "alex", payloads=nobody).stdout == b"1 added, 0 changed, 10 the same, 0 gone\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], b"'nowhere' is not a folder"),
        (["mem0", "--collection", "memo"], b"has no collection 'memo': it has 'mem0'; name one with --collection"),
        (["ftp://x"], b"ftp:// is no address of a source"),
    ],
)
def test_a_source_that_is_not_there_is_refused(shop, arguments, message):
    faiss_folder(shop.folder / "mem0", ALL)

    done = shop.run("pull", *arguments, "--store", "copy.db")

    assert done.returncode == 2
    assert message in done.stderr
