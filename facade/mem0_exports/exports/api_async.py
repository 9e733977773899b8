"""`client.exports` of an AsyncClient. It has the methods of `api` as coroutines and runs the same flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from mem0_exports.call_site import call_site
from mem0_exports.exports import flows, resume
from mem0_exports.exports.api import CONCURRENCY
from mem0_exports.exports.handles import TIMEOUT, AsyncExport
from mem0_exports.exports.review import Review, fetch_report
from mem0_exports.exports.spec import ExportRef, ExportSpec
from mem0_exports.exports.stored import engine_id, pages_of_exports
from mem0_exports.http import export_operations
from mem0_exports.http.resources import MAX_PAGE_SIZE, AsyncResource


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from uuid import UUID

    from mem0_exports.exports.flows import OnPoll
    from mem0_exports.exports.handles import JsonObject
    from mem0_exports.exports.ledger import Ledger
    from mem0_exports.exports.outcomes import ExportOutcome, ExportRequest, OnProgress
    from mem0_exports.exports.review import OnReport
    from mem0_exports.exports.spec import Origin
    from mem0_exports.filters.check import Where
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.driver import AsyncDriver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.models import ExportInfo, ExportReport
    from mem0_exports.schemas.schema import Typed

T = TypeVar("T")


class AsyncExports(AsyncResource):
    """`client.exports` of an AsyncClient: start export jobs, await their results, and get them again by id."""

    def __init__(
        self, driver: AsyncDriver, settings: Settings, *, origin: Origin, filter_rules: FilterRules | None = None
    ) -> None:
        super().__init__(driver, settings)
        self._origin = origin
        self._filter_rules = filter_rules

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
        """Start an export job and return its handle. Arguments and errors are those of `Exports.create`."""
        settings = self._settings.with_retry(retry)
        spec = ExportSpec.of(
            schema, where, self._filter_rules, instructions=instructions, org_id=org_id, project_id=project_id
        )
        ref = await self._driver.run(flows.create(spec, settings, settings.deadline(timeout)))
        return AsyncExport(ref, settings, self._driver)

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
        max_response_bytes: int | None = None,
        ledger: Ledger | None = None,
        strict: bool = False,
        on_report: OnReport | None = None,
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
        max_response_bytes: int | None = None,
        ledger: Ledger | None = None,
        strict: bool = False,
        on_report: OnReport | None = None,
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
        max_response_bytes: int | None = None,
        ledger: Ledger | None = None,
        strict: bool = False,
        on_report: OnReport | None = None,
    ) -> Any:
        """Start an export job, wait for it, and return its result. Arguments and errors are those of `Exports.run`."""
        settings = self._settings.with_retry(retry).with_limit(max_response_bytes)
        spec = ExportSpec.of(
            schema, where, self._filter_rules, instructions=instructions, org_id=org_id, project_id=project_id
        )
        checks = Review(call_site().warn, strict, on_report)
        flow = resume.run(spec, settings, timeout, checks, on_poll, ledger=ledger, origin=self._origin)
        return await self._driver.run(flow)

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
        strict: bool = False,
        reports: bool = False,
    ) -> AsyncIterator[ExportOutcome[T]]:
        """Run many exports, a few at a time, and yield an outcome for each as soon as it is finished.

            async for outcome in client.exports.run_many(requests, concurrency=20):
                print(outcome.request.tag, outcome.status, outcome.value)

        Arguments and errors are those of `Exports.run_many`. This method needs asyncio, and iterates `requests` on the
        event loop. Leaving the loop early cancels the exports in progress.

        Raises:
            ConfigurationError: the event loop is not asyncio's.

        """
        from mem0_exports.exports import bulk  # noqa: PLC0415 -- single exports need no threads

        plan: bulk.Plan[T] = bulk.Plan.of(
            self._settings,
            origin=self._origin,
            filter_rules=self._filter_rules,
            concurrency=concurrency,
            timeout=timeout,
            ordered=ordered,
            retry=retry,
            ledger=ledger,
            on_progress=on_progress,
            strict=strict,
            reports=reports,
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
        """Return the handle of an export by its id, as `Exports.get` does. Nothing is sent."""
        ref = ExportRef.of(export_id, schema, org_id, project_id)
        return AsyncExport(ref, self._settings, self._driver)

    async def report(
        self, export_id: str | UUID, *, timeout: float | None = None, retry: Retry | None = None
    ) -> ExportReport:
        """Return the report on a finished export. Arguments and errors are those of `Exports.report`."""
        settings = self._settings.with_retry(retry)
        return await self._driver.run(fetch_report(export_id, settings, settings.deadline(timeout)))

    def list(
        self, *, page_size: int = MAX_PAGE_SIZE, timeout: float | None = None, retry: Retry | None = None
    ) -> AsyncIterator[ExportInfo]:
        """Return an async iterator over the exports of the embedded engine. Arguments are those of `Exports.list`."""
        return self._iterate(pages_of_exports(page_size), timeout, retry)

    async def cancel(
        self, export_id: str | UUID, *, timeout: float | None = None, retry: Retry | None = None
    ) -> ExportInfo:
        """Cancel an export of the embedded engine. Arguments and errors are those of `Exports.cancel`."""
        return await self._call(export_operations.exports_cancel(engine_id(export_id)), timeout, retry)

    async def delete(self, export_id: str | UUID, *, timeout: float | None = None, retry: Retry | None = None) -> None:
        """Delete an export of the embedded engine. Arguments and errors are those of `Exports.delete`."""
        await self._call(export_operations.exports_delete(engine_id(export_id)), timeout, retry)
