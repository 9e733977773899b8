"""Record the state changes of the jobs in a store with SQLite triggers, which no process can bypass.

A change is recorded in its own transaction, so there is a record of each committed change and of no other.
"""

from __future__ import annotations

import contextlib
import sqlite3

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from mem0_exports_engine.clock import now
from mem0_exports_engine.ports import Incoming
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.rows import row_for
from mem0_exports_engine.store.sqlite.store import SqliteStore


_TRIGGERS = """
CREATE TABLE audit (seq INTEGER PRIMARY KEY, id TEXT, attempt INTEGER, state TEXT);
CREATE TRIGGER audit_state AFTER UPDATE OF state ON exports BEGIN
    INSERT INTO audit (id, attempt, state) VALUES (new.id, new.attempt, new.state);
END;
CREATE TRIGGER audit_result AFTER UPDATE OF frame ON exports WHEN old.frame IS NOT NULL BEGIN
    INSERT INTO audit (id, attempt, state) VALUES (new.id, new.attempt, 'OVERWRITTEN');
END;
"""


class Change(NamedTuple):
    """A recorded change: a job was claimed (RUNNING), handed back (PENDING), or ended (DONE, FAILED)."""

    id: str
    attempt: int
    state: str


def create_store(store: Path, records: Iterable[dict[str, Any]] = ()) -> Path:
    """Create a store with these memories that records the changes of its jobs."""
    add_memories(store, records)
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.executescript(_TRIGGERS)
    return store


def add_memories(store: Path, records: Iterable[dict[str, Any]]) -> None:
    """Add memories to a store, without a worker that could claim a job."""
    opened = SqliteStore(store)
    try:
        rows = [row_for(each, DEFAULT_PROJECT, str(uuid4()), now()) for each in records]
        incoming = [Incoming(row, has_id=True, times=()) for row in rows]
        opened.memories.import_rows(DEFAULT_PROJECT, incoming, "error")
    finally:
        opened.close()


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the file."""
    with contextlib.closing(sqlite3.connect(store, timeout=30)) as connection:
        return connection.execute(query).fetchall()


def changes(store: Path) -> list[Change]:
    """Return all recorded changes, in order."""
    return [Change(*row) for row in rows(store, "SELECT id, attempt, state FROM audit ORDER BY seq")]


def history_by_job(store: Path) -> dict[str, list[tuple[str, int]]]:
    """Return the states and attempts of each job, in order."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for change in changes(store):
        found[change.id].append((change.state, change.attempt))
    return dict(found)


def max_concurrent(store: Path) -> int:
    """Return the maximum number of jobs that ran at the same time, which is the number of workers that ran any."""
    running: set[str] = set()
    most = 0
    for change in changes(store):
        if change.state == "RUNNING":
            running.add(change.id)
        else:
            running.discard(change.id)
        most = max(most, len(running))
    return most


def states(store: Path) -> Counter[str]:
    """Return the number of exports by state."""
    return Counter(state for (state,) in rows(store, "SELECT state FROM exports"))


def is_intact(store: Path) -> bool:
    """Return whether SQLite's integrity check passes."""
    return rows(store, "PRAGMA integrity_check") == [("ok",)]
