"""Memories and entities: what a user needs around an export. Sync and async share the calls and the paging."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from mem0_exports.errors import ContractViolation, InputError, NotFound
from mem0_exports.facts import ENTITY_FIELDS
from mem0_exports.http import operations
from mem0_exports.http.flow import send


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from mem0_exports.filters.check import Where
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.driver import AsyncDriver, Driver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.models import AddedMemory, Entity, Memory, Page

T = TypeVar("T")

MAX_PAGE_SIZE: Final = 200
"""The most items that the service puts on a page."""


class _Pages(Generic[T]):
    """Goes through the pages of a list, without doing any I/O: which call is next, and what is new on a page.

    Pages are counted: the address of the next page, which the service gives, may lead to another origin. While memories
    come and go, an item may move to the next page and come twice, or a page may be gone: neither is an error.
    """

    def __init__(self, call_for: Callable[[int], operations.Call[Page[T]]], key: Callable[[T], object]) -> None:
        self._call_for = call_for
        self._key = key
        self._number = 0
        self._seen: set[object] = set()

    def following(self) -> operations.Call[Page[T]]:
        """The call for the page after the last one."""
        self._number += 1
        call = self._call_for(self._number)
        self._operation = call.request.operation
        return call

    def take(self, page: Page[T]) -> tuple[list[T], bool]:
        """What is new on the page, and whether there is another one."""
        fresh = {self._key(item): item for item in page.items if self._key(item) not in self._seen}
        self._seen.update(fresh)
        if page.more and not fresh and len(self._seen) >= page.count:
            return [], False
        if page.more and page.items and not fresh:
            problem = f"page {self._number} repeats earlier pages and says that there are more"
            raise ContractViolation(problem, operation=self._operation, excerpt="")
        return list(fresh.values()), page.more

    def ended_by(self, error: NotFound) -> bool:
        """Whether the page is gone because items are: the service then says "Invalid page"."""
        return self._number > 1 and "invalid page" in error.message.lower()


def _add(
    messages: str | Mapping[str, str] | Sequence[Mapping[str, str]],
    timestamp: datetime | None,
    expiration_date: date | None,
    **fields: Any,
) -> operations.Call[list[AddedMemory]]:
    if isinstance(messages, str):
        listed = [{"role": "user", "content": messages}]
    elif isinstance(messages, Mapping):
        listed = [dict(messages)]
    else:
        listed = [dict(each) if isinstance(each, Mapping) else {} for each in messages]
    for index, each in enumerate(listed):
        if (
            each.keys() != {"role", "content"}
            or each["role"] not in {"user", "assistant", "system"}
            or not isinstance(each["content"], str)
            or not each["content"]
        ):
            raise InputError(
                f"messages[{index}] has to be a dict of role (user, assistant or system) and content (a text that is "
                "not empty), and nothing else",
                field="messages",
            )
    if not listed:
        raise InputError("messages is empty", field="messages")
    if fields["metadata"] is not None and not isinstance(fields["metadata"], Mapping):
        raise InputError("metadata is a dict of JSON values", field="metadata")
    if not any(fields.get(name) for name in ENTITY_FIELDS):
        raise InputError("name at least one of user_id, agent_id, app_id and run_id", field="user_id")
    for name in ENTITY_FIELDS:
        if fields[name] is not None and not (isinstance(fields[name], str) and fields[name]):
            raise InputError(f"{name} is a text that is not empty, or left out; got {fields[name]!r}", field=name)
    return operations.memories_add(
        listed,
        timestamp=None if timestamp is None else _seconds(timestamp),
        expiration_date=None if expiration_date is None else _day(expiration_date),
        **fields,
    )


def _day(expiration_date: date) -> str:
    # A datetime is a date to Python, but the service takes what is no plain day to mean "never".
    if not isinstance(expiration_date, date) or isinstance(expiration_date, datetime):
        raise InputError("expiration_date is a datetime.date, such as date(2026, 1, 31)", field="expiration_date")
    return expiration_date.isoformat()


def _seconds(timestamp: datetime) -> int:
    if not isinstance(timestamp, datetime):
        raise InputError("timestamp is a datetime with a time zone", field="timestamp")
    if timestamp.tzinfo is None:
        raise InputError("timestamp has no time zone: timestamp.astimezone() for this machine's", field="timestamp")
    if timestamp.microsecond:
        raise InputError("the service keeps whole seconds: timestamp.replace(microsecond=0)", field="timestamp")
    seconds = int(timestamp.timestamp())
    if seconds < 0:
        raise InputError("the service keeps times from 1970 on", field="timestamp")
    return seconds


def _memories(where: Where, page_size: int, rules: FilterRules | None, *, show_expired: bool) -> _Pages[Memory]:
    from mem0_exports.filters.check import check_where  # noqa: PLC0415 -- a client that only fetches needs no filters

    filters = check_where(where, rules).to_dict()
    _check_page_size(page_size)
    return _Pages(
        lambda page: operations.memories_list(filters, show_expired=show_expired, page=page, page_size=page_size),
        lambda memory: memory.id,
    )


def _entities(page_size: int) -> _Pages[Entity]:
    _check_page_size(page_size)
    return _Pages(
        lambda page: operations.entities_list(page=page, page_size=page_size), lambda entity: (entity.type, entity.name)
    )


def _check_page_size(page_size: int) -> None:
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise InputError(f"page_size lies between 1 and {MAX_PAGE_SIZE}, got {page_size}", field="page_size")


class _Resource:
    def __init__(self, driver: Driver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    def _call(self, call: operations.Call[T], timeout: float | None, retry: Retry | None) -> T:
        settings = self._settings.with_retry(retry)
        return self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))

    def _iterate(self, pages: _Pages[T], timeout: float | None, retry: Retry | None) -> Iterator[T]:
        more = True
        while more:
            try:
                page = self._call(pages.following(), timeout, retry)
            except NotFound as error:
                if pages.ended_by(error):
                    return
                raise
            fresh, more = pages.take(page)
            yield from fresh


class _AsyncResource:
    def __init__(self, driver: AsyncDriver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    async def _call(self, call: operations.Call[T], timeout: float | None, retry: Retry | None) -> T:
        settings = self._settings.with_retry(retry)
        return await self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))

    async def _iterate(self, pages: _Pages[T], timeout: float | None, retry: Retry | None) -> AsyncIterator[T]:
        more = True
        while more:
            try:
                page = await self._call(pages.following(), timeout, retry)
            except NotFound as error:
                if pages.ended_by(error):
                    return
                raise
            fresh, more = pages.take(page)
            for item in fresh:
                yield item


class Memories(_Resource):
    """The memories of the project."""

    def __init__(self, driver: Driver, settings: Settings, filter_rules: FilterRules | None = None) -> None:
        super().__init__(driver, settings)
        self._filter_rules = filter_rules

    def add(
        self,
        messages: str | Mapping[str, str] | Sequence[Mapping[str, str]],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: datetime | None = None,
        expiration_date: date | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> list[AddedMemory]:
        """Store texts as memories, word for word. Returns those that were stored.

        A text that the same user, agent, app and run already have is not stored again, and system messages are not
        stored, so the list may be shorter than the messages.

        Args:
            messages: a text, or one or several messages with `role` (user, assistant, system) and `content`.
            user_id: whom they are about. At least one of this and the next three is needed.
            agent_id: which agent they belong to.
            app_id: which application they belong to.
            run_id: which session or conversation they come from.
            metadata: whatever is known beside the text, as JSON values.
            timestamp: their created_at, with a time zone and in whole seconds; now if missing.
            expiration_date: the last day on which they count.
            timeout: seconds for the call, repetitions included; without it only each request has the client's timeout.
            retry: another policy than the client's. Only what cannot have been stored is sent again.

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
            ),
            timeout,
            retry,
        )

    def list(
        self,
        where: Where,
        *,
        show_expired: bool = False,
        page_size: int = MAX_PAGE_SIZE,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> Iterator[Memory]:
        """All memories that `where` selects, page after page as you iterate; `timeout` in seconds for each page."""
        return self._iterate(_memories(where, page_size, self._filter_rules, show_expired=show_expired), timeout, retry)


class AsyncMemories(_AsyncResource):
    """The memories of the project, awaited."""

    def __init__(self, driver: AsyncDriver, settings: Settings, filter_rules: FilterRules | None = None) -> None:
        super().__init__(driver, settings)
        self._filter_rules = filter_rules

    async def add(
        self,
        messages: str | Mapping[str, str] | Sequence[Mapping[str, str]],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        app_id: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: datetime | None = None,
        expiration_date: date | None = None,
        timeout: float | None = None,
        retry: Retry | None = None,
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
            ),
            timeout,
            retry,
        )

    def list(
        self,
        where: Where,
        *,
        show_expired: bool = False,
        page_size: int = MAX_PAGE_SIZE,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> AsyncIterator[Memory]:
        """All memories that `where` selects, page after page as you iterate; `timeout` in seconds for each page."""
        return self._iterate(_memories(where, page_size, self._filter_rules, show_expired=show_expired), timeout, retry)


class Entities(_Resource):
    """The users, agents, apps and runs that have memories."""

    def list(
        self, *, page_size: int = MAX_PAGE_SIZE, timeout: float | None = None, retry: Retry | None = None
    ) -> Iterator[Entity]:
        """All of them, page after page as you iterate; `timeout` in seconds for each page."""
        return self._iterate(_entities(page_size), timeout, retry)


class AsyncEntities(_AsyncResource):
    """The users, agents, apps and runs that have memories, awaited."""

    def list(
        self, *, page_size: int = MAX_PAGE_SIZE, timeout: float | None = None, retry: Retry | None = None
    ) -> AsyncIterator[Entity]:
        """All of them, page after page as you iterate; `timeout` in seconds for each page."""
        return self._iterate(_entities(page_size), timeout, retry)
