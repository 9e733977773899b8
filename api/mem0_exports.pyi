# The public API of mem0_exports as the last release promised it. `make check` compares; `make api` renews it at a release.
# A listing for tools and reviewers, not a stub for type checkers.
from typing import overload

EXPORTED = [
    "Account",
    "AddedMemory",
    "AsyncClient",
    "AsyncExport",
    "BadRequest",
    "Client",
    "ConfigurationError",
    "ConnectionFailed",
    "ContractViolation",
    "Entity",
    "Export",
    "ExportFailed",
    "ExportInvalid",
    "ExportOutcome",
    "ExportProgress",
    "ExportRequest",
    "ExportTimeout",
    "F",
    "Filter",
    "FilterError",
    "FilterRules",
    "FilterWarning",
    "Forbidden",
    "From",
    "InputError",
    "Ledger",
    "LedgerEntry",
    "LedgerError",
    "Mem0ExportsError",
    "Memory",
    "NoAnswer",
    "NotFound",
    "OutcomeUnknown",
    "RateLimited",
    "RequestTimeout",
    "Retry",
    "Schema",
    "SchemaError",
    "ServerError",
    "StatusError",
    "Unauthorized",
    "__version__",
    "all_of",
    "any_of",
]

class Account:
    def __init__(self, status: str, org_id: str | None, project_id: str | None, user_email: str | None) -> None: ...
    org_id: str | None
    project_id: str | None
    status: str
    user_email: str | None

class AddedMemory:
    def __init__(self, id: str, memory: str) -> None: ...
    id: str
    memory: str

class AsyncClient:
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None: ...
    def __init__(self, api_key: str | None = None, *, base_url: str | None = None, timeout: float = 30.0, retry: Retry | None = None, filter_rules: FilterRules | None = None, transport: AsyncTransport | None = None) -> None: ...
    async def close(self) -> None: ...
    @property
    def engine(self) -> Engine: ...
    entities: AsyncEntities
    exports: AsyncExports
    @classmethod
    def local(cls, path: str | Path = ':memory:', *, timeout: float = 30.0, retry: Retry | None = None, filter_rules: FilterRules | None = None) -> Self: ...
    memories: AsyncMemories
    async def ping(self, *, timeout: float | None = None, retry: Retry | None = None) -> Account: ...
    def with_options(self, *, timeout: float | None = None, retry: Retry | None = None) -> Self: ...

class AsyncEntities:
    def list(self, *, page_size: int = 200, timeout: float | None = None, retry: Retry | None = None) -> AsyncIterator[Entity]: ...

class AsyncExport:
    @property
    def id(self) -> str: ...
    async def poll(self, *, timeout: float | None = None, retry: Retry | None = None) -> T | None: ...
    async def result(self, timeout: float = 120.0, *, on_poll: OnPoll | None = None, retry: Retry | None = None) -> T: ...

class AsyncExports:
    @overload
    async def create(self, schema: Typed[T], where: Where, *, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, timeout: float | None = None, retry: Retry | None = None) -> AsyncExport[T]: ...
    @overload
    async def create(self, schema: Mapping[str, Any], where: Where, *, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, timeout: float | None = None, retry: Retry | None = None) -> AsyncExport[JsonObject]: ...
    @overload
    def get(self, export_id: str | UUID, schema: Typed[T], *, org_id: str | None = None, project_id: str | None = None) -> AsyncExport[T]: ...
    @overload
    def get(self, export_id: str | UUID, schema: Mapping[str, Any], *, org_id: str | None = None, project_id: str | None = None) -> AsyncExport[JsonObject]: ...
    @overload
    async def run(self, schema: Typed[T], where: Where, *, timeout: float = 120.0, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, on_poll: OnPoll | None = None, retry: Retry | None = None, ledger: Ledger | None = None) -> T: ...
    @overload
    async def run(self, schema: Mapping[str, Any], where: Where, *, timeout: float = 120.0, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, on_poll: OnPoll | None = None, retry: Retry | None = None, ledger: Ledger | None = None) -> JsonObject: ...
    def run_many(self, requests: Iterable[ExportRequest[T]], *, concurrency: int = 8, timeout: float = 120.0, ordered: bool = False, retry: Retry | None = None, ledger: Ledger | None = None, on_progress: OnProgress | None = None) -> AsyncIterator[ExportOutcome[T]]: ...

