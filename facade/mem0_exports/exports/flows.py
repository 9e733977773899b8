"""What happens to an export job, as flows that sync and async share: create, poll, wait, and all of it in one.

With a ledger, everything that must survive a crash is on disk before the step that depends on it: the intent before the
request, the id before the wait, the result before it is given away.
"""

from __future__ import annotations

import contextlib
import hashlib
import json

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from mem0_exports.errors import (
    ContractViolation,
    ExportFailed,
    ExportTimeout,
    InputError,
    LedgerError,
    Mem0ExportsError,
    OutcomeUnknown,
    RequestTimeout,
)
from mem0_exports.http import operations as _wire
from mem0_exports.http.flow import BrokenOff, Send, Sleep, TimedOut, Work, send, wait
from mem0_exports.http.settings import checked_timeout
from mem0_exports.schemas.schema import Schema


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mem0_exports.exports.ledger import Known, Ledger, Page
    from mem0_exports.filters.tree import Where
    from mem0_exports.http.flow import Flow
    from mem0_exports.http.settings import Settings

T = TypeVar("T")


class Question(NamedTuple, Generic[T]):
    """What is asked for, checked: nothing in it can be refused before it is sent."""

    schema: Schema[T]
    filters: Mapping[str, Any]
    instructions: str | None = None
    org_id: str | None = None
    project_id: str | None = None

    def fingerprint(self, origin: str) -> str:
        """The same for the same question to the same service, in every process: 64 hexadecimal digits."""
        parts = [origin, self.schema.json, self.filters, self.instructions, self.org_id, self.project_id]
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def question(
    schema: Any,
    where: Where,
    settings: Settings,
    *,
    instructions: str | None = None,
    org_id: str | None = None,
    project_id: str | None = None,
) -> Question[Any]:
    """The checked question; SchemaError, FilterError or InputError where it cannot be sent."""
    from mem0_exports.filters.tree import checked  # noqa: PLC0415 -- a client that only fetches needs no filters

    known = Schema.of(schema)
    for field, text in (("instructions", instructions), ("org_id", org_id), ("project_id", project_id)):
        if text is not None and not isinstance(text, str):
            raise InputError(f"{field} is a text, got {type(text).__name__}", field=field)
    return Question(known, checked(where, settings.filter_rules).to_dict(), instructions, org_id, project_id)


class Job(NamedTuple, Generic[T]):
    """A job that exists: its id, the shape of its result, and where it is filed."""

    id: str
    schema: Schema[T]
    org_id: str | None = None
    project_id: str | None = None

    def get(self, seen: Callable[[bytes], object] | None = None) -> _wire.Call[_wire.Ready[T] | None]:
        """The request for its result. `seen` gets the JSON text, also where that does not fit the type."""

        def load(raw: bytes) -> T:
            whole = True
            try:
                return self.schema.load(raw, export_id=self.id)
            except ContractViolation:
                whole = False
                raise
            finally:
                if whole and seen is not None:
                    seen(raw)

        return _wire.exports_get(self.id, load, org_id=self.org_id, project_id=self.project_id)


Step: TypeAlias = Literal["created", "resumed", "polled"]


class Track:
    """What is known of an export on its way, for those who watch it."""

    def __init__(self, report: Callable[[Step, Track], object] | None = None) -> None:
        self._report = report
        self.export_id: str | None = None
        self.polls = 0
        self.lost_answers = 0

    def to(self, event: Step) -> None:
        """Say that the export has come this far."""
        if self._report is not None:
            self._report(event, self)


def create(asked: Question[T], settings: Settings, deadline: float | None = None) -> Flow[Job[T]]:
    """Start a job."""
    call = _wire.exports_create(
        asked.schema.json,
        asked.filters,
        instructions=asked.instructions,
        org_id=asked.org_id,
        project_id=asked.project_id,
    )
    export_id = yield from send(call.request, call.read, settings, deadline=deadline)
    return _job(asked, export_id)


