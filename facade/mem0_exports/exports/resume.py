"""Run an export from the create to the result, with a ledger also across crashes.

What must survive a crash is written to disk before the step that depends on it: the intent before the request is sent,
the id before the wait begins, and the result before it is returned. In any other order, a crash between the two would
lose a job, whose id was never written, or create a second one, because the ledger does not know of the first.
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
"""Seconds between two checks of an entry that another call of this process is creating."""


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
    """Return the flow of a whole run: create a job and wait for its result, within `timeout` seconds in all.

    With a ledger, the flow skips the steps that the ledger has recorded already.
    """
    progress = progress or flows.Progress()
    if ledger is None:
        return flows.run(spec, settings, timeout, on_poll, progress=progress)
    from mem0_exports.exports.ledger import Ledger  # noqa: PLC0415 -- most runs have none, and it loads sqlite3

    if not isinstance(ledger, Ledger):
        raise InputError(f"ledger must be a Ledger, such as Ledger('exports.db'), got {ledger!r}", field="ledger")
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
        with progress.adding_the_export_id_to_errors():
            known = yield from _begin_entry(entry, settings, deadline)
            progress.lost_answers = known.lost_answers
            is_new = known.export_id is None
            if known.export_id is None:
                ref, step = yield from _create_recorded(entry, spec, settings, deadline, progress)
            else:
                ref, step = spec.created(known.export_id), "resumed"
            progress.reached(step, ref.id)
            if known.result is not None:
                return spec.schema.load(known.result, export_id=ref.id)
            watching = progress.on_poll(ref.id, on_poll)
            # A create counts as an answer of the service. A resumed run has had none yet: its first failure ends it.
            return (yield from _wait_and_record(entry, ref, settings, start, timeout, watching, answered=is_new))
    except OutcomeUnknown as error:
        progress.lost_answers = error.lost_answers
        raise
    finally:
        entry.leave()


def _begin_entry(entry: EntryWriter, settings: Settings, deadline: float) -> Flow[KnownExport]:
    """Return what the ledger knows about the export; if it knows no id, the intent to create is then on disk.

    While another call of this process creates the same export, wait for it until the deadline.
    """
    while True:
        try:
            known: KnownExport | None = yield RunBlocking(entry.begin)
        except FlowInterrupted:
            # The intent may be on disk already, but nothing was sent: take it back, or the next run would take this
            # export for one whose answer was lost.
            yield from _record_if_possible(entry.refused)
            raise
        if known is not None:
            return known
        remaining = deadline - settings.clock()
        if remaining <= 0:
            why = "not sent: another call of this process is creating the same export and has no answer yet"
            raise RequestTimeout(why, operation="exports_create", sent=False)
        yield Sleep(min(POLL_INTERVAL, remaining))


def _create_recorded(
    entry: EntryWriter, spec: ExportSpec[T], settings: Settings, deadline: float, progress: Progress
) -> Flow[tuple[ExportRef[T], Step]]:
    """Create the job and write its id. The intent is on disk already.

    If the answer is lost and `on_unknown` is "ask_again", create it again. Returns the job, and "resumed" instead of
    "created" if another call has created it in the meantime.
    """
    for attempt in range(1, settings.retry.attempts + 1):
        lost_before = progress.lost_answers
        try:
            ref = yield from flows.create_counted(spec, settings, deadline, progress)
        except Mem0ExportsError as error:
            failure = error
        except BaseException:
            # Cancelled, interrupted, or a user's transport failed. If the create may have arrived, the next run must
            # not repeat it silently; if it cannot have, the next run must not be stopped by it.
            lost = progress.lost_answers > lost_before
            yield from _record_if_possible(entry.lost if lost else entry.refused)
            raise
        else:
            progress.export_id = ref.id  # before the write: if that fails, the error still names the job
            yield from _record(partial(entry.created, ref.id))
            return ref, "created"
        try:
            yield from _record(entry.lost if failure.outcome_unknown else entry.refused)
        except LedgerError as error:
            failure.add_note(str(error))  # raise the failed create: it is what the user must know first
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
        # Another call may have started, or finished, the same export during the pause: look it up again.
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
    """Wait for the result and write it to the ledger before returning it, also if it does not fit the type."""
    texts: list[bytes] = []
    failure: Exception | None = None
    value: T | None = None
    try:
        value = yield from flows.result(
            ref, settings, timeout, on_poll, start=start, answered=answered, on_json=texts.append
        )
    except Exception as error:  # noqa: BLE001 -- a validator of the user's own may raise anything
        failure = error
    # Also if validation failed: the service may have deleted the export by the time the user has corrected the type.
    if texts:
        yield from _record(partial(entry.ready, texts[-1]))
    elif isinstance(failure, ExportFailed):
        yield from _record(entry.failed)
    if failure is not None:
        raise failure
    return cast("T", value)


def _record(write: Callable[[], object]) -> Flow[None]:
    """Write to the ledger, even if the flow is interrupted first: an id or a result that we have must not be lost."""
    try:
        yield RunBlocking(write)
    except FlowInterrupted as interrupted:
        if not interrupted.carried_out:
            yield from _record_if_possible(write)
        raise


def _record_if_possible(write: Callable[[], object]) -> Flow[None]:
    """Write to the ledger unless it is closed or full; the next run then takes the export's outcome for unknown."""
    with contextlib.suppress(LedgerError):
        yield RunBlocking(write)
