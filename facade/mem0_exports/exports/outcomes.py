"""What `run_many` takes and yields: requests, outcomes and steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, cast, overload

import attrs


if TYPE_CHECKING:
    from mem0_exports.errors import ExportWarning
    from mem0_exports.filters.check import Where
    from mem0_exports.models import ExportReport
    from mem0_exports.schemas.schema import Typed

T = TypeVar("T")
U = TypeVar("U")

Status: TypeAlias = Literal["ready", "failed", "unknown", "skipped"]

Event: TypeAlias = Literal["created", "resumed", "polled", "ready", "failed", "unknown", "skipped"]


@attrs.frozen(slots=True, init=False)
class ExportRequest(Generic[T]):
    """One export for `run_many`, with the arguments of `exports.run`.

    ExportRequest(Profile, F.user_id == "alex", tag="alex")
    """

    schema: Any
    """What to export into: a type or a JSON Schema dict."""
    where: Where
    """Which memories to export: a filter or a filter dict."""
    instructions: str | None
    org_id: str | None
    project_id: str | None
    tag: Any
    """Any value of yours. It is not sent. The outcome has it as `outcome.request.tag`."""

    @overload
    def __init__(
        self: ExportRequest[U],
        schema: Typed[U],
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        tag: Any = None,
    ) -> None: ...
    @overload
    def __init__(
        self: ExportRequest[dict[str, Any]],
        schema: Mapping[str, Any],
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        tag: Any = None,
    ) -> None: ...
    def __init__(
        self,
        schema: Any,
        where: Where,
        *,
        instructions: str | None = None,
        org_id: str | None = None,
        project_id: str | None = None,
        tag: Any = None,
    ) -> None:
        self.__attrs_init__(schema, where, instructions, org_id, project_id, tag)  # type: ignore[attr-defined, unused-ignore]


@attrs.frozen(slots=True)
class ExportOutcome(Generic[T]):
    """The outcome of one export of `run_many`."""

    index: int
    """The position of the request in the input, from 0."""
    request: ExportRequest[T]
    status: Status
    """ready: `value` is the result. failed: `error` says why. unknown: the create was sent and its answer was lost, so
    a job may exist, but its id is unknown. skipped: the answer was lost in an earlier run, and the ledger has
    `on_unknown="skip"`."""
    export_id: str | None
    """The id of the job, or None if it is unknown. A job that was not ready in time has an id too."""
    value: T | None
    error: Exception | None
    lost_answers: int
    """How many creates of this export have an unknown outcome, in this run and in the ledger."""
    warning: ExportWarning | None = None
    """The warning if the export found nothing or records were left out of it, as from `exports.run`; otherwise None."""
    report: ExportReport | None = None
    """The report of the embedded engine, if `run_many` was called with `reports=True` or there is a warning."""

    def result(self) -> T:
        """Return the value, or raise the error if there is one."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


@attrs.frozen(slots=True)
class ExportProgress:
    """One step of a bulk run, for a progress display."""

    event: Event
    """created: the job was created. resumed: the ledger knew the job. polled: it is not ready yet. The other events are
    the final statuses of `ExportOutcome.status`."""
    index: int
    """The position of the request in the input, from 0."""
    tag: Any
    """The tag of the request."""
    export_id: str | None
    polls: int
    """How many polls of this export found no result yet."""
    started: int = 0
    """How many exports of the whole run have started."""
    finished: int = 0
    """How many of them have an outcome."""
    ready: int = 0
    """How many of the finished ones have a result."""


OnProgress: TypeAlias = Callable[[ExportProgress], None]
"""Called in the thread or task that iterates over `run_many`, while it waits for the next outcome."""
