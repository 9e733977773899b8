"""What becomes of the jobs of a store, noted by SQLite itself: triggers in the file, which no process can get around.

A note is made in the transaction of the change, so that there is one for each change that lasts, and no other.
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
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.rows import row_for
from mem0_exports_engine.store.sqlite.store import SqliteStore


_TRIGGERS = """
CREATE TABLE audit (seq INTEGER PRIMARY KEY, id TEXT, attempt INTEGER, state TEXT);
CREATE TRIGGER audit_taken_or_ended AFTER UPDATE OF state ON exports BEGIN
    INSERT INTO audit (id, attempt, state) VALUES (new.id, new.attempt, new.state);
END;
CREATE TRIGGER audit_result AFTER UPDATE OF frame ON exports WHEN old.frame IS NOT NULL BEGIN
    INSERT INTO audit (id, attempt, state) VALUES (new.id, new.attempt, 'OVERWRITTEN');
END;
"""


class Note(NamedTuple):
    """A job was taken (RUNNING), or ended (DONE, FAILED)."""

    id: str
    attempt: int
    state: str


def audited(store: Path, records: Iterable[dict[str, Any]] = ()) -> Path:
    """A new store with these memories, whose jobs are noted from now on."""
    put(store, records)
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.executescript(_TRIGGERS)
    return store


def put(store: Path, records: Iterable[dict[str, Any]]) -> None:
    """Put memories into a store, without any worker that could take a job of it."""
    opened = SqliteStore(store)
    try:
        rows = [row_for(each, DEFAULT_PROJECT, str(uuid4()), now()) for each in records]
        opened.memories.import_rows(DEFAULT_PROJECT, rows)
    finally:
        opened.close()


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds in the file."""
    with contextlib.closing(sqlite3.connect(store, timeout=30)) as connection:
        return connection.execute(query).fetchall()


def notes(store: Path) -> list[Note]:
    """What became of the jobs, in order."""
    return [Note(*row) for row in rows(store, "SELECT id, attempt, state FROM audit ORDER BY seq")]


def by_job(store: Path) -> dict[str, list[tuple[str, int]]]:
    """The same for each job."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for note in notes(store):
        found[note.id].append((note.state, note.attempt))
    return dict(found)


def most_at_once(store: Path) -> int:
    """The most jobs that were under way at the same time. A worker does one at a time, so: how many workers did some."""
    running: set[str] = set()
    most = 0
    for note in notes(store):
        if note.state == "RUNNING":
            running.add(note.id)
        else:
            running.discard(note.id)
        most = max(most, len(running))
    return most


def states(store: Path) -> Counter[str]:
    """How many exports there are in which state."""
    return Counter(state for (state,) in rows(store, "SELECT state FROM exports"))


def whole(store: Path) -> bool:
    """Whether SQLite finds nothing wrong with the file."""
    return rows(store, "PRAGMA integrity_check") == [("ok",)]
