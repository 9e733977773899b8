"""Test how an application's own Memory is read. tests/end_to_end/oss has the real one."""

from __future__ import annotations

import asyncio

from types import SimpleNamespace

import pytest

from mem0_exports import AsyncClient, Client, F, InputError
from mem0_exports_engine.sources import own_memory
from mem0_exports_engine.sources.folders import source_of
from tests.support.oss_folders import faiss_folder


def points(count):
    return [SimpleNamespace(id=str(n), payload={"data": f"m{n}", "user_id": "a"}) for n in range(count)]


class NewStore:
    """Lists as the stores of Mem0 2 do."""

    def __init__(self, count):
        self.all = points(count)
        self.asked = []

    def list(self, filters=None, top_k=100):
        self.asked.append(top_k)
        return [self.all[:top_k]]


class OldQdrant(NewStore):
    """Lists as Qdrant of Mem0 1 does."""

    def list(self, filters=None, limit=100):
        self.asked.append(limit)
        return self.all[:limit], None


def memory(store, provider="qdrant"):
    config = SimpleNamespace(vector_store=SimpleNamespace(provider=provider))
    return SimpleNamespace(vector_store=store, config=config, collection_name="mem0")


@pytest.mark.parametrize("kind", [NewStore, OldQdrant])
@pytest.mark.parametrize(("count", "asked"), [(0, [3]), (2, [3]), (3, [3, 30]), (31, [3, 30, 300])])
def test_asks_for_more_until_fewer_come(monkeypatch, kind, count, asked):
    monkeypatch.setattr(own_memory, "_FIRST", 3)
    store = kind(count)

    found = [*source_of(memory(store)).points()]

    assert [point.id for point in found] == [str(number) for number in range(count)]
    assert store.asked == asked


def test_more_than_can_be_listed_is_refused(monkeypatch):
    monkeypatch.setattr(own_memory, "_FIRST", 3)
    monkeypatch.setattr(own_memory, "_MOST", 30)

    with pytest.raises(InputError, match="more than 30 memories"):
        [*source_of(memory(NewStore(40))).points()]


@pytest.mark.parametrize(
    ("provider", "is_certain"), [("qdrant", True), ("pgvector", True), ("pinecone", False), ("redis", False)]
)
def test_only_some_stores_are_known_to_list_all(provider, is_certain):
    assert source_of(memory(NewStore(1), provider)).is_certain == is_certain


def test_a_store_that_fails_or_cannot_list_is_refused():
    store = NewStore(1)
    store.list = lambda top_k: 1 / 0
    with pytest.raises(InputError, match="cannot list its memories: ZeroDivisionError"):
        [*source_of(memory(store)).points()]
    store.list = list
    with pytest.raises(InputError, match="no way to list more"):
        [*source_of(memory(store)).points()]


def test_a_collection_is_not_for_a_memory():
    with pytest.raises(InputError, match="a Memory knows its own"):
        Client.oss(memory(NewStore(1)), collection="x")


def test_the_client_sees_what_is_there_when_it_is_first_used():
    store = NewStore(1)
    with Client.oss(memory(store)) as client:
        store.all = points(2)
        assert len([*client.memories.list(F.user_id == "a")]) == 2
        store.all = points(3)
        assert len([*client.memories.list(F.user_id == "a")]) == 2
        assert client.engine.pull(memory(store)).added == 1
        assert len([*client.memories.list(F.user_id == "a")]) == 3


def test_an_async_client_reads_a_source(tmp_path):
    folder = faiss_folder(tmp_path / "store", {"1": {"data": "m", "user_id": "a", "city": "Graz"}})
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}

    async def main():
        async with AsyncClient.oss(folder) as client:
            return await client.exports.run(schema, F.user_id == "a")

    assert asyncio.run(main()) == {"city": "Graz"}


def test_a_source_that_breaks_off_fails_each_request(tmp_path):
    folder = faiss_folder(tmp_path / "store", {"1": {"data": "m", "user_id": "a"}})
    client = Client.oss(folder)
    (folder / "mem0.json").write_text("[")
    for _ in range(2):
        with pytest.raises(InputError, match="cannot be read"):
            client.ping()
    faiss_folder(folder, {"1": {"data": "m", "user_id": "a"}})
    assert len([*client.memories.list(F.user_id == "a")]) == 1
    client.close()
