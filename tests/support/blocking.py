"""Wrap the async client in the interface of the sync one, so that the same tests run with both."""

from __future__ import annotations

import contextlib
import inspect

from collections.abc import AsyncIterator, Iterator
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mem0_exports import AsyncClient, AsyncExport


class Blocking:
    """Wraps an async object: its methods await their coroutines, and its async iterators become iterators."""

    def __init__(self, target: Any, portal: BlockingPortal) -> None:
        self._target = target
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        return self._wrap(getattr(self._target, name))

    def _wrap(self, value: Any) -> Any:
        if inspect.ismethod(value):
            return lambda *arguments, **named: self._wrap(self._resolve(value(*arguments, **named)))
        if isinstance(value, AsyncExport | AsyncClient) or type(value).__name__ in _RESOURCES:
            return Blocking(value, self._portal)
        return value

    def _resolve(self, value: Any) -> Any:
        if inspect.iscoroutine(value):
            return self._portal.call(self._await, value)
        return self._iterate(value) if isinstance(value, AsyncIterator) else value

    @staticmethod
    async def _await(coroutine: Any) -> Any:
        return await coroutine

    def _iterate(self, iterator: AsyncIterator[Any]) -> Iterator[Any]:
        end = object()

        async def next_item() -> Any:
            return await anext(iterator, end)

        while (item := self._portal.call(next_item)) is not end:
            yield item


_RESOURCES = {"AsyncExports", "AsyncMemories", "AsyncEntities"}


@contextlib.contextmanager
def blocking(client: AsyncClient) -> Iterator[Any]:
    """Yield the client, wrapped, and close it at the end."""
    with start_blocking_portal() as portal:
        wrapped = Blocking(client, portal)
        try:
            yield wrapped
        finally:
            wrapped.close()
