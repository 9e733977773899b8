"""Write to and read from stores without an engine, and run the extractor without a store."""

from __future__ import annotations

import contextlib

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from mem0_exports_engine import clock
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor
from mem0_exports_engine.json_text import dump, load
from mem0_exports_engine.ports import FieldPath, Incoming, WrittenRecords
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.report import Report
from mem0_exports_engine.store.rows import row_for
from mem0_exports_engine.store.sqlite.store import SqliteStore


@contextlib.contextmanager
def with_one_memory(kind: str, folder: Path, now: datetime) -> Iterator[SqliteStore]:
    """Open a store, in "memory" or in a "file" of the folder, in which alex has a memory with the city Graz."""
    with contextlib.closing(SqliteStore(":memory:" if kind == "memory" else folder / "store.db")) as store:
        put(store, {"memory": "x", "user_id": "alex", "metadata": {"city": "Graz"}}, now=now)
        yield store


def put(
    store: SqliteStore, *records: dict[str, Any], project: str = DEFAULT_PROJECT, now: datetime | None = None
) -> None:
    """Store memories unchanged; those without an id get m-1, m-2 and so on."""
    moment = now or clock.now()
    rows = [row_for(each, project, f"m-{number}", moment) for number, each in enumerate(records, 1)]
    incoming = [Incoming(row, has_id=True, times=()) for row in rows]
    store.memories.import_rows(project, incoming, "error")


def records(store: SqliteStore, where: Any, *, project: str = DEFAULT_PROJECT) -> list[dict[str, Any]]:
    """Return the memories that filters select, as an export reads them."""
    return [each for batch in store.memories.batches(project, where, clock.now()) for each in batch.records()]


def job_row(store: SqliteStore, export_id: str = "e") -> dict[str, Any]:
    """Return the row of a job in the database, by column."""
    with store.database.read() as connection:
        found = connection.execute("SELECT * FROM exports WHERE id = ?", (export_id,))
        return dict(zip([name for name, *_ in found.description], found.fetchone(), strict=True))


class Listed:
    """A batch of memories that are not in a store."""

    def __init__(self, given: list[dict[str, Any]]) -> None:
        self._records = given
        self.size = len(given)

    def records(self, fields: Collection[str]) -> list[dict[str, Any]]:
        return [{name: each[name] for name in fields} for each in self._records]

    def written(self, paths: dict[str, FieldPath]) -> WrittenRecords | None:
        made = [
            {name: each[own] if own else (each["metadata"] or {}).get(key) for name, (own, key) in paths.items()}
            for each in self._records
        ]
        if any("[" in str(each["metadata"]) for each in self._records):
            return None
        lacking = [
            (index, self._records[index]["metadata"]) for index, each in enumerate(made) if None in each.values()
        ]
        return WrittenRecords(dump(made).decode()[1:-1], lacking)


class Sink:
    """Collects the lists of a result in memory."""

    def __init__(self) -> None:
        self.lists: dict[int, list[bytes]] = {}

    def put(self, list_index: int, items: bytes) -> None:
        self.lists.setdefault(list_index, []).append(items)

    def drop(self, list_index: int) -> None:
        self.lists.pop(list_index, None)


def extracted(
    schema: dict[str, Any], given: Iterable[dict[str, Any]], *, batch: int = 1000, **named: Any
) -> tuple[dict[str, Any], Report]:
    """Run the extractor on memories that are not in a store, and return the result and its report."""
    listed, sink = list(given), Sink()
    batches = (Listed(listed[start : start + batch]) for start in range(0, len(listed), batch))
    frame, report = OfflineExtractor().extract(schema, batches, sink, **named)
    text = "".join(each if isinstance(each, str) else b",".join(sink.lists[each]).decode() for each in frame)
    return load(text), report


def memory(text="x", number=1, **more) -> dict[str, Any]:
    """Return a memory as the extractor gets it. Fields that are not given are None."""
    fields = ("user_id", "agent_id", "app_id", "run_id", "metadata", "categories", "expiration_date")
    stamp = f"2025-01-{number:02}T00:00:00Z"
    return (
        {"id": f"id-{number}", "memory": text, "created_at": stamp, "updated_at": stamp} | dict.fromkeys(fields) | more
    )
