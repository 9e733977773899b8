"""`client.exports` of an AsyncClient: the names and arguments of `api`, awaited, over the same flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from mem0_exports.exports import flows, resume
from mem0_exports.exports.api import CONCURRENCY
from mem0_exports.exports.handles import TIMEOUT, AsyncExport
from mem0_exports.exports.spec import ExportRef, ExportSpec


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from uuid import UUID

    from mem0_exports.exports.bulk import ExportOutcome, ExportRequest, OnProgress
    from mem0_exports.exports.flows import OnPoll
    from mem0_exports.exports.handles import JsonObject
    from mem0_exports.exports.ledger import Ledger
    from mem0_exports.exports.spec import Origin
    from mem0_exports.filters.check import Where
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.driver import AsyncDriver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.schemas.schema import Typed

T = TypeVar("T")


class AsyncExports:
    """Starts export jobs and finds them again, awaited."""

    def __init__(
        self, driver: AsyncDriver, settings: Settings, *, origin: Origin, filter_rules: FilterRules | None = None
    ) -> None:
        self._driver = driver
        self._settings = settings
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
        """Start a job and return its handle. Arguments and errors as `Exports.create`."""
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
        settings = self._settings.with_retry(retry)
        spec = ExportSpec.of(
            schema, where, self._filter_rules, instructions=instructions, org_id=org_id, project_id=project_id
        )
        flow = resume.run(spec, settings, timeout, on_poll, ledger=ledger, origin=self._origin)
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
    ) -> AsyncIterator[ExportOutcome[T]]:
        """Run many exports, some at a time; arguments and outcomes as `Exports.run_many`. Runs on asyncio.

        `requests` is iterated on the event loop. Leave the loop early and what is under way is cancelled.
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
        ref = ExportRef.of(export_id, schema, org_id, project_id)
        return AsyncExport(ref, self._settings, self._driver)
