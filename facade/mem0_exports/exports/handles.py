"""Handles of export jobs: what `exports.create` and `exports.get` return.

A handle is an id and a schema, nothing more: `exports.get(id, Model)` makes it again in another process, for as long as
the service keeps the export (7 days).
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
"""Seconds that `run` and `result` wait where nothing else is said."""


class Handle(Generic[T]):
    """What both handles have: the id and the schema of a job, and the client's settings."""

    def __init__(self, ref: ExportRef[T], settings: Settings) -> None:
        self._ref = ref
        self._settings = settings

    @property
    def id(self) -> str:
        """What the service calls the export. Keep it to come back to the export later."""
        return self._ref.id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a handle cannot be pickled; keep its id: client.exports.get({self.id!r}, Model) makes it again"
        )


class Export(Handle[T]):
    """One export job."""

    def __init__(self, ref: ExportRef[T], settings: Settings, driver: Driver) -> None:
        super().__init__(ref, settings)
        self._driver = driver

    def poll(self, *, timeout: float | None = None, retry: Retry | None = None) -> T | None:
        """The result if it is ready, None if not (or never: the service does not tell these apart)."""
        ready = self._driver.run(flows.poll(self._ref, self._settings.with_retry(retry), timeout))
        return None if ready is None else ready.value

    def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None, retry: Retry | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds.

        Once the service has been heard of, the wait lasts through lost connections and errors that may pass.

        Raises:
            ExportTimeout: not ready in time; the job goes on, and so may you with its id.
            ExportFailed: the embedded engine could not make it.
            ExportInvalid: it came, but does not fit the type; its data is in the error.

        """
        return self._driver.run(flows.result(self._ref, self._settings.with_retry(retry), timeout, on_poll))


class AsyncExport(Handle[T]):
    """One export job, awaited."""

    def __init__(self, ref: ExportRef[T], settings: Settings, driver: AsyncDriver) -> None:
        super().__init__(ref, settings)
        self._driver = driver

    async def poll(self, *, timeout: float | None = None, retry: Retry | None = None) -> T | None:
        """The result if it is ready, None if not (or never: the service does not tell these apart)."""
        ready = await self._driver.run(flows.poll(self._ref, self._settings.with_retry(retry), timeout))
        return None if ready is None else ready.value

    async def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None, retry: Retry | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds. Details and errors as `Export.result`."""
        return await self._driver.run(flows.result(self._ref, self._settings.with_retry(retry), timeout, on_poll))
