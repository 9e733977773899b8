"""`client.exports`: starts export jobs and finds them again. `api_async` has its twin, which runs the same flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from mem0_exports.exports import flows, resume
from mem0_exports.exports.handles import TIMEOUT, Export
from mem0_exports.exports.spec import ExportRef, ExportSpec


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from mem0_exports.exports.bulk import ExportOutcome, ExportRequest, OnProgress
    from mem0_exports.exports.flows import OnPoll
    from mem0_exports.exports.handles import JsonObject
    from mem0_exports.exports.ledger import Ledger
    from mem0_exports.exports.spec import Origin
    from mem0_exports.filters.check import Where
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.driver import Driver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.schemas.schema import Typed

T = TypeVar("T")

CONCURRENCY: Final = 8
"""Exports that `run_many` has under way at once, where nothing else is said."""


class Exports:
    """Starts export jobs and finds them again."""

    def __init__(
        self, driver: Driver, settings: Settings, *, origin: Origin, filter_rules: FilterRules | None = None
    ) -> None:
        self._driver = driver
        self._settings = settings
        self._origin = origin
        self._filter_rules = filter_rules

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
        settings = self._settings.with_retry(retry)
        spec = ExportSpec.of(
            schema, where, self._filter_rules, instructions=instructions, org_id=org_id, project_id=project_id
        )
        ref = self._driver.run(flows.create(spec, settings, settings.deadline(timeout)))
        return Export(ref, settings, self._driver)

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
        settings = self._settings.with_retry(retry)
        spec = ExportSpec.of(
            schema, where, self._filter_rules, instructions=instructions, org_id=org_id, project_id=project_id
        )
        flow = resume.run(spec, settings, timeout, on_poll, ledger=ledger, origin=self._origin)
        return self._driver.run(flow)

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
            origin=self._origin,
            filter_rules=self._filter_rules,
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
        ref = ExportRef.of(export_id, schema, org_id, project_id)
        return Export(ref, self._settings, self._driver)
