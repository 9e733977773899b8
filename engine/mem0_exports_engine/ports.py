"""The ports of the engine: the store, the extractor and the workers meet here, and nowhere else.

A store keeps memories, jobs and keys (`Store`). A worker takes a job from it, gives the memories of the export to an
extractor (`MemoryReader`, `Extractor`), and keeps what comes of it (`ListSink`, `JobStore`). Another store or extractor
is a new folder that fulfils these protocols, and one line where it is chosen: `store.open_store`, `Engine(extractor=)`.

Points in time are aware datetimes in UTC. Everything belongs to a project, and nothing crosses from one to another.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from mem0_exports.errors import ConfigurationError, Mem0ExportsError


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from mem0_exports.filters.tree import Filter
    from mem0_exports_engine.report import Report

Record: TypeAlias = "dict[str, Any]"
"""A memory as the API shows it, with the run under `run_id`."""

Row: TypeAlias = "dict[str, Any]"
"""A memory as stores keep it; `store.rows.row_for` makes one."""

Frame: TypeAlias = "list[str | int]"
"""The JSON text of a result in pieces. A number stands for the items of a list that a `ListSink` has under it."""


# ---- what a store raises -------------------------------------------------------------------------------------------


class StoreError(Mem0ExportsError):
    """The store could not do what it was asked to do; the text is the database's own reason."""


class StoreBusy(StoreError):
    """Somebody else holds the store, or all of its connections are in use. Later it works again."""


class StoreFull(StoreError):
    """The store cannot be written now: the disk is full, fails or is read-only. Later it may work again."""


class StoreFailed(StoreError):
    """The store failed in a way that waiting does not mend, such as a damaged file."""


class NotAStore(StoreError, ConfigurationError):
    """There is no store at this path, and none can be made."""


class Fenced(Exception):
    """The job belongs to another worker by now, and this one may write nothing more of it."""


class Gone(Exception):
    """A part of a result is not there any more: the export expired while it was read."""


# ---- memories ------------------------------------------------------------------------------------------------------


class FieldPath(NamedTuple):
    """Where a value stands in a memory: in one of its own fields, or else under a key of its metadata."""

    own: str | None = None
    key: str | None = None


class WrittenRecords(NamedTuple):
    """Memories as JSON objects, written by the store."""

    text: str
    """The objects, with commas between them."""
    incomplete: list[tuple[int, dict[str, Any] | None]]
    """Those with a null where the memory has nothing: their index, and the metadata of the memory."""


class MemoryBatch(Protocol):
    """Some of the memories of an export, oldest first."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def records(self, fields: Collection[str]) -> list[Record]:
        """Return them as records with these fields, and perhaps others."""
        ...

    def written(self, paths: Mapping[str, FieldPath]) -> WrittenRecords | None:
        """Return them as JSON objects: for each name what stands at its path, or null.

        None where one of them may have a list among its metadata, or where the store cannot do it.
        """
        ...


class MemoryReader(Protocol):
    """What an export reads."""

    def batches(self, project: str, filters: Filter, now: datetime) -> Iterator[MemoryBatch]:
        """Go through the memories that the filters select now and that have not expired, oldest first."""
        ...


class MemoryStore(MemoryReader, Protocol):
    """The memories of all projects."""

    def add(self, rows: list[Row], now: datetime) -> list[Row]:
        """Store the rows whose text their owners do not have yet; return those."""
        ...

    def import_rows(self, project: str, rows: list[Row]) -> list[Literal["added", "known"] | None]:
        """Store the rows that are not there in every detail; say of each what became of it.

        None where another memory has the id of the row.
        """
        ...

    def page(
        self, project: str, filters: Filter, now: datetime, *, show_expired: bool, offset: int, limit: int
    ) -> tuple[int, list[Record]]:
        """Return how many memories the filters select, and `limit` records from `offset` on, oldest first."""
        ...

    def entities(self, project: str) -> list[dict[str, str]]:
        """Return all users, agents, apps and runs that have memories: name, type, created_at, updated_at."""
        ...


# ---- jobs ----------------------------------------------------------------------------------------------------------

LEASE: Final = timedelta(seconds=60)
"""For how long a worker has a job before another one may take it."""

JobState: TypeAlias = Literal["PENDING", "RUNNING", "DONE", "FAILED"]


class Job(NamedTuple):
    """A job that a worker has taken. `attempt` is the fence: only the worker with the newest number may write."""

    seq: int
    id: str
    project: str
    attempt: int
    crashed_attempts: int
    """Attempts whose workers vanished without a word."""
    schema: dict[str, Any]
    filters: dict[str, Any]
    """As `Filter.to_dict` wrote them; `filters.tree.restore` reads them."""
    instructions: str | None


class StoredExport(NamedTuple):
    """An export as it is stored."""

    seq: int
    id: str
    state: JobState
    frame: str | None
    """The `Frame` as JSON text, once it is done."""
    report: str | None
    reason: str | None
    """Why it failed."""


class JobStore(Protocol):
    """Jobs, which are leased to workers and fenced, and their results.

    Every method that takes a `Job` raises Fenced where another worker has taken it over, and then changes nothing.
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
    ) -> None:
        """Write a job down. Once this returns it survives a crash; after `retention` the export is gone."""
        ...

    def find(
        self, project: str, now: datetime, *, export_id: str | None = None, filters: Filter | None = None
    ) -> StoredExport | None:
        """Return an export that has not expired: by its id, or the newest with these filters."""
        ...

    def result(self, export: StoredExport) -> bytes | Iterator[bytes]:
        """Return the JSON text of a finished export, at once or piece by piece. Iterating may raise Gone."""
        ...

    def claim(self, now: datetime) -> Job | None:
        """Take the job that has waited longest, for one lease."""
        ...

    def renew(self, job: Job, now: datetime) -> None:
        """Keep the job for another lease."""
        ...

    def clear(self, job: Job, now: datetime) -> None:
        """Delete what an earlier attempt has written of the result, and keep the job for another lease."""
        ...

    def put(self, job: Job, now: datetime, list_index: int, number: int, items: bytes) -> None:
        """Write part `number` of a list of the result, and keep the job for another lease."""
        ...

    def drop(self, job: Job, list_index: int) -> None:
        """Delete the parts of a list: it is not in the result after all."""
        ...

    def finish(self, job: Job, frame: Frame, report: str) -> None:
        """Write the result: the job is done."""
        ...

    def fail(self, job: Job, reason: str, report: str | None = None) -> None:
        """Write why there will be no result."""
        ...

    def hand_back(self, job: Job, now: datetime) -> None:
        """Leave the job to whoever takes it next, at once."""
        ...

    def purge(self, now: datetime) -> int:
        """Delete the exports that have expired; return how many there were."""
        ...


