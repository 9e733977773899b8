"""`client.exports`: start export jobs and get their results. `api_async` is the async version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from mem0_exports.call_site import call_site
from mem0_exports.exports import flows, resume
from mem0_exports.exports.handles import TIMEOUT, Export
from mem0_exports.exports.review import Review, fetch_report
from mem0_exports.exports.spec import ExportRef, ExportSpec
from mem0_exports.exports.stored import engine_id, pages_of_exports
from mem0_exports.http import export_operations
from mem0_exports.http.resources import MAX_PAGE_SIZE, Resource


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from mem0_exports.exports.flows import OnPoll
    from mem0_exports.exports.handles import JsonObject
    from mem0_exports.exports.ledger import Ledger
    from mem0_exports.exports.outcomes import ExportOutcome, ExportRequest, OnProgress
    from mem0_exports.exports.review import OnReport
    from mem0_exports.exports.spec import Origin
    from mem0_exports.filters.check import Where
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.driver import Driver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.models import ExportInfo, ExportReport
    from mem0_exports.schemas.schema import Typed

T = TypeVar("T")

CONCURRENCY: Final = 8
"""How many exports `run_many` has in progress at once by default."""


class Exports(Resource):
    """`client.exports`: start export jobs, wait for their results, and get them again by id."""

    def __init__(
        self, driver: Driver, settings: Settings, *, origin: Origin, filter_rules: FilterRules | None = None
    ) -> None:
        super().__init__(driver, settings)
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
        """Start an export job and return its handle, without waiting for the result.

            export = client.exports.create(Profile, F.user_id == "alex")
            profile = export.result(timeout=60)

        Two create requests would start two jobs. It is repeated only if the first one cannot have been carried out.

        Args:
            schema: what to export into: a Pydantic model, dataclass, TypedDict or other type, or a JSON Schema dict.
            where: which memories to export: a filter, or a filter dict; it must name at least one user, agent, app or
                run.
            instructions: guidance for the service's language model, in plain language.
            org_id: the organization that the key must belong to; any other is refused. Default: no check.
            project_id: the project that the key must belong to; any other is refused. Default: no check.
            timeout: seconds for the whole call, retries included. By default only each single request has a limit.
            retry: a retry policy to use instead of the client's.

        Raises:
            SchemaError, FilterError: the argument cannot be used; nothing was sent.
            StatusError: the service answered with an error status; the subclass says which.
            ConnectionFailed, RequestTimeout: no answer came. If `outcome_unknown` is True, a job may have started.

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
        max_response_bytes: int | None = None,
        ledger: Ledger | None = None,
        strict: bool = False,
        on_report: OnReport | None = None,
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
        max_response_bytes: int | None = None,
        ledger: Ledger | None = None,
        strict: bool = False,
        on_report: OnReport | None = None,
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
        max_response_bytes: int | None = None,
        ledger: Ledger | None = None,
        strict: bool = False,
        on_report: OnReport | None = None,
    ) -> Any:
        """Start an export job, wait for it, and return its result: `create` and `result` in one call.

            profile = client.exports.run(Profile, F.user_id == "alex", timeout=60)

        Args:
            schema: what to export into; see `create`. The result is a value of this type, or a dict for a JSON Schema.
            where: which memories to export; see `create`.
            timeout: seconds for everything, from the create to the result. Default: 120; at most 7 days.
            instructions: guidance for the service's language model, in plain language.
            org_id: the organization that the key must belong to; any other is refused. Default: no check.
            project_id: the project that the key must belong to; any other is refused. Default: no check.
            on_poll: called after each poll that found no result yet, with the number of polls and the seconds passed.
            retry: a retry policy to use instead of the client's.
            max_response_bytes: the most bytes of an answer, instead of the client's limit.
            ledger: makes the export survive a crash. If you run the export again with the same ledger, this waits for
                the job that exists already, or returns the result that was received before.
            strict: raise ExportIncomplete, instead of warning with ExportWarning, if the export found nothing or the
                embedded engine left records out of it.
            on_report: called with the ExportReport of the embedded engine before the result is returned. It is called
                with None if the service has no reports, as Mem0's Platform, or the result comes from the ledger.

        Raises:
            ExportTimeout: the result was not ready in time. The job continues; resume it with `export_id`.
            ResponseTooLarge: the result is too large. Fetch it with a higher limit, with `export_id`.
            ExportFailed: the embedded engine could not make the export.
            ExportInvalid: the result does not fit the type. `data` is the result as received.
            ExportIncomplete: only with `strict`. `data` is the result as received.
            OutcomeUnknown, LedgerError: only with a ledger; see `Ledger`.
            SchemaError, FilterError, StatusError, ConnectionFailed, RequestTimeout: as for `create`.

        """
        settings = self._settings.with_retry(retry).with_limit(max_response_bytes)
        spec = ExportSpec.of(
            schema, where, self._filter_rules, instructions=instructions, org_id=org_id, project_id=project_id
        )
        checks = Review(call_site().warn, strict, on_report)
        flow = resume.run(spec, settings, timeout, checks, on_poll, ledger=ledger, origin=self._origin)
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
        strict: bool = False,
        reports: bool = False,
    ) -> Iterator[ExportOutcome[T]]:
        """Run many exports, a few at a time, and yield an outcome for each as soon as it is finished.

            requests = (ExportRequest(Profile, F.user_id == name, tag=name) for name in names)
            for outcome in client.exports.run_many(requests, concurrency=20):
                print(outcome.request.tag, outcome.status, outcome.value)

        A failed export is an outcome as well, and does not stop the others. If the service answers 429 to one export,
        all exports wait. A request is taken from `requests` only when its export can start, so that memory use does not
        grow with the number of requests. This happens in the thread that iterates. Leaving the loop early stops the
        exports in progress.

        Args:
            requests: the exports to run, in any iterable, such as a generator.
            concurrency: how many exports are in progress at once, from 1 to 100. Default: 8.
            timeout: seconds for each export, from its create to its result. Default: 120; at most 7 days.
            ordered: yield the outcomes in the order of the requests, not in the order in which they finish. Then up to
                twice `concurrency` exports can have started whose outcomes have not been yielded yet.
            retry: a retry policy to use instead of the client's.
            ledger: makes it possible to resume the whole run after a crash.
            on_progress: called with each step, in the thread that iterates.
            strict: let an export fail with ExportIncomplete if it found nothing or the embedded engine left records out
                of it. By default, its outcome is ready and has a `warning`, and one ExportWarning at the end has the
                number of such exports.
            reports: get the report of the embedded engine for every export, as `outcome.report`. By default, only
                outcomes with a `warning` have one.

        Raises:
            InputError: one of these arguments cannot be used. A problem with a single request is in its outcome.

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
        """Return the handle of an export by its id. Nothing is sent: only a poll shows whether the export exists.

            profile = client.exports.get(export_id, Profile).result(timeout=60)

        Args:
            export_id: the id, such as `Export.id` or `Mem0ExportsError.export_id`.
            schema: what to export into; see `create`.
            org_id: the organization that the export was created with, if any.
            project_id: the project that the export was created with, if any.

        Raises:
            InputError: the id is not a non-empty string or a UUID.
            SchemaError: the type cannot be used.

        """
        ref = ExportRef.of(export_id, schema, org_id, project_id)
        return Export(ref, self._settings, self._driver)

    def report(
        self, export_id: str | UUID, *, timeout: float | None = None, retry: Retry | None = None
    ) -> ExportReport:
        """Return the report on a finished export: which memories filled which fields, and why the others are empty.

            for gap in client.exports.report(export_id).gaps:
                print(gap.path, gap.reason)

        Only the embedded engine makes reports, in process or served. A failed export can have one too.

        Args:
            export_id: the id, such as `Export.id` or `Mem0ExportsError.export_id`.
            timeout: seconds for the whole call, retries included. By default only each single request has a limit.
            retry: a retry policy to use instead of the client's.

        Raises:
            InputError: the id is not a UUID; nothing was sent.
            NotFound: there is no such export, it is not finished, or the service has no reports.
            StatusError, NoAnswer: the request failed.

        """
        settings = self._settings.with_retry(retry)
        return self._driver.run(fetch_report(export_id, settings, settings.deadline(timeout)))

    def list(
        self, *, page_size: int = MAX_PAGE_SIZE, timeout: float | None = None, retry: Retry | None = None
    ) -> Iterator[ExportInfo]:
        """Return an iterator over the exports of the embedded engine, the newest first. Pages are requested as you iterate.

            waiting = [each.id for each in client.exports.list() if each.state == "pending"]

        Only the embedded engine has this operation, in process or served. For the Platform, a `Ledger` knows what was
        created with it: `ledger.entries()`.

        Args:
            page_size: how many exports each request gets, from 1 to 200. Default: 200.
            timeout: seconds for each page, retries included. By default only each single request has a limit.
            retry: a retry policy to use instead of the client's.

        Raises:
            InputError: `page_size` cannot be used; nothing was sent.
            NotFound: the service has no such operation.
            StatusError, NoAnswer: a request failed.

        """
        return self._iterate(pages_of_exports(page_size), timeout, retry)

    def cancel(self, export_id: str | UUID, *, timeout: float | None = None, retry: Retry | None = None) -> ExportInfo:
        """Cancel an export of the embedded engine, and return its state. Nothing more is done for it.

        An export that is not finished becomes `failed`, with the reason that it was cancelled; whoever waits for it gets
        ExportFailed. One that has finished stays as it is: the state that is returned tells. Only the embedded engine
        has this operation, in process or served; an export of the Platform cannot be cancelled.

        Args:
            export_id: the id, such as `Export.id` or `Mem0ExportsError.export_id`.
            timeout: seconds for the whole call, retries included. By default only each single request has a limit.
            retry: a retry policy to use instead of the client's. A request is repeated only if it cannot have been
                carried out.

        Raises:
            InputError: the id is not a UUID; nothing was sent.
            NotFound: there is no such export, or the service has no such operation.
            StatusError, NoAnswer: the request failed.

        """
        return self._call(export_operations.exports_cancel(engine_id(export_id)), timeout, retry)

    def delete(self, export_id: str | UUID, *, timeout: float | None = None, retry: Retry | None = None) -> None:
        """Delete an export of the embedded engine with its result and report. The memories are not touched.

        Arguments and errors are those of `cancel`.
        """
        self._call(export_operations.exports_delete(engine_id(export_id)), timeout, retry)
