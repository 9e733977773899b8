"""Find the source that a user means: by an address, of which folders say themselves which store has written them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from mem0_exports.errors import InputError
from mem0_exports_engine.sources.chroma import ChromaFolder
from mem0_exports_engine.sources.faiss import FaissFolder
from mem0_exports_engine.sources.own_memory import OwnMemory
from mem0_exports_engine.sources.qdrant import QdrantFolder
from mem0_exports_engine.sources.source import COLLECTION, unreadable


if TYPE_CHECKING:
    from mem0_exports_engine.sources.source import Source


def source_of(given: object, collection: str | None = None) -> Source:
    """Return the source that a user has given: an address, or an object of mem0ai. Raises InputError for anything else."""
    if isinstance(given, str | Path):
        return source_at(str(given), collection)
    if callable(getattr(given, "points", None)):
        return cast("Source", given)
    if collection is not None:
        raise InputError("collection is for addresses; a Memory knows its own", field="collection")
    return OwnMemory(given)


def source_at(address: str, collection: str | None = None) -> Source:
    """Return the source at an address: the folder of Qdrant, Chroma or FAISS, or the URL of a PostgreSQL with pgvector.

    Raises InputError if there is none. Nothing is created.
    """
    name = collection or COLLECTION
    if address.startswith(("postgresql://", "postgres://")):
        from mem0_exports_engine.sources.pgvector import PgvectorTable  # noqa: PLC0415 -- an extra

        return PgvectorTable(address, name)
    if address.startswith(("http://", "https://")):
        raise unreadable(
            "a server of Mem0 gives at most 1,000 memories of a user and cannot list them all; give the vector store that it "
            "uses instead, such as postgresql://user@host/database (its path /configure shows which)"
        )
    if "://" in address:
        raise unreadable(
            f"{address.partition('://')[0]}:// is no address of a source; give the folder of Qdrant, Chroma or FAISS, or "
            "postgresql://user@host/database"
        )
    folder = Path(address).expanduser()
    if not folder.is_dir():
        raise unreadable(f"{str(folder)!r} is not a folder; give the one that is `path` in the configuration of Mem0")
    if (folder / "collection").is_dir() and (folder / "meta.json").is_file():
        return QdrantFolder(folder, name)
    if (folder / "chroma.sqlite3").is_file():
        return ChromaFolder(folder, name)
    if any(folder.glob("*.faiss")):
        return FaissFolder(folder, name)
    raise unreadable(
        f"{str(folder)!r} has no memories of Mem0: neither meta.json and a folder collection (Qdrant), nor chroma.sqlite3 "
        "(Chroma), nor a file .faiss (FAISS)"
    )
