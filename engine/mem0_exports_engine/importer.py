"""Import memory records from JSON Lines. Records are stored unchanged, and importing them again adds nothing.

A record is an object with `memory` (the text), at least one of `user_id`, `agent_id`, `app_id` and `run_id`, and
optionally `id`, `metadata`, `categories`, `created_at`, `updated_at` and `expiration_date`. Instead of `run_id`, a
record may have `session_id`, the name of the run in the service's memory list.
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
"""The most lines that are stored in one transaction."""

_MAX_BATCH_BYTES: Final = 8_000_000
"""Lines are stored as soon as this many bytes of them have been read, so that long lines do not exhaust the RAM."""

_MAX_LISTED: Final = 1000
"""The most rejected lines that the result lists. Further ones are only counted."""

_TEXTS: Final = (*ENTITY_FIELDS, "id", "created_at", "updated_at", "expiration_date")
_KNOWN: Final = frozenset({"memory", "metadata", "categories", *_TEXTS})


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
    """How many records were already in the store, identical in every field."""
    bad: list[BadLine] = attrs.field(factory=list)
    """The lines that were not imported, in order; at most the first 1000."""
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
    """Import memory records into a project, one JSON object per line. Return what was added, known and rejected.

    A line that cannot be imported does not stop the import. Blank lines are skipped.
    """
    result = Imported()
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []

    def flush() -> None:
        outcomes = memories.import_rows(project, rows)
        result.added += outcomes.count("added")
        result.known += outcomes.count("known")
        for row, number, outcome in zip(rows, numbers, outcomes, strict=True):
            if outcome is None:
                reject(number, f"id must be new or left out, but {row['id']!r} is the id of another memory")
        rows.clear()
        numbers.clear()

    def reject(number: int, reason: str) -> None:
        result.bad_count += 1
        if len(result.bad) < _MAX_LISTED:
            result.bad.append(BadLine(number, reason))

    size = 0

    for number, raw_line in enumerate(lines, 1):
        line = raw_line.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw_line
        if not line.strip():
            continue
        try:
            record = _record(line)
            rows.append(row_for(record, project, "" if record.get("id") else str(new_id()), now()))
            numbers.append(number)
        except (_BadRecord, FilterError) as error:
            reject(number, str(error))
        size += len(line)
        if len(rows) >= MAX_BATCH or size >= _MAX_BATCH_BYTES:
            flush()
            size = 0
    flush()
    # A line whose id is already taken is noticed only when its batch is stored. By then, later lines can be in the
    # list.
    result.bad.sort(key=lambda bad: bad.number)
    return result


class _BadRecord(ValueError):
    """Raised for a line that is not a memory record; the message says why."""


def _record(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_BYTES:
        raise _BadRecord(f"the line must be at most {MAX_BYTES // 1024 // 1024} MB")
    try:
        record = json_text.read(line)
    except ValueError as error:
        raise _BadRecord(f"the line is {error}") from None
    if not isinstance(record, dict):
        raise _BadRecord(f"the line must be a JSON object, got {_shown(record)}")
    if RUN_ALIAS in record and "run_id" not in record:
        record["run_id"] = record.pop(RUN_ALIAS)
    unknown = sorted(record.keys() - _KNOWN)
    if unknown:
        raise _BadRecord(f"unknown field {unknown[0]!r}; move it into metadata to keep it")
    _check_texts(record)
    _check_values(record)
    _check_id_and_day(record)
    return record


def _check_texts(record: dict[str, Any]) -> None:
    if not isinstance(record.get("memory"), str) or not record["memory"]:
        raise _BadRecord(f"memory must be a non-empty string, got {_shown(record.get('memory'))}")
    for name in _TEXTS:
        if record.get(name) is not None and not (isinstance(record[name], str) and record[name]):
            raise _BadRecord(f"{name} must be a non-empty string, got {_shown(record[name])}")
        if name in ENTITY_FIELDS and record.get(name) == "*":
            raise _BadRecord(f"{name} must not be '*': in filters it means any {name}, so it could not be selected")
    if not any(record.get(name) for name in ENTITY_FIELDS):
        raise _BadRecord(f"at least one of {', '.join(ENTITY_FIELDS)} must be set")


def _check_values(record: dict[str, Any]) -> None:
    metadata, categories = record.get("metadata"), record.get("categories")
    if metadata is not None and not isinstance(metadata, dict):
        raise _BadRecord(f"metadata must be an object, got {_shown(metadata)}")
    listed = categories if categories is not None else []
    if not isinstance(listed, list) or not all(isinstance(category, str) for category in listed):
        raise _BadRecord(f"categories must be a list of strings, got {_shown(categories)}")


def _shown(value: Any) -> str:
    """Return a value as short JSON text for a message."""
    text = json_text.dump(value).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"


def _check_id_and_day(record: dict[str, Any]) -> None:
    if record.get("id") is not None:
        try:
            record["id"] = str(uuid.UUID(record["id"]))
        except ValueError:
            raise _BadRecord(f"id must be a UUID, got {_shown(record['id'])}") from None
    if record.get("expiration_date") is not None and clock.day(record["expiration_date"]) is None:
        raise _BadRecord(f"expiration_date must be a date as YYYY-MM-DD, got {_shown(record['expiration_date'])}")
