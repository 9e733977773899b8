"""The report of an export: what went in, what was filled from where, and what stayed empty."""

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
    count: int = 1
    """How many times: for the fields of records, in how many of them."""
    did_you_mean: str | None = None
    """A metadata key with a similar name. Only a hint: it was not used."""


@attrs.frozen(slots=True)
class Report:
    """What went in, what was filled from where, and what stayed empty."""

    memories: int
    """How many memories were gone through."""
    filled: dict[str, list[str]]
    """For each filled field of the root, the ids of the memories that its value comes from (the first hundred)."""
    gaps: list[Gap]
    notes: list[str]

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(attrs.asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """From the text of `to_json`."""
        data: dict[str, Any] = json.loads(text)
        return cls(data["memories"], data["filled"], [Gap(**gap) for gap in data["gaps"]], data["notes"])
