"""Add, import, list and read memories. Every query is limited to one project."""

from __future__ import annotations

import contextlib
import json
import time

from array import array
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.facts import ENTITY_TYPES
from mem0_exports_engine import clock
from mem0_exports_engine.failures import StoreError, TooLarge
from mem0_exports_engine.limits import MAX_PAGE, MAX_SECONDS
from mem0_exports_engine.store.rows import RECORD_FIELDS, record_of
from mem0_exports_engine.store.sqlite.batches import SqliteBatch
from mem0_exports_engine.store.sqlite.filters import clause
from mem0_exports_engine.store.sqlite.listings import MAX_SPREAD, Listing, Listings, Place
from mem0_exports_engine.store.sqlite.sameness import Known
from mem0_exports_engine.store.sqlite.tables import INSERT_MEMORY, UPDATE_MEMORY


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.ports import ImportOutcome, Incoming, OnConflict, Record, Row
    from mem0_exports_engine.store.sqlite.connections import Connection
    from mem0_exports_engine.store.sqlite.database import Database
    from mem0_exports_engine.store.sqlite.listings import Key

_MAX_BATCH: Final = 2000
"""The most memories in one batch of an export."""

_MIN_STATISTICS: Final = 1000
"""Below so many memories, no statistics are kept: any plan is fast."""

_OUTDATED: Final = 8
"""Statistics that a store already has are made again when it is opened with so many times more memories. They estimate the
number of memories, and can be off by a factor of three."""

_FAR: Final = 2000
"""More rows than this are not stepped over to find a page."""

_FAR_ENTITIES: Final = 200
"""The same for entities, each of which can have many memories."""

_MAX_FETCHED: Final = 10_000
"""How many numbers of memories are fetched at once."""

_LARGE: Final = 10_000
"""The most characters of a filter whose list is remembered."""

_MAX_DUMPED: Final = 200
"""The most memories that `everything` reads at once. Each can take megabytes."""

# Two searches, each with an index of its own. SQLite answers one search with OR by reading all memories of the project.
_KNOWN: Final = """
SELECT 1 FROM memories
WHERE text_key = :text_key AND project = :project AND (expires_us IS NULL OR expires_us >= :today)
UNION ALL
SELECT 1 FROM memories WHERE record_key = :record_key AND project = :project
LIMIT 1
"""

_RECORD: Final = ", ".join(RECORD_FIELDS)

_IN_ORDER: Final = "created_us, seq"
"""Oldest first. The seq makes the order total. Without it, pages could repeat or skip memories with equal times."""

_BY_ID: Final = "project = ? AND id = ?"


