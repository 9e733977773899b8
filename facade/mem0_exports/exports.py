"""Exports: the jobs that turn memories into one object of your type.

`Exports` starts jobs, `Export` is the handle of one; both have async twins that run the same flows. A handle is an id
and a schema, nothing more: `exports.get(id, Model)` makes it again in another process, for as long as the service
keeps the export (7 days).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar, overload

from mem0_exports import _wire
from mem0_exports._flow import Clock, Flow, Schedule, TimedOut, send, wait
from mem0_exports.errors import ExportTimeout, InputError
from mem0_exports.schemas import Schema


if TYPE_CHECKING:
    from mem0_exports._drive import AsyncDriver, Driver
    from mem0_exports._filter_tree import Filter

T = TypeVar("T")

Where: TypeAlias = "Filter | Mapping[str, Any]"
"""Which memories: a filter made with `F`, or a dict in any form that the service documents."""

OnPoll: TypeAlias = Callable[[int, float], None]
"""Called after each poll that found nothing yet, with the number of polls and the seconds since the start."""

JsonObject: TypeAlias = dict[str, Any]

TIMEOUT: Final = 120.0
"""Seconds that `run` and `result` wait where nothing else is said."""


class Settings(NamedTuple):
    """What all calls of a client share: seconds for one request, and how often to poll."""

    timeout: float
    schedule: Schedule


# ---- the flows, which sync and async share ---------------------------------------------------------------------------


def _create(
    schema: Schema[T], where: Where, instructions: str | None, org_id: str | None, project_id: str | None
) -> _wire.Call[str]:
    from mem0_exports._filter_tree import checked  # noqa: PLC0415 -- a client that only fetches needs no filters

    filters = checked(where).to_dict()
    return _wire.exports_create(schema.json, filters, instructions=instructions, org_id=org_id, project_id=project_id)


def _poll(export_id: str, schema: Schema[T], settings: Settings) -> Flow[T | None]:
    call = _wire.exports_get(export_id)
    raw = yield from send(call.request, call.read, timeout=settings.timeout)
    return None if raw is None else schema.load(raw, export_id=export_id)


def _result(
    export_id: str, schema: Schema[T], settings: Settings, timeout: float, clock: Clock, on_poll: OnPoll | None
) -> Flow[T]:
    _check_timeout(timeout)
    call = _wire.exports_get(export_id)
    try:
        raw = yield from wait(
            call.request,
            call.read,
            timeout=timeout,
            request_timeout=settings.timeout,
            schedule=settings.schedule,
            clock=clock,
            on_poll=on_poll,
        )
    except TimedOut as timed_out:
        raise ExportTimeout(export_id, timeout=timeout, polls=timed_out.polls) from None
    return schema.load(raw, export_id=export_id)


def _run(
    create: _wire.Call[str],
    schema: Schema[T],
    settings: Settings,
    timeout: float,
    clock: Clock,
    on_poll: OnPoll | None,
) -> Flow[T]:
    _check_timeout(timeout)
    start = clock()
    export_id = yield from send(create.request, create.read, timeout=min(settings.timeout, timeout))
    left = timeout - (clock() - start)
    if left <= 0:
        raise ExportTimeout(export_id, timeout=timeout, polls=0)
    return (yield from _result(export_id, schema, settings, left, clock, on_poll))


def _check_timeout(timeout: float) -> None:
    if not timeout > 0:
        raise InputError(
            f"timeout is a number of seconds above 0, got {timeout!r}; to look once, poll()", field="timeout"
        )


def _check_id(export_id: object) -> str:
    text = str(export_id)
    if not text.strip():
        raise InputError("the id of an export is not empty", field="export_id")
    return text


# ---- handles ---------------------------------------------------------------------------------------------------------


class _Handle(Generic[T]):
    """The state of a handle: an id and a schema."""

    id: str
    """What the service calls the export. Keep it to come back to the export later."""

    def __init__(self, export_id: str, schema: Schema[T], settings: Settings) -> None:
        self.id = export_id
        self._schema = schema
        self._settings = settings

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"


class Export(_Handle[T]):
    """One export job."""

    def __init__(self, export_id: str, schema: Schema[T], settings: Settings, driver: Driver) -> None:
        super().__init__(export_id, schema, settings)
        self._driver = driver

    def poll(self) -> T | None:
        """The result if it is ready, None if not (or never: the service does not tell these apart)."""
        flow = _poll(self.id, self._schema, self._settings)
        return self._driver.run(flow)

    def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds.

        Raises:
            ExportTimeout: not ready in time; the job goes on, and so may you with its id.
            ExportFailed: the embedded engine could not make it.
            ExportInvalid: it came, but does not fit the type; its data is in the error.

        """
        flow = _result(self.id, self._schema, self._settings, timeout, self._driver.clock, on_poll)
        return self._driver.run(flow)


