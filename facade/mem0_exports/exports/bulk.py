"""Run many exports at once, and limit how many are in progress.

At most `concurrency` exports are in progress at any time. A request is taken from the input only when its export can
start, so that memory use does not grow with the number of requests. Sync and async share all but their main loops.
"""

from __future__ import annotations

import queue
import threading

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

import attrs

from mem0_exports.call_site import CallSite, call_site
from mem0_exports.errors import (
    ConfigurationError,
    ExportIncomplete,
    ExportWarning,
    InputError,
    Mem0ExportsError,
    OutcomeUnknown,
)
from mem0_exports.exports import resume
from mem0_exports.exports.flows import Progress
from mem0_exports.exports.outcomes import ExportOutcome, ExportProgress, ExportRequest
from mem0_exports.exports.review import Review
from mem0_exports.exports.spec import ExportSpec
from mem0_exports.http.flow import FlowInterrupted
from mem0_exports.http.settings import Gate, check_timeout


if TYPE_CHECKING:
    import asyncio

    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from mem0_exports.exports.ledger import Ledger
    from mem0_exports.exports.outcomes import Event, OnProgress, Status
    from mem0_exports.exports.spec import Origin
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.driver import AsyncDriver, Driver
    from mem0_exports.http.flow import Flow
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.models import ExportReport

T = TypeVar("T")

MAX_CONCURRENCY: Final = 100
"""The size of a client's connection pool. Any further exports would only wait for a connection."""


@attrs.frozen(slots=True, kw_only=True)
class Plan(Generic[T]):
    """The checked arguments of a bulk run. `flow` makes the flow of each request."""

    settings: Settings
    origin: Origin
    filter_rules: FilterRules | None
    concurrency: int
    timeout: float
    ordered: bool
    ledger: Ledger | None
    on_progress: OnProgress | None
    strict: bool
    reports: bool
    caller: CallSite
    """The line that called `run_many`, for warnings. They come from threads and tasks whose stack does not have it."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        origin: Origin,
        filter_rules: FilterRules | None,
        concurrency: int,
        timeout: float,
        ordered: bool,
        retry: Retry | None,
        ledger: Ledger | None,
        on_progress: OnProgress | None,
        strict: bool,
        reports: bool,
    ) -> Plan[T]:
        """Check the arguments of `run_many` and return the plan; raise InputError for a bad one.

        All requests of the plan share one gate, so that a 429 for one of them makes all of them wait.
        """
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or not 1 <= concurrency <= MAX_CONCURRENCY:
            raise InputError(
                f"concurrency must be an integer from 1 to {MAX_CONCURRENCY}, got {concurrency!r}", field="concurrency"
            )
        return cls(
            settings=settings.with_retry(retry)._replace(gate=Gate()),
            origin=origin,
            filter_rules=filter_rules,
            concurrency=concurrency,
            timeout=check_timeout(timeout),
            ordered=ordered,
            ledger=ledger,
            on_progress=on_progress,
            strict=strict,
            reports=reports,
            caller=call_site(),
        )

    def flow(
        self, index: int, request: ExportRequest[T], step: Callable[[ExportProgress], object]
    ) -> Flow[ExportOutcome[T]]:
        """Return the flow of one export. A failure becomes an outcome instead of an exception."""

        def report(event: Event, progress: Progress) -> None:
            if self.on_progress is not None:
                step(ExportProgress(event, index, getattr(request, "tag", None), progress.export_id, progress.polls))

        progress = Progress(report)
        warnings: list[ExportWarning] = []
        reports: list[ExportReport | None] = []
        checks = Review(warnings.append, self.strict, reports.append if self.reports else None)
        value: T | None = None
        failure: Exception | None = None
        try:
            if not isinstance(request, ExportRequest):
                got = type(request).__name__
                raise InputError(
                    f"requests[{index}] must be an ExportRequest(schema, where), got {got}", field="requests"
                )
            spec = ExportSpec.of(
                request.schema,
                request.where,
                self.filter_rules,
                instructions=request.instructions,
                org_id=request.org_id,
                project_id=request.project_id,
                caller=self.caller,
            )
            value = yield from resume.run(
                spec, self.settings, self.timeout, checks, ledger=self.ledger, origin=self.origin, progress=progress
            )
        except Exception as error:  # noqa: BLE001 -- one failure never stops the others
            failure = error
        status = self._status(failure, progress)
        report(status, progress)
        warning = warnings[0] if warnings else None
        return ExportOutcome(
            index,
            request,
            status,
            progress.export_id,
            value,
            failure,
            progress.lost_answers,
            warning,
            _report_of(reports, warning, failure),
        )

    def _status(self, failure: Exception | None, progress: Progress) -> Status:
        if failure is None:
            return "ready"
        if isinstance(failure, OutcomeUnknown) and self.ledger is not None and self.ledger.on_unknown == "skip":
            return "skipped"
        if isinstance(failure, Mem0ExportsError):
            return "unknown" if failure.outcome_unknown else "failed"
        return "unknown" if progress.lost_answers and progress.export_id is None else "failed"


def _report_of(
    reports: list[ExportReport | None], warning: ExportWarning | None, failure: Exception | None
) -> ExportReport | None:
    if reports:
        return reports[0]
    if isinstance(failure, ExportIncomplete):
        return failure.report
    return None if warning is None else warning.report


class _Window(Generic[T]):
    """The requests in progress and the outcomes that wait for their turn."""

    def __init__(self, plan: Plan[T], requests: Iterable[ExportRequest[T]]) -> None:
        self._plan = plan
        self._requests = iter(requests)
        self._exhausted = False
        self._held: dict[int, ExportOutcome[T]] = {}
        self._yielded = 0
        self._started = 0
        self._finished = 0
        self._ready = 0
        self._warned = 0
        self._first_warning: ExportWarning | None = None

    def next_request(self) -> tuple[int, ExportRequest[T]] | None:
        """Return the next request and its index; None if no more can start now, or none is left."""
        in_progress = self._started - self._finished
        room = in_progress < self._plan.concurrency
        if self._plan.ordered:
            # The outcomes that wait for their turn are limited too: behind one slow export, they would fill the memory.
            # The limit is twice the concurrency, so that one slow export does not stop all others.
            room = room and self._started - self._yielded < 2 * self._plan.concurrency
        if not room or self._exhausted:
            return None
        try:
            request = next(self._requests)
        except StopIteration:
            self._exhausted = True
            return None
        self._started += 1
        return self._started - 1, request

    def over(self) -> bool:
        """Return whether there are no more requests, and every one that started has an outcome."""
        return self._exhausted and self._finished == self._started

    def _finish(self, outcome: ExportOutcome[T]) -> Iterator[ExportOutcome[T]]:
        self._finished += 1
        self._ready += outcome.status == "ready"
        if outcome.warning is not None:
            self._warned += 1
            self._first_warning = self._first_warning or outcome.warning
        if not self._plan.ordered:
            self._yielded += 1
            yield outcome
            return
        self._held[outcome.index] = outcome
        while self._yielded in self._held:
            self._yielded += 1
            yield self._held.pop(self._yielded - 1)

    def take(self, message: _Message[T]) -> Iterator[ExportOutcome[T]]:
        """Handle a message of a worker: report a step, yield the outcomes that are due, or raise the worker's error."""
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, ExportProgress):
            self._show(message)
        else:
            yield from self._finish(message)

    def warn(self) -> None:
        """Warn once if exports found nothing or records were left out of them."""
        if self._first_warning is not None:
            message = (
                f"{self._warned} of {self._finished} exports found nothing, or records were left out of them; see "
                f"outcome.warning. The first: {self._first_warning}"
            )
            self._plan.caller.warn(ExportWarning(message))

    def _show(self, step: ExportProgress) -> None:
        assert self._plan.on_progress is not None  # workers send steps only if it is set
        # This step arrives before its outcome, and `_finish` counts only outcomes. So the outcome is added here.
        is_final = step.event not in {"created", "resumed", "polled"}
        self._plan.on_progress(
            attrs.evolve(
                step,
                started=self._started,
                finished=self._finished + is_final,
                ready=self._ready + (step.event == "ready"),
            )
        )


