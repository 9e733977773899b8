"""A client whose requests are kept and whose answers are given to it, and how many cases are drawn.

The transport is one of the client's own argument `transport=`; nothing of the package is replaced.
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
"""Every operation with every status that the spec gives it."""

KEY = "m0-conformance-0123456789"
NOTICE = "mem0_notice"  # the facade takes it out of an export: docs/schemas.md


def drawn(examples: int) -> settings:
    """How a test draws: the same cases in every run, unless SEED is set; TIMES as many."""
    return settings(
        max_examples=examples * int(os.environ.get("TIMES") or 1),
        deadline=None,
        derandomize=not os.environ.get("SEED"),
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


class Scripted(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Gives the answers it was told to, in order, the last one again and again, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self._answers: list[tuple[int, bytes]] = []

    def answers(self, *answers: tuple[int, Any]) -> None:
        """From now on: these statuses with these bodies, as JSON."""
        self.asked = []
        self._answers = [(status, json.dumps(body, ensure_ascii=False).encode()) for status, body in answers]

    def _next(self) -> httpx.Response:
        status, body = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        return httpx.Response(status, headers={"content-type": "application/json"}, content=body)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        return self._next()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(request)
        return self._next()


@contextlib.contextmanager
def scripted(kind: str, **options: Any) -> Iterator[tuple[Any, Scripted]]:
    """A client, "sync" or "async" (behind the sync one's interface), and its transport."""
    transport = Scripted()
    made = (Client if kind == "sync" else AsyncClient)(
        KEY, base_url="https://service.example", retry=Retry(attempts=1), transport=transport, **options
    )
    with made if isinstance(made, Client) else blocking(made) as client:
        yield client, transport


def visible(text: str) -> str:
    """A text without what a message on one line loses: white space and control characters."""
    return "".join(char for char in text if char.isprintable() and not char.isspace())


def once(items: Iterable[tuple[Any, Any]]) -> list[Any]:
    """One value for each key, in order of the keys."""
    return list(dict(items).values())
