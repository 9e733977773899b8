"""Pure decisions, as generators that yield commands: `Send`, `Sleep` and `Work`.

When to try again, how long to wait, when to give up: all of it is written here, once. This module does no I/O and reads
no clock of its own; a driver (`_drive`) carries the commands out, or a test does, with a clock that it moves itself. A
driver answers `Send` with a `Response` or throws an error of `errors` in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import attrs

from mem0_exports.errors import (
    ContractViolation,
    Mem0ExportsError,
    NoAnswer,
    RateLimited,
    RequestTimeout,
    StatusError,
)


if TYPE_CHECKING:
    from mem0_exports._settings import Settings

T = TypeVar("T")


@attrs.frozen(slots=True)
class Request:
    """One HTTP request, without its origin and its key. Its body does not show in its repr."""

    operation: str
    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    body: bytes | None = attrs.field(default=None, repr=False)
    repeatable: bool = True
    """Whether it only reads, so that sending it twice does no harm."""


def _unchanged(text: str) -> str:
    return text


@attrs.frozen(slots=True)
class Response:
    """One HTTP response. Header names are lower case. Only the status shows in its repr: the rest is the user's."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    redacted: Callable[[str], str] = attrs.field(default=_unchanged, repr=False, eq=False)
    """Takes the key out of a text, for services that repeat what they were sent. What is shown goes through it."""

    @property
    def request_id(self) -> str | None:
        """What the service calls the request, where it says so."""
        said = self.headers.get("x-request-id")
        return None if said is None else self.redacted(said)[:200]


class Send(NamedTuple):
    """Send the request; `timeout` in seconds for all of it. `attempt` counts from 1, for the log."""

    request: Request
    timeout: float
    attempt: int = 1


class Sleep(NamedTuple):
    """Do nothing for some seconds."""

    seconds: float


class Work(NamedTuple):
    """Call a function that blocks, such as one that writes to disk, where blocking does no harm."""

    call: Callable[[], Any]


Flow: TypeAlias = Generator[Send | Sleep | Work, Any, T]


class NotCarriedOut(BaseException):
    """Thrown into a flow by a driver that was told to stop: the last command was not carried out, nor will be another.

    Internal, and like GeneratorExit no Exception: it passes through the flow to whoever told the driver to stop.
    """


class TimedOut(Exception):
    """The deadline of `wait` passed. Internal: callers turn it into an error that names the export."""

    def __init__(self, polls: int, failure: Mem0ExportsError | None) -> None:
        super().__init__(polls, failure)
        self.polls = polls
        self.failure = failure


def send(
    request: Request, read: Callable[[Response], T], settings: Settings, *, deadline: float | None = None
) -> Flow[T]:
    """One call: the request, repeated as `settings.retry` allows, never beyond `deadline` (on the settings' clock).

    `read` turns the answer into a value or raises. What only reads is repeated after every failure that may pass; what
    writes only after those where it cannot have been carried out.
    """
    clock, gate = settings.clock, settings.gate
    attempt = 0
    while True:
        if gate is not None and (held := gate.left(clock())):
            if deadline is not None and clock() + held >= deadline:
                raise _late(request, attempt, "the service asks to wait beyond the deadline")
            apart = settings.draw() * settings.retry.first
            yield Sleep(held + apart if deadline is None else min(held + apart, deadline - clock()))
            continue
        timeout = settings.timeout if deadline is None else min(settings.timeout, deadline - clock())
        if timeout <= 0:
            raise _late(request, attempt, "no time is left")
        attempt += 1
        try:
            response = yield Send(request, timeout, attempt)
            return read(response)
        except Mem0ExportsError as error:
            error.attempts = attempt
            error.outcome_unknown = not request.repeatable and _may_be_done(error)
            delay = _delay(request, error, attempt, settings)
            if delay is None or (deadline is not None and clock() + delay >= deadline):
                raise
            if gate is not None and _told_to_wait(error):
                gate.hold(clock() + delay)
                continue
        yield Sleep(delay)


def _late(request: Request, attempt: int, why: str) -> RequestTimeout:
    error = RequestTimeout(why, operation=request.operation, sent=False)
    error.attempts = attempt
    return error


def _delay(request: Request, error: Mem0ExportsError, attempt: int, settings: Settings) -> float | None:
    """Seconds until the next attempt; None where there is to be none."""
    retry = settings.retry
    if attempt >= retry.attempts or not (_transient(error) if request.repeatable else _refused_for_now(error)):
        return None
    told = error.retry_after if isinstance(error, StatusError) else None
    if told is None:
        return settings.draw() * min(retry.longest, retry.first * 2.0 ** min(attempt - 1, 60))
    if told > retry.longest_retry_after:
        return None
    return told + settings.draw() * retry.first  # apart from others that were told the same


def _transient(error: Mem0ExportsError) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, StatusError):
        return error.status in {408, 429} or error.status >= 500
    return isinstance(error, NoAnswer) or (isinstance(error, ContractViolation) and error.garbled)


def _refused_for_now(error: Mem0ExportsError) -> bool:
    """Whether the request cannot have been carried out, but may be later."""
    if isinstance(error, NoAnswer):
        return not error.sent
    return _told_to_wait(error)


def _told_to_wait(error: Mem0ExportsError) -> bool:
    return isinstance(error, RateLimited) or (
        isinstance(error, StatusError) and error.status == 503 and error.retry_after is not None
    )


def _may_be_done(error: Mem0ExportsError) -> bool:
    """Whether a request that writes may have been carried out, although this came of it."""
    if isinstance(error, NoAnswer):
        return error.sent
    if isinstance(error, StatusError):
        return (error.status == 408 or error.status >= 500) and not _told_to_wait(error)
    return isinstance(error, ContractViolation)


def wait(
    request: Request,
    read: Callable[[Response], T | None],
    settings: Settings,
    *,
    start: float,
    timeout: float,
    answered: bool = False,
    on_poll: Callable[[int, float], None] | None = None,
) -> Flow[T]:
    """Send the same request until `read` gives a value; TimedOut `timeout` seconds after `start`.

    No sleep goes beyond the deadline, and no request starts after it or is given more time than is left. A failure that
    may pass ends the wait only while the service has never been heard of (`answered`): afterwards the wait lasts
    through it. `on_poll(polls, elapsed)` is called after each unready answer.
    """
    clock = settings.clock
    deadline = start + timeout
    delays = settings.schedule.delays()
    polls = 0
    failure: Mem0ExportsError | None = None
    while clock() < deadline:
        told = 0.0
        try:
            value = yield from send(request, read, settings, deadline=deadline)
        except Mem0ExportsError as error:
            failure = error
            told = (error.retry_after or 0.0) if isinstance(error, StatusError) else 0.0
            passed = isinstance(error, RequestTimeout) and clock() >= deadline
            if not passed and not (answered and _transient(error) and told <= settings.retry.longest_retry_after):
                raise
        else:
            failure = None
            answered = True
            polls += 1
            if value is not None:
                return value
            if on_poll is not None:
                on_poll(polls, clock() - start)
        yield Sleep(max(0.0, min(max(next(delays), told), deadline - clock())))
    raise TimedOut(polls, failure)
