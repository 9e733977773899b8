"""The base classes of the parts of a client. They send calls, and read lists page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from mem0_exports.errors import ContractViolation, InputError, NotFound
from mem0_exports.http.flow import send


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from mem0_exports.http.calls import Call
    from mem0_exports.http.driver import AsyncDriver, Driver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.models import Page

T = TypeVar("T")

MAX_PAGE_SIZE: Final = 200
"""The largest page that the service returns, in items."""


class Pages(Generic[T]):
    """Decides which page of a list to request next, and which items of a page are new. Does no I/O.

    Pages are requested by number. The `next` address in the service's answer is not followed, because it may lead to
    another host, which must not get the key. If memories are added or deleted during the listing, an item may move to
    the next page and be sent twice, or the last page may no longer exist. Neither is an error.
    """

    def __init__(self, call_for: Callable[[int], Call[Page[T]]], key: Callable[[T], object]) -> None:
        self._call_for = call_for
        self._key = key
        self._number = 0
        self._seen: set[object] = set()

    def next_call(self) -> Call[Page[T]]:
        """Return the request for the next page."""
        self._number += 1
        call = self._call_for(self._number)
        self._operation = call.request.operation
        return call

    def take(self, page: Page[T]) -> tuple[list[T], bool]:
        """Return the items that were on no earlier page, and whether to request another page."""
        fresh = {self._key(item): item for item in page.items if self._key(item) not in self._seen}
        self._seen.update(fresh)
        if page.more and not fresh and len(self._seen) >= page.count:
            return [], False
        # Without this check, a service that ignores the page number would cause an endless loop.
        if page.more and page.items and not fresh:
            problem = f"page {self._number} repeats items of earlier pages but claims that more pages follow"
            raise ContractViolation(problem, operation=self._operation, excerpt="")
        return list(fresh.values()), page.more

    def ended_by(self, error: NotFound) -> bool:
        """Return whether this 404 means that the list has become shorter and no longer has this page.

        The service's message is then "Invalid page".
        """
        return self._number > 1 and "invalid page" in error.message.lower()


def check_page_size(page_size: int) -> None:
    """Raise InputError if the service does not allow this page size."""
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise InputError(f"page_size must be between 1 and {MAX_PAGE_SIZE}, got {page_size}", field="page_size")


class Resource:
    """A part of a `Client`, such as `client.memories`."""

    def __init__(self, driver: Driver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    def _call(self, call: Call[T], timeout: float | None, retry: Retry | None) -> T:
        settings = self._settings.with_retry(retry)
        return self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))

    def _iterate(self, pages: Pages[T], timeout: float | None, retry: Retry | None) -> Iterator[T]:
        more = True
        while more:
            try:
                page = self._call(pages.next_call(), timeout, retry)
            except NotFound as error:
                if pages.ended_by(error):
                    return
                raise
            fresh, more = pages.take(page)
            yield from fresh


class AsyncResource:
    """A part of an `AsyncClient`, such as `client.memories`."""

    def __init__(self, driver: AsyncDriver, settings: Settings) -> None:
        self._driver = driver
        self._settings = settings

    async def _call(self, call: Call[T], timeout: float | None, retry: Retry | None) -> T:
        settings = self._settings.with_retry(retry)
        return await self._driver.run(send(call.request, call.read, settings, deadline=settings.deadline(timeout)))

    async def _iterate(self, pages: Pages[T], timeout: float | None, retry: Retry | None) -> AsyncIterator[T]:
        more = True
        while more:
            try:
                page = await self._call(pages.next_call(), timeout, retry)
            except NotFound as error:
                if pages.ended_by(error):
                    return
                raise
            fresh, more = pages.take(page)
            for item in fresh:
                yield item
