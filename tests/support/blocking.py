"""The async client behind the sync one's interface, so that one suite speaks to both."""

from __future__ import annotations

import contextlib
import inspect

from collections.abc import AsyncIterator, Iterator
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mem0_exports import AsyncClient, AsyncExport


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
        if isinstance(value, AsyncExport | AsyncClient) or type(value).__name__ in _RESOURCES:
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


_RESOURCES = {"AsyncExports", "AsyncMemories", "AsyncEntities"}


@contextlib.contextmanager
def blocking(client: AsyncClient) -> Iterator[Any]:
    """The client, for as long as the context lasts; closed at its end."""
    with start_blocking_portal() as portal:
        wrapped = Blocking(client, portal)
        try:
            yield wrapped
        finally:
            wrapped.close()