class AsyncMemories:
    async def add(self, messages: str | Mapping[str, str] | Sequence[Mapping[str, str]], *, user_id: str | None = None, agent_id: str | None = None, app_id: str | None = None, run_id: str | None = None, metadata: Mapping[str, Any] | None = None, timestamp: datetime | None = None, expiration_date: date | None = None, timeout: float | None = None, retry: Retry | None = None) -> list[AddedMemory]: ...
    def list(self, where: Where, *, show_expired: bool = False, page_size: int = 200, timeout: float | None = None, retry: Retry | None = None) -> AsyncIterator[Memory]: ...

AsyncTransport: TypeAlias = httpx.AsyncBaseTransport

class BadLine:
    def __init__(self, number: int, reason: str) -> None: ...
    number: int
    reason: str

class BadRequest(StatusError):
    ...

class CategoriesField:
    def contains(self, value: str) -> Filter: ...
    def in_(self, *values: str) -> Filter: ...

class Client:
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None: ...
    def __init__(self, api_key: str | None = None, *, base_url: str | None = None, timeout: float = 30.0, retry: Retry | None = None, filter_rules: FilterRules | None = None, transport: Transport | None = None) -> None: ...
    def close(self) -> None: ...
    @property
    def engine(self) -> Engine: ...
    entities: Entities
    exports: Exports
    @classmethod
    def local(cls, path: str | Path = ':memory:', *, timeout: float = 30.0, retry: Retry | None = None, filter_rules: FilterRules | None = None) -> Self: ...
    memories: Memories
    def ping(self, *, timeout: float | None = None, retry: Retry | None = None) -> Account: ...
    def with_options(self, *, timeout: float | None = None, retry: Retry | None = None) -> Self: ...

class Condition(Filter):
    def __init__(self, field: str, operator: str, value: Any, key: str | None = None) -> None: ...
    def conditions(self) -> Iterator[Condition]: ...
    field: str
    def is_scoped(self) -> bool: ...
    key: str | None
    operator: str
    value: Any

class ConfigurationError(Mem0ExportsError, ValueError):
    ...

class ConnectionFailed(NoAnswer, ConnectionError):
    ...

class ContractViolation(Mem0ExportsError):
    def __init__(self, message: str, *, operation: str, excerpt: str, status: int | None = None, request_id: str | None = None, garbled: bool = False) -> None: ...
    excerpt: object
    garbled: object
    operation: object
    problem: object
    request_id: object
    status: object

class Engine:
    def import_lines(self, lines: Iterable[bytes]) -> Imported: ...
    def report(self, export_id: str) -> Report: ...

class Entities:
    def list(self, *, page_size: int = 200, timeout: float | None = None, retry: Retry | None = None) -> Iterator[Entity]: ...

class Entity:
    def __init__(self, name: str, type: str, id: str, created_at: datetime | None, updated_at: datetime | None) -> None: ...
    created_at: datetime | None
    id: str
    name: str
    type: str
    updated_at: datetime | None

class EntityField:
    def __eq__(self, value: str) -> Filter: ...
    def __ne__(self, value: str) -> Filter: ...
    def exists(self) -> Filter: ...
    def in_(self, *values: str) -> Filter: ...

Event: TypeAlias = Literal['created', 'resumed', 'polled', 'ready', 'failed', 'unknown', 'skipped']

class Export:
    @property
    def id(self) -> str: ...
    def poll(self, *, timeout: float | None = None, retry: Retry | None = None) -> T | None: ...
    def result(self, timeout: float = 120.0, *, on_poll: OnPoll | None = None, retry: Retry | None = None) -> T: ...

class ExportFailed(Mem0ExportsError):
    def __init__(self, export_id: str, reason: str) -> None: ...
    export_id: object
    operation: object
    reason: object

