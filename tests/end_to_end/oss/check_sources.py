"""Check that a pull from the real open-source Mem0 has every memory, field by field. Run it with run.sh."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mem0 import AsyncMemory, Memory
from pydantic import BaseModel

from mem0_exports import Client, F
from tests.end_to_end.oss.embedder import DIMENSIONS, embedder
from tests.support.postgres import throwaway


USERS = ("alex", "bo", "cy")
IS_MEM0_1 = version("mem0ai").startswith("1.")
"""Mem0 1 has other names for the same arguments, no expiration dates, and pickles in the folder of FAISS."""

STORES = ["qdrant", "chroma", "pgvector"] if IS_MEM0_1 else ["qdrant", "chroma", "faiss", "pgvector"]
TEXTS = "likes café crème ☕ and 東京", 'said "never" \\ twice', "line one\nline two \u2028 e\u0301"


class Profile(BaseModel):
    city: str
    visits: int | None = None


class Filled(NamedTuple):
    """A store of Mem0 with memories in it."""

    memory: Memory
    address: str


@pytest.fixture(scope="module")
def openai():
    with embedder() as url:
        yield url


@pytest.fixture(scope="module", params=STORES)
def filled(request, openai, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with contextlib.ExitStack() as stack:
        store: dict[str, Any] = {
            "collection_name": "mem0",
            "path": str(folder / "store"),
            "embedding_model_dims": DIMENSIONS,
        }
        address = store["path"]
        if request.param == "qdrant":
            store["on_disk"] = True
        elif request.param == "chroma":
            del store["embedding_model_dims"]
        elif request.param == "pgvector":
            address = stack.enter_context(throwaway())
            store = {"connection_string": address, "collection_name": "mem0", "embedding_model_dims": DIMENSIONS}
            store |= {"hnsw": False}
        model = {"provider": "openai", "config": {"api_key": "none", "openai_base_url": openai, "model": "x"}}
        embeddings = {**model["config"], "embedding_dims": DIMENSIONS}
        memory = Memory.from_config(
            {
                "vector_store": {"provider": request.param, "config": store},
                "history_db_path": str(folder / "history.db"),
                "embedder": {"provider": "openai", "config": embeddings},
                "llm": model,
            }
        )
        _fill(memory, lists=request.param != "chroma")
        yield Filled(memory, address)


def _fill(memory: Memory, *, lists: bool) -> None:
    """Add a hundred memories for each user; delete one of each, and change another."""
    for user in USERS:
        for number in range(100):
            metadata: dict[str, Any] = {"city": ["Lisbon", "Oslo"][number % 2], "visits": number, "score": number / 3}
            metadata |= {"ok": number % 2 == 0, "app_id": "shop", "created": "2020-01-01"}
            if lists:
                metadata |= {"tags": ["a", 1, None], "nested": {"x": [number]}, "nothing": None, "empty": []}
            more: dict[str, Any] = {"agent_id": "helper"} if number % 10 == 0 else {}
            if number % 7 == 0:
                more["run_id"] = f"run-{number % 3}"
            if number in {11, 12}:  # Mem0 1 keeps it among the metadata, from where a pull takes it, too
                (metadata if IS_MEM0_1 else more)["expiration_date"] = "2020-01-01" if number == 11 else "2999-12-31"
            text = f"{user} {TEXTS[number % len(TEXTS)]} {number}"
            memory.add([{"role": "user", "content": text}], user_id=user, infer=False, metadata=metadata, **more)
        ids = ids_of(memory, user)
        memory.delete(ids[0])
        memory.update(ids[1], data="a changed text")


def ids_of(memory: Any, user: str) -> list[str]:
    """Return the ids of the memories of a user."""
    given = {"user_id": user, "limit": 1000} if IS_MEM0_1 else {"filters": {"user_id": user}, "top_k": 1000}
    return [each["id"] for each in memory.get_all(**given)["results"]]


def listed(memory: Any) -> dict[str, dict[str, Any]]:
    """Return all payloads of Mem0's own store by their id."""
    found = memory.vector_store.list(**{"limit" if IS_MEM0_1 else "top_k": 100_000})
    points = found[0] if isinstance(found[0], list) else found
    return {str(each.id): each.payload for each in points}


