"""A whole run, from the create to the result; with a ledger, one that survives a crash.

Everything that must survive is on disk before the step that depends on it: the intent before the request, the id before
the wait, the result before it is given away. Written in any other order, a crash between the two steps would lose a job
(an id that nobody wrote down) or make a second one (a create that nobody knows of).
"""

from __future__ import annotations

import contextlib

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

from mem0_exports.errors import (
    ExportFailed,
    InputError,
    LedgerError,
    Mem0ExportsError,
    OutcomeUnknown,
    RequestTimeout,
)
from mem0_exports.exports import flows
from mem0_exports.http.flow import FlowInterrupted, RunBlocking, Sleep
from mem0_exports.http.settings import check_timeout


if TYPE_CHECKING:
    from collections.abc import Callable

    from mem0_exports.exports.flows import OnPoll, Progress, Step
    from mem0_exports.exports.ledger import EntryWriter, KnownExport, Ledger
    from mem0_exports.exports.spec import ExportRef, ExportSpec, Origin
    from mem0_exports.http.flow import Flow
    from mem0_exports.http.settings import Settings

T = TypeVar("T")

POLL_INTERVAL: Final = 0.05
"""Seconds between two looks at an entry that another call of this process is creating."""


def run(
    spec: ExportSpec[T],
    settings: Settings,
    timeout: float,
    on_poll: OnPoll | None = None,
    *,
    ledger: Ledger | None,
    origin: Origin,
    progress: Progress | None = None,
) -> Flow[T]:
    """Create a job and wait for its result, within `timeout` seconds in all, as far as a ledger has not got it yet."""
    progress = progress or flows.Progress()
    if ledger is None:
        return flows.run(spec, settings, timeout, on_poll, progress=progress)
    from mem0_exports.exports.ledger import Ledger  # noqa: PLC0415 -- most runs have none, and it loads sqlite3

    if not isinstance(ledger, Ledger):
        raise InputError(f"ledger is a Ledger, such as Ledger('exports.db'), got {ledger!r}", field="ledger")
    return _run_recorded(ledger, origin, spec, settings, timeout, on_poll, progress)


def _run_recorded(
    ledger: Ledger,
    origin: Origin,
    spec: ExportSpec[T],
    settings: Settings,
    timeout: float,
    on_poll: OnPoll | None,
    progress: Progress,
) -> Flow[T]:
    start = settings.clock()
    deadline = start + check_timeout(timeout)
    entry = ledger.entry(spec.fingerprint(origin.service), origin.service, origin.account)
    try:
        with progress.naming_the_export():
            known = yield from _begin_entry(entry, settings, deadline)
            progress.lost_answers = known.lost_answers
            asking = known.export_id is None
            if known.export_id is None:
                ref, step = yield from _create_recorded(entry, spec, settings, deadline, progress)
            else:
                ref, step = spec.created(known.export_id), "resumed"
            progress.reached(step, ref.id)
            if known.result is not None:
                return spec.schema.load(known.result, export_id=ref.id)
            watching = progress.on_poll(ref.id, on_poll)
            return (yield from _wait_and_record(entry, ref, settings, start, timeout, watching, answered=asking))
    except OutcomeUnknown as error:
        progress.lost_answers = error.lost_answers
        raise
    finally:
        entry.leave()


def _begin_entry(entry: EntryWriter, settings: Settings, deadline: float) -> Flow[KnownExport]:
    """Return what the ledger knows. Unless it knows an id, the intent to create is on disk afterwards."""
    while True:
        try:
            known: KnownExport | None = yield RunBlocking(entry.begin)
        except FlowInterrupted:
            yield from _record_if_possible(entry.refused)  # the intent may be written, and nothing was sent
            raise
        if known is not None:
            return known
        left = deadline - settings.clock()
        if left <= 0:
            why = "another call is asking for the same export with this ledger, and has no answer yet"
            raise RequestTimeout(why, operation="exports_create", sent=False)
        yield Sleep(min(POLL_INTERVAL, left))


def _create_recorded(
    entry: EntryWriter, spec: ExportSpec[T], settings: Settings, deadline: float, progress: Progress
) -> Flow[tuple[ExportRef[T], Step]]:
    """Create, once the intent is on disk; with a ledger that says so, again where an answer was lost.

    Returns the job, and "resumed" where another call has created it meanwhile.
    """
    for attempt in range(1, settings.retry.attempts + 1):
        lost_before = progress.lost_answers
        try:
            ref = yield from flows.create_counted(spec, settings, deadline, progress)
        except Mem0ExportsError as error:
            failure = error
        except BaseException:
            lost = progress.lost_answers > lost_before
            yield from _record_if_possible(entry.lost if lost else entry.refused)
            raise
        else:
            progress.export_id = ref.id  # before it is written: should that fail, the error names the job
            yield from _record(partial(entry.created, ref.id))
            return ref, "created"
        try:
            yield from _record(entry.lost if failure.outcome_unknown else entry.refused)
        except LedgerError as error:
            failure.add_note(str(error))
            raise failure from None
        pause = settings.jitter() * settings.retry.initial_delay
        if (
            not failure.outcome_unknown
            or entry.on_unknown != "ask_again"
            or attempt == settings.retry.attempts
            or settings.clock() + pause >= deadline
        ):
            raise failure
        yield Sleep(pause)
        known = yield from _begin_entry(entry, settings, deadline)
        if known.export_id is not None:
            return spec.created(known.export_id), "resumed"
    raise AssertionError("a Retry has at least one attempt")


def _wait_and_record(
    entry: EntryWriter,
    ref: ExportRef[T],
    settings: Settings,
    start: float,
    timeout: float,
    on_poll: OnPoll,
    *,
    answered: bool,
) -> Flow[T]:
    """Wait, and write down what comes before it is given away: also what does not fit the type."""
    texts: list[bytes] = []
    failure: Exception | None = None
    value: T | None = None
    try:
        value = yield from flows.result(
            ref, settings, timeout, on_poll, start=start, answered=answered, on_json=texts.append
        )
    except Exception as error:  # noqa: BLE001 -- a validator of the user's own may raise anything
        failure = error
    if texts:
        yield from _record(partial(entry.ready, texts[-1]))
    elif isinstance(failure, ExportFailed):
        yield from _record(entry.failed)
    if failure is not None:
        raise failure
    return cast("T", value)


def _record(write: Callable[[], object]) -> Flow[None]:
    """Write to the ledger. Where the flow is interrupted before that was done, it is done all the same."""
    try:
        yield RunBlocking(write)
    except FlowInterrupted as interrupted:
        if not interrupted.carried_out:
            yield from _record_if_possible(write)
        raise


def _record_if_possible(write: Callable[[], object]) -> Flow[None]:
    """Write to a ledger that may be closed or full. What is not written, the next run takes for unknown."""
    with contextlib.suppress(LedgerError):
        yield RunBlocking(write)