# ---- keys ----------------------------------------------------------------------------------------------------------


class Key(NamedTuple):
    """What is known of an API key. The key itself is known to whoever it was given to."""

    id: str
    project: str
    name: str
    created_at: str
    revoked_at: str | None


class KeyStore(Protocol):
    """Keys, each with the SHA-256 digest of its text."""

    def is_empty(self) -> bool:
        """Return whether there has never been a key."""
        ...

    def add(self, key_id: str, project: str, name: str, digest: bytes, now: datetime) -> Key:
        """Store a key."""
        ...

    def find(self, key_id: str) -> tuple[str, bytes] | None:
        """Return the project and the digest of a key that was not revoked."""
        ...

    def all(self) -> list[Key]:
        """Return all keys, the oldest first."""
        ...

    def revoke(self, key_id: str, now: datetime) -> bool:
        """Let a key open nothing any more, at once; False where there is none that did."""
        ...


class Store(Protocol):
    """Everything that the engine keeps. Raises StoreError, and no error of a database."""

    @property
    def memories(self) -> MemoryStore:
        """The memories."""
        ...

    @property
    def jobs(self) -> JobStore:
        """The jobs and their results."""
        ...

    @property
    def keys(self) -> KeyStore:
        """The keys."""
        ...

    def check(self) -> None:
        """Raise StoreError where the store cannot be read."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


# ---- extraction ----------------------------------------------------------------------------------------------------


class ListSink(Protocol):
    """Where the long lists of a result go, piece by piece, so that none of them has to be in memory."""

    def put(self, list_index: int, items: bytes) -> None:
        """Take some more items of a list: JSON texts with commas between them."""
        ...

    def drop(self, list_index: int) -> None:
        """Forget all items of a list."""
        ...


class Extraction(NamedTuple):
    """The result of an export, and what there is to say of it."""

    frame: Frame
    report: Report


class Unfillable(Exception):
    """No export of this schema can be made of these memories; the text says why."""

    def __init__(self, reason: str, report: Report) -> None:
        super().__init__(reason)
        self.report = report


class Extractor(Protocol):
    """Makes the object of an export from memories."""

    def extract(
        self,
        schema: dict[str, Any],
        batches: Iterable[MemoryBatch],
        sink: ListSink,
        *,
        instructions: str | None = None,
    ) -> Extraction:
        """Fill the schema from memories, oldest first. Raises Unfillable where that cannot be done.

        The schema was checked when the export was created. Whatever is put into the sink is kept only if this returns.
        """
        ...
