"""Understand a record of a memory, whichever tool of Mem0 has written it.

A record has a text (`memory`, also `text` or `content`), and says whose it is (`user_id`, `agent_id`, `app_id` or
`run_id`, also in camel case; `session_id` is the run). Everything that a memory has no field for is kept in its metadata:
under `mem0_raw`, so that it cannot be mixed up with the user's own metadata.
"""

from __future__ import annotations

import uuid

from typing import TYPE_CHECKING, Any, Final

from mem0_exports.facts import ENTITY_FIELDS, RUN_ALIAS
from mem0_exports_engine import clock, json_text


if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT: Final = "mem0_raw"
"""The metadata key with the fields of a record that a memory has no field for."""

_TEXTS: Final = (*ENTITY_FIELDS, "id", "created_at", "updated_at", "expiration_date")
_KNOWN: Final = frozenset({"memory", "metadata", "categories", *_TEXTS})

_DERIVED: Final = frozenset({"hash", "text_lemmatized", "textLemmatized", "score", "source_payload"})
"""Fields that other tools compute from the rest. They are not kept."""

_ALIASES: Final = {
    "userId": "user_id",
    "agentId": "agent_id",
    "appId": "app_id",
    "runId": "run_id",
    "sessionId": "run_id",
    RUN_ALIAS: "run_id",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "expirationDate": "expiration_date",
}

_OF_PAYLOADS: Final = frozenset(
    {"data", "created_at", "updated_at", "user_id", "agent_id", "run_id", "hash", "text_lemmatized"}
)
"""What open-source Mem0 itself puts into a payload, apart from what belongs to the metadata. The rest is the user's."""

_NAMESPACE: Final = uuid.UUID("0c7a3c1e-6d1b-5d0e-8f0e-6a4b8f6b2c55")
"""The namespace of ids that are made from ids that are no UUIDs."""


class BadRecord(ValueError):
    """Raised for a record that cannot be imported; the message says why."""


def understood(found: Any, owners: Mapping[str, str], *, unit: str = "line") -> dict[str, Any]:
    """Return a record with the fields that the store has. `owners` are the ids for a record that names nobody.

    Raises BadRecord if it is not a memory.
    """
    if not isinstance(found, dict):
        raise BadRecord(f"the {unit} must be a JSON object, got {_shown(found)}")
    payload = found.get("source_payload")
    given = _of_payload(found, payload) if isinstance(payload, dict) and "data" in payload else found
    record: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for name, value in given.items():
        field = _ALIASES.get(name, name)
        if field in _KNOWN and (field == name or field not in given):
            record[field] = value
        elif name not in _DERIVED and value is not None:
            kept[name] = value
    for name in ("text", "content"):
        if "memory" not in record and isinstance(kept.get(name), str):
            record["memory"] = kept.pop(name)
    if not any(record.get(name) for name in ENTITY_FIELDS):
        record |= owners
    _check_texts(record)
    _check_values(record)
    _check_id_and_day(record, kept)
    if kept:
        metadata = record.get("metadata") or {}
        earlier = metadata.get(KEPT)
        record["metadata"] = {**metadata, KEPT: {**(earlier if isinstance(earlier, dict) else {}), **kept}}
    return record


def _of_payload(found: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """Return a record of open-source Mem0 by its payload in the vector store, which has everything."""
    record: dict[str, Any] = {
        name: payload[name] for name in ("created_at", "updated_at", "user_id", "agent_id", "run_id") if name in payload
    }
    metadata = {name: value for name, value in payload.items() if name not in _OF_PAYLOADS}
    # Mem0 stores whatever the application has passed. Only a date is one; anything else stays metadata.
    if isinstance(metadata.get("expiration_date"), str) and clock.day(metadata["expiration_date"]) is not None:
        record["expiration_date"] = metadata.pop("expiration_date")
    return {"id": found.get("id"), "memory": payload["data"], **record, "metadata": metadata or None}


def _check_texts(record: dict[str, Any]) -> None:
    if not isinstance(record.get("memory"), str) or not record["memory"]:
        raise BadRecord(f"memory must be a non-empty string, got {_shown(record.get('memory'))}")
    for name in _TEXTS:
        if record.get(name) is not None and not (isinstance(record[name], str) and record[name]):
            raise BadRecord(f"{name} must be a non-empty string, got {_shown(record[name])}")
        if name in ENTITY_FIELDS and record.get(name) == "*":
            raise BadRecord(f"{name} must not be '*': in filters it means any {name}, so it could not be selected")
    if not any(record.get(name) for name in ENTITY_FIELDS):
        raise BadRecord(
            f"at least one of {', '.join(ENTITY_FIELDS)} must be set (--user-id is for all records that name nobody)"
        )


def _check_values(record: dict[str, Any]) -> None:
    metadata, categories = record.get("metadata"), record.get("categories")
    if metadata is not None and not isinstance(metadata, dict):
        raise BadRecord(f"metadata must be an object, got {_shown(metadata)}")
    listed = categories if categories is not None else []
    if not isinstance(listed, list) or not all(isinstance(category, str) for category in listed):
        raise BadRecord(f"categories must be a list of strings, got {_shown(categories)}")


def _shown(value: Any) -> str:
    """Return a value as short JSON text for a message."""
    text = json_text.dump(value).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"


def kept_id(given: str) -> tuple[str, bool]:
    """Return the id under which a store keeps an id, and whether they are the same.

    The id of another tool that is no UUID becomes one that is always the same, so that the memory is found again.
    """
    try:
        return str(uuid.UUID(given)), True
    except ValueError:
        return str(uuid.uuid5(_NAMESPACE, given)), False


def _check_id_and_day(record: dict[str, Any], kept: dict[str, Any]) -> None:
    given = record.get("id")
    if given is not None:
        record["id"], is_own = kept_id(given)
        if not is_own:
            kept["id"] = given
    if record.get("expiration_date") is not None and clock.day(record["expiration_date"]) is None:
        raise BadRecord(f"expiration_date must be a date as YYYY-MM-DD, got {_shown(record['expiration_date'])}")
