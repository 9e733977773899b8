"""The report of an export: how many memories were read, what they filled, and what stayed empty and why."""

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
        )
