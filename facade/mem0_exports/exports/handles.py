"""The handles of export jobs that `exports.create` and `exports.get` return.

A handle holds only an id and a schema. `exports.get(id, Model)` recreates it in any process, as long as the service
keeps the export. According to the Platform's documentation, that is 7 days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeAlias, TypeVar

from mem0_exports.exports import flows


if TYPE_CHECKING:
    from mem0_exports.exports.flows import OnPoll
    from mem0_exports.exports.spec import ExportRef
    from mem0_exports.http.driver import AsyncDriver, Driver
    from mem0_exports.http.settings import Retry, Settings

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

    def poll(self, *, timeout: float | None = None, retry: Retry | None = None) -> T | None:
        """Return the result if it is ready, otherwise None. Asks the service once.

        None can also mean that the export will never be ready, because the service gives the same answer in both cases.
        `timeout` limits the call in seconds, retries included. Without it, only each single request has a limit.
        """
        ready = self._driver.run(flows.poll(self._ref, self._settings.with_retry(retry), timeout))
        return None if ready is None else ready.value

    def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None, retry: Retry | None = None) -> T:
        """Wait for the result and return it.

        Until the service has answered once, a temporary failure (a lost connection, a 5xx) ends the wait. After that,
        polling continues through such failures until the deadline.

        Args:
            timeout: the total wait in seconds. Default: 120; at most 7 days.
            on_poll: called after each poll that found no result yet, with the number of polls and the seconds passed.
            retry: a retry policy to use instead of the client's.

        Raises:
            ExportTimeout: the result was not ready in time. The job continues: call `result` again, or keep its id.
            ExportFailed: the embedded engine could not make the export.
            ExportInvalid: the result does not fit the type. `data` is the result as received.
            StatusError, NoAnswer: the service refused the request or did not answer.

        """
        return self._driver.run(flows.result(self._ref, self._settings.with_retry(retry), timeout, on_poll))


class AsyncExport(Handle[T]):
    """The handle of one export job, for an AsyncClient."""

    def __init__(self, ref: ExportRef[T], settings: Settings, driver: AsyncDriver) -> None:
        super().__init__(ref, settings)
        self._driver = driver

    async def poll(self, *, timeout: float | None = None, retry: Retry | None = None) -> T | None:
        """Return the result if it is ready, otherwise None. Asks the service once.

        None can also mean that the export will never be ready, because the service gives the same answer in both cases.
        `timeout` limits the call in seconds, retries included. Without it, only each single request has a limit.
        """
        ready = await self._driver.run(flows.poll(self._ref, self._settings.with_retry(retry), timeout))
        return None if ready is None else ready.value

    async def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None, retry: Retry | None = None) -> T:
        """Wait for the result and return it. Arguments and errors are those of `Export.result`."""
        return await self._driver.run(flows.result(self._ref, self._settings.with_retry(retry), timeout, on_poll))
