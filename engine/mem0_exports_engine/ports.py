"""Protocols between the store and those who use it: the service, the importer and the workers.

A store keeps memories, jobs, answers and keys (`Store`). A worker claims a job, passes the memories of the export
(`MemoryReader`) to an extractor (see `extraction`), and stores the result (`JobStore`). To add a store, write a package
that implements these protocols and select it in `store.open_store`.

All times are aware datetimes in UTC. A method that takes a project never returns data of another project.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeAlias, get_args


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from mem0_exports.filters.tree import Filter

Record: TypeAlias = "dict[str, Any]"
"""A memory as the API shows it, except that the run is under `run_id`."""

Row: TypeAlias = "dict[str, Any]"
"""A memory as stores keep it. `store.rows.row_for` returns one."""

Frame: TypeAlias = "list[str | int]"
"""The JSON text of a result in pieces. A number stands for the items of the list with this index in a `ListSink`."""


# ---- memories ------------------------------------------------------------------------------------------------------


class MemoryBatch(Protocol):
    """Some of the memories of an export, oldest first."""

    @property
    def size(self) -> int:
        """The number of memories."""
        ...

    def columns(self, fields: Collection[str]) -> dict[str, Sequence[Any]]:
        """Return the values of these fields, in the order of the memories. They can be fewer if some were deleted meanwhile."""
        ...

    def written(self, fields: Mapping[str, str]) -> str | None:
        """Return the memories as JSON objects separated by commas: each name of `fields` with the value of its field.

        Return None if a memory has no value for one of the fields, or could have a list in its metadata, or if the store
        cannot write JSON.
        """
        ...


class MemoryReader(Protocol):
    """Reads the memories of an export."""

    def batches(
        self, project: str, filters: Filter, now: datetime, should_stop: Callable[[], bool] | None = None
    ) -> Iterator[MemoryBatch]:
        """Yield the memories that the filters select now and that have not expired, oldest first.

        Raises Interrupted, also in the middle of a statement and in the batches, if `should_stop` returns True.
        """
        ...


class Incoming(NamedTuple):
    """A row to import, and what of it the imported record itself says."""

    row: Row
    has_id: bool
    """Whether the record has an id. If not, the id of the row is derived from the record."""
    times: tuple[str, ...]
    """The times that the record has: `created_us`, `updated_us`. Others are set by the import, and are not compared."""


OnConflict: TypeAlias = Literal["skip", "update", "error"]
"""What to do with a record that is another version of a memory in the store."""

ON_CONFLICT: Final[tuple[OnConflict, ...]] = get_args(OnConflict)

ImportOutcome: TypeAlias = Literal["added", "known", "updated", "skipped", "conflict"]
"""added: the row was stored. known: the same memory was already there. updated, skipped, conflict: the store has the
memory in another version, which was replaced, kept, or kept and has to be reported as an error."""


PullOutcome: TypeAlias = Literal["added", "changed", "same", "taken"]
"""taken: the id is that of a memory that does not come from this source; it stays as it is."""


class PulledStore(Protocol):
    """Keeps copies of the memories of sources. No other memory is ever touched."""

    def put(self, project: str, source: str, rows: list[Row]) -> list[PullOutcome]:
        """Store rows of a source in one transaction, and return one outcome per row. Their ids must differ."""
        ...

    def count(self, project: str, source: str) -> int:
        """Return the number of memories of a source."""
        ...

    def ids(self, project: str, source: str, after: str, limit: int) -> list[str]:
        """Return at most `limit` ids of the memories of a source that come after `after`, in order."""
        ...

    def drop(self, project: str, source: str, ids: list[str]) -> int:
        """Delete memories of a source. Return how many there were."""
        ...


class MemoryStore(MemoryReader, Protocol):
    """Stores the memories of all projects."""

    def add(self, rows: list[Row], now: datetime) -> list[Row]:
        """Store each row, unless a memory with the same text and entity ids exists. Return the rows that were added."""
        ...

    def import_rows(self, project: str, incoming: list[Incoming], on_conflict: OnConflict) -> list[ImportOutcome]:
        """Store the rows of a project that are new, and return one outcome per row."""
        ...

    def page(
        self, project: str, filters: Filter, now: datetime, *, show_expired: bool, offset: int, limit: int
    ) -> tuple[int, list[Record]]:
        """Return the number of selected memories, and at most `limit` of them starting at `offset`, oldest first."""
        ...

    def everything(self, project: str) -> Iterator[Record]:
        """Iterate over all memories of a project, expired ones too, in the order of arrival, up to the newest one now."""
        ...

    def get(self, project: str, memory_id: str) -> Record | None:
        """Return a memory, even if it has expired. None if the project has no memory with this id."""
        ...

    def delete(self, project: str, memory_id: str) -> bool:
        """Delete a memory. Return whether the project had a memory with this id."""
        ...

    def entities(self, project: str, *, offset: int, limit: int) -> tuple[dict[str, int], list[dict[str, str]]]:
        """Return the number of users, agents, apps and runs that have memories, and at most `limit` from `offset` on.

        Each has a name, type, created_at and updated_at. They are ordered by type and name.
        """
        ...


# ---- jobs ----------------------------------------------------------------------------------------------------------

LEASE: Final = timedelta(seconds=60)
"""How long a worker owns a job after it last renewed its lease. After that, another worker can claim the job."""

Lane: TypeAlias = Literal["short", "model", "long"]
"""Which workers run a job.

