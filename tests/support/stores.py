"""Write to and read from stores without an engine, and run the extractor without a store."""

from __future__ import annotations

import contextlib

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mem0_exports_engine import clock
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor
from mem0_exports_engine.json_text import dump, load
from mem0_exports_engine.ports import Incoming, MemoryBatch
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.report import Report
from mem0_exports_engine.store.rows import RECORD_FIELDS, row_for
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
    return [each for batch in store.memories.batches(project, where, clock.now()) for each in records_of(batch)]


def records_of(batch: MemoryBatch) -> list[dict[str, Any]]:
    """Return the memories of a batch with all their fields."""
    columns = batch.columns(RECORD_FIELDS)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


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

    def columns(self, fields: Collection[str]) -> dict[str, Sequence[Any]]:
        return {name: [each[name] for each in self._records] for name in fields}

    def written(self, fields: dict[str, str]) -> str | None:
        made = [{name: each[field] for name, field in fields.items()} for each in self._records]
        if any("[" in str(each["metadata"]) for each in self._records) or any(None in each.values() for each in made):
            return None
        return dump(made).decode()[1:-1]


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