class ExportInvalid(Mem0ExportsError, ValueError):
    def __init__(self, export_id: str | None, *, data: object, errors: Sequence[dict[str, Any]]) -> None: ...
    data: object
    errors: list
    export_id: object
    operation: object

class ExportOutcome(Generic[T]):
    def __init__(self, index: int, request: ExportRequest[T], status: Status, export_id: str | None, value: T | None, error: Exception | None, lost_answers: int) -> None: ...
    error: Exception | None
    export_id: str | None
    index: int
    lost_answers: int
    request: ExportRequest[T]
    def result(self) -> T: ...
    status: Status
    value: T | None

class ExportProgress:
    def __init__(self, event: Event, index: int, tag: Any, export_id: str | None, polls: int, started: int = 0, finished: int = 0, ready: int = 0) -> None: ...
    event: Event
    export_id: str | None
    finished: int
    index: int
    polls: int
    ready: int
    started: int
    tag: Any

class ExportRequest(Generic[T]):
    @overload
    def __init__(self: ExportRequest[U], schema: Typed[U], where: Where, *, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, tag: Any = None) -> None: ...
    @overload
    def __init__(self: ExportRequest[dict[str, Any]], schema: Mapping[str, Any], where: Where, *, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, tag: Any = None) -> None: ...
    instructions: str | None
    org_id: str | None
    project_id: str | None
    schema: Any
    tag: Any
    where: Where

class ExportTimeout(Mem0ExportsError, TimeoutError):
    def __init__(self, export_id: str, *, timeout: float, polls: int, attempts: int = 0, last_failure: str | None = None) -> None: ...
    attempts: object
    export_id: object
    last_failure: object
    operation: object
    polls: object
    timeout: object

class Exports:
    @overload
    def create(self, schema: Typed[T], where: Where, *, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, timeout: float | None = None, retry: Retry | None = None) -> Export[T]: ...
    @overload
    def create(self, schema: Mapping[str, Any], where: Where, *, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, timeout: float | None = None, retry: Retry | None = None) -> Export[JsonObject]: ...
    @overload
    def get(self, export_id: str | UUID, schema: Typed[T], *, org_id: str | None = None, project_id: str | None = None) -> Export[T]: ...
    @overload
    def get(self, export_id: str | UUID, schema: Mapping[str, Any], *, org_id: str | None = None, project_id: str | None = None) -> Export[JsonObject]: ...
    @overload
    def run(self, schema: Typed[T], where: Where, *, timeout: float = 120.0, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, on_poll: OnPoll | None = None, retry: Retry | None = None, ledger: Ledger | None = None) -> T: ...
    @overload
    def run(self, schema: Mapping[str, Any], where: Where, *, timeout: float = 120.0, instructions: str | None = None, org_id: str | None = None, project_id: str | None = None, on_poll: OnPoll | None = None, retry: Retry | None = None, ledger: Ledger | None = None) -> JsonObject: ...
    def run_many(self, requests: Iterable[ExportRequest[T]], *, concurrency: int = 8, timeout: float = 120.0, ordered: bool = False, retry: Retry | None = None, ledger: Ledger | None = None, on_progress: OnProgress | None = None) -> Iterator[ExportOutcome[T]]: ...

F: Fields

class Fields:
    agent_id: EntityField
    app_id: EntityField
    categories: CategoriesField
    created_at: TimeField
    expiration_date: TimeField
    keywords: KeywordsField
    memory_ids: MemoryIdsField
    metadata: MetadataField
    run_id: EntityField
    timestamp: TimeField
    updated_at: TimeField
    user_id: EntityField

class Filter:
    def __and__(self, other: Filter) -> Filter: ...
    def __invert__(self) -> Filter: ...
    def __or__(self, other: Filter) -> Filter: ...
    def conditions(self) -> Iterator[Condition]: ...
    @staticmethod
    def from_dict(document: Mapping[str, Any], rules: FilterRules = FilterRules()) -> Filter: ...
    def is_scoped(self) -> bool: ...
    def to_dict(self) -> dict[str, Any]: ...

class FilterError(InputError):
    def __init__(self, message: str, *, pointer: str | None = None) -> None: ...
    pointer: object

