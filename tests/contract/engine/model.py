"""A reference model of one project, written from the spec alone: its memories, its exports and their results.

It keeps plain lists and shares no code with the engine. `tests.support.naive_filters` evaluates the filters.
"""

from __future__ import annotations

import json

from datetime import date, datetime, timedelta
from typing import Any

import attrs

from tests.support.naive_filters import holds


OWNERS = ("user_id", "agent_id", "app_id", "run_id")
RETENTION = timedelta(days=7)
PENDING, FAILED = "pending", "failed"

# Schemas of exports: one with a count, a value, a list and records; one with a value; one that no memories can fill.
RICH = {
    "type": "object",
    "properties": {
        "count": {"type": "integer", "x-mem0-source": {"count": True}},
        "city": {"type": "string"},
        "places": {"type": "array", "items": {"type": "string"}, "x-mem0-source": {"metadata": "city"}},
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "memory": {"type": "string"}, "city": {"type": "string"}},
            },
        },
    },
}
LEAN = {"type": "object", "properties": {"city": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}}}
UNFILLABLE = {"type": "object", "properties": {"nowhere": {"type": "integer"}}, "required": ["nowhere"]}
SCHEMAS = (RICH, LEAN, UNFILLABLE)


@attrs.define
class Memory:
    """A stored memory."""

    id: str
    memory: str
    owners: dict[str, str]
    metadata: dict[str, Any] | None
    created_at: datetime
    expiration_date: str | None

    def is_active(self, now: datetime) -> bool:
        """Return whether it has not expired. A memory with an invalid expiration date never expires."""
        try:
            return self.expiration_date is None or date.fromisoformat(self.expiration_date) >= now.date()
        except ValueError:
            return True

    def record(self) -> dict[str, Any]:
        """Return it as a dict, as the evaluator of filters expects it."""
        made = self.created_at.isoformat()
        return {
            "id": self.id,
            "memory": self.memory,
            **{name: self.owners.get(name) for name in OWNERS},
            "metadata": self.metadata,
            "categories": None,
            "created_at": made,
            "updated_at": made,
            "expiration_date": self.expiration_date,
        }

    def as_listed(self) -> dict[str, Any]:
        """Return it as a page of a list contains it, but with times as datetimes."""
        record = self.record()
        record["session_id"] = record.pop("run_id")
        return {**record, "created_at": self.created_at, "updated_at": self.created_at}


@attrs.define
class Export:
    """An export job and its possible results: memories added while it is pending may or may not be in its result."""

    id: str
    schema: dict[str, Any]
    where: frozenset[str]
    filters: dict[str, Any]
    created: datetime
    possible_results: list[Any]
    outcome: Any = PENDING

    def is_kept(self, now: datetime) -> bool:
        """Return whether the service still has it."""
        return now < self.created + RETENTION


class Project:
    """The memories and exports that one key can see."""

    def __init__(self) -> None:
        self.memories: list[Memory] = []
        self.exports: list[Export] = []

    def add(self, body: dict[str, Any], created_at: datetime, now: datetime) -> list[Memory]:
        """Add the memories of a request and return them; the caller sets their ids, which the service chooses."""
        owners = {name: body[name] for name in OWNERS if name in body}
        added = []
        for message in body["messages"]:
            made = Memory("", message["content"], owners, body.get("metadata"), created_at, body.get("expiration_date"))
            if message["role"] != "system" and not any(self._is_duplicate(made, each, now) for each in self.memories):
                added.append(made)
                self.memories.append(made)
        return added

    @staticmethod
    def _is_duplicate(new: Memory, old: Memory, now: datetime) -> bool:
        """Return whether `new` repeats `old`: the same text of the same owners.

        An expired memory is repeated only if the other details are the same, too.
        """
        if (new.memory, new.owners) != (old.memory, old.owners):
            return False
        return old.is_active(now) or _details(new) == _details(old)

    def selected(self, filters: dict[str, Any], now: datetime, *, show_expired: bool = False) -> list[Memory]:
        """Return the memories that filters select, oldest first."""
        found = [each for each in self.memories if holds(filters, each.record())]
        return sorted((each for each in found if show_expired or each.is_active(now)), key=lambda each: each.created_at)

    def result(self, schema: dict[str, Any], filters: dict[str, Any], now: datetime) -> Any:
        """Return the result of an export that is made now."""
        if schema is UNFILLABLE:
            return FAILED
        memories = self.selected(filters, now)
        cities = [each.metadata["city"] for each in memories if each.metadata and "city" in each.metadata]
        newest = {"city": cities[-1]} if cities else {}
        if schema is LEAN:
            return newest
        rows = [
            {"id": each.id, "memory": each.memory, **{k: v for k, v in (each.metadata or {}).items() if k == "city"}}
            for each in memories
        ]
        lists = {"places": list(dict.fromkeys(cities)), "rows": rows}
        return {"count": len(memories), **newest, **{name: each for name, each in lists.items() if each}}

    def newest(self, where: frozenset[str], now: datetime) -> Export | None:
        """Return the newest export with these filters, or None."""
        return next((each for each in reversed(self.exports) if each.where == where and each.is_kept(now)), None)

    def memories_changed(self, now: datetime) -> None:
        """Add the result of the memories as they are now to the possible results of each pending export."""
        for each in self.exports:
            if each.outcome == PENDING:
                each.possible_results.append(self.result(each.schema, each.filters, now))


def _details(memory: Memory) -> str:
    return json.dumps([memory.metadata, memory.created_at.isoformat(), memory.expiration_date], sort_keys=True)
