"""JSON values as values of typed columns."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from mem0_exports.output.kinds import INT64
from mem0_exports.output.rows import json_text


if TYPE_CHECKING:
    from mem0_exports.output.kinds import Kind


def typed_value(value: Any, kind: Kind) -> Any:  # noqa: PLR0911 -- one for each kind
    """Return a JSON value as its column has it: times in UTC, dates, JSON text for what has no type of its own.

    A time without an offset is taken to be in UTC, as in the API. Raises ValueError, TypeError or AttributeError if the
    value is not of this kind.
    """
    if value is None:
        return None
    if kind.name == "time":
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if kind.name == "date":
        return date.fromisoformat(value)
    if kind.name == "int":
        return _within_64_bits(value)
    if kind.name == "json":
        return json_text(value)
    if kind.item is not None:
        return [typed_value(item, kind.item) for item in value]
    if kind.fields:
        return {name: typed_value(value.get(name), part) for name, part in kind.fields}
    return value


def _within_64_bits(value: Any) -> Any:
    if isinstance(value, int) and value not in INT64:
        raise ValueError(f"{value} does not fit into 64 bits")
    return value
