"""Memories in the store: adding, importing, listing, and whom they are about. Always those of one project."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, Literal

import orjson
import sqlalchemy as sa

from mem0_exports.facts import ENTITY_TYPES
from mem0_exports_engine import clock
from mem0_exports_engine.store.rows import RECORD_FIELDS, record_of
from mem0_exports_engine.store.sqlite.batches import SqliteBatch
from mem0_exports_engine.store.sqlite.filters import clause
from mem0_exports_engine.store.sqlite.tables import memories


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.ports import Record, Row
    from mem0_exports_engine.store.sqlite.database import Database

_MAX_BATCH: Final = 2000
"""Memories that are read at once when all that match are gone through."""

_COLUMNS: Final = [column.name for column in memories.columns if column.name != "seq"]
_INSERT: Final = f"INSERT INTO memories ({', '.join(_COLUMNS)}) VALUES (:{', :'.join(_COLUMNS)})"  # noqa: S608

_COUNT: Final = sa.select(sa.func.count()).select_from(memories)

_RECORD: Final = tuple(memories.c[name] for name in RECORD_FIELDS)

_IN_ORDER: Final = (memories.c.created_us, memories.c.seq)


class SqliteMemories:
    """A `ports.MemoryStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rows: list[Row], now: datetime) -> list[Row]:
        """Store the rows whose text their owners do not have, or only in memories that have expired; returns those.

        A row that equals one that has expired in every detail is no other memory, and is not stored either.
        """
        current = _current(now)
        added: list[Row] = []
        with self._database.write() as connection:
            for row in rows:
                same = sa.or_(
                    sa.and_(memories.c.text_key == row["text_key"], current), memories.c.record_key == row["record_key"]
                )
                known = sa.select(memories.c.seq).where(memories.c.project == row["project"], same).limit(1)
                if connection.execute(known).first() is None:
                    connection.execute(sa.insert(memories), row)
                    added.append(row)
        return added

    def import_rows(self, project: str, rows: list[Row]) -> list[Literal["added", "known"] | None]:
        """Store the rows, all of this project, that are not there in every detail.

        Says of each row what became of it: "added", "known", or None where another memory has its id.
        """
        done: list[Literal["added", "known"] | None] = []
        mine = sa.select(memories.c.record_key, memories.c.id).where(memories.c.project == project)
        with self._database.write() as connection:
            keys, ids = set(), set()
            for column in (memories.c.record_key, memories.c.id):
                found = connection.execute(mine.where(column.in_([row[column.name] for row in rows]))).all()
                keys |= {key for key, _ in found}
                ids |= {memory_id for _, memory_id in found}
            fresh: list[Row] = []
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

    def page(
        self, project: str, filters: Filter, now: datetime, *, show_expired: bool, offset: int, limit: int
    ) -> tuple[int, list[Record]]:
        """How many memories the filters select, and the records of some of them, oldest first."""
        wanted = _selected(project, filters, now, show_expired=show_expired)
        with self._database.read() as connection:
            count = connection.scalar(_COUNT.where(wanted)) or 0
            found = connection.execute(
                sa.select(*_RECORD).where(wanted).order_by(*_IN_ORDER).offset(min(offset, count)).limit(limit)
            )
            return count, [record_of(row) for row in found]

    def batches(self, project: str, filters: Filter, now: datetime) -> Iterator[SqliteBatch]:
        """All memories that the filters select now and that have not expired, oldest first, in batches.

        What is added afterwards is left out. No transaction is open between two batches: one would keep SQLite from
        tidying up, and a store in memory from answering.
        """
        wanted = _selected(project, filters, now, show_expired=False)
        ordered = sa.select(memories.c.seq).where(wanted).order_by(*_IN_ORDER).subquery()
        with self._database.read() as connection:
            seqs = array(
                "q", orjson.loads(connection.scalar(sa.select(sa.func.json_group_array(ordered.c.seq))) or "[]")
            )
        for start in range(0, len(seqs), _MAX_BATCH):
            yield from SqliteBatch(self._database, seqs[start : start + _MAX_BATCH]).in_pieces()

    def entities(self, project: str) -> list[dict[str, str]]:
        """Return all users, agents, apps and runs that have memories: name, type, created_at, updated_at."""
        found: list[dict[str, str]] = []
        with self._database.read() as connection:
            for kind, field in ENTITY_TYPES.items():
                column = memories.c[field]
                rows = connection.execute(
                    sa.select(column, sa.func.min(memories.c.created_us), sa.func.max(memories.c.updated_us))
                    .where(memories.c.project == project, column.is_not(None))
                    .group_by(column)
                    .order_by(column)
                )
                found += [
                    {
                        "name": name,
                        "type": kind,
                        "created_at": clock.text_at(created),
                        "updated_at": clock.text_at(updated),
                    }
                    for name, created, updated in rows
                ]
        return found


def _selected(project: str, filters: Filter, now: datetime, *, show_expired: bool) -> sa.ColumnElement[bool]:
    wanted = [memories.c.project == project, clause(filters)]
    return sa.and_(*wanted) if show_expired else sa.and_(*wanted, _current(now))


def _current(now: datetime) -> sa.ColumnElement[bool]:
    """What has not expired. The day itself still counts; what is no date never expires."""
    today = clock.microseconds(now.replace(hour=0, minute=0, second=0, microsecond=0))
    return sa.or_(memories.c.expires_us.is_(None), memories.c.expires_us >= today)
