"""The engine: a request in, an answer out. It knows nothing of HTTP servers and clients; its two shells do.

Every request is checked against openapi.yaml before anything is done, and every answer before it is given.
"""

from __future__ import annotations

import logging
import uuid

from collections.abc import Iterator, Mapping  # noqa: TC003 -- a NamedTuple's
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from mem0_exports import facts
from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.filters.rules import CAREFUL, FilterRules
from mem0_exports_engine import clock, json_text, refusals
from mem0_exports_engine.access import KeyAccess, OpenAccess
from mem0_exports_engine.contract import Operation, contract, problem, read_parameters
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor
from mem0_exports_engine.importer import Imported, import_lines
from mem0_exports_engine.json_text import MAX_BYTES
from mem0_exports_engine.operations import HANDLERS
from mem0_exports_engine.ports import StoreBusy, StoreError
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.refusals import Outcome, Refused, Text
from mem0_exports_engine.report import Report
from mem0_exports_engine.service import Service
from mem0_exports_engine.store import open_store
from mem0_exports_engine.workers.run_job import GRACE
from mem0_exports_engine.workers.thread import WorkerThread


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta
    from pathlib import Path

    from mem0_exports_engine.access import Access
    from mem0_exports_engine.ports import Extractor

T = TypeVar("T")

HEALTH: Final = "/health"
"""Answers without a key, and is no part of the spec: for whoever watches over the process."""


_log = logging.getLogger("mem0_exports_engine")


class Answer(NamedTuple):
    """What goes back: a status, a JSON text, at once or piece by piece, and headers beside the content type."""

    status: int
    body: bytes | Iterator[bytes]
    headers: Mapping[str, str] = {}


class Admitted(NamedTuple):
    """A request whose head is good: what it asks for, and in which project. Its body may be read."""

    operation: Operation
    project: str


