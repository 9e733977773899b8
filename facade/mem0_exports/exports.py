"""Exports: the jobs that turn memories into one object of your type.

`Exports` starts jobs, `Export` is the handle of one; both have async twins that run the same flows. A handle is an id
and a schema, nothing more: `exports.get(id, Model)` makes it again in another process, for as long as the service
keeps the export (7 days).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, overload

from mem0_exports import _export_flows as flows
from mem0_exports._export_flows import Job, Settings
from mem0_exports.schemas import Schema


if TYPE_CHECKING:
    from uuid import UUID

    from pydantic import TypeAdapter

    from mem0_exports._drive import AsyncDriver, Driver
    from mem0_exports._filter_tree import Filter

T = TypeVar("T")

Where: TypeAlias = "Filter | Mapping[str, Any]"
"""Which memories: a filter made with `F`, or a dict in any form that the service documents."""

OnPoll: TypeAlias = Callable[[int, float], None]
"""Called after each poll that found nothing yet, with the number of polls and the seconds since the start."""

Typed: TypeAlias = "type[T] | Schema[T] | TypeAdapter[T]"
"""What gives a typed export: a type, a schema made of one, or a TypeAdapter where the type is no class."""

JsonObject: TypeAlias = dict[str, Any]

TIMEOUT: Final = 120.0
"""Seconds that `run` and `result` wait where nothing else is said."""


# ---- handles ---------------------------------------------------------------------------------------------------------


class _Handle(Generic[T]):
    """The state of a handle: a job, which is an id and a schema, and how to ask for it."""

    def __init__(self, job: Job[T], settings: Settings) -> None:
        self._job = job
        self._settings = settings

    @property
    def id(self) -> str:
        """What the service calls the export. Keep it to come back to the export later."""
        return self._job.id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"


class Export(_Handle[T]):
    """One export job."""

    def __init__(self, job: Job[T], settings: Settings, driver: Driver) -> None:
        super().__init__(job, settings)
        self._driver = driver

    def poll(self) -> T | None:
        """The result if it is ready, None if not (or never: the service does not tell these apart)."""
        flow = flows.poll(self._job, self._settings)
        return self._driver.run(flow)

    def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds.

        Raises:
            ExportTimeout: not ready in time; the job goes on, and so may you with its id.
            ExportFailed: the embedded engine could not make it.
            ExportInvalid: it came, but does not fit the type; its data is in the error.

        """
        return self._driver.run(flows.result(self._job, self._settings, timeout, on_poll))


class AsyncExport(_Handle[T]):
    """One export job, awaited."""

    def __init__(self, job: Job[T], settings: Settings, driver: AsyncDriver) -> None:
        super().__init__(job, settings)
        self._driver = driver

    async def poll(self) -> T | None:
        """The result if it is ready, None if not (or never: the service does not tell these apart)."""
        flow = flows.poll(self._job, self._settings)
        return await self._driver.run(flow)

    async def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds. Raises as `Export.result`."""
        return await self._driver.run(flows.result(self._job, self._settings, timeout, on_poll))


# ---- what a client offers as client.exports --------------------------------------------------------------------------


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
    ) -> Export[JsonObject]: ...
    def create(
        self,
        schema: Any,
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
    ) -> Export[Any]:
        """Start a job and return its handle. Not repeated on errors: two requests would make two jobs.

        Args:
            schema: a Pydantic model, dataclass, TypedDict or other type, or a JSON Schema as a dict.
            where: which memories; at least one user, agent, app or run is named in it.
            instructions: guidance in words for the service's language model.
            org_id: files the export under this organization.
            project_id: files the export under this project.

        Raises:
            SchemaError, FilterError: the argument cannot be used; nothing was sent.
            StatusError: the service said no; its subclasses say which no.
            ConnectionFailed, RequestTimeout: no answer. A job may have been made all the same.

        """
        flow = flows.create(
            Schema.of(schema),
            where,
            self._settings,
            instructions=instructions,
            org_id=org_id,
            project_id=project_id,
        )
        return Export(self._driver.run(flow), self._settings, self._driver)

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
    ) -> Any:
        """Start a job and wait for its result: `create` and `result` in one, within `timeout` seconds in all."""
        flow = flows.run(
            Schema.of(schema),
            where,
            self._settings,
            timeout,
            on_poll,
            instructions=instructions,
            org_id=org_id,
            project_id=project_id,
        )
        return self._driver.run(flow)

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
        job = Job(flows.checked_id(export_id), Schema.of(schema), org_id, project_id)
        return Export(job, self._settings, self._driver)


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
    ) -> AsyncExport[JsonObject]: ...
    async def create(
        self,
        schema: Any,
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
    ) -> AsyncExport[Any]:
        """Start a job and return its handle. Arguments and errors as `Exports.create`."""
        flow = flows.create(
            Schema.of(schema),
            where,
            self._settings,
            instructions=instructions,
            org_id=org_id,
            project_id=project_id,
        )
        return AsyncExport(await self._driver.run(flow), self._settings, self._driver)

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
    ) -> Any:
        """Start a job and wait for its result: `create` and `result` in one, within `timeout` seconds in all."""
        flow = flows.run(
            Schema.of(schema),
            where,
            self._settings,
            timeout,
            on_poll,
            instructions=instructions,
            org_id=org_id,
            project_id=project_id,
        )
        return await self._driver.run(flow)

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
        job = Job(flows.checked_id(export_id), Schema.of(schema), org_id, project_id)
        return AsyncExport(job, self._settings, self._driver)
