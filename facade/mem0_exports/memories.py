"""Add, list, read and delete memories, and list entities. Sync and async share the requests and the paging."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from mem0_exports.errors import InputError
from mem0_exports.facts import ENTITY_FIELDS
from mem0_exports.http import operations
from mem0_exports.http.resources import MAX_PAGE_SIZE, AsyncResource, Pages, Resource, check_page_size


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from mem0_exports.filters.check import Where
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports.http.calls import Call
    from mem0_exports.http.driver import AsyncDriver, Driver
    from mem0_exports.http.settings import Retry, Settings
    from mem0_exports.models import AddedMemory, Entity, Memory

T = TypeVar("T")


def _add(
    messages: str | Mapping[str, str] | Sequence[Mapping[str, str]],
    *,
    user_id: str | None,
    agent_id: str | None,
    app_id: str | None,
    run_id: str | None,
    metadata: Mapping[str, Any] | None,
    timestamp: datetime | None,
    expiration_date: date | None,
) -> Call[list[AddedMemory]]:
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InputError(f"metadata must be a dict of JSON values, got {type(metadata).__name__}", field="metadata")
    entities = dict(zip(ENTITY_FIELDS, (user_id, agent_id, app_id, run_id), strict=True))
    if not any(entities.values()):
        raise InputError("pass at least one of user_id, agent_id, app_id and run_id", field="user_id")
    for name, value in entities.items():
        if value is not None and not (isinstance(value, str) and value):
            raise InputError(f"{name} must be a non-empty string or None, got {value!r}", field=name)
    return operations.memories_add(
        _messages(messages),
        user_id=user_id,
        agent_id=agent_id,
        app_id=app_id,
        run_id=run_id,
        metadata=metadata,
        timestamp=None if timestamp is None else _seconds(timestamp),
        expiration_date=None if expiration_date is None else _day(expiration_date),
    )


def _messages(messages: str | Mapping[str, str] | Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    """Return the user's messages as pairs of role and content."""
    if messages == "":
        raise InputError("messages must be a non-empty text, or a list of messages, got ''", field="messages")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    elif isinstance(messages, Mapping):
        messages = [messages]
    if not messages:
        raise InputError("messages must hold at least one message, got none", field="messages")
    pairs: list[tuple[str, str]] = []
    for index, message in enumerate(messages):
        roles = operations.message_roles()
        if (
            not isinstance(message, Mapping)
            or message.keys() != {"role", "content"}
            or message["role"] not in roles
            or not isinstance(message["content"], str)
            or not message["content"]
        ):
            raise InputError(
                f"messages[{index}] must be a dict with exactly two keys: role ({', '.join(map(repr, roles[:-1]))} or "
                f"{roles[-1]!r}) and content (a non-empty string)",
                field="messages",
            )
        pairs.append((message["role"], message["content"]))
    return pairs


def _day(expiration_date: date) -> str:
    # Refuse a datetime, which is a subclass of date in Python. The service reads every value that is not a plain day as
    # "never expires".
    if not isinstance(expiration_date, date) or isinstance(expiration_date, datetime):
        raise InputError(
            f"expiration_date must be a datetime.date, such as date(2026, 1, 31), got {expiration_date!r}",
            field="expiration_date",
        )
    return expiration_date.isoformat()


def _seconds(timestamp: datetime) -> int:
    if not isinstance(timestamp, datetime):
        raise InputError(f"timestamp must be a datetime with a time zone, got {timestamp!r}", field="timestamp")
    if timestamp.tzinfo is None:
        raise InputError(
            f"timestamp must have a time zone, got {timestamp!r}: write timestamp.replace(tzinfo=timezone.utc) for "
            "UTC, timestamp.astimezone() for this machine's zone",
            field="timestamp",
        )
    if timestamp.microsecond:
        raise InputError(
            f"timestamp must be in whole seconds, got {timestamp!r}: write timestamp.replace(microsecond=0)",
            field="timestamp",
        )
    seconds = int(timestamp.timestamp())
    if seconds < 0:
        raise InputError(f"timestamp must not be before 1970, got {timestamp!r}", field="timestamp")
    return seconds


def _uuid(memory_id: str) -> UUID:
    try:
        return UUID(memory_id)
    except (ValueError, AttributeError, TypeError):
        problem = f"memory_id must be the id of a memory, such as memories.list returns it, got {memory_id!r}"
    raise InputError(problem, field="memory_id")


def _memories(where: Where, page_size: int, rules: FilterRules | None, *, show_expired: bool) -> Pages[Memory]:
    from mem0_exports.filters.check import check_where  # noqa: PLC0415 -- a client that only fetches needs no filters

    filters = check_where(where, rules).to_dict()
    check_page_size(page_size)
    return Pages(
        lambda page: operations.memories_list(filters, show_expired=show_expired, page=page, page_size=page_size),
        lambda memory: memory.id,
    )


def _entities(page_size: int) -> Pages[Entity]:
    check_page_size(page_size)
    return Pages(
        lambda page: operations.entities_list(page=page, page_size=page_size), lambda entity: (entity.type, entity.name)
    )


