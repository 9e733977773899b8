"""The handles of export jobs that `exports.create` and `exports.get` return.

A handle holds only an id and a schema. `exports.get(id, Model)` recreates it in any process, as long as the service
keeps the export. According to the Platform's documentation, that is 7 days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeAlias, TypeVar

from mem0_exports.call_site import call_site
from mem0_exports.exports import flows
from mem0_exports.exports.review import Review, fetch_report
from mem0_exports.exports.stored import engine_id
from mem0_exports.http import export_operations
from mem0_exports.http.flow import send


if TYPE_CHECKING:
    from mem0_exports.exports.flows import OnPoll
    from mem0_exports.exports.review import OnReport
    from mem0_exports.exports.spec import ExportRef
    from mem0_exports.http.driver import AsyncDriver, Driver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.models import ExportInfo, ExportReport

T = TypeVar("T")

JsonObject: TypeAlias = dict[str, Any]

TIMEOUT: Final = 120.0
"""How many seconds `run` and `result` wait by default."""


class Handle(Generic[T]):
    """The common part of both handles: the id and the schema of a job, and the client's settings."""

    def __init__(self, ref: ExportRef[T], settings: Settings) -> None:
        self._ref = ref
        self._settings = settings

    @property
    def id(self) -> str:
        """The service's id of the export. With the id, `exports.get(id, Model)` gets the export again later."""
        return self._ref.id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"an export handle cannot be pickled; keep its id, and recreate it with "
            f"client.exports.get({self.id!r}, Model)"
        )


class Export(Handle[T]):
    """The handle of one export job."""

    def __init__(self, ref: ExportRef[T], settings: Settings, driver: Driver) -> None:
        super().__init__(ref, settings)
        self._driver = driver

    def poll(self, *, timeout: float | None = None, retry: Retry | None = None, strict: bool = False) -> T | None:
        """Return the result if it is ready, otherwise None. Asks the service once.

        None can also mean that the export will never be ready, because the service gives the same answer in both cases.
        `timeout` limits the call in seconds, retries included. Without it, only each single request has a limit. An
        export that found nothing warns, as from `result`; with `strict`, it raises ExportIncomplete.
        """
        flow = flows.poll(self._ref, self._settings.with_retry(retry), timeout, Review(call_site().warn, strict))
        return self._driver.run(flow)

    def result(
        self,
        timeout: float = TIMEOUT,
        *,
        on_poll: OnPoll | None = None,
        retry: Retry | None = None,
        max_response_bytes: int | None = None,
        strict: bool = False,
        on_report: OnReport | None = None,
    ) -> T:
        """Wait for the result and return it.

        Until the service has answered once, a temporary failure (a lost connection, a 5xx) ends the wait. After that,
        polling continues through such failures until the deadline.

        Args:
            timeout: the total wait in seconds. Default: 120; at most 7 days.
            on_poll: called after each poll that found no result yet, with the number of polls and the seconds passed.
            retry: a retry policy to use instead of the client's.
            max_response_bytes: the most bytes of an answer, instead of the client's limit.
            strict: raise ExportIncomplete, instead of warning with ExportWarning, if the export found nothing or the
                embedded engine left records out of it.
            on_report: called with the ExportReport of the embedded engine before the result is returned. It is called
                with None if the service has no reports, as Mem0's Platform.

        Raises:
            ExportTimeout: the result was not ready in time. The job continues: call `result` again, or keep its id.
            ResponseTooLarge: the result is too large. Fetch it with a higher limit.
            ExportFailed: the embedded engine could not make the export.
            ExportInvalid: the result does not fit the type. `data` is the result as received.
            ExportIncomplete: only with `strict`. `data` is the result as received.
            StatusError, NoAnswer: the service refused the request or did not answer.

        """
        checks = Review(call_site().warn, strict, on_report)
        settings = self._settings.with_retry(retry).with_limit(max_response_bytes)
        return self._driver.run(flows.result(self._ref, settings, timeout, checks, on_poll))

    def report(self, *, timeout: float | None = None, retry: Retry | None = None) -> ExportReport:
        """Return the report on the finished export. Arguments and errors are those of `Exports.report`."""
        settings = self._settings.with_retry(retry)
        return self._driver.run(fetch_report(self.id, settings, settings.deadline(timeout)))

    def cancel(self, *, timeout: float | None = None, retry: Retry | None = None) -> ExportInfo:
        """Cancel the export (embedded engine only). Arguments and errors are those of `Exports.cancel`."""
        call, settings = export_operations.exports_cancel(engine_id(self.id)), self._settings.with_retry(retry)
        return self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))


class AsyncExport(Handle[T]):
    """The handle of one export job, for an AsyncClient."""

    def __init__(self, ref: ExportRef[T], settings: Settings, driver: AsyncDriver) -> None:
        super().__init__(ref, settings)
        self._driver = driver

    async def poll(self, *, timeout: float | None = None, retry: Retry | None = None, strict: bool = False) -> T | None:
        """Return the result if it is ready, otherwise None. Arguments and errors are those of `Export.poll`."""
        flow = flows.poll(self._ref, self._settings.with_retry(retry), timeout, Review(call_site().warn, strict))
        return await self._driver.run(flow)

    async def result(
        self,
        timeout: float = TIMEOUT,
        *,
        on_poll: OnPoll | None = None,
        retry: Retry | None = None,
        max_response_bytes: int | None = None,
        strict: bool = False,
        on_report: OnReport | None = None,
    ) -> T:
        """Wait for the result and return it. Arguments and errors are those of `Export.result`."""
        checks = Review(call_site().warn, strict, on_report)
        settings = self._settings.with_retry(retry).with_limit(max_response_bytes)
        return await self._driver.run(flows.result(self._ref, settings, timeout, checks, on_poll))

    async def report(self, *, timeout: float | None = None, retry: Retry | None = None) -> ExportReport:
        """Return the report on the finished export. Arguments and errors are those of `Exports.report`."""
        settings = self._settings.with_retry(retry)
        return await self._driver.run(fetch_report(self.id, settings, settings.deadline(timeout)))

    async def cancel(self, *, timeout: float | None = None, retry: Retry | None = None) -> ExportInfo:
        """Cancel the export (embedded engine only). Arguments and errors are those of `Exports.cancel`."""
        call, settings = export_operations.exports_cancel(engine_id(self.id)), self._settings.with_retry(retry)
        return await self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))