class FilterRules:
    def __init__(self, scope: Literal['required', 'optional'] = 'required', two_entities: Literal['warn', 'allow', 'refuse'] = 'warn', not_list: Literal['none_of', 'not_all_of', 'refused'] = 'none_of', date_bound: Literal['midnight', 'whole_day'] = 'midnight', metadata_operators: Literal['nested', 'refused'] = 'nested') -> None: ...
    date_bound: Literal['midnight', 'whole_day']
    metadata_operators: Literal['nested', 'refused']
    not_list: Literal['none_of', 'not_all_of', 'refused']
    scope: Literal['required', 'optional']
    two_entities: Literal['warn', 'allow', 'refuse']

class FilterWarning(UserWarning):
    ...

class Forbidden(StatusError):
    ...

class From:
    def __init__(self, source: Source) -> None: ...
    @staticmethod
    def category(name: str) -> From: ...
    @staticmethod
    def count() -> From: ...
    @staticmethod
    def memory(field: MemoryField) -> From: ...
    @staticmethod
    def metadata(key: str) -> From: ...

class Gap:
    def __init__(self, path: str, reason: str, count: int = 1, did_you_mean: str | None = None) -> None: ...
    count: int
    did_you_mean: str | None
    path: str
    reason: str

class Imported:
    def __init__(self, added: int = 0, known: int = 0, bad: list[BadLine] = list()) -> None: ...
    added: int
    bad: list[BadLine]
    known: int

class InputError(Mem0ExportsError, ValueError):
    def __init__(self, message: str, *, field: str | None = None) -> None: ...
    field: object

JsonObject: TypeAlias = dict[str, Any]

class KeywordsField:
    def contains(self, value: str) -> Filter: ...
    def icontains(self, value: str) -> Filter: ...

class Ledger:
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None: ...
    def __init__(self, path: str | Path, *, on_unknown: OnUnknown = 'raise', new_key: bool = False) -> None: ...
    def close(self) -> None: ...
    def entries(self) -> Iterator[LedgerEntry]: ...
    def forget(self, fingerprint: str) -> bool: ...
    def result(self, fingerprint: str) -> bytes | None: ...

class LedgerEntry:
    def __init__(self, fingerprint: str, state: State, export_id: str | None, asked_at: datetime, expires_at: datetime | None, asks: int, lost_answers: int) -> None: ...
    asked_at: datetime
    asks: int
    expires_at: datetime | None
    export_id: str | None
    fingerprint: str
    lost_answers: int
    state: State

class LedgerError(Mem0ExportsError):
    ...

class Mem0ExportsError(Exception):
    attempts: int
    export_id: str | None
    operation: str | None
    outcome_unknown: bool
    request_id: str | None
    retry_after: float | None

class Memories:
    def add(self, messages: str | Mapping[str, str] | Sequence[Mapping[str, str]], *, user_id: str | None = None, agent_id: str | None = None, app_id: str | None = None, run_id: str | None = None, metadata: Mapping[str, Any] | None = None, timestamp: datetime | None = None, expiration_date: date | None = None, timeout: float | None = None, retry: Retry | None = None) -> list[AddedMemory]: ...
    def list(self, where: Where, *, show_expired: bool = False, page_size: int = 200, timeout: float | None = None, retry: Retry | None = None) -> Iterator[Memory]: ...

class Memory:
    def __init__(self, id: str, memory: str, user_id: str | None, agent_id: str | None, app_id: str | None, run_id: str | None, metadata: dict[str, Any] | None, categories: list[str] | None, expiration_date: str | None, created_at: datetime, updated_at: datetime | None) -> None: ...
    agent_id: str | None
    app_id: str | None
    categories: list[str] | None
    created_at: datetime
    expiration_date: str | None
    id: str
    memory: str
    metadata: dict[str, Any] | None
    run_id: str | None
    updated_at: datetime | None
    user_id: str | None

MemoryField: TypeAlias = Literal['id', 'memory', 'user_id', 'agent_id', 'app_id', 'run_id', 'metadata', 'categories', 'created_at', 'updated_at', 'expiration_date']

class MemoryIdsField:
    def in_(self, *values: str) -> Filter: ...

