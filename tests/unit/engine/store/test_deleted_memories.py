"""Test that deleted memories are gone from exports that are running, and that nothing takes their place."""

from __future__ import annotations

import contextlib

from datetime import UTC, datetime

import pytest

from mem0_exports import F
from mem0_exports_engine.store.rows import row_for
from mem0_exports_engine.store.sqlite.store import SqliteStore


NOW = datetime(2025, 3, 4, 18, 20, tzinfo=UTC)
ALEX = F.user_id == "alex"


@pytest.fixture
def store(tmp_path):
    with contextlib.closing(SqliteStore(tmp_path / "store.db")) as opened:
        yield opened


def add(store, *texts, project="local", user="alex"):
    rows = [row_for({"memory": text, "user_id": user}, project, f"id of {text}", NOW) for text in texts]
    assert store.memories.add(rows, NOW) == rows


def chosen_batch(store):
    """Return the only batch of an export that has chosen its memories and not read them yet."""
    (batch,) = store.memories.batches("local", ALEX, NOW)
    return batch


def test_get_and_delete_find_a_memory_only_in_its_project(store):
    add(store, "one")

    assert store.memories.get("local", "id of one")["memory"] == "one"
    assert store.memories.get("other", "id of one") is None
    assert not store.memories.delete("other", "id of one")
    assert store.memories.delete("local", "id of one")
    assert not store.memories.delete("local", "id of one")
    assert store.memories.get("local", "id of one") is None


def test_a_running_export_leaves_out_what_was_deleted_after_it_began(store):
    add(store, "one", "two", "three")
    batch = chosen_batch(store)

    store.memories.delete("local", "id of two")

    assert [*batch.columns(["memory"])["memory"]] == ["one", "three"]
    assert batch.written({"text": "memory"}) is None, "the store writes JSON only for whole batches"


@pytest.mark.parametrize(("project", "user"), [("local", "mara"), ("other", "alex")])
def test_a_new_memory_never_takes_the_place_of_a_deleted_one_in_a_running_export(store, project, user):
    add(store, "one", "two")
    batch = chosen_batch(store)

    store.memories.delete("local", "id of two")  # the newest row, whose number SQLite would use again
    add(store, "secret", project=project, user=user)

    assert [*batch.columns(["memory"])["memory"]] == ["one"]


def test_a_deleted_text_can_be_added_again(store):
    add(store, "one")
    store.memories.delete("local", "id of one")

    add(store, "one")

    assert [*chosen_batch(store).columns(["memory"])["memory"]] == ["one"]
