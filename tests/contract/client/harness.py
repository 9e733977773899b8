"""Provide a client with a transport that records requests and returns given answers, and the Hypothesis settings.

The transport is passed as `transport=`, as any user can; nothing in the package is patched.
"""

from __future__ import annotations

import contextlib
import json
import os

from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from hypothesis import HealthCheck, settings

from mem0_exports import AsyncClient, Client, Retry
from tests.support import spec
from tests.support.blocking import blocking


DOCUMENT = spec.load()
OPERATIONS = spec.operations(DOCUMENT)
DOCUMENTED = [(each.id, status) for each in OPERATIONS.values() for status in each.responses]
"""Every pair of operation and status that the spec documents."""

NO_BODY = object()
"""Stands for the body of an answer that has none."""

KEY = "m0-conformance-0123456789"
NOTICE = "mem0_notice"  # the client removes this key from the result of an export: docs/schemas.md


def conformance_settings(examples: int) -> settings:
    """Return settings that draw the same cases in every run, unless SEED is set, and TIMES as many if that is set."""
    return settings(
        max_examples=examples * int(os.environ.get("TIMES") or 1),
        deadline=None,
        derandomize=not os.environ.get("SEED"),
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


class ScriptedTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Returns the given answers in order, repeating the last one, and records the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._answers: list[tuple[int, bytes]] = []

    def respond_with(self, *answers: tuple[int, Any]) -> None:
        """Return these statuses and JSON bodies (or NO_BODY) from now on, and forget the requests so far."""
        self.requests = []
        self._answers = [
            (status, b"" if body is NO_BODY else json.dumps(body, ensure_ascii=False).encode())
            for status, body in answers
        ]

    def _next(self) -> httpx.Response:
        status, body = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        return httpx.Response(status, headers={"content-type": "application/json"} if body else {}, content=body)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return self._next()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        return self._next()


@contextlib.contextmanager
def scripted_client(kind: str, **options: Any) -> Iterator[tuple[Any, ScriptedTransport]]:
    """Yield a client and its transport. An "async" client is wrapped in the interface of the sync one."""
    transport = ScriptedTransport()
    unwrapped = (Client if kind == "sync" else AsyncClient)(
        KEY, base_url="https://service.example", retry=Retry(attempts=1), transport=transport, **options
    )
    with unwrapped if isinstance(unwrapped, Client) else blocking(unwrapped) as client:
        yield client, transport


def visible(text: str) -> str:
    """Return a text without white space and control characters, which an error message may drop."""
    return "".join(char for char in text if char.isprintable() and not char.isspace())


def unique_by_key(items: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return one value for each key, in the order in which the keys first occur."""
    return list(dict(items).values())
