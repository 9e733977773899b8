"""Run an export from the create to the result. With a ledger, the run can be resumed after a crash.

For this, the intent to create the job is on disk before the request is sent. The id is on disk before the wait begins,
and the result before it is returned. In any other order, a crash could lose the id of a job, or a second job would be
created because the ledger does not know about the first.
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
from mem0_exports.exports.review import Received, review
from mem0_exports.http.flow import FlowInterrupted, RunBlocking, Sleep
from mem0_exports.http.settings import check_timeout


if TYPE_CHECKING:
    from collections.abc import Callable

    from mem0_exports.exports.flows import OnPoll, Progress, Step
    from mem0_exports.exports.ledger import EntryWriter, KnownExport, Ledger
    from mem0_exports.exports.review import Review
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
    checks: Review,
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
        return flows.run(spec, settings, timeout, checks, on_poll, progress=progress)
    from mem0_exports.exports.ledger import Ledger  # noqa: PLC0415 -- most runs have no ledger, and this loads sqlite3

    if not isinstance(ledger, Ledger):
        raise InputError(f"ledger must be a Ledger, such as Ledger('exports.db'), got {ledger!r}", field="ledger")
    return _run_recorded(ledger, origin, spec, settings, timeout, checks, on_poll, progress)


def _run_recorded(
    ledger: Ledger,
    origin: Origin,
    spec: ExportSpec[T],
    settings: Settings,
    timeout: float,
    checks: Review,
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
                received = Received(spec.schema.load(known.result, export_id=ref.id), known.result)
                return (yield from review(ref, received, settings, deadline, checks))
            watching = progress.on_poll(ref.id, on_poll)
            # A new run has the answer to its create. A resumed run has had no answer yet: its first failure ends it.
            return (
                yield from _wait_and_record(entry, ref, settings, start, timeout, checks, watching, answered=is_new)
            )
    except OutcomeUnknown as error:
        progress.lost_answers = error.lost_answers
        raise
    finally:
        entry.leave()


def _begin_entry(entry: EntryWriter, settings: Settings, deadline: float) -> Flow[KnownExport]:
    """Return what the ledger knows about the export. If it knows no id, write the intent to create the job first.

    If another call of this process is creating the same export, this waits for it until the deadline.
    """
    while True:
        try:
            known: KnownExport | None = yield RunBlocking(entry.begin)
        except FlowInterrupted:
            # The intent may be on disk already, but nothing was sent. Undo it, because otherwise the next run would
            # conclude that the answer to a create was lost.
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
    """Create the job, write its id to the ledger, and return the job. The intent is on disk already.

    If the answer is lost and `on_unknown` is "ask_again", this creates the job again. The second value is "created", or
    "resumed" if another call has created the job in the meantime.
    """
    for attempt in range(1, settings.retry.attempts + 1):
        lost_before = progress.lost_answers
        try:
            ref = yield from flows.create_counted(spec, settings, deadline, progress)
        except Mem0ExportsError as error:
            failure = error
        except BaseException:
            # The run was cancelled or interrupted, or the user's own transport failed. If the create may have arrived,
            # the next run must not repeat it silently. If it cannot have arrived, it must not stop the next run.
            lost = progress.lost_answers > lost_before
            yield from _record_if_possible(entry.lost if lost else entry.refused)
            raise
        else:
            progress.export_id = ref.id  # set first: if the write fails, its error names the job
            yield from _record(partial(entry.created, ref.id))
            return ref, "created"
        try:
            yield from _record(entry.lost if failure.outcome_unknown else entry.refused)
        except LedgerError as error:
            failure.add_note(str(error))  # raise the create's error, which matters more to the user
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
        # Look the export up again: another call may have started or finished it during the pause.
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
    checks: Review,
    on_poll: OnPoll,
    *,
    answered: bool,
) -> Flow[T]:
    """Wait for the result, write it to the ledger, and return it. It is written even if it does not fit the type."""
    texts: list[bytes] = []
    failure: Exception | None = None
    value: T | None = None
    try:
        value = yield from flows.result(
            ref, settings, timeout, checks, on_poll, start=start, answered=answered, on_json=texts.append
        )
    except Exception as error:  # noqa: BLE001 -- the user's own validators may raise anything
        failure = error
    # Write it even if validation failed. When the user has corrected the type, the service may have deleted it.
    if texts:
        yield from _record(partial(entry.ready, texts[-1]))
    elif isinstance(failure, ExportFailed):
        yield from _record(entry.failed)
    if failure is not None:
        raise failure
    return cast("T", value)


def _record(write: Callable[[], object]) -> Flow[None]:
    """Write to the ledger, even if the flow is interrupted meanwhile, so that no id and no result is lost."""
    try:
        yield RunBlocking(write)
    except FlowInterrupted as interrupted:
        if not interrupted.carried_out:
            yield from _record_if_possible(write)
        raise


def _record_if_possible(write: Callable[[], object]) -> Flow[None]:
    """Write to the ledger if possible. Otherwise, the next run treats the outcome of the create as unknown."""
    with contextlib.suppress(LedgerError):
        yield RunBlocking(write)
