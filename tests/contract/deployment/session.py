"""Asks a real deployment, slowly and not too often, and keeps every difference between its answers and openapi.yaml.

Redirects are not followed, and only what was answered with 429 is sent again. The key is never shown.
"""

from __future__ import annotations

import time

from typing import Any, NamedTuple

import httpx

from tests.support.spec import Operation, load, operations, place


TIMEOUT = 30.0
LONGEST_WAIT = 60.0
"""Seconds of Retry-After that are waited for."""


class CouldNotRun(Exception):
    """The deployment cannot be judged: nobody answers, the key is refused, or it has had enough."""


class Difference(NamedTuple):
    """Where the deployment does otherwise than the spec: a stable short name, and what a reader has to know."""

    name: str
    operation: str
    sent: str
    promised: str
    came: str


class Answer(NamedTuple):
    """An answer, as far as it is what the spec promises for its status."""

    status: int
    body: Any
    fits: bool


class Session:
    """A limited number of requests, one at a time, with a pause before each."""

    def __init__(self, url: str, key: str, *, rate: float, most: int) -> None:
        self.known: dict[str, Operation] = operations(load())
        self.differences: list[Difference] = []
        self.checks: set[str] = set()
        self.requests = 0
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=TIMEOUT, follow_redirects=False)
        self._key = key
        self._most = most
        self._pause = 1 / rate
        self._next = 0.0
        self._misfits: set[tuple[Any, ...]] = set()

    @property
    def left(self) -> int:
        """How many requests may still be sent."""
        return self._most - self.requests

    def close(self) -> None:
        self._http.close()

    def ask(
        self,
        name: str,
        operation_id: str,
        body: Any = None,
        *,
        expect: set[int],
        sent: str,
        query: dict[str, str] | None = None,
        key: str | None = "",
    ) -> Answer:
        """One check: send, and note whatever is not as the spec promises. `key` None sends none, "" the right one."""
        operation = self.known[operation_id]
        response = self.send(operation.method, operation.path, body, query=query, key=key)
        self.checks.add(name)
        documented = sorted(operation.responses)
        promised = " or ".join(map(str, sorted(expect)))
        sent = f"{operation.method} {operation.path}, {sent}"
        if response.status_code not in expect:
            extra = "" if response.status_code in documented else f", which is none of {documented}"
            came = f"{response.status_code}{extra}: {self._excerpt(response)}"
            self.differences.append(Difference(f"{name}:status", operation_id, sent, promised, came))
        validator = operation.responses.get(response.status_code)
        if validator is None:
            return Answer(response.status_code, None, fits=False)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        promise = f"the body that the spec gives {operation_id} {response.status_code}"
        try:
            document = response.json()
        except ValueError:
            came = f"{response.status_code} {kind or 'without a content type'}: {self._excerpt(response)}"
            self.differences.append(Difference(f"{name}:json", operation_id, sent, "JSON", came))
            return Answer(response.status_code, None, fits=False)
        if kind != "application/json":
            came = f"{response.status_code} with {kind or 'none'}"
            wanted = "the content type application/json"
            self._once(("kind", operation_id), Difference(f"{name}:content-type", operation_id, sent, wanted, came))
        error = next(validator.iter_errors(document), None)
        if error is not None:
            came = f"{response.status_code}, {place(error)}: {self.redacted(error.message)[:200]}"
            # The same misfit of the same answer is one difference, however many requests show it.
            same = (operation_id, response.status_code, *error.schema_path)
            self._once(same, Difference(f"{name}:body", operation_id, sent, promise, came))
        return Answer(response.status_code, document, fits=error is None)

    def note(self, name: str, operation_id: str, *, sent: str, promised: str, came: str) -> None:
        """A difference in what an answer says, although its shape is right; once for each name."""
        operation = self.known[operation_id]
        sent = f"{operation.method} {operation.path}, {sent}"
        self._once((name,), Difference(name, operation_id, sent, promised, self.redacted(came)[:300]))

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        key: str | None = "",
    ) -> httpx.Response:
        """The answer to one request; CouldNotRun where there is none. A text is sent as it is, all else as JSON."""
        for _ in range(3):
            if self.requests >= self._most:
                raise CouldNotRun(f"the {self._most} requests that were announced are used up")
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self._pause
            self.requests += 1
            headers = {"accept": "application/json", "user-agent": "mem0-exports-contract"}
            if key is not None:
                headers["authorization"] = f"Token {key or self._key}"
            sending: dict[str, Any] = {}
            if isinstance(body, str):
                headers["content-type"] = "application/json"
                sending["content"] = body.encode()
            elif body is not None:
                sending["json"] = body
            try:
                response = self._http.request(method, path, params=query, headers=headers, **sending)
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                problem = f"{method} {path} got no answer: {type(error).__name__}: {self.redacted(str(error))}"
            else:
                if response.status_code != 429:
                    return response
                self._next = time.monotonic() + self._told(response)
                continue
            raise CouldNotRun(problem)
        raise CouldNotRun(f"{method} {path} was answered with 429 three times: try a lower --rate")

    def _told(self, response: httpx.Response) -> float:
        said = response.headers.get("retry-after", "")
        seconds = float(said) if said.isdecimal() else 5.0
        if seconds > LONGEST_WAIT:
            raise CouldNotRun(f"the deployment asks to wait {seconds:g} s")
        return max(seconds, self._pause)

    def redacted(self, text: str) -> str:
        """`text` without the key, for deployments that repeat what they were sent."""
        return text.replace(self._key, "***")

    def _excerpt(self, response: httpx.Response) -> str:
        line = " ".join(self.redacted(response.text[:2000]).split())
        return f"{line[:120]}…" if len(line) > 120 else line or "(no body)"

    def _once(self, same: tuple[Any, ...], difference: Difference) -> None:
        if same not in self._misfits:
            self._misfits.add(same)
            self.differences.append(difference)
