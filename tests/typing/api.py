"""Test the static types of the public API: checked by mypy --strict and pyright, never run.

A line that must stay a type error has an ignore comment for each checker; both report an ignore comment that is no
longer needed.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true, reportUnusedExpression=false

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, TypedDict, assert_type

from pydantic import BaseModel, TypeAdapter

from mem0_exports import (
    AsyncClient,
    AsyncExport,
    Client,
    Export,
    ExportOutcome,
    ExportRequest,
    F,
    Filter,
    From,
    Ledger,
    Memory,
    Retry,
    Schema,
)


class Profile(BaseModel):
    name: str | None = None


@dataclass
class Row:
    memory: str


class Facts(TypedDict):
    city: str


class Point(NamedTuple):
    x: Annotated[int, From.metadata("x")]


def sync_api(client: Client) -> None:
    where = (F.user_id == "alex") & ~F.categories.in_("spam") | F.run_id.in_("a", "b")
    assert_type(where, Filter)
    assert_type(F.user_id.in_(["a", "b"]) & F.created_at.in_([datetime.now(UTC), "2025-01-01"]), Filter)
    assert_type(F.categories.in_({"a"}) | F.memory_ids.in_(name for name in ("a", "b")), Filter)
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
    assert_type(ExportRequest(Profile, where), ExportRequest[Profile])
    assert_type(ExportRequest({"type": "object"}, where), ExportRequest[dict[str, Any]])
    ledger = Ledger("ledger.db", on_unknown="skip")
    many = client.exports.run_many([ExportRequest(Profile, where)], ledger=ledger, retry=Retry(attempts=1))
    assert_type(many, Iterator[ExportOutcome[Profile]])
    assert_type(next(many).result(), Profile)
    assert_type(client.with_options(timeout=3), Client)
    assert_type(Schema.of(Profile), Schema[Profile])
    assert_type(Schema.of(Profile, validate="strict"), Schema[Profile])
    assert_type(Schema.of({"type": "object"}), Schema[dict[str, Any]])
    assert_type(client.exports.run(Schema.of(Profile), where), Profile)
    assert_type(client.exports.create(Point, where), Export[Point])
    either: TypeAdapter[Profile | Row] = TypeAdapter(Profile | Row)
    assert_type(client.exports.run(either, where), Profile | Row)
    assert_type(client.exports.create(either, where), Export[Profile | Row])
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


def type_errors(client: Client) -> None:
    where = F.user_id == "alex"
    F.user_id < "alex"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    F.metadata["n"] > 3  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    F.categories >= "work"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    F.memory_ids < "id"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    F.keywords > "x"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    # Every object has ==, but here its result is not a Filter and cannot be combined with one.
    where & (F.categories == "work")  # type: ignore[operator, comparison-overlap]  # pyright: ignore[reportOperatorIssue]
    where | (F.keywords != "x")  # type: ignore[operator, comparison-overlap]  # pyright: ignore[reportOperatorIssue]
    where & (F.metadata == {"city": "Lisbon"})  # type: ignore[operator, comparison-overlap]  # pyright: ignore[reportOperatorIssue]
    where & (F.memory_ids == "id")  # type: ignore[operator, comparison-overlap]  # pyright: ignore[reportOperatorIssue]
    F.created_at.contains("2025")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    F.created_at.exists()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    F.categories.exists()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    F.metadata["n"].in_(1, 2)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    F.memory_ids.contains("id")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    F.keywords.in_("x")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    F.user_id.contains("x")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    F.session_id == "s"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    F.user_id.in_([1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType, reportCallIssue]
    F.created_at >= 5  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]
    client.exports.run(Profile)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    client.exports.run(Profile, "alex")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    from mem0_exports import Clinet  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # noqa: F401
