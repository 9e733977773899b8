"""What tests put into stores and take out of them, without an engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from mem0_exports_engine import clock
from mem0_exports_engine.extract import Report, extract
from mem0_exports_engine.json_text import dump, load
from mem0_exports_engine.ports import Place, Written
from mem0_exports_engine.store.sqlite import memories
from mem0_exports_engine.store.sqlite.database import Store
from mem0_exports_engine.store.sqlite.tables import HOME


def put(store: Store, *records: dict[str, Any], project: str = HOME, now: datetime | None = None) -> None:
    """Store memories exactly as they are; those without an id are called m-1, m-2 and so on."""
    moment = now or clock.now()
    rows = [memories.row_for(each, project, f"m-{number}", moment) for number, each in enumerate(records, 1)]
    memories.import_rows(store, project, rows)


def records(store: Store, where: Any, *, project: str = HOME) -> list[dict[str, Any]]:
    """The memories that filters select, as an export sees them."""
    return [each for batch in memories.through(store, project, where, clock.now()) for each in batch.records()]


class Listed:
    """A batch of memories that are in no store."""

    def __init__(self, given: list[dict[str, Any]]) -> None:
        self._records = given
        self.size = len(given)

    def records(self, fields: Collection[str]) -> list[dict[str, Any]]:
        return [{name: each[name] for name in fields} for each in self._records]

    def objects(self, places: dict[str, Place]) -> Written | None:
        made = [
            {name: each[own] if own else (each["metadata"] or {}).get(key) for name, (own, key) in places.items()}
            for each in self._records
        ]
        if any("[" in str(each["metadata"]) for each in self._records):
            return None
        lacking = [
            (index, self._records[index]["metadata"]) for index, each in enumerate(made) if None in each.values()
        ]
        return Written(dump(made).decode()[1:-1], lacking)


class Kept:
    """Parts of a result, in memory."""

    def __init__(self) -> None:
        self.lists: dict[int, list[bytes]] = {}

    def put(self, place: int, items: bytes) -> None:
        self.lists.setdefault(place, []).append(items)

    def drop(self, place: int) -> None:
        self.lists.pop(place, None)


def extracted(
    schema: dict[str, Any], given: Iterable[dict[str, Any]], *, batch: int = 1000, **named: Any
) -> tuple[dict[str, Any], Report]:
    """The export of a schema from memories that are in no store, as a value, and its report."""
    listed, parts = list(given), Kept()
    batches = (Listed(listed[start : start + batch]) for start in range(0, len(listed), batch))
    frame, report = extract(schema, batches, parts, **named)
    text = "".join(each if isinstance(each, str) else b",".join(parts.lists[each]).decode() for each in frame)
    return load(text), report
