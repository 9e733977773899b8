"""Make records of the payloads of open-source Mem0. Everything in a payload stands somewhere in the record.

| in the payload | in the record |
|---|---|
| `data` | `memory` |
| `user_id`, `agent_id`, `run_id` | the same; numbers become texts |
| `created_at`, `updated_at` | the same, with its offset; one that is no time: metadata `mem0_raw` |
| `expiration_date` | the same if it is a date; anything else: metadata |
| `hash`, `text_lemmatized` | metadata `mem0_raw` |
| any other, also `app_id` and `categories` | metadata |
| the id | `id`; one that is no UUID: a UUID made of it, and metadata `mem0_raw` |

Values that JSON does not have become texts: times, UUIDs, and numbers that are not finite.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.errors import FilterError
from mem0_exports_engine import clock, json_text
from mem0_exports_engine.importing.records import KEPT, BadRecord, understood
from mem0_exports_engine.limits import MAX_BYTES


if TYPE_CHECKING:
    from collections.abc import Mapping

    from mem0_exports_engine.sources.source import Point

_RAW: Final = ("hash", "text_lemmatized")
"""What is kept beside the user's metadata, because no user has written it."""

_OWNERS: Final = ("user_id", "agent_id", "run_id")
_TIMES: Final = ("created_at", "updated_at")


def record_of(point: Point, owners: Mapping[str, str]) -> dict[str, Any]:
    """Return the record of a memory. `owners` are the ids for one that names nobody. Raises BadRecord if it is none."""
    payload = _checked(point)
    raw: dict[str, Any] = {name: payload.pop(name) for name in _RAW if name in payload}
    for name in _OWNERS:
        value = payload.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            payload[name] = json.dumps(value)
        elif name in payload and not (isinstance(value, str) and value):
            raw[name] = payload.pop(name)
    for name in _TIMES:
        if name in payload and not _is_time(payload[name], name):
            raw[name] = payload.pop(name)
    record = understood({"id": point.id, "source_payload": {"data": None, **payload}}, owners, unit="memory")
    if record["id"] != point.id:
        raw["id"] = point.id
    if raw := {name: value for name, value in raw.items() if value is not None}:
        metadata = record.get("metadata") or {}
        earlier = metadata.get(KEPT)
        record["metadata"] = {**metadata, KEPT: {**(earlier if isinstance(earlier, dict) else {}), **raw}}
    return record


def _checked(point: Point) -> dict[str, Any]:
    """Return the payload of a point with JSON values only, within the limits for a request. Raises BadRecord."""
    try:
        point.id.encode()
        text = json.dumps(_plain(point.payload), ensure_ascii=False).encode()
        if len(text) <= MAX_BYTES:
            payload: dict[str, Any] = json_text.read(text)
            return payload
        problem = f"larger than {MAX_BYTES // 1024 // 1024} MB"
    except RecursionError:
        problem = "nested too deep"
    except UnicodeEncodeError:
        problem = "not valid: its id or one of its strings has an unpaired surrogate"
    except ValueError as error:
        problem = str(error)
    raise BadRecord(f"the memory cannot be kept: it is {problem}")


def _is_time(value: Any, name: str) -> bool:
    try:
        return isinstance(value, str) and clock.stamp(value, name) is not None
    except FilterError:
        return False


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else repr(value)
