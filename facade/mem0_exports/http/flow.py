"""Retry, deadlines and polling, as generators that yield commands: `Send`, `Sleep` and `RunBlocking`.

Only this module decides when to try again, how long to wait and when to give up, for both sync and async. It does no
I/O and reads no clock of its own. A driver carries out the commands. A test can also do this, with its own clock. A
driver answers `Send` with a `Response`, or throws one of this package's errors into the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from mem0_exports.errors import (
    ContractViolation,
    Mem0ExportsError,
    NoAnswer,
    RateLimited,
    RequestTimeout,
    ResponseTooLarge,
    StatusError,
)
from mem0_exports.http.settings import MAX_RESPONSE_BYTES


if TYPE_CHECKING:
    from mem0_exports.http.settings import Settings

T = TypeVar("T")


class Request(NamedTuple):
    """One HTTP request, without the base URL and the key. Its repr does not show the body, which is the user's data."""

    operation: str
    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    body: bytes | None = None
    repeatable: bool = True
    """Whether the request only reads, so that sending it twice does no harm."""
    wait: int = 0
    """For how many seconds the service is asked to hold the request (`Prefer: wait=N`)."""

    def __repr__(self) -> str:
        return f"Request({self.operation!r}, {self.method!r}, {self.path!r})"


def _unchanged(text: str) -> str:
    return text


class Response(NamedTuple):
    """One HTTP response, with header names in lower case. Its repr shows only the status: the rest is user data."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    redacted: Callable[[str], str] = _unchanged
    """Removes the key from a text. Every text shown to users passes through it, since a service may repeat the key."""

    @property
    def request_id(self) -> str | None:
        """The service's X-Request-ID header, at most 200 characters of it; None if there is none."""
        request_id = self.headers.get("x-request-id")
        return None if request_id is None else self.redacted(request_id)[:200]

    def __repr__(self) -> str:
        return f"Response({self.status})"


class Send(NamedTuple):
    """Send a request and get the whole answer within `timeout` seconds. `attempt` counts from 1, for the log.

    An answer with more than `max_bytes` bytes is an error.
    """

    request: Request
    timeout: float
    attempt: int = 1
    max_bytes: int = MAX_RESPONSE_BYTES


class Sleep(NamedTuple):
    """Wait for some seconds."""

    seconds: float


class RunBlocking(NamedTuple):
    """Call a blocking function, such as one that writes to disk. An async driver calls it in a thread."""

    call: Callable[[], Any]

    def __repr__(self) -> str:
        return "RunBlocking()"  # without the call, which may hold the user's data


Flow: TypeAlias = Generator[Send | Sleep | RunBlocking, Any, T]


class FlowInterrupted(BaseException):
    """Thrown into a flow that was stopped, cancelled or interrupted.

    `carried_out` is False only if the last command certainly was not carried out. The flow may still yield
    `RunBlocking` to record its progress, and must then let this exception pass. Internal. It derives from
    BaseException, like GeneratorExit, so that no `except Exception` in a flow mistakes it for a failure.
    """

    def __init__(self, *, carried_out: bool) -> None:
        super().__init__(carried_out)
        self.carried_out = carried_out


class Tally:
    """Counts the requests of a call that sends several."""

    def __init__(self) -> None:
        self.sends = 0


class TimedOut(Exception):
    """The deadline of `wait` has passed. Internal: callers turn it into an error that names the export."""

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
    """Send a request and return the value that `read` returns for the response. Retry as `settings.retry` allows.

    No attempt starts or lasts beyond `deadline` (on the settings' clock). A request that only reads is repeated after
    every temporary failure. One that writes is repeated only if it cannot have been carried out, because a second
    create would make a second job.
    """
    clock = settings.clock
    attempt = 0
    last: Mem0ExportsError | None = None
    while True:
        yield from _wait_at_gate(request, settings, deadline, last)
        timeout = settings.timeout if deadline is None else min(settings.timeout, deadline - clock())
        if timeout <= 0:
            raise last or _unsent(request, "not sent: no time is left before the deadline")
        attempt += 1
        if tally is not None:
            tally.sends += 1
        response: Response | None = None
        try:
            response = yield Send(request, timeout, attempt, settings.max_response_bytes)
            assert response is not None  # a driver answers Send with a Response
            if settings.holding is not None:
                settings.holding.note(response.headers)
            return read(response)
        except Mem0ExportsError as error:
            last = error
        last.attempts = attempt
        last.outcome_unknown = not request.repeatable and _may_have_been_done(last)
        if response is not None and last.request_id is None:
            last.request_id = response.request_id
        delay = _delay(request, last, attempt, settings)
        # Close the gate even if this call gives up: the Retry-After applies to all exports of the run.
        pause = _requested_pause(last)
        if settings.gate is not None and pause is not None:
            settings.gate.hold(clock() + pause)
        if delay is None or (deadline is not None and clock() + delay >= deadline):
            raise last
        if settings.gate is None or pause is None:  # otherwise the gate makes this call wait, too
            yield Sleep(delay)


