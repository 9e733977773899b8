"""Pure decisions, as generators that yield commands: `Send`, `Sleep` and `RunBlocking`.

When to try again, how long to wait, when to give up: all of it is written here, once. This module does no I/O and reads
no clock of its own; a driver (`_drive`) carries the commands out, or a test does, with a clock that it moves itself. A
driver answers `Send` with a `Response` or throws an error of `errors` in.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from mem0_exports.errors import ContractViolation, Mem0ExportsError, NoAnswer, RateLimited, RequestTimeout, StatusError


if TYPE_CHECKING:
    from mem0_exports.http.settings import Settings

T = TypeVar("T")


class Request(NamedTuple):
    """One HTTP request, without its origin and its key. Its body does not show in its repr."""

    operation: str
    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    body: bytes | None = None
    repeatable: bool = True
    """Whether it only reads, so that sending it twice does no harm."""

    def __repr__(self) -> str:
        return f"Request({self.operation!r}, {self.method!r}, {self.path!r})"


def _unchanged(text: str) -> str:
    return text


class Response(NamedTuple):
    """One HTTP response. Header names are lower case. Only the status shows in its repr: the rest is the user's."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    redacted: Callable[[str], str] = _unchanged
    """Takes the key out of a text, for services that repeat what they were sent. What is shown goes through it."""

    @property
    def request_id(self) -> str | None:
        """What the service calls the request, where it says so."""
        said = self.headers.get("x-request-id")
        return None if said is None else self.redacted(said)[:200]

    def __repr__(self) -> str:
        return f"Response({self.status})"


class Send(NamedTuple):
    """Send the request; `timeout` in seconds for all of it. `attempt` counts from 1, for the log."""

    request: Request
    timeout: float
    attempt: int = 1


class Sleep(NamedTuple):
    """Do nothing for some seconds."""

    seconds: float


class RunBlocking(NamedTuple):
    """Call a function that blocks, such as one that writes to disk, where blocking does no harm."""

    call: Callable[[], Any]

    def __repr__(self) -> str:
        return "RunBlocking()"  # it may hold a result


Flow: TypeAlias = Generator[Send | Sleep | RunBlocking, Any, T]


class FlowInterrupted(BaseException):
    """Thrown into a flow that is not to go on: it was stopped, cancelled or interrupted.

    `carried_out` says whether the last command was carried out, or may have been. The flow may still yield `RunBlocking`, to
    write down how far it came; then it lets this pass. Internal, and like GeneratorExit no Exception.
    """

    def __init__(self, *, carried_out: bool) -> None:
        super().__init__(carried_out)
        self.carried_out = carried_out


class Tally:
    """Counts the requests of a call that makes several."""

    def __init__(self) -> None:
        self.sends = 0


class TimedOut(Exception):
    """The deadline of `wait` passed. Internal: callers turn it into an error that names the export."""

    def __init__(self, polls: int, sends: int, failure: Mem0ExportsError | None) -> None:
        super().__init__(polls, sends, failure)
        self.polls = polls
        self.sends = sends
        self.failure = failure


def send(
    request: Request,
    read: Callable[[Response], T],
    settings: Settings,
    *,
    deadline: float | None = None,
    tally: Tally | None = None,
) -> Flow[T]:
    """One call: the request, repeated as `settings.retry` allows, never beyond `deadline` (on the settings' clock).

    `read` turns the answer into a value or raises. What only reads is repeated after every failure that may pass; what
    writes only after those where it cannot have been carried out.
    """
    clock = settings.clock
    attempt = 0
    last: Mem0ExportsError | None = None
    while True:
        yield from _passed(request, settings, deadline, last)
        timeout = settings.timeout if deadline is None else min(settings.timeout, deadline - clock())
        if timeout <= 0:
            raise last or _unsent(request, "no time is left")
        attempt += 1
        if tally is not None:
            tally.sends += 1
        response: Response | None = None
        try:
            response = yield Send(request, timeout, attempt)
            assert response is not None  # a driver answers Send with a Response
            return read(response)
        except Mem0ExportsError as error:
            last = error
        last.attempts = attempt
        last.outcome_unknown = not request.repeatable and _may_be_done(last)
        if response is not None and last.request_id is None:
            last.request_id = response.request_id
        delay = _delay(request, last, attempt, settings)
        told = _told(last)
        if settings.gate is not None and told is not None:
            settings.gate.hold(clock() + told)
        if delay is None or (deadline is not None and clock() + delay >= deadline):
            raise last
        if settings.gate is None or told is None:
            yield Sleep(delay)


def _passed(request: Request, settings: Settings, deadline: float | None, last: Mem0ExportsError | None) -> Flow[None]:
    """Wait at the gate, where there is one and it is shut."""
    gate, clock = settings.gate, settings.clock
    while gate is not None and (held := gate.left(clock())):
        left = float("inf") if deadline is None else deadline - clock()
        if held >= left or held > settings.retry.max_retry_after:
            raise last or RateLimited(
                "not sent: another export of this run was told to wait",
                status=429,
                operation=request.operation,
                retry_after=held,
            )
        # Apart from all the others that wait here; not so late that no time is left.
        yield Sleep(held + min(settings.jitter() * settings.retry.initial_delay, (left - held) / 2))


def _unsent(request: Request, why: str) -> RequestTimeout:
    return RequestTimeout(why, operation=request.operation, sent=False)


def _told(error: Mem0ExportsError) -> float | None:
    """Seconds that the service asks everybody to wait."""
    return error.retry_after if _told_to_wait(error) else None


def _delay(request: Request, error: Mem0ExportsError, attempt: int, settings: Settings) -> float | None:
    """Seconds until the next attempt; None where there is to be none."""
    retry = settings.retry
    if attempt >= retry.attempts or not (_transient(error) if request.repeatable else _refused_for_now(error)):
        return None
    told = error.retry_after
    if told is None:
        return settings.jitter() * min(retry.max_delay, retry.initial_delay * 2.0 ** (attempt - 1))
    if told > retry.max_retry_after:
        return None
    return told + settings.jitter() * retry.initial_delay  # apart from others that were told the same


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
    tally = Tally()
    failure: Mem0ExportsError | None = None
    while clock() < deadline:
        told = 0.0
        try:
            value = yield from send(request, read, settings, deadline=deadline, tally=tally)
        except Mem0ExportsError as error:
            failure = error
            told = error.retry_after or 0.0
            passed = isinstance(error, RequestTimeout) and clock() >= deadline
            if not passed and not (answered and _transient(error) and told <= settings.retry.max_retry_after):
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
    raise TimedOut(polls, tally.sends, failure)
