"""Test that the folders of the vector stores are read completely, safely, and without changing them."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import uuid

import pytest

from mem0_exports import Client, F, InputError
from mem0_exports_engine.sources.folders import source_of
from tests.support.oss_folders import PointStruct, chroma_folder, faiss_folder, pickled, qdrant_folder


FOLDERS = [qdrant_folder, chroma_folder, faiss_folder]
ID = "3f0c8a52-2b4d-4c53-9a55-0d8a5b7c1f10"
FLAT = {
    "data": "Sails ⛵",
    "user_id": "mara",
    "n": 3,
    "half": 0.5,
    "ok": True,
    "no": False,
    "created_at": "2024-01-02T03:04:05+00:00",
}


@pytest.fixture(params=FOLDERS, ids=lambda make: make.__name__)
def make(request):
    return request.param


def test_reads_every_value(tmp_path, make):
    payload = {**FLAT, "tags": ["a", "b"]}

    (point,) = source_of(make(tmp_path / "store", {ID: payload})).points()

    assert point == (ID, payload)
    assert [type(point.payload[name]) for name in ("n", "half", "ok", "no")] == [int, float, bool, bool]


def test_reads_while_an_application_has_the_store_open_and_changes_nothing(tmp_path, make):
    folder = make(tmp_path / "store", {ID: FLAT})
    with contextlib.ExitStack() as stack:
        for file in folder.rglob("*.sqlite*"):
            application = stack.enter_context(contextlib.closing(sqlite3.connect(file)))
            application.execute("SELECT * FROM sqlite_master").fetchall()
        before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}

        assert len([*source_of(folder).points()]) == 1

    assert {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()
    } == before


@pytest.mark.parametrize("wanted", ["memo", "../mem0", ""])
def test_a_collection_that_is_not_there_is_refused_with_those_that_are(tmp_path, make, wanted):
    folder = make(tmp_path / "store", {ID: FLAT})
    source = source_of(str(folder), wanted or "mem0_entities")

    with pytest.raises(InputError, match="it has 'mem0'; name one with --collection"):
        [*source.points()]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere", "is not a folder"),
        (".", "has no memories of Mem0"),
        ("http://localhost:8000", "give the vector store that it uses instead"),
        ("mysql://host/x", "mysql:// is no address of a source"),
        (5, "got int"),
        (object(), "must be a mem0.Memory"),
    ],
)
def test_what_is_no_source_is_refused_at_once(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        Client.oss(given)
    assert [*tmp_path.iterdir()] == []


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.mark.parametrize(
    "value", [Harmful(), uuid.UUID(ID), dt.datetime(2024, 1, 2, tzinfo=dt.UTC)], ids=["code", "uuid", "time"]
)
def test_a_pickle_makes_nothing_but_plain_values(tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    folder = qdrant_folder(tmp_path / "store", {})
    point = pickled(PointStruct(ID, {**FLAT, "value": value}))
    with contextlib.closing(sqlite3.connect(folder / "collection/mem0/storage.sqlite")) as database, database:
        database.execute("INSERT INTO points VALUES ('1', ?)", (point,))

    if isinstance(value, Harmful):
        with pytest.raises(InputError, match=r"posix\.mkdir has no place in a point"):
            [*source_of(folder).points()]
        assert not (tmp_path / "harm").exists()
        return
    with Client.oss(folder) as client:
        (memory,) = client.memories.list(F.user_id == "mara")
    assert memory.metadata["value"] == (value.isoformat() if isinstance(value, dt.datetime) else str(value))


def test_changes_that_chroma_has_not_applied_are_not_overlooked(tmp_path):
    folder = chroma_folder(tmp_path / "store", {ID: FLAT}, waiting=2)

    with pytest.raises(InputError, match="2 changes that Chroma has not applied"):
        [*source_of(folder).points()]


@pytest.mark.parametrize("content", ["", "[]", '{"docstore": 5}', '{"docstore": {"a": 5}}', "no JSON"])
def test_a_damaged_file_of_faiss_is_refused(tmp_path, content):
    folder = faiss_folder(tmp_path / "store", {})
    (folder / "mem0.json").write_text(content)

    with pytest.raises(InputError, match=r"mem0\.json' cannot be read"):
        [*source_of(folder).points()]


def test_a_folder_of_mem0_1_with_pickles_is_refused(tmp_path):
    folder = faiss_folder(tmp_path / "store", {})
    (folder / "mem0.json").rename(folder / "mem0.pkl")

    with pytest.raises(InputError, match="open it once with Mem0 2"):
        [*source_of(folder).points()]


@pytest.mark.parametrize("file", ["store/chroma.sqlite3", "store/collection/mem0/storage.sqlite"])
def test_a_damaged_database_is_refused(tmp_path, file):
    make = chroma_folder if "chroma" in file else qdrant_folder
    folder = make(tmp_path / "store", {ID: FLAT})
    (tmp_path / file).write_bytes(b"no database" * 100)

    with pytest.raises(InputError, match="cannot be read"):
        [*source_of(folder).points()]
