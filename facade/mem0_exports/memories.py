"""Memories and entities: what a user needs around an export. Sync and async share the calls and the paging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from mem0_exports import _wire
from mem0_exports._flow import send
from mem0_exports.errors import InputError


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from mem0_exports._drive import AsyncDriver, Driver
    from mem0_exports.exports import Settings, Where
    from mem0_exports.records import AddedMemory, Entity, Memory, Page

T = TypeVar("T")

LARGEST_PAGE: Final = 200
"""The most items that the service puts on a page."""


def _pages(call_for: Callable[[int], _wire.Call[Page[T]]]) -> Generator[_wire.Call[Page[T]], Page[T], None]:
    """The calls for one page after the other; takes each page to know whether there is another.

    Pages are counted: the address of the next page, which the service gives, may lead to another origin.
    """
    number = 1
    page = yield call_for(number)
    while page.more and page.items:
        number += 1
        page = yield call_for(number)


def _add(
    messages: str | Sequence[Mapping[str, str]], timestamp: datetime | None, expiration_date: date | None, **fields: Any
) -> _wire.Call[list[AddedMemory]]:
    listed = [{"role": "user", "content": messages}] if isinstance(messages, str) else [dict(each) for each in messages]
    for index, each in enumerate(listed):
        if each.get("role") not in {"user", "assistant", "system"} or not each.get("content"):
            raise InputError(
                f"messages[{index}] needs a role (user, assistant or system) and a content that is not empty",
                field="messages",
            )
    if not listed:
        raise InputError("messages is empty", field="messages")
    if not any(fields.get(name) for name in ("user_id", "agent_id", "app_id", "run_id")):
        raise InputError("name at least one of user_id, agent_id, app_id and run_id", field="user_id")
    return _wire.memories_add(
        listed,
        timestamp=None if timestamp is None else _seconds(timestamp),
        expiration_date=None if expiration_date is None else expiration_date.isoformat(),
        **fields,
    )


def _seconds(timestamp: datetime) -> int:
    if timestamp.tzinfo is None:
        raise InputError("timestamp has no time zone: timestamp.astimezone() for this machine's", field="timestamp")
    if timestamp.microsecond:
        raise InputError("the service keeps whole seconds: timestamp.replace(microsecond=0)", field="timestamp")
    return int(timestamp.timestamp())


def _list_call(where: Where, page_size: int, *, show_expired: bool) -> Callable[[int], _wire.Call[Page[Memory]]]:
    from mem0_exports._filter_tree import checked  # noqa: PLC0415 -- a client that only fetches needs no filters

    filters = checked(where).to_dict()
    _check_page_size(page_size)
    return lambda page: _wire.memories_list(filters, show_expired=show_expired, page=page, page_size=page_size)


def _entities_call(page_size: int) -> Callable[[int], _wire.Call[Page[Entity]]]:
    _check_page_size(page_size)
    return lambda page: _wire.entities_list(page=page, page_size=page_size)


def _check_page_size(page_size: int) -> None:
    if not 1 <= page_size <= LARGEST_PAGE:
        raise InputError(f"page_size lies between 1 and {LARGEST_PAGE}, got {page_size}", field="page_size")


class _Resource:
    def __init__(self, driver: Driver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    def _call(self, call: _wire.Call[T]) -> T:
        return self._driver.run(send(call.request, call.read, timeout=self._settings.timeout))

    def _iterate(self, call_for: Callable[[int], _wire.Call[Page[T]]]) -> Iterator[T]:
        pages = _pages(call_for)
        call = next(pages, None)
        while call is not None:
            page = self._call(call)
            yield from page.items
            try:
                call = pages.send(page)
            except StopIteration:
                return


class _AsyncResource:
    def __init__(self, driver: AsyncDriver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    async def _call(self, call: _wire.Call[T]) -> T:
        return await self._driver.run(send(call.request, call.read, timeout=self._settings.timeout))

    async def _iterate(self, call_for: Callable[[int], _wire.Call[Page[T]]]) -> AsyncIterator[T]:
        pages = _pages(call_for)
        call = next(pages, None)
        while call is not None:
            page = await self._call(call)
            for item in page.items:
                yield item
            try:
                call = pages.send(page)
            except StopIteration:
                return


class Memories(_Resource):
    """The memories of the project."""

    def add(
        self,
        messages: str | Sequence[Mapping[str, str]],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: datetime | None = None,
        expiration_date: date | None = None,
    ) -> list[AddedMemory]:
        """Store texts as memories, word for word. Returns those that were stored.

        A text that the same user, agent, app and run already have is not stored again, and system messages are not
        stored, so the list may be shorter than the messages.

        Args:
            messages: a text, or messages with `role` (user, assistant, system) and `content`.
            user_id: whom they are about. At least one of this and the next three is needed.
            agent_id: which agent they belong to.
            app_id: which application they belong to.
            run_id: which session or conversation they come from.
            metadata: whatever is known beside the text, as JSON values.
            timestamp: their created_at, with a time zone and in whole seconds; now if missing.
            expiration_date: the last day on which they count.

        """
        return self._call(
            _add(
                messages,
                timestamp,
                expiration_date,
                user_id=user_id,
                agent_id=agent_id,
                app_id=app_id,
                run_id=run_id,
                metadata=metadata,
            )
        )

    def list(self, where: Where, *, show_expired: bool = False, page_size: int = LARGEST_PAGE) -> Iterator[Memory]:
        """All memories that `where` selects, page after page as you iterate."""
        return self._iterate(_list_call(where, page_size, show_expired=show_expired))


class AsyncMemories(_AsyncResource):
    """The memories of the project, awaited."""

    async def add(
        self,
        messages: str | Sequence[Mapping[str, str]],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: datetime | None = None,
        expiration_date: date | None = None,
    ) -> list[AddedMemory]:
        """Store texts as memories, word for word. Arguments and result as `Memories.add`."""
        return await self._call(
            _add(
                messages,
                timestamp,
                expiration_date,
                user_id=user_id,
                agent_id=agent_id,
                app_id=app_id,
                run_id=run_id,
                metadata=metadata,
            )
        )

    def list(self, where: Where, *, show_expired: bool = False, page_size: int = LARGEST_PAGE) -> AsyncIterator[Memory]:
        """All memories that `where` selects, page after page as you iterate."""
        return self._iterate(_list_call(where, page_size, show_expired=show_expired))


class Entities(_Resource):
    """The users, agents, apps and runs that have memories."""

    def list(self, *, page_size: int = LARGEST_PAGE) -> Iterator[Entity]:
        """All of them, page after page as you iterate."""
        return self._iterate(_entities_call(page_size))


class AsyncEntities(_AsyncResource):
    """The users, agents, apps and runs that have memories, awaited."""

    def list(self, *, page_size: int = LARGEST_PAGE) -> AsyncIterator[Entity]:
        """All of them, page after page as you iterate."""
        return self._iterate(_entities_call(page_size))
