"""Rows with known columns, for formats that have to name all columns before the first row."""

from __future__ import annotations

import json
import tempfile

from typing import IO, TYPE_CHECKING, Any, Final, Self

from mem0_exports.models import Entity, Memory
from mem0_exports.output.kinds import is_typed, kinds_of_schema, widen
from mem0_exports.output.rows import json_text, row_of


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mem0_exports.output.kinds import Kinds
    from mem0_exports.output.rows import Row

_IN_MEMORY: Final = 16_000_000
"""The number of characters of rows that are kept in memory before they go to a temporary file."""


class Table:
    """Rows and their columns. Use it in a `with` block, which deletes the temporary file.

    Memories and entities are passed through, because all of them have the same columns. Other rows are first read to
    their end and kept on disk: a later row can have a column that the first one lacks.
    """

    def __init__(self, items: Iterable[Any], schema: Any = None) -> None:
        """Find out the columns. `schema` is the type or JSON Schema of the items or of their list, if it is known."""
        self._spool: IO[str] | None = None
        self._items = iter(items)
        first = next(self._items, None)
        self._first = [] if first is None else [first]
        if isinstance(first, Memory | Entity):
            self.kinds: Kinds = kinds_of_schema(type(first)) or {}
            return
        self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY, mode="w+", encoding="utf-8")  # noqa: SIM115 -- see close
        try:
            found, classes = self._read(self._spool)
            if schema is None and len(classes) == 1 and is_typed(first):
                schema = classes.pop()
            declared = (None if schema is None else kinds_of_schema(schema)) or {}
        except BaseException:
            self.close()
            raise
        # JSON Schema allows more properties than it names. The values say what these are.
        self.kinds = {**declared, **{name: kind for name, kind in found.items() if name not in declared}}

    def rows(self) -> Iterator[Row]:
        """Iterate over all rows. This can be done once."""
        if self._spool is None:
            for items in (self._first, self._items):
                yield from map(row_of, items)
            return
        self._spool.seek(0)
        yield from map(json.loads, self._spool)

    def _read(self, spool: IO[str]) -> tuple[Kinds, set[type]]:
        kinds: Kinds = {}
        classes: set[type] = set()
        for items in (self._first, self._items):
            for item in items:
                row = row_of(item)
                classes.add(type(item))
                widen(kinds, row)
                spool.write(json_text(row) + "\n")
        return kinds, classes

    def close(self) -> None:
        """Delete the temporary file."""
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
