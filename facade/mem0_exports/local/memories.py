"""Memories in the store: adding, importing, listing, and whom they are about. Always those of one project."""

from __future__ import annotations

import hashlib
import json

from array import array
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import sqlalchemy as sa

from mem0_exports import _times
from mem0_exports._filter_tree import ENTITY_FIELDS
from mem0_exports.local import clock
from mem0_exports.local.json_text import load
from mem0_exports.local.match import clause
from mem0_exports.local.tables import memories


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from mem0_exports._filter_tree import Filter
    from mem0_exports.local.store import Store

_BATCH: Final = 2000
"""Memories read at once when all that match are gone through."""

_KINDS: Final = {"user": "user_id", "agent": "agent_id", "app": "app_id", "run": "run_id"}


class Entity(NamedTuple):
    """A user, agent, app or run, and when its memories were made and changed."""

    name: str
    type: str
    created_at: str
    updated_at: str


def row_for(record: Mapping[str, Any], project: str, new_id: str, now: datetime) -> dict[str, Any]:
    """The row for a memory record: `memory`, entity ids, and optionally `id`, `metadata`, `categories`, times.

    Times stay as they are written where they are date, time and offset, and are completed in UTC where they are not;
    a missing created_at is `now`. FilterError where a time is none.
    """
    written = clock.stamp(record.get("created_at") or _times.text_of(now), "created_at")
    changed = record.get("updated_at")
    updated = written if not changed or changed == written.text else clock.stamp(changed, "updated_at")
    expires = record.get("expiration_date")
    owners = {name: record.get(name) for name in ENTITY_FIELDS}
    given = {name: value for name, value in record.items() if value is not None}
    return {
        "project": project,
        "id": record.get("id") or new_id,
        "memory": record["memory"],
        **owners,
        "metadata": _json(record.get("metadata")),
        "categories": _json(record.get("categories")),
        "created_at": written.text,
        "created_us": written.us,
        "updated_at": updated.text,
        "updated_us": updated.us,
        "expiration_date": expires,
        "expires_us": None if expires is None else clock.day(expires),
        "text_key": _digest(orjson.dumps([record["memory"], owners], option=orjson.OPT_SORT_KEYS)),
        "record_key": _digest(_ENCODER.encode(given).encode()),
    }


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
"""Not orjson, which may write floats in another way in another version: digests are compared with old ones."""


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()[:16]


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
            known = sa.select(memories.c.seq).where(memories.c.project == row["project"], same).limit(1)
            if connection.execute(known).first() is None:
                connection.execute(sa.insert(memories), row)
                added.append(row)
    return added


def import_rows(store: Store, project: str, rows: list[dict[str, Any]]) -> list[str | None]:
    """Store the rows, all of this project, that are not there in every detail.

    Says of each row what became of it: "added", "known", or None where another memory has its id.
    """
    done: list[str | None] = []
    mine = sa.select(memories.c.record_key, memories.c.id).where(memories.c.project == project)
    with store.write() as connection:
        keys, ids = set(), set()
        for column in (memories.c.record_key, memories.c.id):
            found = connection.execute(mine.where(column.in_([row[column.name] for row in rows]))).all()
            keys |= {key for key, _ in found}
            ids |= {memory_id for _, memory_id in found}
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


def _selected(project: str, filters: Filter, now: datetime, *, show_expired: bool) -> sa.ColumnElement[bool]:
    wanted = [memories.c.project == project, clause(filters)]
    return sa.and_(*wanted) if show_expired else sa.and_(*wanted, _current(now))


def _current(now: datetime) -> sa.ColumnElement[bool]:
    """What has not expired. The day itself still counts; what is no date never expires."""
    today = clock.microseconds(now.replace(hour=0, minute=0, second=0, microsecond=0))
    return sa.or_(memories.c.expires_us.is_(None), memories.c.expires_us >= today)


_RECORD: Final = tuple(
    memories.c[name]
    for name in (
        "id",
        "memory",
        *ENTITY_FIELDS,
        "metadata",
        "categories",
        "expiration_date",
        "created_at",
        "updated_at",
    )
)
"""The columns that `record_of` takes."""