- short: the engine that created it has no language model, so none may be used, even if another engine of the store has one;
- model: it may ask a model, and no worker has found out yet whether it has to;
- long: it has to ask the model. Such jobs have a worker of their own, so that the others need not wait for them.
"""

LANES: Final[tuple[Lane, ...]] = get_args(Lane)

JobState: TypeAlias = Literal["PENDING", "RUNNING", "DONE", "FAILED"]


class Job(NamedTuple):
    """A job that a worker has claimed.

    `attempt` is its fencing token: each claim raises it, and the store accepts writes only with the newest number.
    """

    seq: int
    id: str
    project: str
    attempt: int
    crashed_attempts: int
    """How many earlier attempts ended because the worker was killed or stalled, so that it stored no outcome."""
    schema: dict[str, Any]
    filters: dict[str, Any]
    """The output of `Filter.to_dict`; `filters.tree.restore` reads it."""
    instructions: str | None
    lane: Lane = "short"


class StoredExport(NamedTuple):
    """An export in the store, finished or not."""

    seq: int
    id: str
    state: JobState
    frame: str | None
    """The `Frame` of the result as JSON text, if the export is done."""
    report: str | None
    """The report as JSON text, if the extractor made one."""
    reason: str | None
    """Why the export failed, if it did."""


class ExportState(NamedTuple):
    """An export without its result."""

    id: str
    state: JobState
    created_us: int
    expires_us: int
    reason: str | None


class JobStore(Protocol):
    """Stores jobs and their results. A job is leased to one worker at a time, and its writes are fenced.

    Every method that takes a `Job` raises Fenced and changes nothing if another worker has taken the job over.
    """

    def create(
        self,
        project: str,
        export_id: str,
        now: datetime,
        retention: timedelta,
        *,
        schema: Any,
        filters: Filter,
        instructions: str | None = None,
        lane: Lane = "short",
    ) -> None:
        """Store a new job. Once this returns, the job survives a crash. The export expires after `retention`."""
        ...

    def find(
        self, project: str, now: datetime, *, export_id: str | None = None, filters: Filter | None = None
    ) -> StoredExport | None:
        """Return the export with this id, or the newest with these filters. None if there is none or it has expired."""
        ...

    def page(self, project: str, now: datetime, *, offset: int, limit: int) -> tuple[int, list[ExportState]]:
        """Return the number of exports that have not expired, and at most `limit` from `offset` on, newest first."""
        ...

    def cancel(self, project: str, now: datetime, export_id: str, reason: str) -> ExportState | None:
        """Mark an export that is not finished as failed, and fence its worker. Return its state, or None if unknown."""
        ...

    def delete(self, project: str, now: datetime, export_id: str) -> bool:
        """Delete an export with its result. Return whether there was one that had not expired."""
        ...

    def result(self, export: StoredExport) -> bytes | Iterator[bytes]:
        """Return the JSON text of a finished export, whole or in pieces.

        Reading the pieces raises Gone if the export expires.
        """
        ...

    def claim(self, now: datetime, *, take_over: bool = True, lanes: Collection[Lane] | None = None) -> Job | None:
        """Claim the job of these lanes that has waited longest, for one lease; None if none waits.

        Without `lanes`, those that are short, and others that no worker with a model has claimed for as long as a lease.
        `take_over`: also after the lease of another worker has ended.
        """
        ...

    def renew(self, job: Job, now: datetime) -> None:
        """Extend the lease: it now ends `LEASE` after `now`."""
        ...

    def clear(self, job: Job, now: datetime) -> None:
        """Delete the parts that an earlier attempt has stored, and renew the lease."""
        ...

    def put(self, job: Job, now: datetime, list_index: int, number: int, items: bytes) -> None:
        """Store part `number` of a list of the result, and renew the lease."""
        ...

    def drop(self, job: Job, list_index: int) -> None:
        """Delete the parts of a list that will not be in the result."""
        ...

    def finish(self, job: Job, frame: Frame, report: str) -> None:
        """Store the result and mark the job as done."""
        ...

    def fail(self, job: Job, reason: str, report: str | None = None) -> None:
        """Mark the job as failed, with the reason that users will see."""
        ...

    def hand_back(self, job: Job, available: datetime, *, lane: Lane | None = None) -> None:
        """Give up the lease, so that any worker can claim the job from this time on. `lane`: move it to this lane."""
        ...

    def not_crashed(self, job: Job) -> None:
        """Say that an attempt did not crash, although another worker has taken the job over. Never raises Fenced."""
        ...

    def purge(self, now: datetime) -> int:
        """Delete the exports that have expired, and return how many there were."""
        ...


# ---- answers -------------------------------------------------------------------------------------------------------


class AnswerStore(Protocol):
    """Stores what a language model has answered, so that nothing that was paid for is asked again."""

    def recall(self, project: str, key: bytes, now: datetime) -> bytes | None:
        """Return the answer under a key, and note that it was used now. None if there is none."""
        ...

    def keep(self, project: str, key: bytes, answer: bytes, now: datetime) -> None:
        """Store an answer under a key. Once this returns, it survives a crash."""
        ...

    def purge(self, before: datetime) -> int:
        """Delete the answers that were last used before a time, and return how many there were."""
        ...


# ---- keys ----------------------------------------------------------------------------------------------------------


class Key(NamedTuple):
    """The record of an API key. The text of the key is not stored."""

    id: str
    project: str
    name: str
    created_at: str
    revoked_at: str | None


class KeyStore(Protocol):
    """Stores API keys, each as the SHA-256 digest of its text."""

    def is_empty(self) -> bool:
        """Return whether no key was ever added.

        A store whose keys are all revoked is not empty, because revoking the last key must not make keys unnecessary.
        """
        ...

    def add(self, key_id: str, project: str, name: str, digest: bytes, now: datetime) -> Key:
        """Store a key."""
        ...

    def find(self, key_id: str) -> tuple[str, bytes] | None:
        """Return the project and the digest of an active key, or None."""
        ...

    def all(self) -> list[Key]:
        """Return all keys, revoked ones included, oldest first."""
        ...

    def revoke(self, key_id: str, now: datetime) -> bool:
        """Revoke a key, effective immediately. Return False if no active key has this id."""
        ...


class Store(Protocol):
    """Stores everything that the engine keeps. It raises StoreError, never a database library's own exceptions."""

    @property
    def memories(self) -> MemoryStore:
        """The memories."""
        ...

    @property
    def pulled(self) -> PulledStore:
        """The copies of the memories of sources."""
        ...

    @property
    def jobs(self) -> JobStore:
        """The jobs and their results."""
        ...

    @property
    def answers(self) -> AnswerStore:
        """The answers of language models."""
        ...

    @property
    def keys(self) -> KeyStore:
        """The keys."""
        ...

    def check(self) -> None:
        """Raise StoreError if the store cannot be read."""
        ...

    def copy_to(self, path: Path) -> None:
        """Copy the whole store to a new file, while others may go on using it."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
