"""Memories in the store: adding, importing, listing, and whom they are about."""

from __future__ import annotations

import hashlib
import json

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from mem0_exports import _times
from mem0_exports._filter_tree import ENTITY_FIELDS
from mem0_exports.local import clock
from mem0_exports.local.match import clause
from mem0_exports.local.store import memories


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from mem0_exports._filter_tree import Filter
    from mem0_exports.local.store import Store

_BATCH: Final = 500
"""Memories read at once when all that match are gone through."""

_KINDS: Final = {"user": "user_id", "agent": "agent_id", "app": "app_id", "run": "run_id"}


class Entity(NamedTuple):
    """A user, agent, app or run, and when its memories were made and changed."""

    name: str
    type: str
    created_at: str
    updated_at: str


def row_for(record: Mapping[str, Any], new_id: str, now: datetime) -> dict[str, Any]:
    """The row for a memory record: `memory`, entity ids, and optionally `id`, `metadata`, `categories`, times.

    Times stay as they are written where they are date, time and offset, and are completed in UTC where they are not;
    a missing created_at is `now`. FilterError where a time is none.
    """
    written = clock.stamp(record.get("created_at") or _times.text_of(now), "created_at")
    changed = clock.stamp(record.get("updated_at") or written, "updated_at")
    expires = record.get("expiration_date")
    owners = {name: record.get(name) for name in ENTITY_FIELDS}
    given = {name: value for name, value in sorted(record.items()) if value is not None}
    return {
        "id": record.get("id") or new_id,
        "memory": record["memory"],
        **owners,
        "metadata": _json(record.get("metadata")),
        "categories": _json(record.get("categories")),
        "created_at": written,
        "created_us": clock.microseconds(_times.moment(written, "created_at")),
        "updated_at": changed,
        "updated_us": clock.microseconds(_times.moment(changed, "updated_at")),
        "expiration_date": expires,
        "expires_us": None if expires is None else clock.day(expires),
        "text_key": _digest([record["memory"], owners]),
        "record_key": _digest(given),
    }


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _digest(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def add(store: Store, rows: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Store the rows whose text their owners do not have, or only in memories that have expired; returns those.

    A row that equals one that has expired in every detail is no other memory, and is not stored either.
    """
    current = _current(now)
    added: list[dict[str, Any]] = []
    with store.write() as connection:
        for row in rows:
            same = sa.or_(
                sa.and_(memories.c.text_key == row["text_key"], current), memories.c.record_key == row["record_key"]
            )
            known = sa.select(memories.c.seq).where(same).limit(1)
            if connection.execute(known).first() is None:
                connection.execute(sa.insert(memories), row)
                added.append(row)
    return added


def import_rows(store: Store, rows: list[dict[str, Any]]) -> list[str | None]:
    """Store the rows that are not there in every detail.

    Says of each row what became of it: "added", "known", or None where another memory has its id.
    """
    done: list[str | None] = []
    with store.write() as connection:
        found = connection.execute(
            sa.select(memories.c.record_key, memories.c.id).where(
                memories.c.record_key.in_([row["record_key"] for row in rows])
                | memories.c.id.in_([row["id"] for row in rows])
            )
        ).all()
        keys, ids = {key for key, _ in found}, {memory_id for _, memory_id in found}
        fresh: list[dict[str, Any]] = []
        for row in rows:
            if row["record_key"] in keys:
                done.append("known")
            elif row["id"] in ids:
                done.append(None)
            else:
                keys.add(row["record_key"])
                ids.add(row["id"])
                fresh.append(row)
                done.append("added")
        if fresh:
            connection.execute(sa.insert(memories), fresh)
    return done


_COUNT: Final = sa.select(sa.func.count()).select_from(memories)


def _selected(filters: Filter, now: datetime, *, show_expired: bool) -> sa.ColumnElement[bool]:
    wanted = clause(filters)
    if show_expired:
        return wanted
    return sa.and_(wanted, _current(now))


def _current(now: datetime) -> sa.ColumnElement[bool]:
    """What has not expired. The day itself still counts; what is no date never expires."""
    today = clock.microseconds(now.replace(hour=0, minute=0, second=0, microsecond=0))
    return sa.or_(memories.c.expires_us.is_(None), memories.c.expires_us >= today)


def page(
    store: Store, filters: Filter, now: datetime, *, show_expired: bool, offset: int, limit: int
) -> tuple[int, list[sa.RowMapping]]:
    """How many memories the filters select, and some of them, oldest first."""
    wanted = _selected(filters, now, show_expired=show_expired)
    with store.read() as connection:
        count = connection.scalar(_COUNT.where(wanted)) or 0
        rows = connection.execute(
            sa.select(memories)
            .where(wanted)
            .order_by(memories.c.created_us, memories.c.seq)
            .offset(min(offset, count))
            .limit(limit)
        )
        return count, list(rows.mappings())


def through(store: Store, filters: Filter, now: datetime) -> Iterator[list[sa.RowMapping]]:
    """All memories that the filters select and that have not expired, oldest first, in batches.

    What is added after the start is left out. No transaction is open between two batches.
    """
    wanted = _selected(filters, now, show_expired=False)
    with store.read() as connection:
        newest = connection.scalar(sa.select(sa.func.max(memories.c.seq))) or 0
    position = sa.tuple_(memories.c.created_us, memories.c.seq)
    query = (
        sa.select(memories)
        .where(wanted, memories.c.seq <= newest)
        .order_by(memories.c.created_us, memories.c.seq)
        .limit(_BATCH)
    )
    after: sa.ColumnElement[bool] = sa.true()
    while True:
        with store.read() as connection:
            batch = list(connection.execute(query.where(after)).mappings())
        if not batch:
            return
        yield batch
        after = position > sa.tuple_(sa.literal(batch[-1]["created_us"]), sa.literal(batch[-1]["seq"]))


def record_of(row: sa.RowMapping) -> dict[str, Any]:
    """A memory as the API and the extractor see it, with the run under the name `run_id`."""
    return {
        "id": row["id"],
        "memory": row["memory"],
        **{name: row[name] for name in ENTITY_FIELDS},
        "metadata": None if row["metadata"] is None else json.loads(row["metadata"]),
        "categories": None if row["categories"] is None else json.loads(row["categories"]),
        "expiration_date": row["expiration_date"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def entities(store: Store) -> list[Entity]:
    """All entities that have memories, by type and name."""
    found: list[Entity] = []
    with store.read() as connection:
        for kind, column_name in _KINDS.items():
            column = memories.c[column_name]
            rows = connection.execute(
                sa.select(column, sa.func.min(memories.c.created_us), sa.func.max(memories.c.updated_us))
                .where(column.is_not(None))
                .group_by(column)
                .order_by(column)
            )
            found += [
                Entity(name, kind, clock.text_at(created), clock.text_at(updated)) for name, created, updated in rows
            ]
    return found