def _job(asked: Question[T], export_id: str) -> Job[T]:
    return Job(export_id, asked.schema, asked.org_id, asked.project_id)


def poll(job: Job[T], settings: Settings, timeout: float | None = None) -> Flow[_wire.Ready[T] | None]:
    """Look once."""
    call = job.get()
    return (yield from send(call.request, call.read, settings, deadline=settings.deadline(timeout)))


def result(
    job: Job[T],
    settings: Settings,
    timeout: float,
    on_poll: Callable[[int, float], None] | None = None,
    *,
    start: float | None = None,
    answered: bool = False,
    seen: Callable[[bytes], object] | None = None,
) -> Flow[T]:
    """Wait until `timeout` seconds after `start`, which is now if missing."""
    checked_timeout(timeout)
    call = job.get(seen)
    try:
        found = yield from wait(
            call.request,
            call.read,
            settings,
            start=settings.clock() if start is None else start,
            timeout=timeout,
            answered=answered,
            on_poll=on_poll,
        )
    except TimedOut as timed_out:
        late = timed_out
    else:
        return found.value
    raise ExportTimeout(
        job.id,
        timeout=timeout,
        polls=late.polls,
        attempts=late.sends,
        last_failure=None if late.failure is None else str(late.failure),
    )


def run(
    asked: Question[T],
    settings: Settings,
    timeout: float,
    on_poll: Callable[[int, float], None] | None = None,
    *,
    ledger: Ledger | None = None,
    track: Track | None = None,
) -> Flow[T]:
    """Create, and wait, within `timeout` seconds in all. Whatever goes wrong after the create names the job's id."""
    start = settings.clock()
    deadline = start + checked_timeout(timeout)
    track = track or Track()
    page = None if ledger is None else _page(ledger, asked, settings)
    try:
        job = None
        if page is not None:
            known = yield from _opened(page, settings, deadline)
            track.export_id, track.lost_answers = known.export_id, known.lost_answers
            if known.export_id is not None:
                job = _job(asked, known.export_id)
                track.to("resumed")
                if known.result is not None:
                    return asked.schema.load(known.result, export_id=job.id)
        answered = job is None
        if job is None:
            job = yield from _asked(asked, settings, deadline, page, track)
        return (yield from _fetched(job, settings, start, timeout, page, track, on_poll, answered=answered))
    except Mem0ExportsError as error:
        if isinstance(error, OutcomeUnknown):
            track.lost_answers = error.lost_answers
        if track.export_id is not None:
            error.export_id = track.export_id
            if track.export_id not in str(error):
                error.add_note(
                    f"export {track.export_id} exists: client.exports.get({track.export_id!r}, Model) goes on"
                )
        raise
    finally:
        if page is not None:
            page.leave()


def _page(ledger: Ledger, asked: Question[Any], settings: Settings) -> Page:
    from mem0_exports.exports.ledger import Ledger  # noqa: PLC0415 -- most runs have none, and it loads sqlite3

    if not isinstance(ledger, Ledger):
        raise InputError(f"ledger is a Ledger, such as Ledger('exports.db'), got {ledger!r}", field="ledger")
    return ledger.page(asked.fingerprint(settings.origin), settings.origin, settings.account)


def _opened(page: Page, settings: Settings, deadline: float) -> Flow[Known]:
    """What the ledger knows. Unless it knows an id, the intent to ask is on disk afterwards."""
    while True:
        try:
            known: Known | None = yield Work(page.begin)
        except BrokenOff:
            yield from _tried(page.refused)
            raise
        if known is not None:
            return known
        left = deadline - settings.clock()
        if left <= 0:
            why = "another call is asking for the same export with this ledger, and has no answer yet"
            raise RequestTimeout(why, operation="exports_create", sent=False)
        yield Sleep(min(0.05, left))


