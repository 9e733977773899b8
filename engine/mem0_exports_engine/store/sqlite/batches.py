"""Read a batch of memories, as records or as JSON text that SQLite writes."""

from __future__ import annotations

import sqlite3

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson

from mem0_exports_engine.json_text import load
from mem0_exports_engine.ports import WrittenRecords
from mem0_exports_engine.store.rows import RECORD_FIELDS
from mem0_exports_engine.store.sqlite.functions import PLAIN_KEY


if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Collection, Iterator, Mapping

    from mem0_exports_engine.ports import FieldPath, Record
    from mem0_exports_engine.store.sqlite.database import Database

_MAX_LETTERS: Final = 4_000_000
"""The most characters of text and metadata in one batch. A single longer memory is a batch of its own."""

_MAX_WRITTEN: Final = 4 * _MAX_LETTERS
"""The most characters that SQLite writes at once."""

_MAX_COLUMNS: Final = 50
"""The most properties of a record. SQLite functions take at most 127 arguments, and each property needs two."""

_AS_JSON: Final = {name: f"json({name})" if name in {"metadata", "categories"} else name for name in RECORD_FIELDS}
"""SQL for each field inside a JSON function. json() keeps JSON columns from being quoted as strings."""

# CROSS JOIN stops SQLite from reordering the join, so the rows come in the order of the list of seqs.
_CHOSEN: Final = (
    "FROM (SELECT key, value FROM json_each(?)) AS chosen CROSS JOIN memories ON memories.seq = chosen.value"
)


class SqliteBatch:
    """Implement `ports.MemoryBatch`. It holds only row numbers; every call reads the memories again."""

    def __init__(
        self, database: Database, seqs: array[int], should_stop: Callable[[], bool] | None = None, letters: int = 0
    ) -> None:
        """Create a batch. `letters` is the number of characters of its texts and metadata, once they are counted."""
        self._database = database
        self._seqs = seqs
        self._should_stop = should_stop
        self._letters = letters
        self.size = len(seqs)

    def _query(self, query: str, *values: str) -> Any:
        """Run an aggregate query over these memories and return its one row."""
        chosen = orjson.dumps(self._seqs.tolist()).decode()
        with self._database.read(self._should_stop) as connection:
            return connection.row(f"{query} {_CHOSEN}", (*values, chosen))

    def in_pieces(self) -> Iterator[SqliteBatch]:
        """Yield this batch, split into several if the memories are large."""
        (text,) = self._query("SELECT json_group_array(length(memory) + coalesce(length(metadata), 0))")
        lengths = orjson.loads(text)
        first = total = 0
        for index, length in enumerate(lengths):
            if total and total + length > _MAX_LETTERS:
                yield SqliteBatch(self._database, self._seqs[first:index], self._should_stop, total)
                first, total = index, 0
            total += length
        yield SqliteBatch(self._database, self._seqs[first:], self._should_stop, total)

    def records(self, fields: Collection[str] = RECORD_FIELDS) -> list[Record]:
        """Return the memories as records with these fields."""
        # SQLite returns one JSON text for the whole batch. This is faster than converting the rows one by one
        # in Python.
        (text,) = self._query(f"SELECT json_group_array(json_array({', '.join(_AS_JSON[name] for name in fields)}))")
        return [dict(zip(fields, values, strict=True)) for values in load(text)]

    def written(self, paths: Mapping[str, FieldPath]) -> WrittenRecords | None:
        """Return the memories as JSON objects: each name of `paths` with the value at its path, or null.

        Return None if the metadata of a memory could contain a list, if a memory was deleted meanwhile, or if SQL
        cannot express the paths: they are too many, or a key needs escaping; or if the text would be too long. Always None before SQLite 3.38, which
        introduced the `->` operator.
        """
        repeated = max(Counter(paths.values()).values(), default=0)  # each repetition writes the same text again
        if self._letters * repeated > _MAX_WRITTEN:
            return None
        plain = all(key is None or PLAIN_KEY.fullmatch(key) for _, key in paths.values())
        if sqlite3.sqlite_version_info < (3, 38) or len(paths) > _MAX_COLUMNS or not plain:
            return None
        pairs = ["?, metadata -> ?" if own is None else f"?, {_AS_JSON[own]}" for own, _ in paths.values()]
        absent = ["metadata ->> ? IS NULL" if own is None else f"{own} IS NULL" for own, _ in paths.values()]
        keys = [f'$."{key}"' for own, key in paths.values() if own is None]
        named = [value for name, (own, key) in paths.items() for value in ([name] if own else [name, f'$."{key}"'])]
        some_absent = " OR ".join(absent)
        count, lists, text, incomplete = self._query(
            "SELECT count(*), sum(instr(metadata, '[') > 0), "
            f"json_group_array(json_object({', '.join(pairs)})), "
            f"json_group_array(json_array(chosen.key, json(metadata))) FILTER (WHERE {some_absent})",
            *named,
            *keys,
        )
        # The indexes in `incomplete` are positions in the list of seqs. They would be wrong if a memory is missing.
        return None if lists or count < self.size else WrittenRecords(text[1:-1], load(incomplete))
