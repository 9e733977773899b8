"""Find the memory of the store that an imported record is.

Two records are the same memory if they have the same id. A record without an id is the memory that agrees with it in
text, user, agent, app, run, metadata, categories and expiration date, and in those of its two times that the record
has. If there is none, the record gets an id that is derived from it, so that it has the same id in every store, and the
order in which files are imported does not matter: a record with an id is the memory of a record without one if the two
agree in this way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from mem0_exports_engine.store.rows import derived_id, same_content
from mem0_exports_engine.store.sqlite.tables import memories


if TYPE_CHECKING:
    from collections.abc import Iterable

    from mem0_exports_engine.ports import Incoming, Row

_TIMES: Final = ("created_us", "updated_us")
_COLUMNS: Final = [column for column in memories.columns if column.name != "seq"]


class Known:
    """The memories of a project that the rows of one batch could be, and the rows of the batch that were stored."""

    def __init__(self, connection: sa.Connection, project: str, rows: list[Row]) -> None:
        self._by_id: dict[str, Row] = {}
        self._by_text: dict[bytes, list[Row]] = {}
        self._by_record: dict[bytes, Row] = {}
        mine = sa.select(*_COLUMNS).where(memories.c.project == project)

        def find(column: sa.Column[Any], rows: list[Row]) -> None:
            wanted = {row[column.name] for row in rows}
            if wanted:
                self._put_all(row._asdict() for row in connection.execute(mine.where(column.in_(wanted))))

        find(memories.c.id, rows)
        find(memories.c.record_key, rows)
        # Texts can be much the same, so they are looked up only for records that nothing else identifies.
        find(memories.c.text_key, [row for row in rows if self._certain(row) is None])

    def _put_all(self, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            if row["id"] not in self._by_id:
                self.put(row)

    def put(self, row: Row) -> None:
        """Add a row that was stored, or replace the one with its id."""
        replaced = self._by_id.get(row["id"])
        if replaced is not None:
            self._by_text[replaced["text_key"]].remove(replaced)
            self._by_record.pop(replaced["record_key"], None)
        self._by_id[row["id"]] = row
        self._by_record[row["record_key"]] = row
        self._by_text.setdefault(row["text_key"], []).append(row)

    def _certain(self, row: Row) -> Row | None:
        return self._by_id.get(row["id"]) or self._by_record.get(row["record_key"])

    def same(self, incoming: Incoming) -> Row | None:
        """Return the row of the memory that a record is, or None if it is a new one."""
        row = incoming.row
        found = self._certain(row)
        if found is not None:
            return found
        alike = (each for each in self._by_text.get(row["text_key"], ()) if same_content(each, row, incoming.times))
        if incoming.has_id:  # only a memory whose own id was derived can be the one that has this id
            return next((each for each in alike if each["id"] == derived_id(each["record_key"])), None)
        return next(alike, None)

    def is_unchanged(self, incoming: Incoming, same: Row) -> bool:
        """Return whether the store has the memory in the version of the record."""
        return same["record_key"] == incoming.row["record_key"] or same_content(same, incoming.row, incoming.times)
