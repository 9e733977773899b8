"""Convert times between text and microseconds since 1970. The store keeps times in both forms."""

from __future__ import annotations

import re
import time

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from mem0_exports.filters.times import moment, text_of


if TYPE_CHECKING:
    from collections.abc import Callable

_STAMP: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


TOLERANCE: Final = timedelta(seconds=5)
"""How far the system clock may move against the monotonic clock, such as for a correction, without being noticed."""


class ClockWatch:
    """Reads the system clock, and notices when somebody sets it.

    What was decided by a wrong time could not be undone: expired exports are deleted, and a worker whose lease has
    ended loses its job. So both wait until the clock has been right for a while.
    """

    def __init__(
        self, now: Callable[[], datetime], settling: timedelta, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Watch the clock `now`. It is steady again if `settling` has passed since it was set."""
        self._now = now
        self._settling = settling.total_seconds()
        self._monotonic = monotonic
        self._last = now(), monotonic()
        self._set_at: float | None = None

    def read(self) -> tuple[datetime, bool]:
        """Return the time, and whether the clock is steady."""
        wall, elapsed = self._now(), self._monotonic()
        last_wall, last_elapsed = self._last
        self._last = wall, elapsed
        moved = (wall - last_wall).total_seconds() - (elapsed - last_elapsed)
        if abs(moved) > TOLERANCE.total_seconds():
            self._set_at = elapsed
        return wall, self._set_at is None or elapsed - self._set_at >= self._settling


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
