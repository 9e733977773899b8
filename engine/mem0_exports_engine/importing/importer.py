"""Import memory records. Records are stored unchanged, and importing them again adds nothing.

A record is an object with `memory` (the text), at least one of `user_id`, `agent_id`, `app_id` and `run_id`, and
optionally `id`, `metadata`, `categories`, `created_at`, `updated_at` and `expiration_date`. `records` knows what other
tools call them.
"""

from __future__ import annotations

import time

from typing import TYPE_CHECKING, Any, Final

import attrs

from mem0_exports.errors import FilterError, InputError
from mem0_exports_engine import clock
from mem0_exports_engine.importing.records import BadRecord, understood
from mem0_exports_engine.importing.sources import of_lines
from mem0_exports_engine.ports import ON_CONFLICT, Incoming
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.rows import derived_id, row_for


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from mem0_exports_engine.importing.found import Found
    from mem0_exports_engine.ports import MemoryStore, OnConflict

MAX_BATCH: Final = 1000
"""The most lines that are stored in one transaction. Others can write between two of them."""

_PAUSE: Final = 0.004
"""Seconds between two transactions, in which others that wait for the write lock can take it."""

_MAX_BATCH_BYTES: Final = 8_000_000
"""Lines are stored as soon as this many bytes of them have been read, so that long lines do not exhaust the RAM."""

_MAX_LISTED: Final = 1000
"""The most rejected lines that the result lists. Further ones are only counted."""


@attrs.frozen(slots=True)
class BadLine:
    """A line that was not imported."""

    number: int
    """The number of the line, counted from 1."""
    reason: str
    """What is wrong with it and what it must be instead."""


@attrs.define(slots=True)
class Imported:
    """The result of an import. Blank lines are not counted."""

    added: int = 0
    """How many records were added."""
    known: int = 0
    """How many records were already in the store."""
    updated: int = 0
    """How many memories were replaced by another version."""
    skipped: int = 0
    """How many records were left out, because the store has the memory in another version."""
    bad: list[BadLine] = attrs.field(factory=list)
    """The lines that were not imported, in order; at most the first 1000."""
    bad_count: int = 0
    """How many lines were not imported."""

    def reject(self, number: int, reason: str) -> None:
        """Count a line that was not imported, and list it if there is room."""
        self.bad_count += 1
        if len(self.bad) < _MAX_LISTED:
            self.bad.append(BadLine(number, reason))


def import_lines(
    memories: MemoryStore,
    lines: Iterable[bytes],
    *,
    project: str = DEFAULT_PROJECT,
    on_conflict: OnConflict = "error",
    now: Callable[[], datetime] = clock.now,
) -> Imported:
    """Import memory records into a project, one JSON object per line. Return what was added, known and rejected.

    A line that cannot be imported does not stop the import. Blank lines are skipped. `on_conflict` says what to do with
    a record that is another version of a memory in the store: "error" rejects the line, "skip" keeps the memory, and
    "update" replaces it. `store/sqlite/sameness` says when a record is a memory of the store.

    Raises InputError if `on_conflict` is none of these.
    """
    if on_conflict not in ON_CONFLICT:
        raise InputError(f"on_conflict must be skip, update or error, got {on_conflict!r}", field="on_conflict")
    return import_found(of_lines(lines), memories, project=project, on_conflict=on_conflict, now=now)


def import_found(
    found: Iterable[Found],
    memories: MemoryStore,
    *,
    project: str = DEFAULT_PROJECT,
    on_conflict: OnConflict = "error",
    owners: Mapping[str, str] | None = None,
    unit: str = "line",
    on_batch: Callable[[Imported], None] | None = None,
    now: Callable[[], datetime] = clock.now,
) -> Imported:
    """Import the records of a source; see `import_lines`.

    `owners` are the ids for records that name nobody. `on_batch` is called after each transaction, with the result so
    far.
    """
    batch = _Batch(memories, project, on_conflict)
    for number, record, problem, size in found:
        if problem is not None:
            batch.result.reject(number, problem)
        else:
            try:
                batch.add(_incoming(understood(record, owners or {}, unit=unit), project, now()), number)
            except (BadRecord, FilterError) as error:
                batch.result.reject(number, str(error))
        batch.size += size
        if batch.is_full():
            batch.store()
            if on_batch is not None:
                on_batch(batch.result)
            time.sleep(_PAUSE)
    batch.store()
    # A conflict is noticed only when its batch is stored. By then, later lines can be in the list.
    batch.result.bad.sort(key=lambda bad: bad.number)
    return batch.result


class _Batch:
    """The records that are stored in the next transaction, and the result so far."""

    def __init__(self, memories: MemoryStore, project: str, on_conflict: OnConflict) -> None:
        self.result = Imported()
        self.size = 0
        """How many bytes of lines were read since the last transaction."""
        self._memories = memories
        self._project = project
        self._on_conflict: OnConflict = on_conflict
        self._incoming: list[Incoming] = []
        self._numbers: list[int] = []

    def is_full(self) -> bool:
        return len(self._incoming) >= MAX_BATCH or self.size >= _MAX_BATCH_BYTES

    def add(self, incoming: Incoming, number: int) -> None:
        self._incoming.append(incoming)
        self._numbers.append(number)

    def store(self) -> None:
        outcomes = self._memories.import_rows(self._project, self._incoming, self._on_conflict)
        for name in ("added", "known", "updated", "skipped"):
            setattr(self.result, name, getattr(self.result, name) + outcomes.count(name))
        for each, number, outcome in zip(self._incoming, self._numbers, outcomes, strict=True):
            if outcome == "conflict":
                self.result.reject(
                    number,
                    f"the store has another version of the memory with the id {each.row['id']!r}; set on_conflict "
                    "(--on-conflict) to update or skip it",
                )
        self._incoming.clear()
        self._numbers.clear()
        self.size = 0


def _incoming(record: dict[str, Any], project: str, now: datetime) -> Incoming:
    row = row_for(record, project, "", now)
    if not record.get("id"):
        row["id"] = derived_id(row["record_key"])
    times = {"created_us": record.get("created_at"), "updated_us": record.get("updated_at")}
    return Incoming(row, bool(record.get("id")), tuple(name for name, given in times.items() if given))
