"""The settings that the calls of a client share: timeout, retry policy, polling intervals, clock."""

from __future__ import annotations

import math
import random

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import attrs

from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.facts import RETENTION, WAIT


Clock: TypeAlias = Callable[[], float]
"""Returns seconds since some fixed point and never goes backwards, such as time.monotonic."""

MAX_RESPONSE_BYTES: Final = 512 * 1024 * 1024
"""The default of `max_response_bytes`: 512 MiB, as much as an export of a million memories of usual size."""

MAX_TIMEOUT: Final = RETENTION.total_seconds()
"""The longest timeout in seconds. The service does not keep an export for longer than this."""


def _seconds(_instance: Retry, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3600:
        raise ConfigurationError(f"Retry({attribute.name}=) must be from 0 to 3600 seconds, got {value!r}")


def _count(_instance: Retry, attribute: attrs.Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100:
        raise ConfigurationError(
            f"Retry({attribute.name}=) must be an integer from 1 (no retries) to 100, got {value!r}"
        )


@attrs.frozen(slots=True, kw_only=True)
class Retry:
    """A retry policy: how often and how soon to repeat a request, where repeating does no harm.

    Client(retry=Retry(attempts=5))

    Requests that only read (ping, lists, memories.get, polls) are repeated after a lost connection, a timeout, a 408,
    429 or 5xx, and a body that is not JSON. Requests that write (create, add, delete) are repeated only if they cannot
    have been carried out: no connection was made, a 429, or a 503 with Retry-After. Nothing is repeated beyond the
    deadline of a call.

    Raises ConfigurationError for a value outside its range.
    """

    attempts: int = attrs.field(default=3, validator=_count)
    """The total number of requests, from 1 (no retries) to 100."""

    initial_delay: float = attrs.field(default=0.5, validator=_seconds)
    """The upper bound of the first wait in seconds, from 0 to 3600. Each wait is a random time from 0 to a bound that
    doubles every time ("full jitter"), so that many clients do not all send at the same moment."""

    max_delay: float = attrs.field(default=8.0, validator=_seconds)
    """The value in seconds at which the bound stops doubling, from 0 to 3600."""

    max_retry_after: float = attrs.field(default=120.0, validator=_seconds)
    """The longest Retry-After of the service that is obeyed, in seconds, from 0 to 3600. If the service asks for more,
    the error is raised at once, with the requested wait in its `retry_after`."""


class PollSchedule(NamedTuple):
    """The waits between polls in seconds. They grow from `initial_interval` by `factor` up to `max_interval`."""

    initial_interval: float = 0.25
    factor: float = 1.5
    max_interval: float = 5.0

    def delays(self) -> Iterator[float]:
        """Return an endless iterator over the waits."""
        delay = self.initial_interval
        while True:
            yield delay
            delay = min(delay * self.factor, self.max_interval)


class Gate:
    """Holds back all requests of a bulk run while the service asks one of them to wait."""

    def __init__(self) -> None:
        self._until = -math.inf

    def hold(self, until: float) -> None:
        """Keep the gate closed at least until `until`."""
        self._until = max(self._until, until)

    def left(self, now: float) -> float:
        """Return the seconds until the gate opens; 0 if it is open."""
        return max(0.0, self._until - now)


class Holding:
    """For how long the service holds a request for an export that is not ready. All calls of a client share this.

    It is what the answers of the service say (`facts.WAIT`). The Platform does not say it, so it is never asked to wait.
    """

    def __init__(self) -> None:
        self._longest = 0

    def note(self, headers: Mapping[str, str]) -> None:
        """Note what an answer says, if it says anything."""
        text = headers.get(WAIT, "")
        if text.isascii() and text.isdigit() and len(text) < _MAX_DIGITS:
            self._longest = int(text)

    def seconds(self, pause: float, left: float, timeout: float) -> int:
        """Return for how many seconds to ask the service to hold the next poll; 0 for not at all.

        `pause` is the time until the poll after it, `left` the time until the deadline, `timeout` that of a request.
        """
        return max(0, min(self._longest, _LONGEST_ASKED, math.ceil(pause), math.floor(min(left, timeout) / 2)))


_LONGEST_ASKED: Final = 2
"""The most seconds that a poll is held. A call that was interrupted in a thread ends only after its poll."""

_MAX_DIGITS: Final = 9


class Settings(NamedTuple):
    """The settings that the calls of a client share, unless a call overrides them."""

    timeout: float
    """The timeout of one request in seconds."""
    schedule: PollSchedule
    clock: Clock
    retry: Retry = Retry()
    jitter: Callable[[], float] = random.random
    """Returns random numbers in [0, 1)."""
    gate: Gate | None = None
    max_response_bytes: int = MAX_RESPONSE_BYTES
    """The most bytes of a response, after decompression."""
    holding: Holding | None = None
    """What the service has said about holding requests; None if it must not be asked."""

    def with_limit(self, max_response_bytes: int | None) -> Settings:
        """Return these settings, with the limit `max_response_bytes` unless it is None."""
        if max_response_bytes is None:
            return self
        return self._replace(max_response_bytes=check_max_response_bytes(max_response_bytes))

    def with_retry(self, retry: Retry | None) -> Settings:
        """Return these settings, with the retry policy `retry` unless it is None."""
        return self if retry is None else self._replace(retry=check_retry(retry))

    def deadline(self, timeout: float | None) -> float | None:
        """Return the time on `clock` at which a call that begins now must end; None if it has no timeout."""
        return None if timeout is None else self.clock() + check_timeout(timeout)


def check_timeout(timeout: float) -> float:
    """Return `timeout`, or raise InputError if it is not a number of seconds above 0 and at most 7 days."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= MAX_TIMEOUT:
        raise InputError(
            f"timeout must be above 0 seconds and at most {RETENTION.days} days, got {timeout!r}", field="timeout"
        )
    return timeout


def check_max_response_bytes(limit: int) -> int:
    """Return `limit`, or raise InputError if it is not a positive integer."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InputError(
            f"max_response_bytes must be an integer of at least 1, got {limit!r}", field="max_response_bytes"
        )
    return limit


def check_retry(retry: Retry) -> Retry:
    """Return `retry`, or raise InputError if it is not a Retry."""
    if not isinstance(retry, Retry):
        raise InputError(f"retry must be a Retry, such as Retry(attempts=1), got {retry!r}", field="retry")
    return retry