class Engine:
    """The Mem0 export API on one SQLite store. Safe to share between threads."""

    def __init__(
        self,
        path: str | Path = ":memory:",
        *,
        project: str = DEFAULT_PROJECT,
        served: bool = False,
        api_key: str | None = None,
        filter_rules: FilterRules | None = None,
        retention: timedelta = facts.RETENTION,
        extractor: Extractor | None = None,
        now: Callable[[], datetime] = clock.now,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        """Open the store and start the worker.

        Args:
            path: a SQLite file, made where there is none, or ":memory:".
            project: whose memories and exports requests are about, where nobody needs a key.
            served: strangers may send requests: they need one of the store's keys, if it ever had any.
            api_key: a key of the project "local", which is in no store; requests need a key then.
            filter_rules: how filters are read where the Platform's documentation is silent.
            retention: for how long an export can be fetched, from its creation on.
            extractor: what makes exports of memories; the one without a language model if missing.
            now: the clock, an aware datetime in UTC.
            new_id: the source of ids.

        """
        self._contract = contract()
        self.store = open_store(path)
        needs_access = served or api_key is not None
        self.access: Access = KeyAccess(self.store.keys, api_key) if needs_access else OpenAccess(project)
        self.worker = WorkerThread(self.store, extractor or OfflineExtractor(), now)
        self._service = Service(
            store=self.store,
            filter_rules=filter_rules or CAREFUL,
            retention=retention,
            now=now,
            new_id=new_id,
            wake=self.worker.wake,
        )

    def respond(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request. `headers` has lower-case names; `query` is what stands behind the question mark."""
        admitted = self.admit(method, path, {**headers, "content-length": str(len(body))})
        return admitted if isinstance(admitted, Answer) else self.perform(admitted, query, body)

    def admit(self, method: str, path: str, headers: Mapping[str, str]) -> Admitted | Answer:
        """What a request may do by its head; or the answer, where its body need not be read."""
        if path == HEALTH:
            return self._health() if method == "GET" else _not_allowed(method, ["GET"])
        methods = self._contract.paths.get(path)
        if methods is None:
            return _answer(404, {"detail": f"No such path: {path[:200]}"})
        if method not in methods:
            return _not_allowed(method, methods)
        operation = methods[method]
        project = self._with_the_store(operation, lambda: self.access.project_of(headers))
        if isinstance(project, Answer):
            return project
        if project is None:
            return self._checked(operation, refusals.UNAUTHORIZED)
        problem = None if operation.request is None else _unreadable(headers)
        return Admitted(operation, project) if problem is None else self.bad_request(operation, problem)

    def perform(self, admitted: Admitted, query: str, body: bytes) -> Answer:
        """Answer a request that was admitted."""
        if len(body) > MAX_BYTES:  # it did not say so
            return self.bad_request(admitted.operation, _TOO_LARGE)

        def answer() -> Outcome:
            try:
                return self._perform(admitted, query, body)
            except Refused as refused:
                return refused.answer

        outcome = self._with_the_store(admitted.operation, answer)
        return outcome if isinstance(outcome, Answer) else self._checked(admitted.operation, outcome)

    def _with_the_store(self, operation: Operation, use: Callable[[], T]) -> T | Answer:
        """Return what `use` gives, or the answer to a request that the store has no time or no room for."""
        try:
            return use()
        except StoreBusy as error:
            return _answer(503, {"detail": str(error)}, {"retry-after": "1"})
        except StoreError as error:
            _log.exception("%s failed", operation.id)
            return _answer(500, {"detail": f"The store failed, and nothing was stored: {error}"})

    def bad_request(self, operation: Operation, problem: str) -> Answer:
        """The documented 400 of an operation."""
        outcome = refusals.bad_request(operation.id, problem).answer
        return _answer(outcome.status, outcome.document)

    def too_late(self, operation: Operation, seconds: float) -> Answer:
        """The answer to a request whose body does not come."""
        problem = f"the body did not come within {seconds:g} s"
        if operation.request is None:
            return _answer(400, {"detail": problem})
        return self.bad_request(operation, problem)

    def _health(self) -> Answer:
        try:
            self.store.check()
        except (StoreError, ConfigurationError) as error:
            return _answer(503, {"status": "down", "detail": str(error).splitlines()[0][:200]})
        return _answer(200, {"status": "ok"})

    def _perform(self, admitted: Admitted, query: str, body: bytes) -> Outcome:
        operation = admitted.operation
        parameters: dict[str, int] = {}
        if 400 in operation.responses:
            read = read_parameters(operation, parse_qsl(query, keep_blank_values=True))
            if isinstance(read, str):
                raise refusals.bad_request(operation.id, read)
            parameters = read
        document = None
        if operation.request is not None:
            try:
                document = json_text.read(body)
            except ValueError as error:
                raise refusals.bad_request(operation.id, f"the body is {error}") from None
            wrong = problem(operation.request, document)
            if wrong is not None:
                raise refusals.misshapen(self._service.filter_rules, operation.id, document, wrong)
        return HANDLERS[operation.id](self._service, admitted.project, document, parameters)

    def _checked(self, operation: Operation, outcome: Outcome) -> Answer:
        """The answer, if it is what the spec promises. Anything else is a fault of this engine, and said to be one."""
        if isinstance(outcome.document, Text):
            return Answer(outcome.status, outcome.document.json)
        validator = operation.responses.get(outcome.status)
        wrong = problem(validator, outcome.document) if validator is not None else "an undocumented status"
        if wrong is not None:
            return _answer(500, {"detail": f"The engine broke its contract: {operation.id} {outcome.status}: {wrong}"})
        return _answer(outcome.status, outcome.document)

    def import_lines(self, lines: Iterable[bytes]) -> Imported:
        """Import memory records from JSON Lines. Keeps ids and times; importing them again adds nothing."""
        service = self._service
        return import_lines(
            self.store.memories, lines, project=self.access.own_project, now=service.now, new_id=service.new_id
        )

    def report(self, export_id: str) -> Report:
        """What a finished export filled, what stayed empty, and why; InputError where there is none (yet)."""
        found = self.store.jobs.find(self.access.own_project, self._service.now(), export_id=export_id)
        if found is None or found.report is None:
            raise InputError(f"there is no finished export {export_id!r}", field="export_id")
        return Report.from_json(found.report)

    def close(self, grace: float = GRACE) -> None:
        """Finish the running job, or hand it back where it takes longer than `grace` seconds, and close the store."""
        self.worker.stop(grace)
        self.store.close()


_TOO_LARGE: Final = f"the body is larger than {MAX_BYTES // 1024 // 1024} MB"


def _unreadable(headers: Mapping[str, str]) -> str | None:
    """Why a body with this head is not read; None where it may be."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        return f"Content-Type has to be application/json, got {kind[:100]!r}"
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12 or int(length) > MAX_BYTES:
        return _TOO_LARGE
    return None


def _not_allowed(method: str, methods: Iterable[str]) -> Answer:
    return _answer(405, {"detail": f"Method {method[:50]!r} not allowed."}, {"allow": ", ".join(methods)})


def _answer(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json_text.dump(document), headers or {})
