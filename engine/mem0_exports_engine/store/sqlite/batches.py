"""Some memories of the store, as the extractors read them."""

from __future__ import annotations

import sqlite3

from typing import TYPE_CHECKING, Any, Final

import orjson

from mem0_exports_engine.json_text import load
from mem0_exports_engine.ports import WrittenRecords
from mem0_exports_engine.store.rows import RECORD_FIELDS


if TYPE_CHECKING:
    from array import array
    from collections.abc import Collection, Iterator, Mapping

    from mem0_exports_engine.ports import FieldPath, Record
    from mem0_exports_engine.store.sqlite.database import Database

_MAX_LETTERS: Final = 4_000_000
"""Letters of their texts and metadata that are read at once, unless it is a single memory that has more."""

_AS_JSON: Final = {name: f"json({name})" if name in {"metadata", "categories"} else name for name in RECORD_FIELDS}
"""The fields as SQL has to say them where it writes JSON."""

# A cross join keeps its order: that of the list.
_CHOSEN: Final = (
    "FROM (SELECT key, value FROM json_each(?)) AS chosen CROSS JOIN memories ON memories.seq = chosen.value"
)


class SqliteBatch:
    """A `ports.MemoryBatch`, which is read anew at each call."""

    def __init__(self, database: Database, seqs: array[int]) -> None:
        self._database = database
        self._seqs = seqs
        self.size = len(seqs)

    def _ask(self, query: str, *values: str) -> Any:
        """What the database makes of these memories: one row."""
        chosen = orjson.dumps(self._seqs.tolist()).decode()
        with self._database.read() as connection:
            return connection.exec_driver_sql(f"{query} {_CHOSEN}", (*values, chosen)).one()

    def in_pieces(self) -> Iterator[SqliteBatch]:
        """Them in one batch, or in several where it would be large."""
        (text,) = self._ask("SELECT json_group_array(length(memory) + coalesce(length(metadata), 0))")
        lengths = orjson.loads(text)
        first = total = 0
        for index, length in enumerate(lengths):
            if total and total + length > _MAX_LETTERS:
                yield SqliteBatch(self._database, self._seqs[first:index])
                first, total = index, 0
            total += length
        yield SqliteBatch(self._database, self._seqs[first:]) if first else self

    def records(self, fields: Collection[str] = RECORD_FIELDS) -> list[Record]:
        """Them as records with these fields."""
        # One text for all of them: so the database does for each what Python would take longer for.
        (text,) = self._ask(f"SELECT json_group_array(json_array({', '.join(_AS_JSON[name] for name in fields)}))")
        return [dict(zip(fields, values, strict=True)) for values in load(text)]

    def written(self, paths: Mapping[str, FieldPath]) -> WrittenRecords | None:
        """Them as JSON objects: for each name what stands at its path in each memory, or null.

        None where one of them may have a list among its metadata. The database writes the text, if it can: before
        SQLite 3.38 it cannot, and this is always None.
        """
        if sqlite3.sqlite_version_info < (3, 38):
            return None
        pairs = ["?, metadata -> ?" if own is None else f"?, {_AS_JSON[own]}" for own, _ in paths.values()]
        absent = ["metadata ->> ? IS NULL" if own is None else f"{own} IS NULL" for own, _ in paths.values()]
        keys = [f'$."{key}"' for own, key in paths.values() if own is None]
        named = [value for name, (own, key) in paths.items() for value in ([name] if own else [name, f'$."{key}"'])]
        some_absent = " OR ".join(absent)
        lists, text, lacking = self._ask(
            "SELECT sum(instr(metadata, '[') > 0), "
            f"json_group_array(json_object({', '.join(pairs)})), "
            f"json_group_array(json_array(chosen.key, json(metadata))) FILTER (WHERE {some_absent})",
            *named,
            *keys,
        )
        return None if lists else WrittenRecords(text[1:-1], load(lacking))
