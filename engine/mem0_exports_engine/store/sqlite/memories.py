"""Add, import, list and read memories. Every query is limited to one project."""

from __future__ import annotations

import time

from array import array
from typing import TYPE_CHECKING, Any, Final

import orjson
import sqlalchemy as sa

from mem0_exports.facts import ENTITY_TYPES
from mem0_exports_engine import clock
from mem0_exports_engine.failures import TooLarge
from mem0_exports_engine.limits import MAX_PAGE, MAX_SECONDS
from mem0_exports_engine.store.rows import RECORD_FIELDS, record_of
from mem0_exports_engine.store.sqlite.batches import SqliteBatch
from mem0_exports_engine.store.sqlite.filters import clause, is_large
from mem0_exports_engine.store.sqlite.sameness import Known
from mem0_exports_engine.store.sqlite.tables import memories


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.ports import ImportOutcome, Incoming, OnConflict, Record, Row
    from mem0_exports_engine.store.sqlite.database import Database

_MAX_BATCH: Final = 2000
"""The most memories in one batch of an export."""

_MAX_DUMPED: Final = 200
"""The most memories that `everything` reads at once. Each can take megabytes."""

_COLUMNS: Final = [column.name for column in memories.columns if column.name != "seq"]
_INSERT: Final = f"INSERT INTO memories ({', '.join(_COLUMNS)}) VALUES (:{', :'.join(_COLUMNS)})"  # noqa: S608

# Two searches, each with an index of its own. SQLite answers one search with OR by reading all memories of the project.
_KNOWN: Final = """
SELECT 1 FROM memories
WHERE text_key = :text_key AND project = :project AND (expires_us IS NULL OR expires_us >= :today)
UNION ALL
SELECT 1 FROM memories WHERE record_key = :record_key AND project = :project
LIMIT 1
"""

_COUNT: Final = sa.select(sa.func.count()).select_from(memories)

_RECORD: Final = tuple(memories.c[name] for name in RECORD_FIELDS)

_IN_ORDER: Final = (memories.c.created_us, memories.c.seq)
"""Oldest first. The seq makes the order total. Without it, pages could repeat or skip memories with equal times."""


