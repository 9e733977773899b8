"""Stores for memories, jobs and keys. Each subpackage implements `ports.Store`."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

    from mem0_exports_engine.ports import Store


def open_store(path: str | Path) -> Store:
    """Open the store at `path`, or create it. Raises NotAStore if neither is possible."""
    from mem0_exports_engine.store.sqlite.store import SqliteStore  # noqa: PLC0415 -- loads sqlite3

    return SqliteStore(path)
