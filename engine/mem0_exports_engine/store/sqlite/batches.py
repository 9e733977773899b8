"""Read a batch of memories, as records or as JSON text that SQLite writes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson

from mem0_exports_engine.failures import StoreFailed
from mem0_exports_engine.json_text import load
from mem0_exports_engine.store.rows import RECORD_FIELDS


if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from mem0_exports_engine.store.sqlite.database import Database

_MAX_LETTERS: Final = 4_000_000
"""The most characters of text and metadata in one batch. A single longer memory is a batch of its own."""

_MAX_WRITTEN: Final = 4 * _MAX_LETTERS
"""The most characters that SQLite writes at once."""

_MAX_COLUMNS: Final = 50
"""The most properties of a record. SQLite functions take at most 127 arguments, and each property needs two."""

_JSON: Final = frozenset({"metadata", "categories"})
"""The columns that have JSON text."""

_AS_JSON: Final = {name: f"json({name})" if name in _JSON else name for name in RECORD_FIELDS}
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
        with self._database.read(self._should_stop) as connection:
            return connection.row(f"{query} {_CHOSEN}", (*values, self._chosen()))

    def _chosen(self) -> str:
        return orjson.dumps(self._seqs.tolist()).decode()

    def in_pieces(self) -> Iterator[SqliteBatch]:
        """Yield this batch, split into several if the memories are large."""
        length = "length(memory) + coalesce(length(metadata), 0)"
        (letters,) = self._query(f"SELECT sum({length})")
        if (letters or 0) <= _MAX_LETTERS:  # as almost always
            yield SqliteBatch(self._database, self._seqs, self._should_stop, letters or 0)
            return
        (text,) = self._query(f"SELECT json_group_array({length})")
        lengths = orjson.loads(text)
        first = total = 0
        for index, length in enumerate(lengths):
            if total and total + length > _MAX_LETTERS:
                yield SqliteBatch(self._database, self._seqs[first:index], self._should_stop, total)
                first, total = index, 0
            total += length
        yield SqliteBatch(self._database, self._seqs[first:], self._should_stop, total)

    def columns(self, fields: Collection[str]) -> dict[str, Sequence[Any]]:
        """See `ports.MemoryBatch.columns`."""
        with self._database.read(self._should_stop) as connection:
            rows = connection.rows(f"SELECT {', '.join(fields)} {_CHOSEN}", (self._chosen(),))
        found: dict[str, Sequence[Any]] = dict.fromkeys(fields, ())
        found |= zip(fields, zip(*rows, strict=True), strict=False)
        return found | {name: _parsed(found[name]) for name in _JSON.intersection(fields)}

    def written(self, fields: Mapping[str, str]) -> str | None:
        """See `ports.MemoryBatch.written`.

        Return None also if a memory was deleted meanwhile, if SQL cannot express the fields because they are too many, or
        if the text would be too long.
        """
        repeated = max(Counter(fields.values()).values(), default=0)  # each repetition writes the same text again
        if self._letters * repeated > _MAX_WRITTEN or len(fields) > _MAX_COLUMNS:
            return None
        pairs = ", ".join(f"?, {_AS_JSON[field]}" for field in fields.values())
        some_absent = " OR ".join(f"{field} IS NULL" for field in {*fields.values()})
        count, unusable, text = self._query(
            f"SELECT count(*), sum({some_absent} OR instr(metadata, '[') > 0), json_group_array(json_object({pairs}))",
            *fields,
        )
        return None if unusable or count < self.size else text[1:-1]


def _parsed(texts: Sequence[str | None]) -> list[Any]:
    """Return the values of JSON texts. Raises StoreFailed if one is damaged."""
    try:
        # Parsing all of them at once is several times faster than one by one.
        values: list[Any] = load(f"[{','.join([text or 'null' for text in texts])}]")
    except ValueError as error:
        raise StoreFailed(f"a memory is damaged: its JSON cannot be read: {error}") from None
    if len(values) != len(texts):
        raise StoreFailed("a memory is damaged: its metadata or categories are not one JSON value")
    return values
