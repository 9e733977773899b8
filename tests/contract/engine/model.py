"""A small model of one project: what has to be true of its memories and exports, written from the spec alone.

It keeps plain lists and shares no code with the engine. Filters are read by `tests.support.naive_filters`.
"""

from __future__ import annotations

import json

from datetime import date, datetime, timedelta
from typing import Any

import attrs

from tests.support.naive_filters import holds


OWNERS = ("user_id", "agent_id", "app_id", "run_id")
KEPT = timedelta(days=7)
PENDING, FAILED = "pending", "failed"

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
HOPELESS = {"type": "object", "properties": {"nowhere": {"type": "integer"}}, "required": ["nowhere"]}
SCHEMAS = (RICH, LEAN, HOPELESS)


@attrs.define
class Memory:
    """What was stored."""

    id: str
    memory: str
    owners: dict[str, str]
    metadata: dict[str, Any] | None
    created_at: datetime
    expiration_date: str | None

    def counts(self, now: datetime) -> bool:
        """Whether it has not expired. A day that no calendar has is never reached."""
        try:
            return self.expiration_date is None or date.fromisoformat(self.expiration_date) >= now.date()
        except ValueError:
            return True

    def record(self) -> dict[str, Any]:
        """As the evaluator of filters reads it."""
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

    def listed(self) -> dict[str, Any]:
        """As a list gives it; times as moments."""
        record = self.record()
        record["session_id"] = record.pop("run_id")
        return {**record, "created_at": self.created_at, "updated_at": self.created_at}


@attrs.define
class Export:
    """An export job, and what it may come to: while it is pending, memories are still being added."""

    id: str
    schema: dict[str, Any]
    where: frozenset[str]
    filters: dict[str, Any]
    created: datetime
    possible: list[Any]
    outcome: Any = PENDING

    def alive(self, now: datetime) -> bool:
        """Whether it is still kept."""
        return now < self.created + KEPT


class Project:
    """Everything of one key."""

    def __init__(self) -> None:
        self.memories: list[Memory] = []
        self.exports: list[Export] = []

    def add(self, body: dict[str, Any], created_at: datetime, now: datetime) -> list[Memory]:
        """The memories that a request adds, whose ids the service chooses."""
        owners = {name: body[name] for name in OWNERS if name in body}
        added = []
        for message in body["messages"]:
            made = Memory("", message["content"], owners, body.get("metadata"), created_at, body.get("expiration_date"))
            if message["role"] != "system" and not any(self._same(made, each, now) for each in self.memories):
                added.append(made)
                self.memories.append(made)
        return added

    @staticmethod
    def _same(new: Memory, old: Memory, now: datetime) -> bool:
        """Whether `old` says already what `new` says: the same text of the same owners, unless it has expired."""
        if (new.memory, new.owners) != (old.memory, old.owners):
            return False
        return old.counts(now) or _details(new) == _details(old)

    def selected(self, filters: dict[str, Any], now: datetime, *, show_expired: bool = False) -> list[Memory]:
        """The memories that filters select, oldest first."""
        found = [each for each in self.memories if holds(filters, each.record())]
        return sorted((each for each in found if show_expired or each.counts(now)), key=lambda each: each.created_at)

    def result(self, schema: dict[str, Any], filters: dict[str, Any], now: datetime) -> Any:
        """What an export comes to that is made now."""
        if schema is HOPELESS:
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
        """The newest export with these filters."""
        return next((each for each in reversed(self.exports) if each.where == where and each.alive(now)), None)

    def memories_changed(self, now: datetime) -> None:
        """Exports that are pending may find what there is now, too."""
        for each in self.exports:
            if each.outcome == PENDING:
                each.possible.append(self.result(each.schema, each.filters, now))


def _details(memory: Memory) -> str:
    return json.dumps([memory.metadata, memory.created_at.isoformat(), memory.expiration_date], sort_keys=True)