class MetadataField:
    def __getitem__(self, key: str) -> MetadataValue: ...

class MetadataValue:
    def __eq__(self, value: str | float | bool) -> Filter: ...
    def __ne__(self, value: str | float | bool) -> Filter: ...
    def contains(self, value: str) -> Filter: ...

class NoAnswer(Mem0ExportsError):
    def __init__(self, message: str, *, operation: str | None = None, sent: bool = True) -> None: ...
    operation: object
    sent: object

class NotFound(StatusError):
    ...

OnPoll: TypeAlias = Callable[[int, float], None]

OnProgress: TypeAlias = Callable[[ExportProgress], None]

OnUnknown: TypeAlias = Literal['raise', 'skip', 'ask_again']

class OutcomeUnknown(Mem0ExportsError):
    def __init__(self, message: str, *, fingerprint: str, lost_answers: int = 1) -> None: ...
    fingerprint: object
    lost_answers: object
    operation: object
    outcome_unknown: object

class RateLimited(StatusError):
    ...

class Report:
    def __init__(self, memories: int, filled: dict[str, list[str]], gaps: list[Gap], notes: list[str]) -> None: ...
    filled: dict[str, list[str]]
    @classmethod
    def from_json(cls, text: str) -> Report: ...
    gaps: list[Gap]
    memories: int
    notes: list[str]
    def to_json(self) -> str: ...

class RequestTimeout(NoAnswer, TimeoutError):
    ...

class Retry:
    def __init__(self, attempts: int = 3, first: float = 0.5, longest: float = 8.0, longest_retry_after: float = 120.0) -> None: ...
    attempts: int
    first: float
    longest: float
    longest_retry_after: float

class Schema(Generic[T]):
    json: Mapping[str, Any]
    def load(self, raw: bytes, *, export_id: str | None = None) -> T: ...
    @overload
    @staticmethod
    def of(source: type[U] | Schema[U] | TypeAdapter[U], *, validate: Literal['strict', 'lax'] | None = None) -> Schema[U]: ...
    @overload
    @staticmethod
    def of(source: Mapping[str, Any], *, validate: Validate | None = None) -> Schema[dict[str, Any]]: ...
    @overload
    @staticmethod
    def of(source: Any, *, validate: Literal['off']) -> Schema[Any]: ...

class SchemaError(InputError):
    def __init__(self, message: str) -> None: ...

class ServerError(StatusError):
    ...

class Source(NamedTuple):
    kind: str
    name: str

State: TypeAlias = Literal['asking', 'unknown', 'pending', 'ready', 'open']

Status: TypeAlias = Literal['ready', 'failed', 'unknown', 'skipped']

class StatusError(Mem0ExportsError):
    def __init__(self, message: str, *, status: int, operation: str, request_id: str | None = None, retry_after: float | None = None) -> None: ...
    message: object
    operation: object
    request_id: object
    retry_after: object
    status: object

class TimeField:
    def __eq__(self, value: TimeLike) -> Filter: ...
    def __ge__(self, value: TimeLike) -> Filter: ...
    def __gt__(self, value: TimeLike) -> Filter: ...
    def __le__(self, value: TimeLike) -> Filter: ...
    def __lt__(self, value: TimeLike) -> Filter: ...
    def __ne__(self, value: TimeLike) -> Filter: ...
    def between(self, start: TimeLike, end: TimeLike) -> Filter: ...
    def in_(self, *values: TimeLike) -> Filter: ...
    def last(self, *, weeks: float = 0, days: float = 0, hours: float = 0, minutes: float = 0) -> Filter: ...

TimeLike: TypeAlias = datetime | date | str

Transport: TypeAlias = httpx.BaseTransport

Typed: TypeAlias = 'type[T] | Schema[T] | TypeAdapter[T]'

class Unauthorized(StatusError):
    ...

Validate: TypeAlias = Literal['strict', 'lax', 'off']

Where: TypeAlias = 'Filter | Mapping[str, Any]'

__version__: object

def all_of(*filters: Filter) -> Filter: ...

def any_of(*filters: Filter) -> Filter: ...
