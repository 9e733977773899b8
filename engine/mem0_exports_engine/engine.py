"""Answer requests with the embedded engine, which is independent of any HTTP server or client library.

Every request is validated against openapi.yaml before it is carried out, and every answer before it is returned.
"""

from __future__ import annotations

import logging
import uuid

from collections.abc import Iterator, Mapping  # noqa: TC003 -- a NamedTuple's
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import unquote

from mem0_exports import facts
from mem0_exports.api_key import usable_key
from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.filters.check import check_where
from mem0_exports.filters.rules import CAREFUL, FilterRules
from mem0_exports_engine import clock, json_text, refusals
from mem0_exports_engine.access import KeyAccess, OpenAccess
from mem0_exports_engine.contract import HEALTH, Operation, Problem, problem
from mem0_exports_engine.extract import extractor_for
from mem0_exports_engine.failures import StoreBusy, StoreError
from mem0_exports_engine.limits import MAX_BYTES
from mem0_exports_engine.operations import HANDLERS, Request
from mem0_exports_engine.parameters import Invalid, Values, read_path, read_query
from mem0_exports_engine.ports import LANES
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.read_spec import contract
from mem0_exports_engine.refusals import Outcome, Refused, Text
from mem0_exports_engine.report import Report
from mem0_exports_engine.service import Service
from mem0_exports_engine.store import open_store
from mem0_exports_engine.waiting import Waiting, asked_wait
from mem0_exports_engine.workers.lanes import Workers
from mem0_exports_engine.workers.run_job import GRACE, Rereadable


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime, timedelta
    from pathlib import Path

    from mem0_exports.filters.check import Where
    from mem0_exports.llm import LLM
    from mem0_exports_engine.access import Access
    from mem0_exports_engine.extract.llm.usage import Estimate
    from mem0_exports_engine.extraction import Extractor
    from mem0_exports_engine.importing.importer import Imported
    from mem0_exports_engine.importing.pull import Pulled
    from mem0_exports_engine.ports import Lane, OnConflict
    from mem0_exports_engine.workers.workbench import Steps

T = TypeVar("T")

_log = logging.getLogger("mem0_exports_engine")


class Answer(NamedTuple):
    """An HTTP answer: a status, a JSON body (whole, in pieces, or None), and any headers besides Content-Type."""

    status: int
    body: bytes | Iterator[bytes] | None
    headers: Mapping[str, str] = {}
    pending: str | None = None
    """The id of an export for whose end the client can wait."""


class Admitted(NamedTuple):
    """A request that passed the checks of `Engine.admit`, so that its body can be read."""

    operation: Operation
    project: str
    segments: Mapping[str, str]
    """The percent-encoded text of each path parameter."""


