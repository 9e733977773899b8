"""Pure decisions, as generators that yield commands: `Send` and `Sleep`.

This module does no I/O and reads no clock of its own; a driver (`_drive`) carries the commands out, or a test does,
with a clock that it moves itself. A driver answers `Send` with a `Response` or throws an error of `errors` in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import NamedTuple, TypeAlias, TypeVar

from mem0_exports.errors import RequestTimeout


T = TypeVar("T")

Clock: TypeAlias = Callable[[], float]
"""Seconds from some fixed point, never going back, such as time.monotonic."""


class Request(NamedTuple):
    """One HTTP request, without its origin and its key."""

    operation: str
    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    body: bytes | None = None


class Response(NamedTuple):
    """One HTTP response. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Send(NamedTuple):
    """Send the request; `timeout` in seconds."""

    request: Request
    timeout: float


class Sleep(NamedTuple):
    """Do nothing for some seconds."""

    seconds: float


Flow: TypeAlias = Generator[Send | Sleep, Response | None, T]


class Schedule(NamedTuple):
    """How long to wait between two polls, in seconds: `first`, then growing by `factor` up to `longest`."""

    first: float = 0.25
    factor: float = 1.5
    longest: float = 5.0

    def delays(self) -> Iterator[float]:
        """The waits, without end."""
        delay = self.first
        while True:
            yield delay
            delay = min(delay * self.factor, self.longest)


class TimedOut(Exception):
    """The deadline of `wait` passed. Internal: callers turn it into an error that names the export."""

    def __init__(self, polls: int) -> None:
        super().__init__(polls)
        self.polls = polls


def send(request: Request, read: Callable[[Response], T], *, timeout: float) -> Flow[T]:
    """One request, one answer. `read` turns the answer into a value or raises."""
    response = yield Send(request, timeout)
    assert response is not None  # a driver answers Send with a Response
    return read(response)


def wait(
    request: Request,
    read: Callable[[Response], T | None],
    *,
    start: float,
    timeout: float,
    request_timeout: float,
    schedule: Schedule,
    clock: Clock,
    on_poll: Callable[[int, float], None] | None = None,
) -> Flow[T]:
    """Send the same request until `read` gives a value; TimedOut `timeout` seconds after `start`.

    No sleep goes beyond the deadline, and no request starts after it or is given more time than is left.
    `on_poll(polls, elapsed)` is called after each unready answer.
    """
    deadline = start + timeout
    delays = schedule.delays()
    polls = 0
    while (left := deadline - clock()) > 0:
        try:
            value = yield from send(request, read, timeout=min(request_timeout, left))
        except RequestTimeout:
            if clock() < deadline:
                raise
            break
        polls += 1
        if value is not None:
            return value
        if on_poll is not None:
            on_poll(polls, clock() - start)
        yield Sleep(max(0.0, min(next(delays), deadline - clock())))
    raise TimedOut(polls)
