"""What happens to an export job, as flows that sync and async share: create, poll, wait, and all of it in one."""

from __future__ import annotations

import math

from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from mem0_exports import _wire
from mem0_exports._flow import Schedule, TimedOut, send, wait
from mem0_exports.errors import ExportTimeout, InputError, Mem0ExportsError


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mem0_exports._filter_rules import FilterRules
    from mem0_exports._filter_tree import Filter
    from mem0_exports._flow import Clock, Flow
    from mem0_exports.schemas import Schema

T = TypeVar("T")

LONGEST_TIMEOUT: Final = 7 * 24 * 3600.0
"""Seconds: as long as the service keeps an export."""


class Settings(NamedTuple):
    """What all calls of a client share: seconds for one request, how often to poll, the clock, and open questions."""

    timeout: float
    schedule: Schedule
    clock: Clock
    filter_rules: FilterRules | None = None


class Job(NamedTuple, Generic[T]):
    """A job that exists: its id, the shape of its result, and where it is filed."""

    id: str
    schema: Schema[T]
    org_id: str | None = None
    project_id: str | None = None

    def get(self) -> _wire.Call[bytes | None]:
        """The request for its result."""
        return _wire.exports_get(self.id, org_id=self.org_id, project_id=self.project_id)


def create(
    schema: Schema[T],
    where: Filter | Mapping[str, Any],
    settings: Settings,
    *,
    instructions: str | None = None,
    org_id: str | None = None,
    project_id: str | None = None,
) -> Flow[Job[T]]:
    """Start a job. Schema and filters are checked before anything is sent."""
    from mem0_exports._filter_tree import checked  # noqa: PLC0415 -- a client that only fetches needs no filters

    filters = checked(where, settings.filter_rules)
    call = _wire.exports_create(
        schema.json, filters.to_dict(), instructions=instructions, org_id=org_id, project_id=project_id
    )
    export_id = yield from send(call.request, call.read, timeout=settings.timeout)
    return Job(export_id, schema, org_id, project_id)


def poll(job: Job[T], settings: Settings) -> Flow[T | None]:
    """Look once."""
    call = job.get()
    raw = yield from send(call.request, call.read, timeout=settings.timeout)
    return None if raw is None else job.schema.load(raw, export_id=job.id)


def result(
    job: Job[T],
    settings: Settings,
    timeout: float,
    on_poll: Callable[[int, float], None] | None,
    start: float | None = None,
) -> Flow[T]:
    """Wait until `timeout` seconds after `start`, which is now if missing."""
    check_timeout(timeout)
    call = job.get()
    try:
        raw = yield from wait(
            call.request,
            call.read,
            start=settings.clock() if start is None else start,
            timeout=timeout,
            request_timeout=settings.timeout,
            schedule=settings.schedule,
            clock=settings.clock,
            on_poll=on_poll,
        )
    except TimedOut as timed_out:
        polls = timed_out.polls
    else:
        return job.schema.load(raw, export_id=job.id)
    raise ExportTimeout(job.id, timeout=timeout, polls=polls)


def run(
    schema: Schema[T],
    where: Filter | Mapping[str, Any],
    settings: Settings,
    timeout: float,
    on_poll: Callable[[int, float], None] | None,
    **create_with: str | None,
) -> Flow[T]:
    """Create, and wait, within `timeout` seconds in all. Whatever goes wrong after the create names the job's id."""
    check_timeout(timeout)
    start = settings.clock()
    within = settings._replace(timeout=min(settings.timeout, timeout))
    job = yield from create(schema, where, within, **create_with)
    try:
        return (yield from result(job, settings, timeout, on_poll, start))
    except Mem0ExportsError as error:
        if job.id not in str(error):
            error.export_id = job.id
            error.add_note(f"export {job.id} exists; go on with client.exports.get({job.id!r}, Model)")
        raise


def check_timeout(timeout: object) -> None:
    """InputError where `timeout` is no number of seconds."""
    if not isinstance(timeout, int | float) or not 0 < timeout <= LONGEST_TIMEOUT or math.isnan(timeout):
        raise InputError(
            f"timeout is a number of seconds above 0 and at most 7 days, got {timeout!r}; to look once, poll()",
            field="timeout",
        )


def checked_id(export_id: object) -> str:
    """The id as text; InputError where it is none."""
    text = str(export_id).strip() if isinstance(export_id, str | UUID) else ""
    if not text:
        raise InputError(f"the id of an export is a string that is not empty, got {export_id!r}", field="export_id")
    return text