class AsyncExport(_Handle[T]):
    """One export job, awaited."""

    def __init__(self, export_id: str, schema: Schema[T], settings: Settings, driver: AsyncDriver) -> None:
        super().__init__(export_id, schema, settings)
        self._driver = driver

    async def poll(self) -> T | None:
        """The result if it is ready, None if not (or never: the service does not tell these apart)."""
        flow = _poll(self.id, self._schema, self._settings)
        return await self._driver.run(flow)

    async def result(self, timeout: float = TIMEOUT, *, on_poll: OnPoll | None = None) -> T:
        """The result, waiting for it up to `timeout` seconds. Raises as `Export.result`."""
        flow = _result(self.id, self._schema, self._settings, timeout, self._driver.clock, on_poll)
        return await self._driver.run(flow)


# ---- what a client offers as client.exports --------------------------------------------------------------------------


class Exports:
    """Starts export jobs and finds them again."""

    def __init__(self, driver: Driver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    @overload
    def create(
        self,
        schema: type[T],
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
        shape = Schema.of(schema)
        call = _create(shape, where, instructions, org_id, project_id)
        export_id = self._driver.run(send(call.request, call.read, timeout=self._settings.timeout))
        return Export(export_id, shape, self._settings, self._driver)

    @overload
    def run(
        self,
        schema: type[T],
        where: Where,
        *,
        timeout: float = TIMEOUT,
        instructions: str | None = None,
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
        on_poll: OnPoll | None = None,
    ) -> JsonObject: ...
    def run(
        self,
        schema: Any,
        where: Where,
        *,
        timeout: float = TIMEOUT,
        instructions: str | None = None,
        on_poll: OnPoll | None = None,
    ) -> Any:
        """Start a job and wait for its result: `create` and `result` in one, within `timeout` seconds in all."""
        shape = Schema.of(schema)
        call = _create(shape, where, instructions, None, None)
        return self._driver.run(_run(call, shape, self._settings, timeout, self._driver.clock, on_poll))

    @overload
    def get(self, export_id: str, schema: type[T]) -> Export[T]: ...
    @overload
    def get(self, export_id: str, schema: Mapping[str, Any]) -> Export[JsonObject]: ...
    def get(self, export_id: str, schema: Any) -> Export[Any]:
        """The handle of an export by its id. Asks nothing: whether it exists shows when it is polled."""
        return Export(_check_id(export_id), Schema.of(schema), self._settings, self._driver)


class AsyncExports:
    """Starts export jobs and finds them again, awaited."""

    def __init__(self, driver: AsyncDriver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    @overload
    async def create(
        self,
        schema: type[T],
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
        shape = Schema.of(schema)
        call = _create(shape, where, instructions, org_id, project_id)
        export_id = await self._driver.run(send(call.request, call.read, timeout=self._settings.timeout))
        return AsyncExport(export_id, shape, self._settings, self._driver)

    @overload
    async def run(
        self,
        schema: type[T],
        where: Where,
        *,
        timeout: float = TIMEOUT,
        instructions: str | None = None,
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
        on_poll: OnPoll | None = None,
    ) -> JsonObject: ...
    async def run(
        self,
        schema: Any,
        where: Where,
        *,
        timeout: float = TIMEOUT,
        instructions: str | None = None,
        on_poll: OnPoll | None = None,
    ) -> Any:
        """Start a job and wait for its result: `create` and `result` in one, within `timeout` seconds in all."""
        shape = Schema.of(schema)
        call = _create(shape, where, instructions, None, None)
        return await self._driver.run(_run(call, shape, self._settings, timeout, self._driver.clock, on_poll))

    @overload
    def get(self, export_id: str, schema: type[T]) -> AsyncExport[T]: ...
    @overload
    def get(self, export_id: str, schema: Mapping[str, Any]) -> AsyncExport[JsonObject]: ...
    def get(self, export_id: str, schema: Any) -> AsyncExport[Any]:
        """The handle of an export by its id. Asks nothing: whether it exists shows when it is polled."""
        return AsyncExport(_check_id(export_id), Schema.of(schema), self._settings, self._driver)
