"""Test the transport of the in-process engine: answers that are cut off, and what it logs."""

from __future__ import annotations

import logging

import anyio
import pytest

from mem0_exports import AsyncClient, Client, ConnectionFailed, F, Retry
from mem0_exports_engine.extract.offline import record_lists
from mem0_exports_engine.store.sqlite import memories
from tests.support.blocking import blocking
from tests.support.timeouts import scaled


SCHEMA = {
    "type": "object",
    "properties": {"all": {"type": "array", "items": {"type": "object", "properties": {"memory": {"type": "string"}}}}},
}


@pytest.mark.parametrize(
    ("statement", "message"),
    [("DELETE FROM export_parts", "expired while it was being read"), ("DROP TABLE export_parts", "the store failed")],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_raises_connection_failed_if_an_answer_is_cut_off(tmp_path, monkeypatch, kind, statement, message):
    monkeypatch.setattr(memories, "_MAX_BATCH", 1)
    monkeypatch.setattr(record_lists, "_MAX_RECORDS", 1)
    path = tmp_path / "store.db"
    with Client.local(path) as client:
        for text in ("a", "b", "c"):
            client.memories.add(text, user_id="alex")
        job = client.exports.create(SCHEMA, F.user_id == "alex")
        assert len(job.result(timeout=scaled(30))["all"]) == 3
        with client.engine.store.database.write() as connection:
            connection.execute(statement)

    def poll():
        with Client.local(path, retry=Retry(attempts=1)) as client:
            client.exports.get(job.id, SCHEMA).poll()

    async def poll_async():
        async with AsyncClient.local(path, retry=Retry(attempts=1)) as client:
            await client.exports.get(job.id, SCHEMA).poll()

    with pytest.raises(ConnectionFailed, match=message):
        poll() if kind is Client else anyio.run(poll_async)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_requests_in_process_write_no_log_lines_of_a_request_over_the_network(kind, caplog):
    caplog.set_level(logging.DEBUG)
    with Client.local() if kind == "sync" else blocking(AsyncClient.local()) as client:
        client.memories.add("x", user_id="alex", metadata={"city": "Lisbon"})
        client.exports.run({"type": "object", "properties": {"city": {}}}, F.user_id == "alex", timeout=scaled(30))

    names = {record.name.partition(".")[0] for record in caplog.records}
    assert "mem0_exports" in names, "the client's own lines are there"
    assert names.isdisjoint({"httpx", "httpcore"})
    assert "embedded.invalid" not in caplog.text
