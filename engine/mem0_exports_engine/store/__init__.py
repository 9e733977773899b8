"""Where memories, jobs and keys are kept. `ports.Store` says what a store can do; each folder here is one."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

    from mem0_exports_engine.ports import Store


def open_store(path: str | Path) -> Store:
    """Open the store at `path`, or make one; NotAStore where that cannot be done."""
    from mem0_exports_engine.store.sqlite.store import SqliteStore  # noqa: PLC0415 -- loads SQLAlchemy

    return SqliteStore(path)