class SqliteMemories:
    """Implement `ports.MemoryStore` with SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rows: list[Row], now: datetime) -> list[Row]:
        """Store each row, unless a memory with the same text and entity ids exists. Return the rows that were added.

        A memory that has expired does not prevent this, unless it equals the row in every field, because record keys
        are unique.
        """
        today = _today(now)
        added: list[Row] = []
        with self._database.write() as connection:
            for row in rows:
                if connection.exec_driver_sql(_KNOWN, {**row, "today": today}).first() is None:
                    connection.exec_driver_sql(_INSERT, row)
                    added.append(row)
        return added

    def import_rows(self, project: str, incoming: list[Incoming], on_conflict: OnConflict) -> list[ImportOutcome]:
        """Store the rows that are new; all must be of this project. Return one outcome per row; see `sameness`."""
        outcomes: list[ImportOutcome] = []
        fresh: dict[str, Row] = {}
        with self._database.write() as connection:
            known = Known(connection, project, [each.row for each in incoming])
            for each in incoming:
                row, same = each.row, known.same(each)
                if same is None:
                    fresh[row["id"]] = row
                    known.put(row)
                    outcomes.append("added")
                elif known.is_unchanged(each, same):
                    outcomes.append("known")
                elif on_conflict == "update":
                    changed = {**row, "id": same["id"]}
                    for name in ("created", "updated"):  # times that the record does not have stay as they are
                        if f"{name}_us" not in each.times:
                            changed |= {key: same[key] for key in (f"{name}_us", f"{name}_at")}
                    if same["id"] in fresh:
                        fresh[same["id"]] = changed
                    else:
                        connection.execute(sa.update(memories).where(_has_id(project, same["id"])).values(changed))
                    known.put(changed)
                    outcomes.append("updated")
                else:
                    outcomes.append("skipped" if on_conflict == "skip" else "conflict")
            if fresh:
                # The rows need no conversion, and this is faster for many.
                connection.exec_driver_sql(_INSERT, list(fresh.values()))
        return outcomes

    def page(
        self, project: str, filters: Filter, now: datetime, *, show_expired: bool, offset: int, limit: int
    ) -> tuple[int, list[Record]]:
        """Return the number of selected memories, and at most `limit` of them starting at `offset`, oldest first.

        Raises Interrupted if that takes more than MAX_SECONDS of CPU time, and TooLarge for more than MAX_PAGE characters.
        """
        selected = _selected(project, filters, now, show_expired=show_expired)
        end = time.thread_time() + MAX_SECONDS
        with self._database.read(lambda: time.thread_time() > end, cached=not is_large(filters)) as connection:
            count = connection.scalar(_COUNT.where(selected)) or 0
            rows = connection.execute(
                # The offset comes from the request and may be larger than the 64 bits that SQLite takes.
                sa.select(*_RECORD).where(selected).order_by(*_IN_ORDER).offset(min(offset, count)).limit(limit)
            )
            return count, [*_limited(rows)]

    def everything(self, project: str) -> Iterator[Record]:
        """Iterate over all memories of a project, expired ones too, in the order of their arrival.

        Memories that are added meanwhile are left out. No transaction stays open between two batches; see `batches`.
        """
        mine = memories.c.project == project
        with self._database.read() as connection:
            last = connection.scalar(sa.select(sa.func.max(memories.c.seq)).where(mine)) or 0
        after = 0
        while after < last:
            with self._database.read() as connection:
                rows = connection.execute(
                    sa.select(memories.c.seq, *_RECORD)
                    .where(mine, memories.c.seq > after, memories.c.seq <= last)
                    .order_by(memories.c.seq)
                    .limit(_MAX_DUMPED)
                ).all()
            if not rows:
                return
            after = rows[-1].seq
            for row in rows:
                yield record_of(row[1:])

    def get(self, project: str, memory_id: str) -> Record | None:
        """Return a memory, even if it has expired. None if the project has no memory with this id."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(*_RECORD).where(_has_id(project, memory_id))).first()
        return None if row is None else record_of(row)

    def delete(self, project: str, memory_id: str) -> bool:
        """Delete a memory. Return whether the project had a memory with this id.

        Its seq is never used again (see `tables.memories`), because running exports have chosen their memories by seq.
        """
        with self._database.write() as connection:
            return connection.execute(sa.delete(memories).where(_has_id(project, memory_id))).rowcount > 0

    def batches(
        self, project: str, filters: Filter, now: datetime, should_stop: Callable[[], bool] | None = None
    ) -> Iterator[SqliteBatch]:
        """Yield the memories that the filters select now and that have not expired, oldest first.

        The memories are selected once, when iteration starts. Memories that are added later are left out, and so are
        those that are deleted before their batch is read. No transaction stays open between batches, because it would
        keep SQLite from truncating the WAL, and would block an in-memory store. Raises Interrupted once `should_stop` returns True.
        """
        selected = _selected(project, filters, now, show_expired=False)
        ordered = sa.select(memories.c.seq).where(selected).order_by(*_IN_ORDER).subquery()
        with self._database.read(should_stop, cached=not is_large(filters)) as connection:
            seqs = array(
                "q", orjson.loads(connection.scalar(sa.select(sa.func.json_group_array(ordered.c.seq))) or "[]")
            )
        for start in range(0, len(seqs), _MAX_BATCH):
            yield from SqliteBatch(self._database, seqs[start : start + _MAX_BATCH], should_stop).in_pieces()

    def entities(self, project: str, *, offset: int, limit: int) -> tuple[dict[str, int], list[dict[str, str]]]:
        """Return the number of users, agents, apps and runs that have memories, and at most `limit` from `offset` on.

        Each has a name, type, created_at and updated_at. They are ordered by type and name.
        """
        totals: dict[str, int] = {}
        page: list[dict[str, str]] = []
        with self._database.read() as connection:
            for kind, field in ENTITY_TYPES.items():
                column = memories.c[field]
                of_kind = sa.and_(memories.c.project == project, column.is_not(None))
                before = sum(totals.values())
                totals[kind] = connection.scalar(sa.select(sa.func.count(column.distinct())).where(of_kind)) or 0
                rows = connection.execute(
                    sa.select(column, sa.func.min(memories.c.created_us), sa.func.max(memories.c.updated_us))
                    .where(of_kind)
                    .group_by(column)
                    .order_by(column)
                    .offset(min(max(0, offset - before), totals[kind]))  # SQLite takes no more than 64 bits
                    .limit(limit - len(page))
                )
                page += [
                    {
                        "name": name,
                        "type": kind,
                        "created_at": clock.text_at(created),
                        "updated_at": clock.text_at(updated),
                    }
                    for name, created, updated in rows
                ]
        return totals, page


def _limited(rows: sa.CursorResult[Any]) -> Iterator[Record]:
    """Yield the records of rows, which are read one by one. Raises TooLarge before they take too much memory."""
    size = 0
    for row in rows:
        size += len(row.memory) + len(row.metadata or "")
        if size > MAX_PAGE:
            raise TooLarge
        yield record_of(row)


def _has_id(project: str, memory_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(memories.c.project == project, memories.c.id == memory_id)


def _selected(project: str, filters: Filter, now: datetime, *, show_expired: bool) -> sa.ColumnElement[bool]:
    conditions = [memories.c.project == project, clause(filters)]
    return sa.and_(*conditions) if show_expired else sa.and_(*conditions, _current(now))


def _current(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition for memories that have not expired.

    A memory is valid through the whole of its expiration date, in UTC. A memory whose date cannot be read never
    expires.
    """
    return sa.or_(memories.c.expires_us.is_(None), memories.c.expires_us >= _today(now))


def _today(now: datetime) -> int:
    return clock.microseconds(now.replace(hour=0, minute=0, second=0, microsecond=0))
