"""Read the memories of an application's own `mem0.Memory` or `mem0.AsyncMemory`, whatever store it uses."""

from __future__ import annotations

import inspect

from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.sources.source import COLLECTION, Point, unreadable


if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST: Final = 10_000
"""How many memories are asked for at first. If as many come, ten times as many are asked for."""

_MOST: Final = 10_000_000

_CERTAIN: Final = frozenset({"qdrant", "chroma", "faiss", "pgvector"})
"""The stores that were seen to list all memories. Others hide errors, have caps, or list by similarity."""


class OwnMemory:
    """Implement `source.Source` for an object of mem0ai, of version 0.1.118 or newer.

    Only its vector store is used: no language model and no embedder is asked.
    """

    def __init__(self, memory: Any) -> None:
        store: Any = getattr(memory, "vector_store", None)
        if not callable(getattr(store, "list", None)):
            raise unreadable(
                f"a source must be a mem0.Memory, a mem0.AsyncMemory or an address, got {type(memory).__name__}"
            )
        config = getattr(getattr(memory, "config", None), "vector_store", None)
        provider = str(getattr(config, "provider", type(store).__name__.lower()))
        collection = getattr(memory, "collection_name", None) or COLLECTION
        self.name = f"mem0:{provider}#{collection}"
        self.is_certain = provider in _CERTAIN
        self._store: Any = store

    def points(self) -> Iterator[Point]:
        """See `source.Source.points`."""
        most = _FIRST
        while True:
            found = self._listed(most)
            if len(found) < most:
                break
            if most >= _MOST:
                raise unreadable(f"the vector store has more than {_MOST} memories; give its address instead")
            most *= 10
        for each in found:
            payload = getattr(each, "payload", None)
            yield Point(str(getattr(each, "id", "")), dict(payload) if isinstance(payload, dict) else {})

    def _listed(self, most: int) -> list[Any]:
        """Return at most so many points."""
        # Mem0 1 calls the limit `limit`, Mem0 2 `top_k`.
        accepted = inspect.signature(self._store.list).parameters
        limit = next((name for name in ("top_k", "limit") if name in accepted), None)
        if limit is None:
            raise unreadable(
                f"the vector store {type(self._store).__name__} has no way to list more than a few memories"
            )
        try:
            found = self._store.list(**{limit: most})
        # The store belongs to another package, and so do its errors.
        except Exception as error:  # noqa: BLE001 -- see above
            raise unreadable(f"the vector store cannot list its memories: {type(error).__name__}: {error}") from None
        # Qdrant returns (points, offset), the others [points], and some a list of points.
        while isinstance(found, tuple | list) and found and isinstance(found[0], list):
            found = found[0]
        return [*(found or ())] if isinstance(found, list) else []
