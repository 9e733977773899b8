"""Times in the store: microseconds since 1970, beside the text as it was given."""

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
    """The time, in UTC."""
    return datetime.now(UTC)


def length(span: timedelta) -> int:
    """A span of time in microseconds."""
    return span // _MICROSECOND


def microseconds(when: datetime) -> int:
    """An aware datetime as microseconds since 1970, exactly."""
    return (when - _START) // _MICROSECOND


class Stamp(NamedTuple):
    """A moment: as text with a date, a time and an offset as RFC 3339 writes them, and in microseconds since 1970."""

    text: str
    us: int


def stamp(text: str, name: str) -> Stamp:
    """The moment that `text` says, with the text as it is if it is complete, else the same moment written in UTC.

    FilterError, which calls it `name`, where it is no time.
    """
    found = moment(text, name)
    return Stamp(text if _STAMP.fullmatch(text) else text_of(found), microseconds(found))


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
