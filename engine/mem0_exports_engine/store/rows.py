"""Memories as rows, the same in every store: what is derived from a record when it is stored."""

from __future__ import annotations

import hashlib
import json

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
"""What a memory is outside the store, in the order of `record_of`."""


def row_for(record: Mapping[str, Any], project: str, new_id: str, now: datetime) -> Row:
    """The row for a memory record: `memory`, entity ids, and optionally `id`, `metadata`, `categories`, times.

    Times stay as they are written where they are date, time and offset, and are completed in UTC where they are not;
    a missing created_at is `now`. FilterError where a time is none.
    """
    written = clock.stamp(record.get("created_at") or times.text_of(now), "created_at")
    changed = record.get("updated_at")
    updated = written if not changed or changed == written.text else clock.stamp(changed, "updated_at")
    expires = record.get("expiration_date")
    owners = {name: record.get(name) for name in ENTITY_FIELDS}
    given = {name: value for name, value in record.items() if value is not None}
    return {
        "project": project,
        "id": record.get("id") or new_id,
        "memory": record["memory"],
        **owners,
        "metadata": _json(record.get("metadata")),
        "categories": _json(record.get("categories")),
        "created_at": written.text,
        "created_us": written.us,
        "updated_at": updated.text,
        "updated_us": updated.us,
        "expiration_date": expires,
        "expires_us": None if expires is None else clock.day(expires),
        "text_key": _digest(orjson.dumps([record["memory"], owners], option=orjson.OPT_SORT_KEYS)),
        "record_key": _digest(_ENCODER.encode(given).encode()),
    }


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
"""Not orjson, which may write floats in another way in another version: digests are compared with old ones."""


def _json(value: object) -> str | None:
    return None if value is None else dump(value).decode()


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()[:16]


def record_of(row: Sequence[Any]) -> Record:
    """Return a memory as the API and the extractor see it, from the values of RECORD_FIELDS."""
    id_, memory, user, agent, app, run, metadata, categories, expiration_date, created_at, updated_at = row
    return {
        "id": id_,
        "memory": memory,
        "user_id": user,
        "agent_id": agent,
        "app_id": app,
        "run_id": run,
        "metadata": None if metadata is None else load(metadata),
        "categories": None if categories is None else load(categories),
        "expiration_date": expiration_date,
        "created_at": created_at,
        "updated_at": updated_at,
    }
