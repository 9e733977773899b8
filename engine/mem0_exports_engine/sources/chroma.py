"""Read a local folder of Chroma, also while an application has it open."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.sources.files import opened
from mem0_exports_engine.sources.source import Point, unknown_collection, unreadable


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mem0_exports_engine.sources.files import Read

_POINTS: Final = """
SELECT embeddings.embedding_id, found.key, found.string_value, found.int_value, found.float_value, found.bool_value
FROM embeddings LEFT JOIN {table} AS found ON found.id = embeddings.id
WHERE embeddings.segment_id = ? ORDER BY embeddings.id, found.rowid
"""


class ChromaFolder:
    """Implement `source.Source` for a folder of Chroma: `path` in the configuration of Mem0."""

    def __init__(self, folder: Path, collection: str) -> None:
        self.is_certain = True
        self.name = f"chroma:{folder.resolve()}#{collection}"
        self._file = folder / "chroma.sqlite3"
        self._collection = collection

    def points(self) -> Iterator[Point]:
        """See `source.Source.points`."""
        with opened(self._file) as read:
            segment = self._segment(read)
            lists = self._lists(read, segment)
            for memory_id, rows in groupby(read(_POINTS.format(table="embedding_metadata"), (segment,)), itemgetter(0)):
                payload = {key: _value(*values) for _, key, *values in rows if key is not None}
                yield Point(str(memory_id), payload | lists.pop(memory_id, {}))

    def _segment(self, read: Read) -> str:
        """Return the id of the part of the collection that has the metadata."""
        where = f"the Chroma folder {str(self._file.parent)!r}"
        found = [*read(
            "SELECT segments.id, collections.id FROM segments JOIN collections ON collections.id = segments.collection "
            "WHERE segments.scope = 'METADATA' AND collections.name = ?",
            (self._collection,),
        )]  # fmt: skip
        if not found:
            others = [name for (name,) in read("SELECT name FROM collections")]
            raise unknown_collection(self._collection, others, where)
        if len(found) > 1:
            raise unreadable(f"{where} has several collections {self._collection!r}, in different databases")
        segment, collection = found[0]
        # What an application has written stands in a queue first. Chroma applies it when the collection is next used.
        ((waiting,),) = read(
            "SELECT count(*) FROM embeddings_queue WHERE topic LIKE ? AND seq_id > "
            "coalesce((SELECT seq_id FROM max_seq_id WHERE segment_id = ?), 0)",
            (f"%{collection}", segment),
        )
        if waiting:
            raise unreadable(
                f"{where} has {waiting} changes that Chroma has not applied yet; read the collection once with it"
            )
        return str(segment)

    def _lists(self, read: Read, segment: str) -> dict[str, dict[str, list[Any]]]:
        """Return the metadata that are lists, for each memory. Chroma keeps their items in a table of their own."""
        tables = {name for (name,) in read("SELECT name FROM sqlite_master")}
        found: dict[str, dict[str, list[Any]]] = {}
        if "embedding_metadata_array" in tables:
            for memory_id, key, *values in read(_POINTS.format(table="embedding_metadata_array"), (segment,)):
                if key is not None:
                    found.setdefault(memory_id, {}).setdefault(key, []).append(_value(*values))
        return found


def _value(text: str | None, integer: int | None, number: float | None, boolean: int | None) -> Any:
    if boolean is not None:
        return bool(boolean)
    return text if text is not None else integer if integer is not None else number
