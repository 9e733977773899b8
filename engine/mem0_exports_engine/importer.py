"""Imports memory records from JSON Lines, exactly as they are, and only once.

A record is an object with `memory` (the text), at least one of `user_id`, `agent_id`, `app_id` and `run_id`, and
optionally `id`, `metadata`, `categories`, `created_at`, `updated_at` and `expiration_date`. `session_id`, which the
service's list says for the run, is read as `run_id`.
"""

from __future__ import annotations

import uuid

from typing import TYPE_CHECKING, Any, Final

import attrs

from mem0_exports.errors import FilterError
from mem0_exports.facts import ENTITY_FIELDS, RUN_ALIAS
from mem0_exports_engine import clock, json_text
from mem0_exports_engine.json_text import MAX_BYTES
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.rows import row_for


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from mem0_exports_engine.ports import MemoryStore

MAX_BATCH: Final = 5000
"""Lines that are stored at once, at most."""

_MAX_BATCH_BYTES: Final = 8_000_000
"""Bytes of lines that are stored at once, but for the last of them."""

_MAX_NAMED: Final = 1000
"""Bad lines that are named; the others are counted."""

_TEXTS: Final = (*ENTITY_FIELDS, "id", "created_at", "updated_at", "expiration_date")
_KNOWN: Final = frozenset({"memory", "metadata", "categories", *_TEXTS})


@attrs.frozen(slots=True)
class BadLine:
    """A line that was not imported: its number, counted from 1, and why."""

    number: int
    reason: str


@attrs.define(slots=True)
class Imported:
    """What became of the lines."""

    added: int = 0
    known: int = 0
    """Records that were there already."""
    bad: list[BadLine] = attrs.field(factory=list)
    """The first thousand lines that were not imported."""
    bad_count: int = 0
    """How many lines were not imported."""


def import_lines(
    memories: MemoryStore,
    lines: Iterable[bytes],
    *,
    project: str = DEFAULT_PROJECT,
    now: Callable[[], datetime] = clock.now,
    new_id: Callable[[], uuid.UUID] = uuid.uuid4,
) -> Imported:
    """Import every good line into a project; bad ones are named in the result. Blank lines are passed over."""
    done = Imported()
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []

    def flush() -> None:
        outcomes = memories.import_rows(project, rows)
        done.added += outcomes.count("added")
        done.known += outcomes.count("known")
        for row, number, outcome in zip(rows, numbers, outcomes, strict=True):
            if outcome is None:
                refuse(number, f"id: {row['id']} is the id of another memory")
        rows.clear()
        numbers.clear()

    def refuse(number: int, reason: str) -> None:
        done.bad_count += 1
        if len(done.bad) < _MAX_NAMED:
            done.bad.append(BadLine(number, reason))

    size = 0

    for number, given in enumerate(lines, 1):
        line = given.removeprefix(b"\xef\xbb\xbf") if number == 1 else given
        if not line.strip():
            continue
        try:
            record = _record(line)
            rows.append(row_for(record, project, "" if record.get("id") else str(new_id()), now()))
            numbers.append(number)
        except (_BadRecord, FilterError) as error:
            refuse(number, str(error))
        size += len(line)
        if len(rows) >= MAX_BATCH or size >= _MAX_BATCH_BYTES:
            flush()
            size = 0
    flush()
    done.bad.sort(key=lambda bad: bad.number)
    return done


class _BadRecord(ValueError):
    """A line that is no memory record; its text says why."""


def _record(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_BYTES:
        raise _BadRecord(f"the line is longer than {MAX_BYTES // 1024 // 1024} MB")
    try:
        record = json_text.read(line)
    except ValueError as error:
        raise _BadRecord(str(error)) from None
    if not isinstance(record, dict):
        raise _BadRecord(f"expected an object, got {type(record).__name__}")
    if RUN_ALIAS in record and "run_id" not in record:
        record["run_id"] = record.pop(RUN_ALIAS)
    unknown = sorted(record.keys() - _KNOWN)
    if unknown:
        raise _BadRecord(f"unknown field {unknown[0]!r}; put it under metadata to keep it")
    if not isinstance(record.get("memory"), str) or not record["memory"]:
        raise _BadRecord("memory: expected a text that is not empty")
    for name in _TEXTS:
        if record.get(name) is not None and not (isinstance(record[name], str) and record[name]):
            raise _BadRecord(f"{name}: expected a string that is not empty")
        if name in ENTITY_FIELDS and record.get(name) == "*":
            raise _BadRecord(f"{name}: '*' means any in filters, so nobody could be found by it")
    if not any(record.get(name) for name in ENTITY_FIELDS):
        raise _BadRecord(f"names nobody: one of {', '.join(ENTITY_FIELDS)} is needed")
    metadata, categories = record.get("metadata"), record.get("categories")
    if metadata is not None and not isinstance(metadata, dict):
        raise _BadRecord("metadata: expected an object")
    listed = categories if categories is not None else []
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise _BadRecord("categories: expected a list of strings")
    _check_id_and_day(record)
    return record


def _check_id_and_day(record: dict[str, Any]) -> None:
    if record.get("id") is not None:
        try:
            record["id"] = str(uuid.UUID(record["id"]))
        except ValueError:
            raise _BadRecord(f"id: {record['id']!r} is no UUID") from None
    if record.get("expiration_date") is not None and clock.day(record["expiration_date"]) is None:
        raise _BadRecord(f"expiration_date: {record['expiration_date']!r} is no day, YYYY-MM-DD")
