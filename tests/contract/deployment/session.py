"""Sends requests to a deployment, slowly and one at a time, and records where the answers differ from openapi.yaml.

Redirects are not followed. A request is sent again only after a 429. The key is never shown.
"""

from __future__ import annotations

import json
import time

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from tests.contract.deployment.connection import explained, open_client
from tests.contract.deployment.errors import CouldNotRun
from tests.support.spec import Operation, operations, place, strict


LONGEST_WAIT = 60.0
"""Seconds of Retry-After that are waited for."""

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes of an answer that are read."""

CONFIGURED = ""
"""The value of `key=` that stands for the key of the deployment."""


class Difference(NamedTuple):
    """One way in which the deployment differs from the spec."""

    check: str
    kind: str
    operation: str
    sent: str
    promised: str
    received: str

    @property
    def name(self) -> str:
        """A short name that is the same in every run."""
        return f"{self.check}:{self.kind}"


@dataclass
class Check:
    """What one check found; it may have sent several requests."""

    name: str
    operation: str
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)


class Answer(NamedTuple):
    """The answer to a check. `body` matches the schema of its status if `valid` is true."""

    status: int
    body: Any
    valid: bool


class Session:
    """The requests of one run, limited in number and rate, and the checks that they belong to."""

    def __init__(
        self,
        document: dict[str, Any],
        url: str,
        key: str,
        *,
        rate: float,
        timeout: float,
        most: int,
        without: Collection[str] = (),
    ) -> None:
        """Open a session for the operations of `document`, except those in `without`."""
        self.document = document
        self.operations: dict[str, Operation] = {
            name: each for name, each in operations(document).items() if name not in without
        }
        self.checks: dict[str, Check] = {}
        self.requests = 0
        self._http = open_client(url, timeout)
        self._url = url
        self._key = key
        self._timeout = timeout
        self._most = most
        self._pause = 1 / rate
        self._next = 0.0
        self._known: set[tuple[Any, ...]] = set()

    @property
    def left(self) -> int:
        """How many requests may still be sent."""
        return self._most - self.requests

    @property
    def differences(self) -> list[Difference]:
        """All differences, in the order in which they were found."""
        return [each for check in self.checks.values() for each in check.differences]

    def find(self, method: str, path: str) -> Operation | None:
        """Return the operation with this method and path template, or None if the spec does not have it."""
        found = (each for each in self.operations.values() if (each.method, each.path) == (method, path))
        return next(found, None)

    def close(self) -> None:
        self._http.close()

    def ask(
        self,
        name: str,
        operation_id: str,
        body: Any = None,
        *,
        expected: set[int],
        sent: str,
        query: dict[str, str] | None = None,
        key: str | None = CONFIGURED,
        path: str | None = None,
    ) -> Answer:
        """Send the request of a check, and record every difference between its answer and the spec.

        `sent` describes the request. `key` None sends no key. `path` replaces the path template of the operation.
        """
        operation = self.operations[operation_id]
        began = time.monotonic()
        response = self.send(operation.method, path or operation.path, body, query=query, key=key)
        # Only now: a check without an answer must not be reported as one that found nothing.
        check = self.checks.setdefault(name, Check(name, operation_id))
        check.seconds += time.monotonic() - began
        sent = f"{operation.method} {path or operation.path}, {sent}"
        status = response.status_code

        def differ(kind: str, promised: str, received: str, same: tuple[Any, ...] | None = None) -> None:
            self._record(Difference(name, kind, operation_id, sent, promised, received), same)

        if status not in expected:
            documented = sorted(operation.responses)
            extra = "" if status in documented else f", which is none of {documented}"
            differ("status", " or ".join(map(str, sorted(expected))), f"{status}{extra}: {self._excerpt(response)}")
        if status not in operation.responses:
            return Answer(status, None, valid=False)
        validator = operation.responses[status]
        if validator is None:  # the spec gives this status no body
            if response.content:
                differ("body", f"{status} without a body", f"{status}: {self._excerpt(response)}")
            return Answer(status, None, valid=not response.content)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            document = strict(response.content)
            misfit = next(validator.iter_errors(document), None)
        except (ValueError, RecursionError):
            differ("json", "JSON", f"{status} {kind or 'without a content type'}: {self._excerpt(response)}")
            return Answer(status, None, valid=False)
        if kind != "application/json":
            wanted = "the content type application/json"
            differ("content-type", wanted, f"{status} with {kind or 'no content type'}", ("kind", operation_id))
        if misfit is not None:
            promised = f"the body that openapi.yaml defines for {operation_id} {status}"
            # The same problem in the same answer is one difference, however many requests show it.
            same = ("body", operation_id, status, *misfit.schema_path)
            differ("body", promised, f"{status}, {place(misfit)}: {misfit.message}", same)
        return Answer(status, document, valid=misfit is None)

    def note(self, name: str, kind: str, operation_id: str, *, sent: str, promised: str, received: str) -> None:
        """Record a difference in the content of an answer whose shape is right, once for each name and kind."""
        operation = self.operations[operation_id]
        sent = f"{operation.method} {operation.path}, {sent}"
        self._record(Difference(name, kind, operation_id, sent, promised, received), (name, kind))

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        key: str | None = CONFIGURED,
    ) -> httpx.Response:
        """Return the answer to one request; raise CouldNotRun if there is none.

        A body of type str is sent as it is, any other as JSON.
        """
        for _ in range(3):
            if self.requests >= self._most:
                raise CouldNotRun(f"the {self._most} requests that were announced are used up: raise --max-requests")
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self._pause
            self.requests += 1
            response = self._exchange(self._request(method, path, body, query, key))
            if response.status_code != 429:
                return response
            self._next = time.monotonic() + self._retry_after(response)
        raise CouldNotRun(f"{method} {path} was answered with 429 three times: lower --rate")

    def _request(
        self, method: str, path: str, body: Any, query: dict[str, str] | None, key: str | None
    ) -> httpx.Request:
        headers = {"accept": "application/json", "user-agent": "mem0-exports-contract"}
        if key is not None:
            headers["authorization"] = f"Token {key or self._key}"
        content: bytes | None = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()
        return self._http.build_request(method, path, params=query, headers=headers, content=content)

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its answer, within limits: a deployment may send without an end."""
        what = f"{request.method} {request.url.path}"
        deadline = time.monotonic() + self._timeout
        try:
            response = self._http.send(request, stream=True)
            try:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > LARGEST_BODY:
                        raise CouldNotRun(f"{what} was answered with more than {LARGEST_BODY} bytes")
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("the answer takes too long", request=request)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
            raise CouldNotRun(f"{what} got no answer from {explained(error, self._url)}") from None
        headers = [
            (name, value)
            for name, value in response.headers.raw
            if name.lower() not in {b"content-encoding", b"content-length", b"transfer-encoding"}
        ]
        return httpx.Response(response.status_code, headers=headers, content=bytes(content))

    def _retry_after(self, response: httpx.Response) -> float:
        header = response.headers.get("retry-after", "")
        seconds = float(header) if header.isdecimal() and len(header) < 10 else 5.0
        if seconds > LONGEST_WAIT:
            raise CouldNotRun(f"the deployment asks to wait {seconds:g} seconds: try again later, or lower --rate")
        return max(seconds, self._pause)

    def redacted(self, text: str) -> str:
        """Return `text` without the key, for deployments that repeat what they were sent."""
        return text.replace(self._key, "***").replace(json.dumps(self._key)[1:-1], "***")

    def _excerpt(self, response: httpx.Response) -> str:
        line = " ".join(self.redacted(response.text).split())
        return f"{line[:120]}…" if len(line) > 120 else line or "(no body)"

    def _record(self, difference: Difference, same: tuple[Any, ...] | None = None) -> None:
        """Record a difference, unless one that is the `same` has been recorded."""
        if same is not None:
            if same in self._known:
                return
            self._known.add(same)
        check = self.checks.setdefault(difference.check, Check(difference.check, difference.operation))
        promised, received = (self.redacted(text)[:300] for text in (difference.promised, difference.received))
        check.differences.append(difference._replace(promised=promised, received=received))