def _asked(asked: Question[T], settings: Settings, deadline: float, page: Page | None, track: Track) -> Flow[Job[T]]:
    """Create; with a ledger that says so, again where an answer was lost. The intent is on disk already."""
    for attempt in range(1, settings.retry.attempts + 1):
        try:
            job = yield from _watched(create(asked, settings, deadline), page, track)
        except Mem0ExportsError as error:
            failure = error
        else:
            track.export_id = job.id
            if page is not None:
                yield from _written(partial(page.created, job.id))
            track.to("created")
            return job
        track.lost_answers += failure.outcome_unknown
        if page is None:
            raise failure
        try:
            yield from _written(page.lost if failure.outcome_unknown else page.refused)
        except LedgerError as error:
            failure.add_note(str(error))
            raise failure from None
        pause = settings.draw() * settings.retry.first
        if (
            not failure.outcome_unknown
            or page.on_unknown != "ask_again"
            or attempt == settings.retry.attempts
            or settings.clock() + pause >= deadline
        ):
            raise failure
        yield Sleep(pause)
        known = yield from _opened(page, settings, deadline)
        if known.export_id is not None:  # another call has asked meanwhile
            track.export_id = known.export_id
            track.to("resumed")
            return _job(asked, known.export_id)
    raise AssertionError("a Retry has at least one attempt")


def _watched(flow: Flow[T], page: Page | None, track: Track) -> Flow[T]:
    """The flow of a create. Wherever it is broken off, the ledger knows afterwards whether it may have been sent."""
    sent = False
    try:
        command = next(flow)
        while True:
            sent = isinstance(command, Send)
            try:
                reply = yield command
            except Exception as error:  # noqa: BLE001 -- a transport of the user's own may raise anything
                command = flow.throw(error)
            else:
                command = flow.send(reply)
    except StopIteration as done:
        value: T = done.value
        return value
    except Mem0ExportsError:
        raise  # says itself whether it was sent
    except BaseException as broken:
        sent = sent and not (isinstance(broken, BrokenOff) and not broken.carried_out)
        track.lost_answers += sent
        if page is not None:
            yield from _tried(page.lost if sent else page.refused)
        raise
    finally:
        flow.close()


def _fetched(
    job: Job[T],
    settings: Settings,
    start: float,
    timeout: float,
    page: Page | None,
    track: Track,
    on_poll: Callable[[int, float], None] | None,
    *,
    answered: bool,
) -> Flow[T]:
    """Wait, and keep what comes: also what does not fit the type."""

    def polled(polls: int, elapsed: float) -> None:
        track.polls = polls
        track.to("polled")
        if on_poll is not None:
            on_poll(polls, elapsed)

    kept: list[bytes] = []
    fetched: _wire.Ready[T] | Exception
    try:
        value = yield from result(job, settings, timeout, polled, start=start, answered=answered, seen=kept.append)
        fetched = _wire.Ready(value)
    except Exception as error:  # noqa: BLE001 -- a validator of the user's own may raise anything
        fetched = error
    if page is not None and kept:
        yield from _written(partial(page.ready, kept[-1]))
    elif page is not None and isinstance(fetched, ExportFailed):
        yield from _written(page.failed)
    if isinstance(fetched, Exception):
        raise fetched
    return fetched.value


def _written(call: Callable[[], object]) -> Flow[None]:
    """Write to the ledger. Where the flow is broken off before that was done, it is done all the same."""
    try:
        yield Work(call)
    except BrokenOff as broken:
        if not broken.carried_out:
            yield from _tried(call)
        raise


def _tried(call: Callable[[], object]) -> Flow[None]:
    """Write to a ledger that may be closed or full. What is not written, the next run takes for unknown."""
    with contextlib.suppress(LedgerError):
        yield Work(call)


def checked_id(export_id: object) -> str:
    """The id as text; InputError where it is none."""
    text = str(export_id).strip() if isinstance(export_id, str | UUID) else ""
    if not text:
        raise InputError(f"the id of an export is a string that is not empty, got {export_id!r}", field="export_id")
    return text
