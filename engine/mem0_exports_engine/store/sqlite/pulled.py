"""Keep copies of the memories of a source in the store: rows with a `source`, beside those of the store's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from mem0_exports_engine.store.rows import MEMORY_COLUMNS
from mem0_exports_engine.store.sqlite.memories import changed, newest
from mem0_exports_engine.store.sqlite.tables import UPDATE_MEMORY


if TYPE_CHECKING:
    from mem0_exports_engine.ports import PullOutcome, Row
    from mem0_exports_engine.store.sqlite.database import Database
    from mem0_exports_engine.store.sqlite.memories import SqliteMemories

_COLUMNS: Final = (*MEMORY_COLUMNS, "source")

_INSERT: Final = f"INSERT INTO memories ({', '.join(_COLUMNS)}) VALUES (:{', :'.join(_COLUMNS)})"
_SOURCE: Final = "project = ? AND source = ?"


class SqlitePulled:
    """Implement `ports.PulledStore` with SQLite."""

    def __init__(self, database: Database, memories: SqliteMemories) -> None:
        self._database = database
        self._memories = memories

    def put(self, project: str, source: str, rows: list[Row]) -> list[PullOutcome]:
        """See `ports.PulledStore.put`."""
        outcomes: list[PullOutcome] = []
        with self._database.write() as connection:
            found = connection.rows(
                "SELECT id, record_key, source FROM memories "
                "WHERE project = ? AND id IN (SELECT value FROM json_each(?))",
                (project, orjson.dumps([row["id"] for row in rows]).decode()),
            )
            known = {memory_id: (record_key, its_source) for memory_id, record_key, its_source in found}
            for row in rows:
                record_key, its_source = known.get(row["id"], (None, source))
                if its_source != source:
                    outcomes.append("taken")
                elif record_key is None:
                    connection.execute(_INSERT, {**row, "source": source})
                    outcomes.append("added")
                elif record_key != row["record_key"]:
                    connection.execute(UPDATE_MEMORY, row)
                    outcomes.append("changed")
                else:
                    outcomes.append("same")
            if "added" in outcomes or "changed" in outcomes:
                changed(connection, project)
            last = newest(connection)
        self._memories.keep_statistics(last)
        return outcomes

    def ids(self, project: str, source: str, after: str, limit: int) -> list[str]:
        """See `ports.PulledStore.ids`."""
        with self._database.read() as connection:
            found = connection.rows(
                f"SELECT id FROM memories WHERE {_SOURCE} AND id > ? ORDER BY id LIMIT ?",
                (project, source, after, limit),
            )
        return [memory_id for (memory_id,) in found]

    def drop(self, project: str, source: str, ids: list[str]) -> int:
        """See `ports.PulledStore.drop`."""
        with self._database.write() as connection:
            dropped: int = connection.execute(
                f"DELETE FROM memories WHERE {_SOURCE} AND id IN (SELECT value FROM json_each(?))",
                (project, source, orjson.dumps(ids).decode()),
            ).rowcount
            if dropped:
                changed(connection, project)
        return dropped

    def count(self, project: str, source: str) -> int:
        """See `ports.PulledStore.count`."""
        with self._database.read() as connection:
            count: int = connection.value(f"SELECT count(*) FROM memories WHERE {_SOURCE}", (project, source))
        return count