def kept(record: dict[str, Any]) -> dict[str, Any]:
    """Return a memory of our store as the payload that it was made of."""
    metadata = dict(record["metadata"] or {})
    raw = metadata.pop("mem0_raw", {})
    own = {
        name: record[name] for name in ("user_id", "agent_id", "run_id", "expiration_date", "created_at", "updated_at")
    }
    return {
        "data": record["memory"],
        **metadata,
        **raw,
        **{name: value for name, value in own.items() if value is not None},
    }


def pulled(client: Client) -> dict[str, dict[str, Any]]:
    return {record["id"]: record for record in client.engine.store.memories.everything("local")}  # type: ignore[attr-defined]


def test_a_pull_has_every_field_of_every_memory(filled):
    expected = listed(filled.memory)
    assert len(expected) == 297

    with Client.local() as client:
        done = client.engine.pull(filled.address)
        found = pulled(client)

        assert (done.added, done.bad_count, done.taken) == (297, 0, 0)
        assert {memory_id: kept(record) for memory_id, record in found.items()} == expected
        again = client.engine.pull(filled.address)
        assert (again.added, again.changed, again.same, again.gone) == (0, 0, 297, 0)


@pytest.mark.parametrize("kind", [Memory, AsyncMemory])
def test_an_application_s_own_memory_is_a_source(filled, kind):
    memory = filled.memory
    if kind is AsyncMemory:  # made around the same store: a folder can be opened once only
        memory = AsyncMemory.__new__(AsyncMemory)
        memory.vector_store, memory.config = filled.memory.vector_store, filled.memory.config
        memory.collection_name = filled.memory.collection_name

    with Client.oss(memory) as client:
        assert [each.name for each in client.entities.list() if each.type == "user"] == [*USERS]
        assert {memory_id: kept(record) for memory_id, record in pulled(client).items()} == listed(filled.memory)


def test_changes_are_found_and_a_profile_can_be_exported(filled):
    with Client.local() as client:
        client.engine.pull(filled.address)
        one, two = ids_of(filled.memory, "cy")[:2]
        filled.memory.delete(one)
        filled.memory.update(two, data="changed again")
        filled.memory.add("cy moved", user_id="cy", infer=False, metadata={"city": "Porto", "visits": 5})

        done = client.engine.pull(filled.address)

        assert (done.added, done.changed, done.gone) == (1, 1, 1)
        assert {memory_id: kept(record) for memory_id, record in pulled(client).items()} == listed(filled.memory)
        assert client.exports.run(Profile, F.user_id == "cy") == Profile(city="Porto", visits=5)


def test_a_source_is_not_changed_and_needs_no_mem0(filled, tmp_path):
    """In a process that cannot import Mem0, nor the packages of its stores."""
    before = {
        path: path.read_bytes() for path in Path(filled.address).rglob("*") if path.is_file() and path.suffix != ".lock"
    }
    code = (
        "import sys\n"
        "for name in ('mem0', 'qdrant_client', 'chromadb', 'faiss', 'openai'):\n    sys.modules[name] = None\n"
        "from mem0_exports_cli.main import main\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "pull", filled.address, "--store", str(tmp_path / "memories.db")]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, f"{len(listed(filled.memory))} added, 0 changed, 0 the same, 0 gone\n")
    assert {path: path.read_bytes() for path in before} == before


def test_a_misspelled_collection_is_refused_and_not_created(filled):
    others = len(listed(filled.memory))
    with Client.local() as client, pytest.raises(ValueError, match="has no collection 'memo': it has 'mem0'"):
        client.engine.pull(filled.address, collection="memo")
    assert len(listed(filled.memory)) == others
