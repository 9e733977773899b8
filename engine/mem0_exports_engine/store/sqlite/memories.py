"""Memories in the store: adding, importing, listing, and whom they are about. Always those of one project."""

from __future__ import annotations

import hashlib
import json
import sqlite3

from array import array
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import sqlalchemy as sa

from mem0_exports.facts import ENTITY_FIELDS
from mem0_exports.filters import times as _times
from mem0_exports_engine import clock
from mem0_exports_engine.json_text import dump, load
from mem0_exports_engine.ports import Written
from mem0_exports_engine.store.sqlite.filters import clause
from mem0_exports_engine.store.sqlite.tables import memories


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.ports import Place
    from mem0_exports_engine.store.sqlite.database import Store

_BATCH: Final = 2000
"""Memories read at once, at most, when all that match are gone through."""

_BATCH_LETTERS: Final = 4_000_000
"""Letters of their texts and metadata read at once, unless it is a single memory that has more."""

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
    return None if value is None else dump(value).decode()


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


_COLUMNS: Final = [column.name for column in memories.columns if column.name != "seq"]
_INSERT: Final = f"INSERT INTO memories ({', '.join(_COLUMNS)}) VALUES (:{', :'.join(_COLUMNS)})"  # noqa: S608


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
            connection.exec_driver_sql(_INSERT, fresh)  # many rows, which need no conversion
    return done


_COUNT: Final = sa.select(sa.func.count()).select_from(memories)


def _selected(project: str, filters: Filter, now: datetime, *, show_expired: bool) -> sa.ColumnElement[bool]:
    wanted = [memories.c.project == project, clause(filters)]
    return sa.and_(*wanted) if show_expired else sa.and_(*wanted, _current(now))


def _current(now: datetime) -> sa.ColumnElement[bool]:
    """What has not expired. The day itself still counts; what is no date never expires."""
    today = clock.microseconds(now.replace(hour=0, minute=0, second=0, microsecond=0))
    return sa.or_(memories.c.expires_us.is_(None), memories.c.expires_us >= today)


FIELDS: Final = (
    *("id", "memory", *ENTITY_FIELDS),
    *("metadata", "categories", "expiration_date", "created_at", "updated_at"),
)
"""What a memory is outside the store."""

_WRITTEN: Final = {name: f"json({name})" if name in {"metadata", "categories"} else name for name in FIELDS}
"""The fields as SQL has to say them where it writes JSON."""

_RECORD: Final = tuple(memories.c[name] for name in FIELDS)

_IN_ORDER: Final = (memories.c.created_us, memories.c.seq)


def page(
    store: Store, project: str, filters: Filter, now: datetime, *, show_expired: bool, offset: int, limit: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many memories the filters select, and the records of some of them, oldest first."""
    wanted = _selected(project, filters, now, show_expired=show_expired)
    with store.read() as connection:
        count = connection.scalar(_COUNT.where(wanted)) or 0
        found = connection.execute(
            sa.select(*_RECORD).where(wanted).order_by(*_IN_ORDER).offset(min(offset, count)).limit(limit)
        )
        return count, [record_of(row) for row in found]


class Batch:
    """Some memories of the store, in order."""

    def __init__(self, store: Store, seqs: array[int]) -> None:
        self._store = store
        self._seqs = seqs
        self.size = len(seqs)

    def _ask(self, query: str, *values: str) -> Any:
        """What the database makes of these memories: one row."""
        chosen = orjson.dumps(self._seqs.tolist()).decode()
        with self._store.read() as connection:
            return connection.exec_driver_sql(f"{query} {_CHOSEN}", (*values, chosen)).one()

    def in_pieces(self) -> Iterator[Batch]:
        """Them in one batch, or in several where it would be large."""
        (text,) = self._ask("SELECT json_group_array(length(memory) + coalesce(length(metadata), 0))")
        lengths = orjson.loads(text)
        first = total = 0
        for index, length in enumerate(lengths):
            if total and total + length > _BATCH_LETTERS:
                yield Batch(self._store, self._seqs[first:index])
                first, total = index, 0
            total += length
        yield Batch(self._store, self._seqs[first:]) if first else self

    def records(self, fields: Collection[str] = FIELDS) -> list[dict[str, Any]]:
        """Them as records with these fields."""
        # One text for all of them: so the database does for each what Python would take longer for.
        (text,) = self._ask(f"SELECT json_group_array(json_array({', '.join(_WRITTEN[name] for name in fields)}))")
        return [dict(zip(fields, values, strict=True)) for values in load(text)]

    def objects(self, places: Mapping[str, Place]) -> Written | None:
        """Them as JSON objects: for each name what stands at a place of each memory, or null.

        None where one of them may have a list among its metadata. The database writes the text, if it can: before
        SQLite 3.38 it cannot, and this is always None.
        """
        if sqlite3.sqlite_version_info < (3, 38):
            return None
        pairs = ["?, metadata -> ?" if own is None else f"?, {_WRITTEN[own]}" for own, _ in places.values()]
        absent = ["metadata ->> ? IS NULL" if own is None else f"{own} IS NULL" for own, _ in places.values()]
        keys = [f'$."{key}"' for own, key in places.values() if own is None]
        named = [value for name, (own, key) in places.items() for value in ([name] if own else [name, f'$."{key}"'])]
        some_absent = " OR ".join(absent)
        lists, text, lacking = self._ask(
            "SELECT sum(instr(metadata, '[') > 0), "
            f"json_group_array(json_object({', '.join(pairs)})), "
            f"json_group_array(json_array(chosen.key, json(metadata))) FILTER (WHERE {some_absent})",
            *named,
            *keys,
        )
        return None if lists else Written(text[1:-1], load(lacking))


# A cross join keeps its order: that of the list.
_CHOSEN: Final = (
    "FROM (SELECT key, value FROM json_each(?)) AS chosen CROSS JOIN memories ON memories.seq = chosen.value"
)


def through(store: Store, project: str, filters: Filter, now: datetime) -> Iterator[Batch]:
    """All memories that the filters select now and that have not expired, oldest first, in batches.

    What is added afterwards is left out. No transaction is open between two batches: one would keep SQLite from
    tidying up, and a store in memory from answering.
    """
    wanted = _selected(project, filters, now, show_expired=False)
    ordered = sa.select(memories.c.seq).where(wanted).order_by(*_IN_ORDER).subquery()
    with store.read() as connection:
        seqs = array("q", orjson.loads(connection.scalar(sa.select(sa.func.json_group_array(ordered.c.seq))) or "[]"))
    for start in range(0, len(seqs), _BATCH):
        yield from Batch(store, seqs[start : start + _BATCH]).in_pieces()


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
