"""Many exports at once: what goes in, what comes out, and how many are under way.

At any time at most `concurrency` exports are under way, and a new request is taken from the input only when there is
room: memory does not grow with their number. Sync and async share everything here but their loops.
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
"""As many connections as a client keeps."""

Status: TypeAlias = Literal["ready", "failed", "unknown", "skipped"]

Event: TypeAlias = Literal["created", "resumed", "polled", "ready", "failed", "unknown", "skipped"]


@attrs.frozen(slots=True, init=False)
class ExportRequest(Generic[T]):
    """One export of many."""

    schema: Any
    """What to export into: all that `exports.run` takes."""
    where: Where
    """Which memories."""
    instructions: str | None
    org_id: str | None
    project_id: str | None
    tag: Any
    """Yours: comes back with the outcome, and is not sent."""

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
    """What became of one export of many."""

    index: int
    """The place of the request in the input, from 0."""
    request: ExportRequest[T]
    status: Status
    """ready: `value` is there. failed: `error` says why. unknown: the create was sent and its answer lost, so a job may
    exist without an id. skipped: that had happened in an earlier run, and the ledger says "skip"."""
    export_id: str | None
    """The id of the job, where it is known: also of one that was not ready in time."""
    value: T | None
    error: Exception | None
    lost_answers: int
    """How many creates of this export are of unknown outcome, in this run and in the ledger."""

    def result(self) -> T:
        """The value; raises the error where there is none."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


@attrs.frozen(slots=True)
class ExportProgress:
    """A step in a bulk run, to be shown."""

    event: Event
    """created: there is a job. resumed: the ledger knew of it. polled: it is not ready yet. Others: as the status."""
    index: int
    tag: Any
    export_id: str | None
    polls: int
    """Polls of this export that found nothing yet."""
    started: int = 0
    """Exports begun so far, in the whole run."""
    finished: int = 0
    """Exports with an outcome so far."""
    ready: int = 0
    """Those of them with a value."""


OnProgress: TypeAlias = Callable[[ExportProgress], None]
"""Called in the thread or task that iterates, while it waits for the next outcome."""


@attrs.frozen(slots=True, kw_only=True)
class Plan(Generic[T]):
    """A bulk run, checked: how each request becomes a flow, and how many are under way at once."""

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
        """The plan; InputError where it cannot be carried out. All its requests share one gate for back-off."""
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or not 1 <= concurrency <= MAX_CONCURRENCY:
            raise InputError(
                f"concurrency lies between 1 and {MAX_CONCURRENCY}, got {concurrency!r}", field="concurrency"
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
        """One export, whose failure is an outcome and no exception."""

        def report(event: Event, progress: Progress) -> None:
            if self.on_progress is not None:
                step(ExportProgress(event, index, getattr(request, "tag", None), progress.export_id, progress.polls))

        progress = Progress(report)
        value: T | None = None
        failure: Exception | None = None
        try:
            if not isinstance(request, ExportRequest):
                found = type(request).__name__
                raise InputError(f"run_many takes ExportRequest(schema, where), got {found}", field="requests")
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
    """Which requests are under way, and which outcomes may be given away."""

    def __init__(self, plan: Plan[T], requests: Iterable[ExportRequest[T]]) -> None:
        self._plan = plan
        self._requests = iter(requests)
        self._exhausted = False
        self._held: dict[int, ExportOutcome[T]] = {}
        self._given = 0
        self._started = 0
        self._finished = 0
        self._ready = 0

    def next_request(self) -> tuple[int, ExportRequest[T]] | None:
        """The next request to begin; None while there is no room, or no request."""
        under_way = self._started - self._finished
        room = under_way < self._plan.concurrency
        if self._plan.ordered:  # what waits for its turn takes room too, but a slow export does not stop all others
            room = room and self._started - self._given < 2 * self._plan.concurrency
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
        """Whether everything was given away."""
        return self._exhausted and self._finished == self._started

    def _finish(self, outcome: ExportOutcome[T]) -> Iterator[ExportOutcome[T]]:
        self._finished += 1
        self._ready += outcome.status == "ready"
        if not self._plan.ordered:
            self._given += 1
            yield outcome
            return
        self._held[outcome.index] = outcome
        while self._given in self._held:
            self._given += 1
            yield self._held.pop(self._given - 1)

    def take(self, message: _Message[T]) -> Iterator[ExportOutcome[T]]:
        """What a worker says: a step is shown, an outcome given away when its turn comes, a mistake of ours raised."""
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, ExportProgress):
            self._show(message)
        else:
            yield from self._finish(message)

    def _show(self, step: ExportProgress) -> None:
        assert self._plan.on_progress is not None  # no steps are made without it
        last = step.event not in {"created", "resumed", "polled"}
        self._plan.on_progress(
            attrs.evolve(
                step,
                started=self._started,
                finished=self._finished + last,
                ready=self._ready + (step.event == "ready"),
            )
        )


_Message: TypeAlias = "ExportProgress | ExportOutcome[T] | BaseException"


def run_many(driver: Driver, plan: Plan[T], requests: Iterable[ExportRequest[T]]) -> Iterator[ExportOutcome[T]]:
    """Run the plan in threads. Left early, it stops what sleeps at once and what is being sent when its answer is there."""
    window = _Window(plan, requests)
    messages: queue.SimpleQueue[_Message[T]] = queue.SimpleQueue()
    stop = threading.Event()

    def work(index: int, request: ExportRequest[T]) -> None:
        try:
            messages.put(driver.run(plan.flow(index, request, messages.put), stop))
        except FlowInterrupted:
            pass
        except BaseException as error:  # noqa: BLE001 -- shown where the user iterates
            messages.put(error)

    with ThreadPoolExecutor(plan.concurrency, thread_name_prefix="mem0-exports-bulk") as threads:
        try:
            while True:
                begun = window.next_request()
                if begun is not None:
                    threads.submit(work, *begun)
                elif window.over():
                    return
                if begun is None or not messages.empty():  # a slow iterable does not hold back what is there
                    yield from window.take(messages.get())
        finally:
            stop.set()


async def run_many_async(
    driver: AsyncDriver, plan: Plan[T], requests: Iterable[ExportRequest[T]]
) -> AsyncIterator[ExportOutcome[T]]:
    """Run the plan in tasks. Left early, it cancels them."""
    import asyncio  # noqa: PLC0415 -- a sync client needs none

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError("run_many runs on asyncio; on trio, await exports.run in tasks of a nursery") from None
    window = _Window(plan, requests)
    messages: asyncio.Queue[_Message[T]] = asyncio.Queue()
    tasks: set[asyncio.Task[None]] = set()

    async def work(index: int, request: ExportRequest[T]) -> None:
        try:
            messages.put_nowait(await driver.run(plan.flow(index, request, messages.put_nowait)))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 -- shown where the user iterates
            messages.put_nowait(error)

    try:
        while True:
            begun = window.next_request()
            if begun is not None:
                task = asyncio.create_task(work(*begun))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                await asyncio.sleep(0)
            elif window.over():
                return
            if begun is None or not messages.empty():
                for outcome in window.take(await messages.get()):
                    yield outcome
    finally:
        unfinished = list(tasks)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
