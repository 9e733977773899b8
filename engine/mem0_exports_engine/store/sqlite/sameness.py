"""Find the memory of the store that an imported record is.

Two records are the same memory if they have the same id. A record without an id is the memory that agrees with it in
text, user, agent, app, run, metadata, categories and expiration date, and in those of its two times that the record
has. If there is none, the record gets an id that is derived from it, so that it has the same id in every store, and the
order in which files are imported does not matter: a record with an id is the memory of a record without one if the two
agree in this way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mem0_exports_engine.store import rows


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mem0_exports_engine.ports import Incoming, Row
    from mem0_exports_engine.store.sqlite.connections import Connection

    _Key: TypeAlias = tuple[Any, ...]

_TIMES: Final = ((), ("created_us",), ("updated_us",), ("created_us", "updated_us"))
"""The times that a record can have."""

_MAX_VALUES: Final = 1000
"""The most values that are looked for at once."""

_COLUMNS: Final = ", ".join(rows.MEMORY_COLUMNS)


class Known:
    """The memories of a project that the rows of one batch could be, and the rows of the batch that were stored."""

    def __init__(self, connection: Connection, project: str, batch: list[Row]) -> None:
        self._by_id: dict[str, Row] = {}
        self._by_record: dict[bytes, Row] = {}
        self._by_text: dict[bytes, _SameText] = {}
        self._connection = connection
        self._project = project
        for column in ("id", "record_key"):
            for row in self._find(column, {each[column] for each in batch}):
                self.put(row)
        # Texts can be much the same, so they are looked up only for records that nothing else identifies.
        self._put_alike([each for each in batch if self._certain(each) is None])

    def _find(self, column: str, wanted: set[Any]) -> Iterator[Row]:
        """Yield the memories of the project with one of these values in a column, except those that are known."""
        some = [*wanted]
        for start in range(0, len(some), _MAX_VALUES):
            values = some[start : start + _MAX_VALUES]
            marks = ", ".join("?" * len(values))
            query = f"SELECT {_COLUMNS} FROM memories WHERE project = ? AND {column} IN ({marks})"
            for found in self._connection.execute(query, (self._project, *values)):
                row = dict(zip(rows.MEMORY_COLUMNS, found, strict=True))
                if row["id"] not in self._by_id:
                    yield row

    def _put_alike(self, uncertain: list[Row]) -> None:
        """Add the memories that agree with one of these rows. Others with the same text are not kept in memory."""
        by_text: dict[bytes, list[Row]] = {}
        for each in uncertain:
            by_text.setdefault(each["text_key"], []).append(each)
        wanted: dict[bytes, set[_Key]] = {}
        for row in self._find("text_key", {*by_text}):
            text_key = row["text_key"]
            if text_key not in wanted:
                wanted[text_key] = {*map(rows.content_key, by_text[text_key])}
            if rows.content_key(row) in wanted[text_key]:
                self.put(row)

    def put(self, row: Row) -> None:
        """Add a row that was stored, or replace the one with its id."""
        replaced = self._by_id.get(row["id"])
        if replaced is not None:
            self._by_text[replaced["text_key"]].remove(replaced)
            self._by_record.pop(replaced["record_key"], None)
        self._by_id[row["id"]] = row
        self._by_record[row["record_key"]] = row
        self._by_text.setdefault(row["text_key"], _SameText()).add(row)

    def _certain(self, row: Row) -> Row | None:
        return self._by_id.get(row["id"]) or self._by_record.get(row["record_key"])

    def same(self, incoming: Incoming) -> Row | None:
        """Return the row of the memory that a record is, or None if it is a new one."""
        found = self._certain(incoming.row)
        if found is not None:
            return found
        alike = self._by_text.get(incoming.row["text_key"])
        return None if alike is None else alike.find(incoming)

    def is_unchanged(self, incoming: Incoming, same: Row) -> bool:
        """Return whether the store has the memory in the version of the record."""
        row = incoming.row
        return same["record_key"] == row["record_key"] or _key(same, incoming.times) == _key(row, incoming.times)


def _key(row: Row, times: Sequence[str]) -> _Key:
    return rows.content_key(row), *((name, row[name]) for name in times)


class _SameText:
    """Rows with the same text and entities, found by the rest of their content without comparing each with each.

    Most texts stand in one row, which is never looked up. So a row is prepared only when another one is looked for.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._new: list[Row] = []
        self._alike: dict[_Key, dict[str, Row]] = {}
        self._derived: dict[_Key, dict[str, Row]] = {}
        """Only the rows whose ids are derived."""

    def add(self, row: Row) -> None:
        self._rows[row["id"]] = row
        self._new.append(row)

    def remove(self, row: Row) -> None:
        del self._rows[row["id"]]

    def find(self, incoming: Incoming) -> Row | None:
        """Return the first row that agrees with a record; for one with an id, only among rows with derived ids."""
        for row in self._new:
            is_derived = row["id"] == rows.derived_id(row["record_key"])
            for times in _TIMES:
                key = _key(row, times)
                self._alike.setdefault(key, {})[row["id"]] = row
                if is_derived:
                    self._derived.setdefault(key, {})[row["id"]] = row
        self._new.clear()
        found = (self._derived if incoming.has_id else self._alike).get(_key(incoming.row, incoming.times), {})
        while found:
            first, row = next(iter(found.items()))
            if self._rows.get(first) is row:
                return row
            del found[first]  # it was removed or replaced
        return None
