"""One client suite, six ways: sync and async, over the engine in memory, in a file, and behind a real server."""

from __future__ import annotations

import inspect

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mem0_exports import AsyncClient, AsyncExport, Client
from tests.serving import served


API_KEY = "congruence-key"


class Blocking:
    """An async object with its coroutines awaited, so that one suite speaks to both clients."""

    def __init__(self, target: Any, portal: BlockingPortal) -> None:
        self._target = target
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        return self._wrap(getattr(self._target, name))

    def _wrap(self, value: Any) -> Any:
        if inspect.ismethod(value):
            return lambda *arguments, **named: self._wrap(self._finished(value(*arguments, **named)))
        if isinstance(value, AsyncExport) or type(value).__name__ in {"AsyncExports", "AsyncMemories", "AsyncEntities"}:
            return Blocking(value, self._portal)
        return value

    def _finished(self, value: Any) -> Any:
        if inspect.iscoroutine(value):
            return self._portal.call(self._awaited, value)
        return self._each(value) if isinstance(value, AsyncIterator) else value

    @staticmethod
    async def _awaited(coroutine: Any) -> Any:
        return await coroutine

    def _each(self, iterator: AsyncIterator[Any]) -> Iterator[Any]:
        end = object()

        async def following() -> Any:
            return await anext(iterator, end)

        while (item := self._portal.call(following)) is not end:
            yield item


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("served") / "store.db", API_KEY) as url:
        yield url


@pytest.fixture(params=["memory", "file", "http"])
def place(request):
    return request.param


@pytest.fixture(params=["sync", "async"])
def client(request, place, tmp_path):
    kind = Client if request.param == "sync" else AsyncClient
    if place == "http":
        made = kind(API_KEY, base_url=request.getfixturevalue("server"))
    else:
        made = kind.local(":memory:" if place == "memory" else tmp_path / "store.db")
    if kind is Client:
        with made:
            yield made
        return
    with start_blocking_portal() as portal:
        blocking = Blocking(made, portal)
        yield blocking
        blocking.close()


@pytest.fixture
def user(request):
    """A user of this test's own: the server is shared."""
    return f"user-{abs(hash(request.node.nodeid))}"
