"""Times in the store: microseconds since 1970, beside the text as it was given."""

from __future__ import annotations

import re

from datetime import UTC, date, datetime, timedelta
from typing import Final

from mem0_exports._times import moment, text_of


_STAMP: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def microseconds(when: datetime) -> int:
    """An aware datetime as microseconds since 1970, exactly."""
    return (when - _START) // _MICROSECOND


def stamp(text: str, name: str) -> str:
    """`text`, if it is a date, a time and an offset as RFC 3339 writes them, else the same moment written so, in UTC.

    FilterError, which calls it `name`, where it is no time.
    """
    found = moment(text, name)
    return text if _STAMP.fullmatch(text) else text_of(found)


def text_at(moment_us: int) -> str:
    """The ISO 8601 text, in UTC, for microseconds since 1970."""
    return text_of(_START + moment_us * _MICROSECOND)


def day(text: str) -> int | None:
    """The first microsecond of a day written YYYY-MM-DD, or None where it is none."""
    if not _DAY.fullmatch(text):
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return microseconds(datetime(found.year, found.month, found.day, tzinfo=UTC))