_Message: TypeAlias = "ExportProgress | ExportOutcome[T] | BaseException"


def run_many(driver: Driver, plan: Plan[T], requests: Iterable[ExportRequest[T]]) -> Iterator[ExportOutcome[T]]:
    """Run the plan in threads and yield its outcomes.

    If the caller leaves the loop early, an export that sleeps stops at once. An export that is sending a request stops
    after the answer, because a blocking request cannot be interrupted.
    """
    window = _Window(plan, requests)
    messages: queue.SimpleQueue[_Message[T]] = queue.SimpleQueue()
    stop = threading.Event()

    def work(index: int, request: ExportRequest[T]) -> None:
        try:
            messages.put(driver.run(plan.flow(index, request, messages.put), stop))
        except FlowInterrupted:
            pass  # `stop` was set, so no message is read any more
        except BaseException as error:  # noqa: BLE001 -- raised in the user's loop
            messages.put(error)

    with ThreadPoolExecutor(plan.concurrency, thread_name_prefix="mem0-exports-bulk") as threads:
        try:
            while True:
                started = window.next_request()
                if started is not None:
                    threads.submit(work, *started)
                elif window.over():
                    break
                # Start as many requests as possible, but yield finished outcomes in between: the iterable may be slow.
                if started is None or not messages.empty():
                    yield from window.take(messages.get())
        finally:
            # This must run before the executor's own exit, which waits for all threads. Otherwise, leaving the loop
            # early would wait until every export in progress has finished.
            stop.set()
    window.warn()


async def run_many_async(  # noqa: C901 -- the loop, its tasks and their end have to be read together
    driver: AsyncDriver, plan: Plan[T], requests: Iterable[ExportRequest[T]]
) -> AsyncIterator[ExportOutcome[T]]:
    """Run the plan in tasks and yield its outcomes. If the caller leaves the loop early, the tasks are cancelled."""
    import asyncio  # noqa: PLC0415 -- a sync client does not need it

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "run_many needs asyncio; on trio, await client.exports.run in the tasks of a nursery"
        ) from None
    window = _Window(plan, requests)
    messages: asyncio.Queue[_Message[T]] = asyncio.Queue()
    tasks: set[asyncio.Task[None]] = set()

    async def work(index: int, request: ExportRequest[T]) -> None:
        try:
            messages.put_nowait(await driver.run(plan.flow(index, request, messages.put_nowait)))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 -- raised in the user's loop
            messages.put_nowait(error)

    try:
        while True:
            started = window.next_request()
            if started is not None:
                task = asyncio.create_task(work(*started))
                tasks.add(task)  # the event loop keeps only weak references to tasks
                task.add_done_callback(tasks.discard)
                await asyncio.sleep(0)  # let the task begin: a fast iterable must not block the loop
            elif window.over():
                break
            if started is None or not messages.empty():
                for outcome in window.take(await messages.get()):
                    yield outcome
    finally:
        # Wait for the cancelled tasks: each may still be writing the state of its export to the ledger.
        unfinished = list(tasks)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
    window.warn()