_IN_ORDER: Final = (memories.c.created_us, memories.c.seq)


def page(
    store: Store, project: str, filters: Filter, now: datetime, *, show_expired: bool, offset: int, limit: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many memories the filters select, and the records of some of them, oldest first."""
    wanted = _selected(project, filters, now, show_expired=show_expired)
    with store.read() as connection:
        count = connection.scalar(_COUNT.where(wanted)) or 0
        rows = connection.execute(
            sa.select(*_RECORD).where(wanted).order_by(*_IN_ORDER).offset(min(offset, count)).limit(limit)
        )
        return count, [record_of(row) for row in rows]


class Batch:
    """Some memories of the store, in order."""

    def __init__(self, store: Store, seqs: array[int]) -> None:
        self._store = store
        self._seqs = orjson.dumps(seqs.tolist()).decode()
        self.size = len(seqs)

    def records(self) -> list[dict[str, Any]]:
        """Them as records."""
        with self._store.read() as connection:
            return [record_of(row) for row in connection.exec_driver_sql(_RECORDS, (self._seqs,))]

    def objects(self, fields: Mapping[str, str]) -> str | None:
        """Them as JSON objects with commas between them: for each name the record's field of the store.

        None where one of them has no value for one of the fields. The database writes the text.
        """
        pairs = ", ".join(f"?, {_WRITTEN[field]}" for field in fields.values())
        absent = " OR ".join(f"{field} IS NULL" for field in fields.values())
        query = f"SELECT sum({absent}), json_group_array(json_object({pairs})) FROM ({_RECORDS})"  # noqa: S608
        with self._store.read() as connection:
            lacking, text = connection.exec_driver_sql(query, (*fields, self._seqs)).one()
        return None if lacking else text[1:-1]


_RECORDS: Final = (
    f"SELECT {', '.join(column.name for column in _RECORD)} FROM memories "  # noqa: S608 -- names of columns
    "WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY created_us, seq"
)
_WRITTEN: Final = {
    column.name: f"json({column.name})" if column.name in {"metadata", "categories"} else column.name
    for column in _RECORD
}


def through(store: Store, project: str, filters: Filter, now: datetime) -> Iterator[Batch]:
    """All memories that the filters select now and that have not expired, oldest first, in batches.

    What is added afterwards is left out. No transaction is open between two batches: one would keep SQLite from
    tidying up, and a store in memory from answering.
    """
    wanted = _selected(project, filters, now, show_expired=False)
    seqs = array("q")
    with store.read() as connection:
        for chunk in connection.execute(sa.select(memories.c.seq).where(wanted).order_by(*_IN_ORDER)).partitions(
            10_000
        ):
            seqs.extend(seq for (seq,) in chunk)
    for start in range(0, len(seqs), _BATCH):
        yield Batch(store, seqs[start : start + _BATCH])


def record_of(row: Sequence[Any]) -> dict[str, Any]:
    """A memory as the API and the extractor see it, with the run under the name `run_id`."""
    id_, memory, user, agent, app, run, metadata, categories, expiration_date, created_at, updated_at = row
    return {
        "id": id_,
        "memory": memory,
        "user_id": user,
        "agent_id": agent,
        "app_id": app,
        "run_id": run,
        "metadata": None if metadata is None else load(metadata),
        "categories": None if categories is None else load(categories),
        "expiration_date": expiration_date,
        "created_at": created_at,
        "updated_at": updated_at,
    }


def entities(store: Store, project: str) -> list[Entity]:
    """All entities that have memories, by type and name."""
    found: list[Entity] = []
    with store.read() as connection:
        for kind, column_name in _KINDS.items():
            column = memories.c[column_name]
            rows = connection.execute(
                sa.select(column, sa.func.min(memories.c.created_us), sa.func.max(memories.c.updated_us))
                .where(memories.c.project == project, column.is_not(None))
                .group_by(column)
                .order_by(column)
            )
            found += [
                Entity(name, kind, clock.text_at(created), clock.text_at(updated)) for name, created, updated in rows
            ]
    return found