class SqliteMemories:
    """Implement `ports.MemoryStore` with SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listings = Listings()
        self._next_statistics = _MIN_STATISTICS
        with contextlib.suppress(StoreError):  # a damaged store is reported by those who use it
            with database.read() as connection:
                last = newest(connection)
                if last < _OUTDATED * _analysed(connection):
                    self._next_statistics = 2 * last
            self.keep_statistics(last)

    def add(self, rows: list[Row], now: datetime) -> list[Row]:
        """Store each row, unless a memory with the same text and entity ids exists. Return the rows that were added.

        A memory that has expired does not prevent this, unless it equals the row in every field, because record keys
        are unique.
        """
        today = _today(now)
        added: list[Row] = []
        with self._database.write() as connection:
            for row in rows:
                if connection.row(_KNOWN, {**row, "today": today}) is None:
                    connection.execute(INSERT_MEMORY, row)
                    added.append(row)
            if added:
                changed(connection, added[0]["project"])
            last = newest(connection)
        self.keep_statistics(last)
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
                    replacement = {**row, "id": same["id"]}
                    for name in ("created", "updated"):  # times that the record does not have stay as they are
                        if f"{name}_us" not in each.times:
                            replacement |= {key: same[key] for key in (f"{name}_us", f"{name}_at")}
                    if same["id"] in fresh:
                        fresh[same["id"]] = replacement
                    else:
                        connection.execute(UPDATE_MEMORY, replacement)
                    known.put(replacement)
                    outcomes.append("updated")
                else:
                    outcomes.append("skipped" if on_conflict == "skip" else "conflict")
            if fresh:
                connection.execute_many(INSERT_MEMORY, [*fresh.values()])
            if fresh or "updated" in outcomes:
                changed(connection, project)
            last = newest(connection)
        self.keep_statistics(last)
        return outcomes

    def page(
        self, project: str, filters: Filter, now: datetime, *, show_expired: bool, offset: int, limit: int
    ) -> tuple[int, list[Record]]:
        """Return the number of selected memories, and at most `limit` of them starting at `offset`, oldest first.

        Raises Interrupted if that takes more than MAX_SECONDS of CPU time, and TooLarge for more than MAX_PAGE characters.
        """
        selected, values = _selected(project, filters, now, show_expired=show_expired)
        end = time.thread_time() + MAX_SECONDS
        with self._database.read(lambda: time.thread_time() > end) as connection:
            listing = self._listing(connection, project, filters, None if show_expired else _today(now))
            count = listing.count
            if count is None:
                count = listing.count = connection.value(f"SELECT count(*) FROM memories WHERE {selected}", values)
            assert count is not None  # count(*) is a number
            if offset >= count:
                return count, []
            place = listing.nearest(offset)
            if offset - place.offset > _FAR:
                _spread(connection, listing, _IN_ORDER, f"memories WHERE {selected}", values, _FAR)
                place = listing.nearest(offset)
            query, used = f"SELECT {_RECORD}, {_IN_ORDER} FROM memories WHERE {selected}", values
            if place.key is not None:
                # Two searches, each with an index. SQLite answers (created_us, seq) > (?, ?) by stepping over all
                # memories of the same time.
                query = f"{query} AND created_us = ? AND seq > ? UNION ALL {query} AND created_us > ?"
                used = [*values, *place.key, *values, place.key[0]]
            rows = connection.execute(
                f"{query} ORDER BY {_IN_ORDER} LIMIT ? OFFSET ?", (*used, limit, offset - place.offset)
            )
            keys: list[Key] = []
            records = [*_limited(rows, keys)]
            if keys:
                listing.page_ended(Place(offset + len(keys), keys[-1]))
            return count, records

    def _listing(self, connection: Connection, project: str, filters: Filter, today: int | None) -> Listing:
        """Return what is known about the list of the memories that a filter selects. `today`: unless expired ones count."""
        name = json.dumps(filters.to_dict())
        revision = _revision(connection, project)
        return Listing(revision) if len(name) > _LARGE else self._listings.of((project, name, today), revision)

    def keep_statistics(self, newest: int) -> None:
        """Tell SQLite how many memories there are and how they are spread, whenever their number has doubled.

        Without statistics, SQLite answers a filter with OR by reading all memories of the project. It looks only at a
        few hundred entries of each index, which takes a few milliseconds. `newest` is the seq of the newest memory.
        """
        if newest < self._next_statistics:
            return
        self._next_statistics = 2 * newest
        with contextlib.suppress(StoreError), self._database.write() as connection:  # it is only slower without them
            connection.execute("PRAGMA analysis_limit = 400")
            connection.execute("ANALYZE memories")

    def everything(self, project: str) -> Iterator[Record]:
        """Iterate over all memories of a project, expired ones too, in the order of their arrival.

        Memories that are added meanwhile are left out. No transaction stays open between two batches; see `batches`.
        """
        with self._database.read() as connection:
            last = connection.value("SELECT max(seq) FROM memories WHERE project = ?", (project,)) or 0
        after = 0
        while after < last:
            with self._database.read() as connection:
                rows = connection.execute(
                    f"SELECT seq, {_RECORD} FROM memories WHERE project = ? AND seq > ? AND seq <= ? "
                    "ORDER BY seq LIMIT ?",
                    (project, after, last, _MAX_DUMPED),
                ).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            for row in rows:
                yield record_of(row[1:])

    def get(self, project: str, memory_id: str) -> Record | None:
        """Return a memory, even if it has expired. None if the project has no memory with this id."""
        with self._database.read() as connection:
            row = connection.row(f"SELECT {_RECORD} FROM memories WHERE {_BY_ID}", (project, memory_id))
        return None if row is None else record_of(row)

    def delete(self, project: str, memory_id: str) -> bool:
        """Delete a memory. Return whether the project had a memory with this id.

        Its seq is never used again (see `tables.memories`), because running exports have chosen their memories by seq.
        """
        with self._database.write() as connection:
            deleted = connection.execute(f"DELETE FROM memories WHERE {_BY_ID}", (project, memory_id)).rowcount > 0
            if deleted:
                changed(connection, project)
            return deleted

    def batches(
        self, project: str, filters: Filter, now: datetime, should_stop: Callable[[], bool] | None = None
    ) -> Iterator[SqliteBatch]:
        """Yield the memories that the filters select now and that have not expired, oldest first.

        The memories are selected once, when iteration starts. Memories that are added later are left out, and so are
        those that are deleted before their batch is read. No transaction stays open between batches, because it would
        keep SQLite from truncating the WAL, and would block an in-memory store. Raises Interrupted once `should_stop` returns True.
        """
        selected, values = _selected(project, filters, now, show_expired=False)
        ordered = f"SELECT seq FROM memories WHERE {selected} ORDER BY {_IN_ORDER}"
        with self._database.read(should_stop) as connection:
            seqs = array("q")
            rows = connection.execute(ordered, values)
            while some := rows.fetchmany(_MAX_FETCHED):  # a list of a million numbers would take 40 MB
                seqs.extend(seq for (seq,) in some)
        for start in range(0, len(seqs), _MAX_BATCH):
            yield from SqliteBatch(self._database, seqs[start : start + _MAX_BATCH], should_stop).in_pieces()

    def entities(self, project: str, *, offset: int, limit: int) -> tuple[dict[str, int], list[dict[str, str]]]:
        """Return the number of users, agents, apps and runs that have memories, and at most `limit` from `offset` on.

        Each has a name, type, created_at and updated_at. They are ordered by type and name.
        """
        totals: dict[str, int] = {}
        page: list[dict[str, str]] = []
        with self._database.read() as connection:
            revision = _revision(connection, project)
            for kind, field in ENTITY_TYPES.items():
                listing = self._listings.of((project, kind), revision)
                of_kind = f"FROM memories WHERE project = ? AND {field} IS NOT NULL"
                if listing.count is None:
                    listing.count = connection.value(f"SELECT count(DISTINCT {field}) {of_kind}", (project,))
                    entities = f"(SELECT DISTINCT {field} {of_kind})"
                    _spread(connection, listing, field, entities, [project], _FAR_ENTITIES)
                first = max(0, offset - sum(totals.values()))
                totals[kind] = listing.count or 0
                if first >= totals[kind] or len(page) == limit:
                    continue
                place = listing.nearest(first)
                after = "" if place.key is None else f"AND {field} > ?"
                rows = connection.execute(
                    f"SELECT {field}, min(created_us), max(updated_us) {of_kind} {after} "
                    f"GROUP BY {field} ORDER BY {field} LIMIT ? OFFSET ?",
                    (project, *(place.key or ()), limit - len(page), first - place.offset),
                ).fetchall()
                listing.page_ended(Place(first + len(rows), rows[-1][:1]))
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


def _revision(connection: Connection, project: str) -> int:
    """Return a number that is another one after each change of the memories of a project."""
    return connection.value("SELECT memories FROM revisions WHERE project = ?", (project,)) or 0


def _spread(connection: Connection, listing: Listing, order: str, rows: str, values: list[Any], far: int) -> None:
    """Find places all over a list, in one pass, at least `far` rows from each other; only once for each list.

    `order` are the columns by which the rows are ordered.
    """
    count = listing.count or 0
    if listing.is_spread or count <= far:
        return
    numbered = f"SELECT {order}, row_number() OVER (ORDER BY {order}) AS number FROM {rows}"
    step = max(far, count // MAX_SPREAD)
    found = connection.execute(f"SELECT {order}, number FROM ({numbered}) WHERE number % ? = 0", (*values, step))
    listing.spread(Place(number, tuple(key)) for *key, number in found)


def newest(connection: Connection) -> int:
    """Return the seq of the newest memory that was ever stored."""
    return connection.value("SELECT seq FROM sqlite_sequence WHERE name = 'memories'") or 0


def _analysed(connection: Connection) -> int:
    """Return about how many memories the store had when its statistics were made; 0 if there are none."""
    if connection.row("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'") is None:
        return 0
    rows = connection.execute("SELECT stat FROM sqlite_stat1 WHERE tbl = 'memories'")
    return max((int(stat.split()[0]) for (stat,) in rows), default=0)


def changed(connection: Connection, project: str) -> None:
    """Note that memories of a project have changed."""
    connection.execute(
        "INSERT INTO revisions (project, memories) VALUES (?, 1) "
        "ON CONFLICT (project) DO UPDATE SET memories = memories + 1",
        (project,),
    )


def _limited(rows: Iterable[Sequence[Any]], keys: list[Key]) -> Iterator[Record]:
    """Yield the records of rows, which are read one by one, and add the rest of each row to `keys`.

    Raises TooLarge before they take too much memory.
    """
    size = 0
    for row in rows:
        size += len(row[_TEXT]) + len(row[_METADATA] or "")
        if size > MAX_PAGE:
            raise TooLarge
        keys.append(tuple(row[len(RECORD_FIELDS) :]))
        yield record_of(row[: len(RECORD_FIELDS)])


_TEXT, _METADATA = RECORD_FIELDS.index("memory"), RECORD_FIELDS.index("metadata")


def _selected(project: str, filters: Filter, now: datetime, *, show_expired: bool) -> tuple[str, list[Any]]:
    """Return the condition for the memories that a filter selects, and its values.

    A memory is valid through the whole of its expiration date, in UTC. A memory whose date cannot be read never expires.
    """
    values: list[Any] = [project]
    condition = f"project = ? AND {clause(filters, values)}"
    if show_expired:
        return condition, values
    return f"{condition} AND (expires_us IS NULL OR expires_us >= ?)", [*values, _today(now)]


def _today(now: datetime) -> int:
    return clock.microseconds(now.replace(hour=0, minute=0, second=0, microsecond=0))