class Memories(Resource):
    """`client.memories`: add, list, read and delete the memories of the project."""

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
        """Store texts as memories, word for word, and return the memories that were stored.

            client.memories.add("Alex lives in Lisbon.", user_id="alex", metadata={"city": "Lisbon"})

        The result may be shorter than `messages`. System messages are not stored, and neither is a text that is already
        stored for the same user, agent, app and run.

        Args:
            messages: a text, a message, or a list of messages; a message is a dict of `role` ("user", "assistant" or
                "system") and `content`.
            user_id: the user that the memories are about. At least one of the four ids is required.
            agent_id: the agent that they belong to.
            app_id: the application that they belong to.
            run_id: the session or conversation that they come from.
            metadata: further facts about the memories, as JSON values.
            timestamp: the `created_at` of the memories, with a time zone and in whole seconds. Default: now.
            expiration_date: the last day on which they are valid. Default: they never expire.
            timeout: seconds for the whole call, retries included. By default only each single request has a limit.
            retry: a retry policy to use instead of the client's. A request is repeated only if it cannot have been
                carried out.

        Raises:
            InputError: an argument cannot be used; nothing was sent.
            StatusError: the service answered with an error status.
            NoAnswer: no answer came. If its `outcome_unknown` is True, the memories may have been stored.

        """
        return self._call(
            _add(
                messages,
                user_id=user_id,
                agent_id=agent_id,
                app_id=app_id,
                run_id=run_id,
                metadata=metadata,
                timestamp=timestamp,
                expiration_date=expiration_date,
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
        """Return an iterator over all memories that `where` selects. Pages are requested as you iterate.

        Args:
            where: a filter, or a filter dict; it must name at least one user, agent, app or run.
            show_expired: include memories whose expiration date has passed.
            page_size: how many memories to get with each request, from 1 to 200.
            timeout: seconds for each page, retries included. By default only each single request has a limit.
            retry: a retry policy to use instead of the client's.

        Raises:
            FilterError, InputError: an argument cannot be used; raised by the call itself, before anything is sent.
            StatusError, NoAnswer: a request failed; raised as you iterate.

        """
        return self._iterate(_memories(where, page_size, self._filter_rules, show_expired=show_expired), timeout, retry)

    def get(self, memory_id: str, *, timeout: float | None = None, retry: Retry | None = None) -> Memory:
        """Return one memory by its id.

        Args:
            memory_id: the id, as `list` and `add` return it.
            timeout: seconds for the whole call, retries included. By default only each single request has a limit.
            retry: a retry policy to use instead of the client's.

        Raises:
            InputError: the id is not a UUID; nothing was sent.
            NotFound: no memory of the project has this id.
            StatusError, NoAnswer: the request failed.

        """
        return self._call(operations.memories_get(_uuid(memory_id)), timeout, retry)

    def delete(self, memory_id: str, *, timeout: float | None = None, retry: Retry | None = None) -> None:
        """Delete one memory for good.

            for memory in list(client.memories.list(F.user_id == "alex")):
                client.memories.delete(memory.id)

        Read a list to its end before you delete from it, as `list(...)` does here. Otherwise later memories would move
        to pages that were read already, and would never be listed.

        Args:
            memory_id: the id, as `list` and `add` return it.
            timeout: seconds for the whole call, retries included. By default only each single request has a limit.
            retry: a retry policy to use instead of the client's. A request is repeated only if it cannot have been
                carried out.

        Raises:
            InputError: the id is not a UUID; nothing was sent.
            NotFound: no memory of the project has this id; it may have been deleted before.
            StatusError: the service answered with another error status.
            NoAnswer: no answer came. If its `outcome_unknown` is True, the memory may have been deleted.

        """
        self._call(operations.memories_delete(_uuid(memory_id)), timeout, retry)


class AsyncMemories(AsyncResource):
    """`client.memories` of an AsyncClient: add, list, read and delete the memories of the project."""

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
        """Store texts as memories, word for word. Arguments, result and errors are those of `Memories.add`."""
        return await self._call(
            _add(
                messages,
                user_id=user_id,
                agent_id=agent_id,
                app_id=app_id,
                run_id=run_id,
                metadata=metadata,
                timestamp=timestamp,
                expiration_date=expiration_date,
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
        """Return an async iterator over all memories that `where` selects. Arguments are those of `Memories.list`."""
        return self._iterate(_memories(where, page_size, self._filter_rules, show_expired=show_expired), timeout, retry)

    async def get(self, memory_id: str, *, timeout: float | None = None, retry: Retry | None = None) -> Memory:
        """Return one memory by its id. Arguments and errors are those of `Memories.get`."""
        return await self._call(operations.memories_get(_uuid(memory_id)), timeout, retry)

    async def delete(self, memory_id: str, *, timeout: float | None = None, retry: Retry | None = None) -> None:
        """Delete one memory for good. Arguments and errors are those of `Memories.delete`."""
        await self._call(operations.memories_delete(_uuid(memory_id)), timeout, retry)


class Entities(Resource):
    """`client.entities`: the users, agents, apps and runs that have memories."""

    def list(
        self, *, page_size: int = MAX_PAGE_SIZE, timeout: float | None = None, retry: Retry | None = None
    ) -> Iterator[Entity]:
        """Return an iterator over all entities. Pages are requested as you iterate.

        `timeout` limits each page in seconds, retries included. Without it, only each single request has a limit.
        """
        return self._iterate(_entities(page_size), timeout, retry)


class AsyncEntities(AsyncResource):
    """`client.entities` of an AsyncClient: the users, agents, apps and runs that have memories."""

    def list(
        self, *, page_size: int = MAX_PAGE_SIZE, timeout: float | None = None, retry: Retry | None = None
    ) -> AsyncIterator[Entity]:
        """Return an async iterator over all entities. Arguments are those of `Entities.list`."""
        return self._iterate(_entities(page_size), timeout, retry)
