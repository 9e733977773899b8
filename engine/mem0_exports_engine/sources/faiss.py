"""Read a local folder of FAISS: Mem0 keeps the memories beside the index, in a JSON file."""

from __future__ import annotations

import json

from pathlib import Path
from typing import TYPE_CHECKING

from mem0_exports_engine.sources.source import Point, unknown_collection, unreadable


if TYPE_CHECKING:
    from collections.abc import Iterator


class FaissFolder:
    """Implement `source.Source` for a folder of FAISS: `path` in the configuration of Mem0."""

    def __init__(self, folder: Path, collection: str) -> None:
        self.is_certain = True
        self.name = f"faiss:{folder.resolve()}#{collection}"
        self._folder = folder
        self._collection = collection

    def points(self) -> Iterator[Point]:
        """See `source.Source.points`."""
        file = self._folder / f"{self._collection}.json"
        where = f"the FAISS folder {str(self._folder)!r}"
        if (self._folder / f"{self._collection}.pkl").is_file() and not file.is_file():
            raise unreadable(
                f"{where} was written by Mem0 1 with pickle, which can run any code; open it once with Mem0 2"
            )
        if Path(self._collection).name != self._collection or not file.is_file():
            raise unknown_collection(self._collection, [path.stem for path in self._folder.glob("*.faiss")], where)
        try:
            found = json.loads(file.read_text(encoding="utf-8"))["docstore"]
            points = [Point(str(memory_id), dict(payload or {})) for memory_id, payload in found.items()]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise unreadable(f"{str(file)!r} cannot be read: {type(error).__name__}: {error}") from None
        yield from points
