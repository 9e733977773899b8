"""Run many exports at once: the requests, the outcomes, and the limit on how many are in progress.

At most `concurrency` exports are in progress at any time, and a request is taken from the input only when there is
room, so that memory use does not grow with the number of requests. Sync and async share all but their main loops.
"""

from __future__ import annotations

import queue
import threading

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, cast, overload

import attrs

from mem0_exports.call_site import CallSite, call_site
from mem0_exports.errors import ConfigurationError, InputError, Mem0ExportsError, OutcomeUnknown
from mem0_exports.exports import resume
from mem0_exports.exports.flows import Progress
from mem0_exports.exports.spec import ExportSpec
from mem0_exports.http.flow import FlowInterrupted
from mem0_exports.http.settings import Gate, check_timeout


if TYPE_CHECKING:
    import asyncio

    from mem0_exports.exports.ledger import Ledger
    from mem0_exports.exports.spec import Origin
    from mem0_exports.filters.check import Where
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.driver import AsyncDriver, Driver
    from mem0_exports.http.flow import Flow
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.schemas.schema import Typed

T = TypeVar("T")
U = TypeVar("U")

MAX_CONCURRENCY: Final = 100
"""The size of a client's connection pool: more exports than that would only wait for a connection."""

Status: TypeAlias = Literal["ready", "failed", "unknown", "skipped"]

Event: TypeAlias = Literal["created", "resumed", "polled", "ready", "failed", "unknown", "skipped"]


@attrs.frozen(slots=True, init=False)
class ExportRequest(Generic[T]):
    """One export for `run_many`, with the arguments of `exports.run`.

    ExportRequest(Profile, F.user_id == "alex", tag="alex")
    """

    schema: Any
    """What to export into: a type or a JSON Schema dict."""
    where: Where
    """Which memories to export: a filter or a filter dict."""
    instructions: str | None
    org_id: str | None
    project_id: str | None
    tag: Any
    """Any value of yours. It is not sent, and comes back with the outcome as `outcome.request.tag`."""

    @overload
    def __init__(
        self: ExportRequest[U],
        schema: Typed[U],
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        tag: Any = None,
    ) -> None: ...
    @overload
    def __init__(
        self: ExportRequest[dict[str, Any]],
        schema: Mapping[str, Any],
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        tag: Any = None,
    ) -> None: ...
    def __init__(
        self,
        schema: Any,
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        tag: Any = None,
    ) -> None:
        self.__attrs_init__(schema, where, instructions, org_id, project_id, tag)  # type: ignore[attr-defined, unused-ignore]


