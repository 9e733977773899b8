"""The records that calls return, except for the values of exports. They are immutable and hold no details of HTTP.

They are dataclasses, so that `pandas.DataFrame(memories)` and the like have one column for each field.

openapi.yaml defines what the service sends. In these records, both a missing key and a null are None. The run of a
memory is always called `run_id`, as it is in filters.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Generic, TypeVar


T = TypeVar("T")


class _Record:
    """Gives a record a `to_dict`."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and their values as a new dict, in order. Times are datetimes, and metadata is not copied.

        For JSON, CSV, Parquet and data frames of many records, see `mem0_exports.output`.
        """
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Memory(_Record):
    """A stored memory."""

    id: str
    memory: str
    """The text of the memory."""
    user_id: str | None
    agent_id: str | None
    app_id: str | None
    run_id: str | None
    """The session or conversation that the memory came from. The service's list of memories calls it `session_id`."""
    metadata: dict[str, Any] | None
    categories: list[str] | None
    expiration_date: str | None
    """The last day on which the memory is valid, as YYYY-MM-DD; None if it never expires."""
    created_at: datetime
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entity(_Record):
    """A user, agent, app or run that has memories."""

    name: str
    """The id to use in filters, such as "alex" in `F.user_id == "alex"`."""
    type: str
    """One of user, agent, app and run."""
    id: str
    """The service's internal id of the entity. It cannot be used in filters."""
    created_at: datetime | None
    updated_at: datetime | None
    owner: str | None = None
    """The account that the entity belongs to, if the service names it."""
    metadata: dict[str, Any] | None = None
    """The metadata that the service stores for the entity itself, if any."""


@dataclass(frozen=True, slots=True)
class AddedMemory:
    """A memory that `memories.add` stored."""

    id: str
    memory: str


@dataclass(frozen=True, slots=True)
class Account:
    """The account that an API key belongs to, as `ping` returns it."""

    status: str
    org_id: str | None
    project_id: str | None
    user_email: str | None


@dataclass(frozen=True, slots=True)
class ExportGap:
    """A field of an export that stayed empty, or a value or record that was left out."""

    path: str
    """The field, such as `birth_year` or `visits[].place`. The records of a `list[Visit]` are in `items[]`."""
    reason: str
    """Why it stayed empty or was left out, as a sentence."""
    count: int
    """How often this happened. For a field of the records in a list, this is the number of records."""
    did_you_mean: str | None
    """A metadata key with a similar name, or None. It is only a hint: the engine did not use that key."""


@dataclass(frozen=True, slots=True)
class ExportEvidence:
    """Where a value of an export comes from."""

    path: str
    """The value, such as `city`, `hobbies[0]` or `visits[2].place`; `visits[]` for the items of a list from metadata."""
    how: str
    """metadata: a field or the metadata of the memory has the value. text: it stands literally in the text of the memory.
    judged: a language model says that the memory says so."""
    memory_id: str
    start: int | None
    """For `text`, the place in the text of the memory, in code points: `memory.memory[start:end]`."""
    end: int | None


@dataclass(frozen=True, slots=True)
class ExportUsage:
    """What a language model was asked for an export."""

    model: str
    calls: int
    """How many requests were sent to it by the attempt that finished the export."""
    cached: int
    """How many answers were there already, from an earlier export or attempt."""
    tokens_in: int
    tokens_out: int
    seconds: float
    """The time that the calls took, added up."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The report on an export: which memories filled which fields, and which fields stayed empty and why.

    Only the embedded engine makes reports, in process or served. Mem0's Platform does not.
    """

    memories: int
    """How many memories were read."""
    left_out: int
    """How many records were left out of lists, because a required field had no value or a value did not fit."""
    filled: dict[str, list[str]]
    """For each filled top-level field, the ids of the memories that its value comes from (at most the first 100)."""
    gaps: list[ExportGap]
    """The fields that stayed empty, and the values and records that were left out."""
    notes: list[str]
    """Other remarks, such as that the instructions were not followed."""
    evidence: list[ExportEvidence] = field(default_factory=list)
    """Where the values come from; at most 5,000 of them."""
    unread: int = 0
    """How many memories a language model should have read, and did not. `gaps` says why."""
    unread_ids: list[str] = field(default_factory=list)
    """The ids of these memories; at most the first 1,000."""
    usage: ExportUsage | None = None
    """What the language model was asked; None if it was not needed, or there is none."""


@dataclass(frozen=True, slots=True)
class ExportInfo(_Record):
    """An export of the embedded engine, without its result."""

    id: str
    """The id, for `client.exports.get(id, Model)`."""
    state: str
    """pending until work on it begins, then running, and in the end done or failed. A cancelled export is failed."""
    created_at: datetime
    expires_at: datetime
    """When the engine deletes it."""
    reason: str | None
    """Why it failed, if it did."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list."""

    items: list[T]
    count: int
    """How many items the whole list has."""
    more: bool
    """Whether there is another page."""
