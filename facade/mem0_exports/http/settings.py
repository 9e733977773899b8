"""What the calls of a client share: timeouts, retries, the pace of polling, the clock."""

from __future__ import annotations

import math
import random

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import attrs

from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.facts import RETENTION


Clock: TypeAlias = Callable[[], float]
"""Seconds from some fixed point, never going back, such as time.monotonic."""

MAX_TIMEOUT: Final = RETENTION.total_seconds()
"""Seconds: as long as the service keeps an export."""


def _seconds(_instance: Retry, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3600:
        raise ConfigurationError(f"Retry({attribute.name}=) is a number of seconds from 0 to 3600, got {value!r}")


def _count(_instance: Retry, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100:
        raise ConfigurationError(
            f"Retry({attribute.name}=) is the number of requests in all, from 1 (nothing is repeated) to 100, got {value!r}"
        )


@attrs.frozen(slots=True, kw_only=True)
class Retry:
    """How often and how soon a request is repeated. Takes effect only where repeating does no harm.

    What reads (ping, lists, polls) is repeated after lost connections, timeouts, 408, 429, 5xx and bodies that are not
    JSON; what writes (create, add) only where it cannot have been carried out: no connection was made, 429, or 503 with
    Retry-After. Nothing is repeated beyond the deadline of a call.
    """

    attempts: int = attrs.field(default=3, validator=_count)
    """Requests in all: 1 repeats nothing."""

    initial_delay: float = attrs.field(default=0.5, validator=_seconds)
    """Seconds that the first wait lasts at most. Waits are drawn from 0 to a bound that doubles each time ("full
    jitter"), so that many clients do not come back at the same moment."""

    max_delay: float = attrs.field(default=8.0, validator=_seconds)
    """Seconds that this bound grows to."""

    max_retry_after: float = attrs.field(default=120.0, validator=_seconds)
    """Seconds. Where the service says Retry-After, it is obeyed up to here; beyond, the error is raised at once, and
    its `retry_after` says how long the service wanted."""


class PollSchedule(NamedTuple):
    """Seconds to wait between two polls: `initial_interval`, then growing by `factor` up to `max_interval`."""

    initial_interval: float = 0.25
    factor: float = 1.5
    max_interval: float = 5.0

    def delays(self) -> Iterator[float]:
        """The waits, without end."""
        delay = self.initial_interval
        while True:
            yield delay
            delay = min(delay * self.factor, self.max_interval)


class Gate:
    """Holds all requests of a bulk run back while the service asks for fewer of them."""

    def __init__(self) -> None:
        self._until = -math.inf

    def hold(self, until: float) -> None:
        """Let nothing through before `until`."""
        self._until = max(self._until, until)

    def left(self, now: float) -> float:
        """Seconds until it opens; 0 where it is open."""
        return max(0.0, self._until - now)


class Settings(NamedTuple):
    """What the calls of a client share, unless a call says otherwise."""

    timeout: float
    """Seconds for one request."""
    schedule: PollSchedule
    clock: Clock
    retry: Retry = Retry()
    jitter: Callable[[], float] = random.random
    """Numbers in [0, 1)."""
    gate: Gate | None = None

    def with_retry(self, retry: Retry | None) -> Settings:
        """Return these settings with the retry policy of a single call, where it has one of its own."""
        return self if retry is None else self._replace(retry=check_retry(retry))

    def deadline(self, timeout: float | None) -> float | None:
        """When a call that begins now has to be over; None where it said nothing."""
        return None if timeout is None else self.clock() + check_timeout(timeout)


def check_timeout(timeout: float) -> float:
    """`timeout`, if it is a number of seconds; InputError otherwise."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= MAX_TIMEOUT:
        raise InputError(f"timeout is a number of seconds above 0 and at most 7 days, got {timeout!r}", field="timeout")
    return timeout


def check_retry(retry: Retry) -> Retry:
    """`retry`, if it is one; InputError otherwise."""
    if not isinstance(retry, Retry):
        raise InputError(f"retry is a Retry, such as Retry(attempts=1), got {retry!r}", field="retry")
    return retry
