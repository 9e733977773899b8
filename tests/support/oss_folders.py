"""Make folders as the vector stores of open-source Mem0 do, without their packages.

`tests/end_to_end/oss` has the real ones.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import sqlite3
import sys
import types

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock


Payloads = Mapping[Any, dict[str, Any]]


class PointStruct:
    """A point of Qdrant, with the state of a model of Pydantic."""

    def __init__(self, point_id: object, payload: object) -> None:
        self.values = {"id": point_id, "vector": [0.5], "payload": payload}

    def __getstate__(self) -> dict[str, Any]:
        return {"__dict__": self.values, "__pydantic_fields_set__": {"id"}, "__pydantic_extra__": None}


PointStruct.__module__ = "qdrant_client.http.models.models"


def pickled(point: object) -> bytes:
    """Return the pickle of a point, in which its class has the name that it has in Qdrant's package."""
    module = types.ModuleType(PointStruct.__module__)
    module.PointStruct = PointStruct  # type: ignore[attr-defined]
    names = PointStruct.__module__.split(".")
    parents = {".".join(names[:end]): types.ModuleType(".".join(names[:end])) for end in range(1, len(names))}
    with mock.patch.dict(sys.modules, {**parents, PointStruct.__module__: module}):
        return pickle.dumps(point)


def qdrant_folder(folder: Path, payloads: Payloads, collection: str = "mem0") -> Path:
    """Make the local folder of Qdrant, or replace its points."""
    place = folder / "collection" / collection
    place.mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").write_text("{}", encoding="utf-8")
    rows = [(str(number), pickled(PointStruct(each, payloads[each]))) for number, each in enumerate(payloads)]
    with contextlib.closing(sqlite3.connect(place / "storage.sqlite")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS points (id TEXT PRIMARY KEY, point BLOB)")
        database.execute("DELETE FROM points")
        database.executemany("INSERT INTO points VALUES (?, ?)", rows)
    return folder


def faiss_folder(folder: Path, payloads: Payloads, collection: str = "mem0") -> Path:
    """Make the local folder of FAISS, or replace what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{collection}.faiss").touch()
    (folder / f"{collection}.json").write_text(json.dumps({"docstore": payloads, "index_to_id": {}}), encoding="utf-8")
    return folder


_CHROMA = """
CREATE TABLE IF NOT EXISTS collections (id TEXT, name TEXT, database_id TEXT);
CREATE TABLE IF NOT EXISTS segments (id TEXT, type TEXT, scope TEXT, collection TEXT);
CREATE TABLE IF NOT EXISTS embeddings (id INTEGER PRIMARY KEY, segment_id TEXT, embedding_id TEXT, seq_id BLOB);
CREATE TABLE IF NOT EXISTS embedding_metadata
    (id INTEGER, key TEXT, string_value TEXT, int_value INTEGER, float_value REAL, bool_value INTEGER, PRIMARY KEY (id, key));
CREATE TABLE IF NOT EXISTS embedding_metadata_array
    (id INTEGER, key TEXT, string_value TEXT, int_value INTEGER, float_value REAL, bool_value INTEGER);
CREATE TABLE IF NOT EXISTS max_seq_id (segment_id TEXT PRIMARY KEY, seq_id INTEGER);
CREATE TABLE IF NOT EXISTS embeddings_queue (seq_id INTEGER PRIMARY KEY, topic TEXT, id TEXT);
DELETE FROM collections; DELETE FROM segments; DELETE FROM embeddings; DELETE FROM embedding_metadata;
DELETE FROM embedding_metadata_array; DELETE FROM max_seq_id; DELETE FROM embeddings_queue;
INSERT INTO segments VALUES ('vectors', 'hnsw', 'VECTOR', 'c'), ('metadata', 'sqlite', 'METADATA', 'c');
"""


def chroma_folder(folder: Path, payloads: Payloads, collection: str = "mem0", *, waiting: int = 0) -> Path:
    """Make the local folder of Chroma, or replace what is in it. `waiting` changes stand only in its queue."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(folder / "chroma.sqlite3")) as database, database:
        database.executescript(_CHROMA)
        database.execute("INSERT INTO collections VALUES ('c', ?, 'd')", (collection,))
        for number, (memory_id, payload) in enumerate(payloads.items(), 1):
            database.execute("INSERT INTO embeddings VALUES (?, 'metadata', ?, ?)", (number, memory_id, number))
            for key, value in payload.items():
                table = "embedding_metadata_array" if isinstance(value, list) else "embedding_metadata"
                for each in value if isinstance(value, list) else [value]:
                    database.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?)", (number, key, *_columns(each)))
        count = len(payloads)
        database.execute("INSERT INTO max_seq_id VALUES ('metadata', ?)", (count,))
        for number in range(count + waiting):
            database.execute(
                "INSERT INTO embeddings_queue VALUES (?, 'persistent://default/default/c', 'x')", (number + 1,)
            )
    return folder


def _columns(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return None, None, None, int(value)
    if isinstance(value, str):
        return value, None, None, None
    return (None, value, None, None) if isinstance(value, int) else (None, None, value, None)