def _wait_at_gate(
    request: Request, settings: Settings, deadline: float | None, last: Mem0ExportsError | None
) -> Flow[None]:
    """Wait until the gate is open, if there is one; raise if it opens too late for the deadline or the retry policy."""
    gate, clock = settings.gate, settings.clock
    while gate is not None and (closed_for := gate.left(clock())):
        remaining = float("inf") if deadline is None else deadline - clock()
        if closed_for >= remaining or closed_for > settings.retry.max_retry_after:
            raise last or RateLimited(
                "not sent: the service asked another export of this run to wait",
                status=429,
                operation=request.operation,
                retry_after=closed_for,
            )
        # Add jitter, so that the exports of the run do not all send at the moment when the gate opens. Limit it, so
        # that time is left for the request.
        jitter = settings.jitter() * settings.retry.initial_delay
        yield Sleep(closed_for + min(jitter, (remaining - closed_for) / 2))


def _unsent(request: Request, why: str) -> RequestTimeout:
    return RequestTimeout(why, operation=request.operation, sent=False)


def _requested_pause(error: Mem0ExportsError) -> float | None:
    """Return how many seconds the service asks its clients to wait, or None."""
    return error.retry_after if _asks_to_wait(error) else None


def _delay(request: Request, error: Mem0ExportsError, attempt: int, settings: Settings) -> float | None:
    """Return the seconds until the next attempt, or None if there must not be one."""
    retry = settings.retry
    if attempt >= retry.attempts or not (_transient(error) if request.repeatable else _refused_for_now(error)):
        return None
    retry_after = error.retry_after
    if retry_after is None:
        return settings.jitter() * min(retry.max_delay, retry.initial_delay * 2.0 ** (attempt - 1))
    if retry_after > retry.max_retry_after:
        return None
    # Add jitter, so that clients that got the same Retry-After do not all send at the same moment.
    return retry_after + settings.jitter() * retry.initial_delay


def _transient(error: Mem0ExportsError) -> bool:
    """Return whether the same request may succeed a little later."""
    if isinstance(error, StatusError):
        return error.status in {408, 429} or error.status >= 500
    return isinstance(error, NoAnswer) or (isinstance(error, ContractViolation) and error.garbled)


def _refused_for_now(error: Mem0ExportsError) -> bool:
    """Return whether the request was certainly not carried out, but may succeed later."""
    if isinstance(error, NoAnswer):
        return not error.sent
    return _asks_to_wait(error)


def _asks_to_wait(error: Mem0ExportsError) -> bool:
    """Return whether the service refused the request for now and asked to wait: 429, or 503 with Retry-After.

    A 503 without Retry-After does not count: it may come from a proxy that lost the service's answer.
    """
    return isinstance(error, RateLimited) or (
        isinstance(error, StatusError) and error.status == 503 and error.retry_after is not None
    )


def _may_have_been_done(error: Mem0ExportsError) -> bool:
    """Return whether a request that writes may have been carried out in spite of this error."""
    if isinstance(error, NoAnswer):
        return error.sent
    if isinstance(error, StatusError):
        return (error.status == 408 or error.status >= 500) and not _asks_to_wait(error)
    return isinstance(error, ContractViolation | ResponseTooLarge)


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
    """Send the same request until `read` returns a value; raise TimedOut `timeout` seconds after `start`.

    No sleep and no request lasts beyond that deadline. Until the service has answered once (`answered`), a temporary
    failure ends the wait, because the address or the network may be wrong. After that, the request is repeated until
    the deadline. `on_poll(polls, elapsed)` is called after each answer that had no value yet.

    A service that can do this is asked to hold the request until there is a value, which it then returns at once. If it
    held the request, the next one follows without a pause.
    """
    clock = settings.clock
    deadline = start + timeout
    delays = settings.schedule.delays()
    polls = 0
    tally = Tally()
    failure: Mem0ExportsError | None = None
    while (began := clock()) < deadline:
        retry_after = 0.0
        pause = next(delays)
        held = 0 if settings.holding is None else settings.holding.seconds(pause, deadline - began, settings.timeout)
        try:
            value = yield from send(request._replace(wait=held), read, settings, deadline=deadline, tally=tally)
        except Mem0ExportsError as error:
            failure = error
            retry_after = error.retry_after or 0.0
            # If our own deadline ended the request, the service has not failed: TimedOut is raised below.
            is_ours = isinstance(error, RequestTimeout) and clock() >= deadline
            if not is_ours and not (answered and _transient(error) and retry_after <= settings.retry.max_retry_after):
                raise
        else:
            failure = None
            answered = True
            polls += 1
            if value is not None:
                return value
            if on_poll is not None:
                on_poll(polls, clock() - start)
        if held:  # the time that the service held the request is a part of the pause, or all of it
            passed = clock() - began
            pause = 0.0 if passed >= held else pause - passed
        yield Sleep(max(0.0, min(max(pause, retry_after), deadline - clock())))
    raise TimedOut(polls, tally.sends, failure)
