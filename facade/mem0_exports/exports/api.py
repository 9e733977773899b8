"""Exports: the jobs that turn memories into one object of your type.

`Exports` starts jobs, `Export` is the handle of one; `async_exports` has their twins, which run the same flows. A handle
is an id and a schema, nothing more: `exports.get(id, Model)` makes it again in another process, for as long as the
service keeps the export (7 days).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeAlias, TypeVar, overload

from mem0_exports.exports import flows
from mem0_exports.schemas.schema import Schema


if TYPE_CHECKING:
    from uuid import UUID

    from mem0_exports.exports.bulk import ExportOutcome, ExportRequest, OnProgress
    from mem0_exports.exports.ledger import Ledger
    from mem0_exports.filters.tree import Where
    from mem0_exports.http.driver import Driver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.schemas.schema import Typed

T = TypeVar("T")

OnPoll: TypeAlias = Callable[[int, float], None]
"""Called after each poll that found nothing yet, with the number of polls and the seconds since the start."""

JsonObject: TypeAlias = dict[str, Any]

TIMEOUT: Final = 120.0
"""Seconds that `run` and `result` wait where nothing else is said."""

CONCURRENCY: Final = 8
"""Exports that `run_many` has under way at once, where nothing else is said."""


class Handle(Generic[T]):
    """The state of a handle: a job, which is an id and a schema, and how to ask for it."""

    def __init__(self, job: flows.Job[T], settings: Settings) -> None:
        self._job = job
        self._settings = settings

    @property
    def id(self) -> str:
        """What the service calls the export. Keep it to come back to the export later."""
        return self._job.id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a handle cannot be pickled; keep its id: client.exports.get({self.id!r}, Model) makes it again"
        )


class Export(Handle[T]):
    """One export job."""

    def __init__(self, job: flows.Job[T], settings: Settings, driver: Driver) -> None:
        super().__init__(job, settings)
        self._driver = driver

    def poll(self, *, timeout: float | None = None, retry: Retry | None = None) -> T | None:
        """The result if it is ready, None if not (or never: the service does not tell these apart)."""
        found = self._driver.run(flows.poll(self._job, self._settings.given(retry), timeout))
        return None if found is None else found.value

    def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None, retry: Retry | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds.

        Once the service has been heard of, the wait lasts through lost connections and errors that may pass.

        Raises:
            ExportTimeout: not ready in time; the job goes on, and so may you with its id.
            ExportFailed: the embedded engine could not make it.
            ExportInvalid: it came, but does not fit the type; its data is in the error.

        """
        return self._driver.run(flows.result(self._job, self._settings.given(retry), timeout, on_poll))


class Exports:
    """Starts export jobs and finds them again."""

    def __init__(self, driver: Driver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    @overload
    def create(
        self,
        schema: Typed[T],
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> Export[T]: ...
    @overload
    def create(
        self,
        schema: Mapping[str, Any],
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> Export[JsonObject]: ...
    def create(
        self,
        schema: Any,
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> Export[Any]:
        """Start a job and return its handle.

        Two requests would make two jobs, so it is repeated only where the first cannot have been carried out.

        Args:
            schema: a Pydantic model, dataclass, TypedDict or other type, or a JSON Schema as a dict.
            where: which memories; at least one user, agent, app or run is named in it.
            instructions: guidance in words for the service's language model.
            org_id: files the export under this organization.
            project_id: files the export under this project.
            timeout: seconds for the call, repetitions included; without it only each request has the client's timeout.
            retry: another policy than the client's.

        Raises:
            SchemaError, FilterError: the argument cannot be used; nothing was sent.
            StatusError: the service said no; its subclasses say which no.
            ConnectionFailed, RequestTimeout: no answer. If its `outcome_unknown` is True, a job may have been made.

        """
        settings = self._settings.given(retry)
        asked = flows.question(schema, where, settings, instructions=instructions, org_id=org_id, project_id=project_id)
        job = self._driver.run(flows.create(asked, settings, settings.deadline(timeout)))
        return Export(job, settings, self._driver)

    @overload
    def run(
        self,
        schema: Typed[T],
        where: Where,
        *,
        timeout: float = TIMEOUT,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        on_poll: OnPoll | None = None,
        retry: Retry | None = None,
        ledger: Ledger | None = None,
    ) -> T: ...
    @overload
    def run(
        self,
        schema: Mapping[str, Any],
        where: Where,
        *,
        timeout: float = TIMEOUT,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        on_poll: OnPoll | None = None,
        retry: Retry | None = None,
        ledger: Ledger | None = None,
    ) -> JsonObject: ...
    def run(
        self,
        schema: Any,
        where: Where,
        *,
        timeout: float = TIMEOUT,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        on_poll: OnPoll | None = None,
        retry: Retry | None = None,
        ledger: Ledger | None = None,
    ) -> Any:
        """Start a job and wait for its result: `create` and `result` in one, within `timeout` seconds in all.

        With a `ledger` it survives a crash: run again, it waits for the job that exists, or reads the result that came.
        """
        settings = self._settings.given(retry)
        asked = flows.question(schema, where, settings, instructions=instructions, org_id=org_id, project_id=project_id)
        return self._driver.run(flows.run(asked, settings, timeout, on_poll, ledger=ledger))

    def run_many(
        self,
        requests: Iterable[ExportRequest[T]],
        *,
        concurrency: int = CONCURRENCY,
        timeout: float = TIMEOUT,
        ordered: bool = False,
        retry: Retry | None = None,
        ledger: Ledger | None = None,
        on_progress: OnProgress | None = None,
    ) -> Iterator[ExportOutcome[T]]:
        """Run many exports, some at a time; gives an outcome for each as soon as it is there.

        A failure is an outcome too, and stops no other export. When the service says 429, all of them wait. Requests are
        taken from `requests` only as there is room, in the thread that iterates, so neither memory nor speed depends on
        how many there are. Leave the loop early and what is under way is stopped.

        Args:
            requests: what to export; a generator will do.
            concurrency: how many are under way at once, from 1 to 100.
            timeout: seconds for each export.
            ordered: give the outcomes in the order of the requests; up to twice `concurrency` are held back for that.
            retry: another policy than the client's.
            ledger: makes the whole run resumable.
            on_progress: called with each step, in the thread that iterates.

        Raises:
            InputError: one of the arguments cannot be used. What is wrong with a request is in its outcome.

        """
        from mem0_exports.exports import bulk  # noqa: PLC0415 -- single exports need no threads

        plan: bulk.Plan[T] = bulk.Plan.of(
            self._settings,
            concurrency=concurrency,
            timeout=timeout,
            ordered=ordered,
            retry=retry,
            ledger=ledger,
            on_progress=on_progress,
        )
        return bulk.run_many(self._driver, plan, requests)

    @overload
    def get(
        self,
        export_id: str | UUID,
        schema: Typed[T],
        *,
        org_id: str | None = None,
        project_id: str | None = None,
    ) -> Export[T]: ...
    @overload
    def get(
        self,
        export_id: str | UUID,
        schema: Mapping[str, Any],
        *,
        org_id: str | None = None,
        project_id: str | None = None,
    ) -> Export[JsonObject]: ...
    def get(
        self, export_id: str | UUID, schema: Any, *, org_id: str | None = None, project_id: str | None = None
    ) -> Export[Any]:
        """The handle of an export by its id. Asks nothing: whether it exists shows when it is polled.

        Give the org_id and project_id that it was created with, if any.
        """
        job = flows.Job(flows.checked_id(export_id), Schema.of(schema), org_id, project_id)
        return Export(job, self._settings, self._driver)
