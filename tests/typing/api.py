"""The static types of the public API: checked by mypy --strict and pyright, never run.

A wrong line that must stay wrong carries an ignore comment; mypy reports the comment as unused if the line becomes
acceptable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict, assert_type

from pydantic import BaseModel

from mem0_exports import AsyncClient, AsyncExport, Client, Export, F, Filter, Memory, Schema


class Profile(BaseModel):
    name: str | None = None


@dataclass
class Row:
    memory: str


class Facts(TypedDict):
    city: str


def sync_api(client: Client) -> None:
    where = (F.user_id == "alex") & ~F.categories.in_("spam") | F.run_id.in_("a", "b")
    assert_type(where, Filter)
    assert_type(F.created_at >= datetime.now(UTC), Filter)
    assert_type(F.metadata["city"] == "Lisbon", Filter)
    assert_type(client.exports.run(Profile, where, timeout=5), Profile)
    assert_type(client.exports.create(Profile, where), Export[Profile])
    assert_type(client.exports.create(Profile, where).poll(), Profile | None)
    assert_type(client.exports.create(Profile, where).result(timeout=3), Profile)
    assert_type(client.exports.create(Row, where).result(), Row)
    assert_type(client.exports.create(Facts, where).result(), Facts)
    assert_type(client.exports.run(list[Row], where), list[Row])
    assert_type(client.exports.run({"type": "object"}, where), dict[str, Any])
    assert_type(client.exports.get("id", Profile), Export[Profile])
    assert_type(client.exports.get("id", {"type": "object"}), Export[dict[str, Any]])
    assert_type(client.exports.run(Profile, {"user_id": "alex"}), Profile)
    assert_type(client.memories.list(where), Iterator[Memory])
    assert_type(Schema.of(Profile), Schema[Profile])
    with Client.local() as local:
        assert_type(local, Client)


async def async_api(client: AsyncClient) -> None:
    where = F.user_id == "alex"
    assert_type(await client.exports.run(Profile, where), Profile)
    assert_type(await client.exports.create(Profile, where), AsyncExport[Profile])
    assert_type(await (await client.exports.create(list[Row], where)).poll(), list[Row] | None)
    assert_type(client.exports.get("id", Profile), AsyncExport[Profile])
    async for memory in client.memories.list(where):
        assert_type(memory, Memory)
    async with AsyncClient.local() as local:
        assert_type(local, AsyncClient)


def wrong(client: Client) -> None:
    F.user_id < "alex"  # type: ignore[operator]  # pyright: ignore  # ids have no order
    F.categories == "work"  # type: ignore[comparison-overlap]  # pyright: ignore  # the service refuses equality
    F.created_at.contains("2025")  # type: ignore[attr-defined]  # pyright: ignore
    F.metadata["n"] > 3  # type: ignore[operator]  # pyright: ignore  # the service has no order on metadata
    F.session_id == "s"  # type: ignore[attr-defined]  # pyright: ignore
    client.exports.run(Profile)  # type: ignore[call-overload]  # pyright: ignore  # filters are not optional
    client.exports.run(Profile, "alex")  # type: ignore[call-overload]  # pyright: ignore
