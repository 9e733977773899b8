"""The report of an export: what was filled and where it stands, what stayed empty and why, and what was not read."""

from __future__ import annotations

import json

from typing import Any

import attrs


@attrs.frozen(slots=True)
class Gap:
    """A field that stayed empty, or a value or record that was left out."""

    path: str
    """The field, such as `birth_year` or `items[].place`."""
    reason: str
    """Why it stayed empty or was left out, for example `"about 40" was left out: it is not of type "integer"`."""
    count: int = 1
    """How often this happened. For a field of a list of records, this is the number of records."""
    did_you_mean: str | None = None
    """A metadata key with a similar name. It is only a hint; its value was not used."""


@attrs.frozen(slots=True)
class Evidence:
    """Where a value of an export comes from."""

    path: str
    """The value, such as `city`, `hobbies[0]` or `events[2].place`; `items[]` for the records of a list from metadata."""
    how: str
    """metadata: a field or the metadata of the memory has it. text: it stands in the text of the memory, literally.
    judged: the language model says that the memory says so."""
    memory_id: str
    start: int | None = None
    """For `text`, where it stands in the stored text, in code points: `memory[start:end]`."""
    end: int | None = None


@attrs.frozen(slots=True)
class ModelUsage:
    """What the language model was asked for an export."""

    model: str
    calls: int
    """How many requests were sent by the attempt that finished the export."""
    cached: int
    """How many answers were there already, from an earlier export or attempt."""
    tokens_in: int
    tokens_out: int
    seconds: float
    """The time that the calls took, added up."""


@attrs.frozen(slots=True)
class Report:
    """How many memories an export read, what they filled, and what stayed empty and why."""

    memories: int
    """How many memories were read."""
    filled: dict[str, list[str]]
    """For each filled top-level field, the ids of the memories that its value comes from (at most the first 100)."""
    gaps: list[Gap]
    """What stayed empty or was left out."""
    notes: list[str]
    """Remarks about the whole export, such as that `export_instructions` were not followed."""
    left_out: int = 0
    """How many records were left out of the lists of the export, because a required property had no value or a value
    did not fit."""
    evidence: list[Evidence] = attrs.field(factory=list)
    """Where the values come from; at most 5,000 of them."""
    unread: int = 0
    """How many memories a language model should have read, and did not. `gaps` says why."""
    unread_ids: list[str] = attrs.field(factory=list)
    """Their ids; at most the first 1,000."""
    usage: ModelUsage | None = None
    """What the language model was asked; None if it was not needed, or there is none."""

    def to_json(self) -> str:
        """Return the report as JSON text, which `from_json` reads."""
        return json.dumps(attrs.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Return the report that `to_json` wrote as `text`."""
        data: dict[str, Any] = json.loads(text)
        return cls(
            data["memories"],
            data["filled"],
            [Gap(**gap) for gap in data["gaps"]],
            data["notes"],
            data.get("left_out", 0),
            [Evidence(**each) for each in data.get("evidence", ())],
            data.get("unread", 0),
            data.get("unread_ids", []),
            None if data.get("usage") is None else ModelUsage(**data["usage"]),
        )