@attrs.frozen(slots=True)
class ExportOutcome(Generic[T]):
    """The outcome of one export of `run_many`."""

    index: int
    """The position of the request in the input, from 0."""
    request: ExportRequest[T]
    status: Status
    """ready: `value` is the result. failed: `error` says why. unknown: the create was sent and its answer was lost, so
    a job may exist whose id nobody knows. skipped: the answer was lost in an earlier run, and the ledger's `on_unknown`
    is "skip"."""
    export_id: str | None
    """The id of the job if it is known, also if the job was not ready in time."""
    value: T | None
    error: Exception | None
    lost_answers: int
    """How many creates of this export have an unknown outcome, in this run and in the ledger."""

    def result(self) -> T:
        """Return the value, or raise the error if there is one."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


@attrs.frozen(slots=True)
class ExportProgress:
    """One step of a bulk run, for a progress display."""

    event: Event
    """created: the job was created. resumed: the ledger knew the job. polled: it is not ready yet. The other events are
    the final statuses of `ExportOutcome.status`."""
    index: int
    """The position of the request in the input, from 0."""
    tag: Any
    """The tag of the request."""
    export_id: str | None
    polls: int
    """How many polls of this export found no result yet."""
    started: int = 0
    """How many exports of the whole run have started."""
    finished: int = 0
    """How many of them have an outcome."""
    ready: int = 0
    """How many of the finished ones have a result."""


OnProgress: TypeAlias = Callable[[ExportProgress], None]
"""Called in the thread or task that iterates over `run_many`, while it waits for the next outcome."""


@attrs.frozen(slots=True, kw_only=True)
class Plan(Generic[T]):
    """A bulk run with checked arguments: how each request becomes a flow, and how many run at once."""

    settings: Settings
    origin: Origin
    filter_rules: FilterRules | None
    concurrency: int
    timeout: float
    ordered: bool
    ledger: Ledger | None
    on_progress: OnProgress | None
    caller: CallSite
    """The line that called `run_many`: filters are checked in threads and tasks that do not have it on their stack."""

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
    ) -> Plan[T]:
        """Check the arguments of `run_many` and return the plan; raise InputError for a bad one.

        All requests of the plan share one gate: a 429 to one of them holds back all of them.
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
                spec, self.settings, self.timeout, ledger=self.ledger, origin=self.origin, progress=progress
            )
        except Exception as error:  # noqa: BLE001 -- one failure never stops the others
            failure = error
        status = self._status(failure, progress)
        report(status, progress)
        return ExportOutcome(index, request, status, progress.export_id, value, failure, progress.lost_answers)

    def _status(self, failure: Exception | None, progress: Progress) -> Status:
        if failure is None:
            return "ready"
        if isinstance(failure, OutcomeUnknown) and self.ledger is not None and self.ledger.on_unknown == "skip":
            return "skipped"
        if isinstance(failure, Mem0ExportsError):
            return "unknown" if failure.outcome_unknown else "failed"
        return "unknown" if progress.lost_answers and progress.export_id is None else "failed"


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

    def next_request(self) -> tuple[int, ExportRequest[T]] | None:
        """Return the next request and its index; None if there is no room for one, or no request left."""
        in_progress = self._started - self._finished
        room = in_progress < self._plan.concurrency
        if self._plan.ordered:
            # Outcomes that wait for their turn are limited too, or one slow export would let them pile up in memory.
            # Twice the concurrency, so that a slow export does not stop all others.
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
        if not self._plan.ordered:
            self._yielded += 1
            yield outcome
            return
        self._held[outcome.index] = outcome
        while self._yielded in self._held:
            self._yielded += 1
            yield self._held.pop(self._yielded - 1)

    def take(self, message: _Message[T]) -> Iterator[ExportOutcome[T]]:
        """Handle a message of a worker: report a step, yield the outcomes whose turn it is, or raise a crash."""
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, ExportProgress):
            self._show(message)
        else:
            yield from self._finish(message)

    def _show(self, step: ExportProgress) -> None:
        assert self._plan.on_progress is not None  # workers send steps only if it is set
        # The step comes before its outcome, which `_finish` counts: count it here already.
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

    If the caller leaves the loop early, a sleeping export stops at once, and one that is sending a request stops after
    its answer: a blocking request cannot be interrupted.
    """
    window = _Window(plan, requests)
    messages: queue.SimpleQueue[_Message[T]] = queue.SimpleQueue()
    stop = threading.Event()

    def work(index: int, request: ExportRequest[T]) -> None:
        try:
            messages.put(driver.run(plan.flow(index, request, messages.put), stop))
        except FlowInterrupted:
            pass  # `stop` was set: nobody reads messages any more
        except BaseException as error:  # noqa: BLE001 -- raised where the user iterates
            messages.put(error)

    with ThreadPoolExecutor(plan.concurrency, thread_name_prefix="mem0-exports-bulk") as threads:
        try:
            while True:
                started = window.next_request()
                if started is not None:
                    threads.submit(work, *started)
                elif window.over():
                    return
                # Start requests while there is room, but do not let a slow iterable hold back finished outcomes.
                if started is None or not messages.empty():
                    yield from window.take(messages.get())
        finally:
            # Must come before the executor's own exit, which waits for all threads: without it, leaving the loop early
            # would wait for every export in progress to finish.
            stop.set()


async def run_many_async(  # noqa: C901 -- the loop, its tasks and their end have to be read together
    driver: AsyncDriver, plan: Plan[T], requests: Iterable[ExportRequest[T]]
) -> AsyncIterator[ExportOutcome[T]]:
    """Run the plan in tasks and yield its outcomes. If the caller leaves the loop early, the tasks are cancelled."""
    import asyncio  # noqa: PLC0415 -- a sync client needs none

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
        except BaseException as error:  # noqa: BLE001 -- raised where the user iterates
            messages.put_nowait(error)

    try:
        while True:
            started = window.next_request()
            if started is not None:
                task = asyncio.create_task(work(*started))
                tasks.add(task)  # the event loop keeps only weak references to tasks
                task.add_done_callback(tasks.discard)
                await asyncio.sleep(0)  # let the task begin, or a fast iterable would keep the loop to itself
            elif window.over():
                return
            if started is None or not messages.empty():
                for outcome in window.take(await messages.get()):
                    yield outcome
    finally:
        # Wait for the cancelled tasks: each may still be writing to the ledger how far its export came.
        unfinished = list(tasks)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
