"""The engine: a request in, an answer out. It knows nothing of HTTP servers and clients; its two shells do.

Every request is checked against openapi.yaml before anything is done, and every answer before it is given.
"""

from __future__ import annotations

import hmac
import json
import logging
import uuid

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mem0_exports._filter_rules import CAREFUL, FilterRules
from mem0_exports._keys import usable_key
from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.local import clock, jobs, json_text, operations
from mem0_exports.local.contract import Operation, contract, problem, read_parameters
from mem0_exports.local.extract import Report
from mem0_exports.local.importer import Imported, import_lines
from mem0_exports.local.store import Store


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path


LARGEST_BODY: Final = 10 * 1024 * 1024
"""Bytes of a request's body."""

HEALTH: Final = "/health"
"""Answers without a key, and is no part of the spec: for whoever watches over the process."""


_log = logging.getLogger("mem0_exports.local")


class Answer(NamedTuple):
    """What goes back: a status, a JSON text, and headers beside the content type."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Engine:
    """The Mem0 export API on one SQLite store. Safe to share between threads."""

    def __init__(
        self,
        path: str | Path = ":memory:",
        *,
        api_key: str | None = None,
        filter_rules: FilterRules | None = None,
        now: Callable[[], datetime] = clock.now,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        """Open the store and start the worker.

        Args:
            path: a SQLite file, made where there is none, or ":memory:".
            api_key: what requests have to carry; None lets every request in.
            filter_rules: how filters are read where the Platform's documentation is silent.
            now: the clock, an aware datetime in UTC.
            new_id: the source of ids.

        """
        self._contract = contract()
        self._api_key = None if api_key is None else f"Token {usable_key(api_key)}".encode()
        self.store = Store(path)
        self.filter_rules = filter_rules or CAREFUL
        self.now = now
        self.new_id = new_id
        self.worker = jobs.Worker(self.store, now)

    def respond(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request. `headers` has lower-case names; `query` is what stands behind the question mark."""
        at_once = self.refused(method, path, {**headers, "content-length": str(len(body))})
        if at_once is not None:
            return at_once
        if path == HEALTH:
            return self._health()
        operation = self._contract.paths[path][method]
        try:
            answer = self._perform(operation, query, body)
        except operations.Refused as refused:
            answer = refused.answer
        except PoolTimeout:
            return _answer(503, {"detail": "The store is busy with other requests."}, {"retry-after": "1"})
        except DBAPIError as error:
            if "locked" in str(error.orig):
                return _answer(503, {"detail": "The store is busy: another process holds it."}, {"retry-after": "1"})
            _log.exception("%s failed", operation.id)
            return _answer(500, {"detail": f"The store failed, and nothing was stored: {error.orig}"})
        return self._checked(operation, answer)

    def refused(self, method: str, path: str, headers: Mapping[str, str]) -> Answer | None:
        """The answer to a request whose body need not be read, as its head is reason enough; None where it is none."""
        methods: Mapping[str, Operation | None] | None = self._contract.paths.get(path)
        if path == HEALTH:
            methods = {"GET": None}
        if methods is None:
            return _answer(404, {"detail": f"No such path: {path[:200]}"})
        if method not in methods:
            return _answer(405, {"detail": f"Method {method[:50]!r} not allowed."}, {"allow": ", ".join(methods)})
        operation = methods[method]
        if operation is None:
            return None
        if not self._let_in(headers):
            return self._checked(operation, operations.UNAUTHORIZED)
        problem = None if operation.request is None else _unreadable(headers)
        return None if problem is None else self.bad_request(operation.id, problem)

    def bad_request(self, operation_id: str, problem: str) -> Answer:
        """The documented 400 of an operation."""
        outcome = operations.bad_request(operation_id, problem).answer
        return _answer(outcome.status, outcome.document)

    def too_late(self, path: str, method: str, seconds: float) -> Answer:
        """The answer to a request whose body does not come."""
        problem = f"the body did not come within {seconds:g} s"
        operation = self._contract.paths.get(path, {}).get(method)
        return _answer(400, {"detail": problem}) if operation is None else self.bad_request(operation.id, problem)

    def _health(self) -> Answer:
        try:
            with self.store.read() as connection:
                connection.exec_driver_sql("SELECT 1 FROM exports LIMIT 1")
        except (DBAPIError, ConfigurationError) as error:
            return _answer(503, {"status": "down", "detail": str(error).splitlines()[0][:200]})
        return _answer(200, {"status": "ok"})

    def _let_in(self, headers: Mapping[str, str]) -> bool:
        if self._api_key is None:
            return True
        return hmac.compare_digest(headers.get("authorization", "").encode(), self._api_key)

    def _perform(self, operation: Operation, query: str, body: bytes) -> operations.Outcome:
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
        return operations.HANDLERS[operation.id](self, document, parameters)

    def _checked(self, operation: Operation, outcome: operations.Outcome) -> Answer:
        """The answer, if it is what the spec promises. Anything else is a fault of this engine, and said to be one."""
        validator = operation.responses.get(outcome.status)
        wrong = problem(validator, outcome.document) if validator is not None else "an undocumented status"
        if wrong is not None:
            return _answer(500, {"detail": f"The engine broke its contract: {operation.id} {outcome.status}: {wrong}"})
        return _answer(outcome.status, outcome.document)

    def import_lines(self, lines: Iterable[bytes]) -> Imported:
        """Import memory records from JSON Lines, exactly and once; see `importer`."""
        return import_lines(self.store, lines, now=self.now, new_id=self.new_id)

    def report(self, export_id: str) -> Report:
        """What a finished export filled, what stayed empty, and why; InputError where there is none (yet)."""
        row = jobs.find(self.store, self.now(), export_id=export_id, filters=None)
        if row is None or row["report"] is None:
            raise InputError(f"there is no finished export {export_id!r}", field="export_id")
        return Report.from_json(row["report"])

    def close(self) -> None:
        """Finish the running job and close the store."""
        self.worker.stop()
        self.store.close()


def _unreadable(headers: Mapping[str, str]) -> str | None:
    """Why a body with this head is not read; None where it may be."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        return f"Content-Type has to be application/json, got {kind[:100]!r}"
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12 or int(length) > LARGEST_BODY:
        return f"the body is larger than {LARGEST_BODY // 1024 // 1024} MB"
    return None


def _answer(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(document, ensure_ascii=False).encode(), headers or {})
