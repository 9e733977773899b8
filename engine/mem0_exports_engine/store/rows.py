"""Convert memories between records and stored rows. All stores share the values that are derived here."""

from __future__ import annotations

import hashlib
import json
import uuid

from typing import TYPE_CHECKING, Any, Final

import orjson

from mem0_exports.facts import ENTITY_FIELDS
from mem0_exports.filters import times
from mem0_exports_engine import clock
from mem0_exports_engine.json_text import dump, load


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mem0_exports_engine.ports import Record, Row

RECORD_FIELDS: Final = (
    *("id", "memory", *ENTITY_FIELDS),
    *("metadata", "categories", "expiration_date", "created_at", "updated_at"),
)
"""The fields of a record, in the order in which `record_of` expects their values."""

MEMORY_COLUMNS: Final = (
    *("project", "id", "memory", *ENTITY_FIELDS, "metadata", "categories"),
    *("created_at", "created_us", "updated_at", "updated_us", "expiration_date", "expires_us"),
    *("text_key", "record_key"),
)
"""The columns of a stored row, without its seq. `row_for` returns a dict with these keys."""


def row_for(record: Mapping[str, Any], project: str, new_id: str, now: datetime) -> Row:
    """Return the row for a record with `memory`, entity ids, and optionally `id`, `metadata`, `categories` and times.

    A time that has date, time and offset keeps its text; any other is rewritten in UTC. A missing created_at becomes
    `now`. Raises FilterError if a time is not valid.
    """
    created = clock.stamp(record.get("created_at") or times.text_of(now), "created_at")
    changed = record.get("updated_at")
    updated = created if not changed or changed == created.text else clock.stamp(changed, "updated_at")
    expires = record.get("expiration_date")
    owners = {name: record.get(name) for name in ENTITY_FIELDS}
    # Nulls are left out, so that the digest is the same whether an unset field is null or absent.
    members = {name: value for name, value in record.items() if value is not None}
    return {
        "project": project,
        "id": record.get("id") or new_id,
        "memory": record["memory"],
        **owners,
        "metadata": _json(record.get("metadata")),
        "categories": _json(record.get("categories")),
        "created_at": created.text,
        "created_us": created.us,
        "updated_at": updated.text,
        "updated_us": updated.us,
        "expiration_date": expires,
        "expires_us": None if expires is None else clock.day(expires),
        "text_key": _digest(orjson.dumps([record["memory"], owners], option=orjson.OPT_SORT_KEYS)),
        "record_key": _digest(_ENCODER.encode(members).encode()),
    }


_NAMESPACE: Final = uuid.UUID("6e0b3a52-5c1f-5f5e-9d3e-2f2f0d9a7c11")
"""The namespace of the ids that are derived from records."""


def derived_id(record_key: bytes) -> str:
    """Return the id of a memory whose record has none: always the same for the same record, in every store."""
    return str(uuid.uuid5(_NAMESPACE, record_key.hex()))


def content_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what is equal for two rows that agree in everything but their ids and their times."""
    return row["text_key"], row["expiration_date"], _canonical(row["metadata"]), _canonical(row["categories"])


def _canonical(text: str | None) -> str | None:
    return None if text is None else _ENCODER.encode(load(text))


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
"""Writes the JSON from which digests are computed. orjson is not suitable: another version of it could format floats
differently, and new digests would no longer match the stored ones."""


def _json(value: object) -> str | None:
    return None if value is None else dump(value).decode()


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()[:16]


def record_of(row: Sequence[Any]) -> Record:
    """Return the record for a row that has the columns of RECORD_FIELDS."""
    record = dict(zip(RECORD_FIELDS, row, strict=True))
    for name in ("metadata", "categories"):
        record[name] = None if record[name] is None else load(record[name])
    return record
