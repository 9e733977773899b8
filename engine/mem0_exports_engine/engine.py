"""The engine: a request in, an answer out. It knows nothing of HTTP servers and clients; its two shells do.

Every request is checked against openapi.yaml before anything is done, and every answer before it is given.
"""

from __future__ import annotations

import logging
import uuid

from collections.abc import Iterator, Mapping  # noqa: TC003 -- a NamedTuple's
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.filters.rules import CAREFUL, FilterRules
from mem0_exports_engine import clock, json_text, operations
from mem0_exports_engine.access import Everybody, Keys
from mem0_exports_engine.contract import Operation, contract, problem, read_parameters
from mem0_exports_engine.extract import Report
from mem0_exports_engine.importer import Imported, import_lines
from mem0_exports_engine.store.sqlite import jobs
from mem0_exports_engine.store.sqlite.database import Store
from mem0_exports_engine.store.sqlite.tables import HOME
from mem0_exports_engine.workers.thread import GRACE, Worker


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

T = TypeVar("T")


LARGEST_BODY: Final = 10 * 1024 * 1024
"""Bytes of a request's body."""

KEPT: Final = timedelta(days=7)
"""For how long an export can be fetched, as on the Platform."""

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
        project: str = HOME,
        served: bool = False,
        api_key: str | None = None,
        filter_rules: FilterRules | None = None,
        kept: timedelta = KEPT,
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
            kept: for how long an export can be fetched, from its creation on.
            now: the clock, an aware datetime in UTC.
            new_id: the source of ids.

        """
        self._contract = contract()
        self.store = Store(path)
        self.access = Keys(self.store, api_key) if served or api_key is not None else Everybody(project)
        self.filter_rules = filter_rules or CAREFUL
        self.kept = kept
        self.now = now
        self.new_id = new_id
        self.worker = Worker(self.store, now)

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
            return self._checked(operation, operations.UNAUTHORIZED)
        problem = None if operation.request is None else _unreadable(headers)
        return Admitted(operation, project) if problem is None else self.bad_request(operation, problem)

    def perform(self, admitted: Admitted, query: str, body: bytes) -> Answer:
        """Answer a request that was admitted."""
        if len(body) > LARGEST_BODY:  # it did not say so
            return self.bad_request(admitted.operation, _TOO_LARGE)

        def answer() -> operations.Outcome:
            try:
                return self._perform(admitted, query, body)
            except operations.Refused as refused:
                return refused.answer

        outcome = self._with_the_store(admitted.operation, answer)
        return outcome if isinstance(outcome, Answer) else self._checked(admitted.operation, outcome)

    def _with_the_store(self, operation: Operation, use: Callable[[], T]) -> T | Answer:
        """What `use` gives, or the answer to a request that the store has no time or no room for."""
        try:
            return use()
        except PoolTimeout:
            return _answer(503, {"detail": "The store is busy with other requests."}, {"retry-after": "1"})
        except DBAPIError as error:
            if "locked" in str(error.orig):
                return _answer(503, {"detail": "The store is busy: another process holds it."}, {"retry-after": "1"})
            _log.exception("%s failed", operation.id)
            return _answer(500, {"detail": f"The store failed, and nothing was stored: {error.orig}"})

    def bad_request(self, operation: Operation, problem: str) -> Answer:
        """The documented 400 of an operation."""
        outcome = operations.bad_request(operation.id, problem).answer
        return _answer(outcome.status, outcome.document)

    def too_late(self, operation: Operation, seconds: float) -> Answer:
        """The answer to a request whose body does not come."""
        problem = f"the body did not come within {seconds:g} s"
        if operation.request is None:
            return _answer(400, {"detail": problem})
        return self.bad_request(operation, problem)

    def _health(self) -> Answer:
        try:
            with self.store.read() as connection:
                connection.exec_driver_sql("SELECT 1 FROM exports LIMIT 1")
        except (DBAPIError, ConfigurationError) as error:
            return _answer(503, {"status": "down", "detail": str(error).splitlines()[0][:200]})
        return _answer(200, {"status": "ok"})

    def _perform(self, admitted: Admitted, query: str, body: bytes) -> operations.Outcome:
        operation = admitted.operation
        parameters: dict[str, int] = {}
        if 400 in operation.responses:
            read = read_parameters(operation, parse_qsl(query, keep_blank_values=True))
            if isinstance(read, str):
                raise operations.bad_request(operation.id, read)
            parameters = read
        document = None
        if operation.request is not None:
            try:
                document = json_text.read(body)
            except ValueError as error:
                raise operations.bad_request(operation.id, f"the body is {error}") from None
            wrong = problem(operation.request, document)
            if wrong is not None:
                raise operations.misshapen(self, operation.id, document, wrong)
        return operations.HANDLERS[operation.id](self, admitted.project, document, parameters)

    def _checked(self, operation: Operation, outcome: operations.Outcome) -> Answer:
        """The answer, if it is what the spec promises. Anything else is a fault of this engine, and said to be one."""
        if isinstance(outcome.document, operations.Text):
            return Answer(outcome.status, outcome.document.json)
        validator = operation.responses.get(outcome.status)
        wrong = problem(validator, outcome.document) if validator is not None else "an undocumented status"
        if wrong is not None:
            return _answer(500, {"detail": f"The engine broke its contract: {operation.id} {outcome.status}: {wrong}"})
        return _answer(outcome.status, outcome.document)

    def import_lines(self, lines: Iterable[bytes]) -> Imported:
        """Import memory records from JSON Lines, exactly and once; see `importer`."""
        return import_lines(self.store, lines, project=self._own_project, now=self.now, new_id=self.new_id)

    def report(self, export_id: str) -> Report:
        """What a finished export filled, what stayed empty, and why; InputError where there is none (yet)."""
        row = jobs.find(self.store, self._own_project, self.now(), export_id=export_id, filters=None)
        if row is None or row["report"] is None:
            raise InputError(f"there is no finished export {export_id!r}", field="export_id")
        return Report.from_json(row["report"])

    @property
    def _own_project(self) -> str:
        """The project of whoever holds this object, and so needs no key."""
        return self.access.project if isinstance(self.access, Everybody) else HOME

    def close(self, grace: float = GRACE) -> None:
        """Finish the running job, or hand it back where it takes longer than `grace` seconds, and close the store."""
        self.worker.stop(grace)
        self.store.close()


_TOO_LARGE: Final = f"the body is larger than {LARGEST_BODY // 1024 // 1024} MB"


def _unreadable(headers: Mapping[str, str]) -> str | None:
    """Why a body with this head is not read; None where it may be."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        return f"Content-Type has to be application/json, got {kind[:100]!r}"
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12 or int(length) > LARGEST_BODY:
        return _TOO_LARGE
    return None


def _not_allowed(method: str, methods: Iterable[str]) -> Answer:
    return _answer(405, {"detail": f"Method {method[:50]!r} not allowed."}, {"allow": ", ".join(methods)})


def _answer(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json_text.dump(document), headers or {})
