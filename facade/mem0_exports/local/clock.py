"""Times in the store: microseconds since 1970, beside the text as it was given."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from mem0_exports._times import text_of


_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def microseconds(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970, exactly."""
    return (moment - _START) // _MICROSECOND


def text_at(moment_us: int) -> str:
    """The ISO 8601 text, in UTC, for microseconds since 1970."""
    return text_of(_START + moment_us * _MICROSECOND)


def day(text: str) -> int | None:
    """The first microsecond of a day written YYYY-MM-DD, or None where it is none."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return microseconds(datetime(found.year, found.month, found.day, tzinfo=UTC))
