"""Convert times between text and microseconds since 1970. The store keeps times in both forms."""

from __future__ import annotations

import re

from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from mem0_exports.filters.times import moment, text_of


_STAMP: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def length(span: timedelta) -> int:
    """Return a duration in microseconds."""
    return span // _MICROSECOND


def microseconds(when: datetime) -> int:
    """Return an aware datetime as microseconds since 1970, computed in integers because floats lose digits."""
    return (when - _START) // _MICROSECOND


class Stamp(NamedTuple):
    """A point in time: as RFC 3339 text with date, time and offset, and in microseconds since 1970."""

    text: str
    us: int


def stamp(text: str, name: str) -> Stamp:
    """Parse a time. Complete RFC 3339 text is kept unchanged; any other text is rewritten in UTC.

    Raises FilterError if the text is not a time. The error gives `name` as the name of the field.
    """
    parsed = moment(text, name)
    return Stamp(text if _STAMP.fullmatch(text) else text_of(parsed), microseconds(parsed))


def text_at(moment_us: int) -> str:
    """Return microseconds since 1970 as ISO 8601 text in UTC."""
    return text_of(_START + moment_us * _MICROSECOND)


def day(text: str) -> int | None:
    """Return the first microsecond of a date written YYYY-MM-DD, or None if the text is not such a date."""
    if not _DAY.fullmatch(text):
        return None
    try:
        parsed = date.fromisoformat(text)
    except ValueError:
        return None
    return microseconds(datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC))
