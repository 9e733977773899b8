"""The async twins of `exports`: the same names and arguments, awaited, over the same flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from mem0_exports.exports import flows
from mem0_exports.exports.api import CONCURRENCY, TIMEOUT, Handle, JsonObject
from mem0_exports.schemas.schema import Schema


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from uuid import UUID

    from mem0_exports.exports.api import OnPoll
    from mem0_exports.exports.bulk import ExportOutcome, ExportRequest, OnProgress
    from mem0_exports.exports.ledger import Ledger
    from mem0_exports.filters.tree import Where
    from mem0_exports.http.driver import AsyncDriver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.schemas.schema import Typed

T = TypeVar("T")


class AsyncExport(Handle[T]):
    """One export job, awaited."""

    def __init__(self, job: flows.Job[T], settings: Settings, driver: AsyncDriver) -> None:
        super().__init__(job, settings)
        self._driver = driver

    async def poll(self, *, timeout: float | None = None, retry: Retry | None = None) -> T | None:
        """The result if it is ready, None if not (or never: the service does not tell these apart)."""
        found = await self._driver.run(flows.poll(self._job, self._settings.given(retry), timeout))
        return None if found is None else found.value

    async def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None, retry: Retry | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds. Details and errors as `Export.result`."""
        return await self._driver.run(flows.result(self._job, self._settings.given(retry), timeout, on_poll))


class AsyncExports:
    """Starts export jobs and finds them again, awaited."""

    def __init__(self, driver: AsyncDriver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    @overload
    async def create(
        self,
        schema: Typed[T],
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> AsyncExport[T]: ...
    @overload
    async def create(
        self,
        schema: Mapping[str, Any],
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> AsyncExport[JsonObject]: ...
    async def create(
        self,
        schema: Any,
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> AsyncExport[Any]:
        """Start a job and return its handle. Arguments and errors as `Exports.create`."""
        settings = self._settings.given(retry)
        asked = flows.question(schema, where, settings, instructions=instructions, org_id=org_id, project_id=project_id)
        job = await self._driver.run(flows.create(asked, settings, settings.deadline(timeout)))
        return AsyncExport(job, settings, self._driver)

    @overload
    async def run(
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
    async def run(
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
    async def run(
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
        return await self._driver.run(flows.run(asked, settings, timeout, on_poll, ledger=ledger))

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
    ) -> AsyncIterator[ExportOutcome[T]]:
        """Run many exports, some at a time; arguments and outcomes as `Exports.run_many`. Runs on asyncio.

        `requests` is iterated on the event loop. Leave the loop early and what is under way is cancelled.
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
        return bulk.run_many_async(self._driver, plan, requests)

    @overload
    def get(
        self,
        export_id: str | UUID,
        schema: Typed[T],
        *,
        org_id: str | None = None,
        project_id: str | None = None,
    ) -> AsyncExport[T]: ...
    @overload
    def get(
        self,
        export_id: str | UUID,
        schema: Mapping[str, Any],
        *,
        org_id: str | None = None,
        project_id: str | None = None,
    ) -> AsyncExport[JsonObject]: ...
    def get(
        self, export_id: str | UUID, schema: Any, *, org_id: str | None = None, project_id: str | None = None
    ) -> AsyncExport[Any]:
        """The handle of an export by its id. Asks nothing: whether it exists shows when it is polled.

        Give the org_id and project_id that it was created with, if any.
        """
        job = flows.Job(flows.checked_id(export_id), Schema.of(schema), org_id, project_id)
        return AsyncExport(job, self._settings, self._driver)