class Engine:
    """Serve the Mem0 export API from one SQLite store. Safe to share between threads."""

    def __init__(
        self,
        path: str | Path = ":memory:",
        *,
        project: str = DEFAULT_PROJECT,
        served: bool = False,
        api_key: str | None = None,
        filter_rules: FilterRules | None = None,
        retention: timedelta = facts.RETENTION,
        llm: LLM | None = None,
        extractor: Extractor | None = None,
        now: Callable[[], datetime] = clock.now,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        """Open the store and start the worker thread.

        Args:
            path: the SQLite file, created if it does not exist, or ":memory:".
            project: the project that all requests use, unless `served` or `api_key` requires keys.
            served: whether other programs can send requests. If so, requests need an API key once a key has been added
                to the store; until then, only requests from this machine are answered.
            api_key: an API key for the project "local" that is not kept in the store. If set, requests need a key.
            filter_rules: how to read filters in points that the Platform's documentation does not define.
            retention: how long an export can be fetched, counted from its creation.
            llm: a language model that reads values out of the texts of memories. Default: none; values come from metadata.
            extractor: fills schemas from memories, instead of the engine's own extractors.
            now: returns the current time as an aware datetime in UTC.
            new_id: the source of new ids.

        Raises:
            ConfigurationError: `path` is not a store or was written by a newer version, SQLite is too old, or `api_key`
                has characters that a header cannot carry.
            InputError: `project` is not a valid name.

        """
        self._contract = contract()
        if api_key is not None:
            usable_key(api_key)
        open_access = OpenAccess(project)
        if extractor is not None and llm is not None:
            raise ConfigurationError("pass llm or extractor, not both")
        self._llm = llm
        self._extractor = extractor or extractor_for(llm)
        self.store = open_store(path)
        self.waiting = Waiting()
        try:
            needs_access = served or api_key is not None
            self.access: Access = KeyAccess(self.store.keys, api_key) if needs_access else open_access
            self.workers = Workers(
                self.store, self._extractor, now, lanes=self._lanes(extractor), ended=self.waiting.ended
            )
        except BaseException:
            self.store.close()
            raise
        self._service = Service(
            store=self.store,
            filter_rules=filter_rules or CAREFUL,
            retention=retention,
            lane="short" if llm is None else "model",
            now=now,
            new_id=new_id,
            wake=self.workers.wake,
            cancelled=self._cancelled,
        )

    def _cancelled(self, export_id: str) -> None:
        self.workers.cancelled(export_id)
        self.waiting.ended(export_id)

    def _lanes(self, given: Extractor | None) -> list[Collection[Lane] | None]:
        """Return the lanes of each worker: two with a language model, so that exports without one need not wait."""
        if given is not None:
            return [LANES]
        if self._llm is None:
            return [None]
        quick: tuple[Lane, ...] = ("short", "model")
        slow: tuple[Lane, ...] = ("long",)
        return [quick, slow]

    def loggable(self, path: str) -> str:
        """Return a percent-encoded path for a log, without anything that could be the value of a path parameter."""
        return self._contract.loggable(path)

    def respond(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request.

        `path` is percent-encoded, as in the first line of an HTTP request, and `query` is the part after the question
        mark. The names in `headers` are lower case. With `Prefer: wait=N`, this waits for the end of an export.
        """
        admitted = self.admit(method, path, {**headers, "content-length": str(len(body))})
        if isinstance(admitted, Answer):
            return admitted
        return self.waiting.hold(lambda: self.perform(admitted, query, body), asked_wait(headers))

    def admit(self, method: str, path: str, headers: Mapping[str, str]) -> Admitted | Answer:
        """Check path, method, API key and headers. Return the admitted request, or the answer that refuses it.

        The body is not needed, so a server can refuse a request before it reads up to 10 MB from an unknown client.
        """
        if path == HEALTH:
            return self._health() if method == "GET" else _not_allowed(method, ["GET"])
        match = self._contract.match(path)
        if match is None:
            return _answer(404, {"detail": f"No such path: {unquote(path)[:200]}"})
        operation = match.methods.get(method)
        if operation is None:
            return _not_allowed(method, match.methods)
        project = self._with_the_store(operation, lambda: self.access.project_of(headers))
        if isinstance(project, Answer):
            return project
        if project is None:
            return self._checked(operation, refusals.UNAUTHORIZED)
        problem = None if operation.request is None else _unreadable(headers)
        return Admitted(operation, project, match.segments) if problem is None else self.bad_request(operation, problem)

    def perform(self, admitted: Admitted, query: str, body: bytes) -> Answer:
        """Answer a request that was admitted."""
        if admitted.operation.id not in HANDLERS:
            return _answer(501, {"detail": f"{admitted.operation.id} is in openapi.yaml, but has no handler yet"})
        if len(body) > MAX_BYTES:  # `admit` sees only Content-Length, which a chunked body does not have
            return self.bad_request(admitted.operation, _TOO_LARGE)

        def answer() -> Outcome:
            try:
                return self._perform(admitted, query, body)
            except Refused as refused:
                return refused.answer

        outcome = self._with_the_store(admitted.operation, answer)
        if isinstance(outcome, Answer):
            return outcome
        return self._checked(admitted.operation, outcome)._replace(pending=outcome.pending)

    def _with_the_store(self, operation: Operation, use: Callable[[], T]) -> T | Answer:
        """Return the result of `use`, or an error answer: 503 if the store is busy, 500 if it fails."""
        try:
            return use()
        except StoreBusy as error:
            return self.overloaded(str(error))
        except StoreError as error:
            _log.exception("%s failed", operation.id)
            return _answer(500, {"detail": f"The store failed and nothing was stored: {error}"})

    def bad_request(self, operation: Operation, problem: str) -> Answer:
        """Return the documented answer of an operation to a request that does not match the spec."""
        outcome = refusals.bad_request(operation, problem).answer
        return _answer(outcome.status, outcome.document)

    def too_late(self, operation: Operation, seconds: float) -> Answer:
        """Return the answer to a request whose body did not arrive in time."""
        problem = f"the body must arrive within {seconds:g} s"
        if operation.request is None:
            return _answer(400, {"detail": problem})
        return self.bad_request(operation, problem)

    @staticmethod
    def overloaded(detail: str) -> Answer:
        """Return the answer to a request for which the server has no room at present."""
        return _answer(503, {"detail": detail}, {"retry-after": "1"})

    def _health(self) -> Answer:
        try:
            self.store.check()
        except (StoreError, ConfigurationError) as error:
            return _answer(503, {"status": "down", "detail": str(error).splitlines()[0][:200]})
        return _answer(200, {"status": "ok"})

    def _perform(self, admitted: Admitted, query: str, body: bytes) -> Outcome:
        operation = admitted.operation
        try:
            values = read_path(operation.path_parameters, admitted.segments)
            if 400 in operation.responses:  # without 400, no answer is documented for an unknown query parameter
                values |= read_query(operation.query_parameters, query)
        except Invalid as error:
            raise refusals.bad_request(operation, str(error)) from None
        document = None
        if operation.request is not None and (body or operation.body_required):
            try:
                document = json_text.read(body)
            except ValueError as error:
                raise refusals.bad_request(operation, f"the body is {error}") from None
            wrong = problem(operation.request, document)
            if wrong is not None:
                raise refusals.misshapen(self._service.filter_rules, operation, document, wrong)
        return HANDLERS[operation.id](self._service, Request(operation, admitted.project, Values(values), document))

    def _checked(self, operation: Operation, outcome: Outcome) -> Answer:
        """Return an outcome as an answer. If it does not match the spec, return a 500 that reports this as a bug."""
        if isinstance(outcome.document, Text):
            return Answer(outcome.status, outcome.document.json, outcome.headers)
        wrong = _mismatch(operation, outcome)
        if wrong is not None:
            detail = (
                f"Bug in the engine: its answer does not match openapi.yaml: {operation.id} {outcome.status}: {wrong}"
            )
            return _answer(500, {"detail": detail})
        if operation.responses[outcome.status] is None:
            return Answer(outcome.status, None, outcome.headers)
        return _answer(outcome.status, outcome.document, outcome.headers)

    def import_lines(self, lines: Iterable[bytes], *, on_conflict: OnConflict = "error") -> Imported:
        """Import memory records, one JSON object per line. Ids and times are kept; importing again adds nothing.

        Lines that cannot be imported do not stop the import; `bad` of the result lists them. See `importer` for the
        fields of a record, and for `on_conflict`.
        """
        from mem0_exports_engine.importing.importer import import_lines  # noqa: PLC0415 -- loads every file format

        return import_lines(
            self.store.memories,
            lines,
            project=self.access.own_project,
            on_conflict=on_conflict,
            now=self._service.now,
        )

    def pull(self, source: object, *, collection: str | None = None, accept_deletions: bool = False) -> Pulled:
        """Make the copies of open-source Mem0's memories in the store equal to those of a source; see `importing.pull`.

        `source` is the folder of Qdrant, Chroma or FAISS, the URL of a PostgreSQL with pgvector, or a `mem0.Memory` or
        `mem0.AsyncMemory`. `collection` is the name of Mem0's collection, by default "mem0"; a `Memory` knows its own.
        """
        from mem0_exports_engine.importing.pull import pull  # noqa: PLC0415 -- loads every kind of source
        from mem0_exports_engine.sources.folders import source_of  # noqa: PLC0415 -- loads every kind of source

        return pull(
            source_of(source, collection),
            self.store.pulled,
            project=self.access.own_project,
            accept_deletions=accept_deletions,
            now=self._service.now,
        )

    def report(self, export_id: str) -> Report:
        """Return the report of a finished export of this engine's own project.

        It says what was filled, and what stayed empty and why. Raises InputError if no such export has finished.
        """
        export = self.store.jobs.find(self.access.own_project, self._service.now(), export_id=export_id)
        if export is None or export.report is None:
            raise InputError(f"export_id must be the id of a finished export, got {export_id!r}", field="export_id")
        return Report.from_json(export.report)

    def estimate(self, schema: Any, where: Where, *, instructions: str | None = None) -> Estimate:
        """Return what an export would ask of the language model of this engine. Nothing is sent.

        Args:
            schema: what to export into: a type or a JSON Schema dict.
            where: which memories to export, a filter or a filter dict.
            instructions: guidance for the model.

        Raises:
            ConfigurationError: the engine has no language model.
            SchemaError, FilterError: the argument cannot be used.

        """
        from mem0_exports.schemas.schema import Schema  # noqa: PLC0415 -- a server does not need it
        from mem0_exports_engine.extract.llm.extractor import LLMExtractor  # noqa: PLC0415 -- loads httpx

        if not isinstance(self._extractor, LLMExtractor):
            raise ConfigurationError("this engine has no language model; make it with llm=LLM(...)")
        project, now = self.access.own_project, self._service.now()
        batches = Rereadable(self.store.memories, project, check_where(where, self._service.filter_rules), now)

        def recall(key: bytes) -> bytes | None:
            return self.store.answers.recall(project, key, now)

        return self._extractor.estimate(dict(Schema.of(schema).json), batches, recall, instructions)

    def progress(self, export_id: str) -> Steps | None:
        """Return how many memories a running export has read with the language model, and how many it has to read.

        None if the export is not running in this process, or needs no model.
        """
        return self.workers.progress(export_id)

    def close(self, grace: float = GRACE) -> None:
        """Stop the worker and close the store. A job that takes longer than `grace` seconds is handed back."""
        # The worker writes to the store until it has stopped, so the store must be closed last.
        self.workers.stop(grace)
        self.waiting.close()  # nothing ends any more
        close = getattr(self._extractor, "close", None)
        if close is not None:
            close()
        self.store.close()


_TOO_LARGE: Final = f"the body must be at most {MAX_BYTES // 1024 // 1024} MB"


def _mismatch(operation: Operation, outcome: Outcome) -> Problem | str | None:
    """Return why an outcome does not match the spec, or None if it does."""
    if outcome.status not in operation.responses:
        return "an undocumented status"
    validator = operation.responses[outcome.status]
    if validator is None:
        return None if outcome.document is None else "a body where none is documented"
    return problem(validator, outcome.document)


def _unreadable(headers: Mapping[str, str]) -> str | None:
    """Return why a body with these headers cannot be read, or None if it can."""
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return f"Content-Type must be application/json, got {media_type[:100]!r}"
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12 or int(length) > MAX_BYTES:
        return _TOO_LARGE
    return None


def _not_allowed(method: str, methods: Iterable[str]) -> Answer:
    return _answer(405, {"detail": f"Method {method[:50]!r} not allowed."}, {"allow": ", ".join(methods)})


def _answer(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json_text.dump(document), headers or {})
