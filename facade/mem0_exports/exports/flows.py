"""Flows that create an export job, poll it, wait for it, or do all of this. Sync and async share them.

`resume` has the flow of an export with a ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from mem0_exports.errors import ContractViolation, ExportTimeout, Mem0ExportsError
from mem0_exports.exports.review import Received, review
from mem0_exports.http import export_operations
from mem0_exports.http.flow import FlowInterrupted, Send, TimedOut, send, wait
from mem0_exports.http.settings import check_timeout


if TYPE_CHECKING:
    from mem0_exports.exports.review import Review
    from mem0_exports.exports.spec import ExportRef, ExportSpec
    from mem0_exports.http.calls import Call
    from mem0_exports.http.flow import Flow
    from mem0_exports.http.settings import Settings

T = TypeVar("T")

OnPoll: TypeAlias = Callable[[int, float], None]
"""Called after each poll that found no result yet, with the number of polls and the seconds since the start."""

OnJson: TypeAlias = Callable[[bytes], object]
"""Called with the JSON text of a result, whether or not the result fits the type."""

Step: TypeAlias = Literal["created", "resumed", "polled"]


class Progress:
    """The progress of one export, for progress reports and for the details of errors."""

    def __init__(self, report: Callable[[Step, Progress], object] | None = None) -> None:
        self._report = report
        self.export_id: str | None = None
        self.polls = 0
        self.lost_answers = 0
        """How many creates of this export have an unknown outcome."""

    def reached(self, step: Step, export_id: str) -> None:
        """Record the id of the job, and report the step."""
        self.export_id = export_id
        if self._report is not None:
            self._report(step, self)

    def on_poll(self, export_id: str, on_poll: OnPoll | None) -> OnPoll:
        """Return a callback for polls that reports the step and then calls `on_poll`."""

        def polled(polls: int, elapsed: float) -> None:
            self.polls = polls
            self.reached("polled", export_id)
            if on_poll is not None:
                on_poll(polls, elapsed)

        return polled

    @contextmanager
    def adding_the_export_id_to_errors(self) -> Iterator[None]:
        """Add the id of the export to every error raised in the block, so that the user can resume the job."""
        try:
            yield
        except Mem0ExportsError as error:
            if self.export_id is not None:
                error.export_id = self.export_id
                if self.export_id not in str(error):
                    error.add_note(
                        f"export {self.export_id} exists; resume it with client.exports.get({self.export_id!r}, Model)"
                    )
            raise


def create(spec: ExportSpec[T], settings: Settings, deadline: float | None = None) -> Flow[ExportRef[T]]:
    """Start a job and return the reference to it."""
    call = export_operations.exports_create(
        spec.schema.json,
        spec.filters,
        instructions=spec.instructions,
        org_id=spec.org_id,
        project_id=spec.project_id,
    )
    export_id = yield from send(call.request, call.read, settings, deadline=deadline)
    return spec.created(export_id)


def create_counted(spec: ExportSpec[T], settings: Settings, deadline: float, progress: Progress) -> Flow[ExportRef[T]]:
    """Start a job. If the create fails but may have been carried out, count it in `progress.lost_answers`.

    An error of this package says whether the create may have been carried out (`outcome_unknown`). An error of the
    user's own transport and an interruption (cancellation, Ctrl-C) do not say it. For these, the command in progress
    decides: a request that was being sent may have arrived, but during a sleep between two attempts nothing was sent.
    If a create were not counted, a ledger could create the export a second time.
    """
    flow = create(spec, settings, deadline)
    sending = False
    try:
        command = next(flow)
        while True:
            sending = isinstance(command, Send)
            try:
                reply = yield command
            except Exception as error:  # noqa: BLE001 -- the user's own transport may raise anything
                command = flow.throw(error)
            else:
                command = flow.send(reply)
    except StopIteration as done:
        ref: ExportRef[T] = done.value
        return ref
    except Mem0ExportsError as error:
        progress.lost_answers += error.outcome_unknown
        raise
    except BaseException as error:
        nothing_sent = isinstance(error, FlowInterrupted) and not error.carried_out
        progress.lost_answers += sending and not nothing_sent
        raise
    finally:
        flow.close()  # an interruption is raised at the `yield` above; the inner flow would stay open


def _get(ref: ExportRef[T], on_json: OnJson | None = None) -> Call[export_operations.Ready[Received[T]] | None]:
    """Return the call that fetches the result of a job."""

    def load(raw: bytes, left_out: int | None) -> Received[T]:
        is_json_object = True
        try:
            return Received(ref.schema.load(raw, export_id=ref.id), raw, left_out)
        except ContractViolation:
            is_json_object = False
            raise
        finally:
            if is_json_object and on_json is not None:
                on_json(raw)

    return export_operations.exports_get(ref.id, load, org_id=ref.org_id, project_id=ref.project_id)


def poll(ref: ExportRef[T], settings: Settings, timeout: float | None, checks: Review) -> Flow[T | None]:
    """Ask once for the result; return None if it is not ready."""
    call = _get(ref)
    deadline = settings.deadline(timeout)
    ready = yield from send(call.request, call.read, settings, deadline=deadline)
    if ready is None:
        return None
    return (yield from review(ref, ready.value, settings, deadline, checks))


def result(
    ref: ExportRef[T],
    settings: Settings,
    timeout: float,
    checks: Review,
    on_poll: OnPoll | None = None,
    *,
    start: float | None = None,
    answered: bool = False,
    on_json: OnJson | None = None,
) -> Flow[T]:
    """Wait for the result until `timeout` seconds after `start` (default: now), and return it.

    If `answered` is True, the service has answered before, and temporary failures do not end the wait. Raises
    ExportTimeout at the deadline.
    """
    check_timeout(timeout)
    call = _get(ref, on_json)
    start = settings.clock() if start is None else start
    try:
        ready = yield from wait(
            call.request,
            call.read,
            settings,
            start=start,
            timeout=timeout,
            answered=answered,
            on_poll=on_poll,
        )
    except TimedOut as timed_out:
        internal = timed_out
    else:
        return (yield from review(ref, ready.value, settings, start + timeout, checks))
    # Raised outside the handler, so that the internal TimedOut does not become the error's `__context__`.
    raise ExportTimeout(
        ref.id,
        timeout=timeout,
        polls=internal.polls,
        attempts=internal.sends,
        last_failure=None if internal.failure is None else str(internal.failure),
    )


def run(
    spec: ExportSpec[T],
    settings: Settings,
    timeout: float,
    checks: Review,
    on_poll: OnPoll | None = None,
    *,
    progress: Progress | None = None,
) -> Flow[T]:
    """Start a job, wait for its result and return it, within `timeout` seconds in all."""
    start = settings.clock()
    deadline = start + check_timeout(timeout)
    progress = progress or Progress()
    with progress.adding_the_export_id_to_errors():
        ref = yield from create_counted(spec, settings, deadline, progress)
        progress.reached("created", ref.id)
        watching = progress.on_poll(ref.id, on_poll)
        return (yield from result(ref, settings, timeout, checks, watching, start=start, answered=True))
