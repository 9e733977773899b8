"""Build the request of each operation and read its response. `export_operations` has those on exports.

These two and `fields` are the only modules that import mem0_exports_api.

It uses the generated request builders and models, with their types. If openapi.yaml renames, removes or retypes a
property, the type checkers name the line here that has to change. The generated functions that send requests are not
used: they have no timeout, return None for errors, and fail on status codes that are not in Python's list. The
generated models parse the bodies of successes, so that openapi.yaml decides what is valid. Errors are read in every
format that the service uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mem0_exports.http.calls import Call, call
from mem0_exports.http.fields import Verbatim, as_text, id_text, known, known_text, page_of, sent


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from mem0_exports.models import Account, AddedMemory, Entity, Memory, Page
    from mem0_exports_api import models


def prepare() -> None:
    """Import every module that the first requests need.

    The generated package alone takes about 30 ms to import, which is too slow for `import mem0_exports`. An async
    client calls this before its first request.
    """
    import mem0_exports.models  # noqa: F401, PLC0415

    from mem0_exports_api.api.account import ping  # noqa: F401, PLC0415
    from mem0_exports_api.api.entities import entities_list  # noqa: F401, PLC0415
    from mem0_exports_api.api.exports import (  # noqa: F401, PLC0415
        exports_cancel,
        exports_create,
        exports_delete,
        exports_get,
        exports_list,
        exports_report,
    )
    from mem0_exports_api.api.memories import memories_add, memories_delete, memories_get, memories_list  # noqa: F401, PLC0415


def ping() -> Call[Account]:
    """Return the call that checks the key. Its response is read as the account."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.account.ping import _get_kwargs as ping_request  # noqa: PLC0415 -- see prepare()

    def convert(found: models.Ping) -> Account:
        from mem0_exports.models import Account  # noqa: PLC0415 -- see prepare()

        return Account(
            status=as_text(found.status),
            org_id=known_text(found.org_id),
            project_id=known_text(found.project_id),
            user_email=known_text(found.user_email),
        )

    return call("ping", ping_request(), models.Ping.from_dict, convert)


def message_roles() -> list[str]:
    """Return the allowed roles of a message."""
    from mem0_exports_api.models.role import ROLE_VALUES  # noqa: PLC0415 -- see prepare()

    return sorted(ROLE_VALUES)


def memories_add(
    messages: Sequence[tuple[str, str]],
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    app_id: str | None = None,
    run_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    timestamp: int | None = None,
    expiration_date: str | None = None,
) -> Call[list[AddedMemory]]:
    """Return the call that stores memories word for word. Its response is read as the memories that were stored.

    `messages` are pairs of a role, one of `message_roles()`, and a text. `timestamp` is in seconds since 1970.
    """
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.memories.memories_add import _get_kwargs as memories_add_request  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.models.role import check_role  # noqa: PLC0415 -- see prepare()

    body = models.AddMemoriesRequest(
        messages=[models.Message(role=check_role(role), content=content) for role, content in messages],
        infer=False,
        user_id=sent(user_id),
        agent_id=sent(agent_id),
        app_id=sent(app_id),
        run_id=sent(run_id),
        metadata=sent(None if metadata is None else models.Metadata.from_dict(metadata)),
        timestamp=sent(timestamp),
        expiration_date=sent(expiration_date),
    )

    def convert(stored: models.AddedMemories) -> list[AddedMemory]:
        from mem0_exports.models import AddedMemory  # noqa: PLC0415 -- see prepare()

        return [AddedMemory(id=id_text(added.id), memory=as_text(added.data.memory)) for added in stored.results]

    return call("memories_add", memories_add_request(body=body), models.AddedMemories.from_dict, convert, writes=True)


def memories_list(filters: Mapping[str, Any], *, show_expired: bool, page: int, page_size: int) -> Call[Page[Memory]]:
    """Return the call that lists one page of memories."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.memories.memories_list import _get_kwargs as memories_list_request  # noqa: PLC0415 -- see prepare()

    body = models.ListMemoriesRequest(filters=cast("models.Filters", Verbatim(filters)), show_expired=show_expired)

    def convert(found: models.MemoryPage) -> Page[Memory]:
        return page_of([_memory(record) for record in found.results], found.count, found.next_)

    return call(
        "memories_list",
        memories_list_request(body=body, page=page, page_size=page_size),
        models.MemoryPage.from_dict,
        convert,
    )


def memories_get(memory_id: UUID) -> Call[Memory]:
    """Return the call that reads one memory."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.memories.memories_get import _get_kwargs as memories_get_request  # noqa: PLC0415 -- see prepare()

    return call("memories_get", memories_get_request(memory_id), models.Memory.from_dict, _memory)


def memories_delete(memory_id: UUID) -> Call[None]:
    """Return the call that deletes one memory."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.memories.memories_delete import _get_kwargs as memories_delete_request  # noqa: PLC0415 -- see prepare()

    def convert(deleted: models.DeletedMemory) -> None:
        known_text(deleted.message)

    built = memories_delete_request(memory_id)
    return call("memories_delete", built, models.DeletedMemory.from_dict, convert, writes=True)


def _memory(record: models.Memory) -> Memory:
    """Return the public record of a memory for the generated model of it."""
    from mem0_exports.models import Memory  # noqa: PLC0415 -- see prepare()

    metadata, categories = known(record.metadata), known(record.categories)
    return Memory(
        id=id_text(record.id),
        memory=as_text(record.memory),
        user_id=known_text(record.user_id),
        agent_id=known_text(record.agent_id),
        app_id=known_text(record.app_id),
        run_id=known_text(record.session_id) or known_text(record.run_id),
        metadata=None if metadata is None else metadata.to_dict(),
        categories=None if categories is None else [as_text(category) for category in categories],
        expiration_date=known_text(record.expiration_date),
        created_at=record.created_at,
        updated_at=known(record.updated_at),
    )


def entities_list(*, page: int, page_size: int) -> Call[Page[Entity]]:
    """Return the call that lists one page of entities."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.entities.entities_list import _get_kwargs as entities_list_request  # noqa: PLC0415 -- see prepare()

    def convert(found: models.EntityPage) -> Page[Entity]:
        return page_of([_entity(record) for record in found.results], found.count, found.next_)

    return call(
        "entities_list", entities_list_request(page=page, page_size=page_size), models.EntityPage.from_dict, convert
    )


def _entity(record: models.Entity) -> Entity:
    """Return the public record of an entity for the generated model of it."""
    from mem0_exports.models import Entity  # noqa: PLC0415 -- see prepare()

    metadata = known(record.metadata)
    return Entity(
        name=as_text(record.name),
        type=as_text(record.type_),
        id=as_text(record.id),
        created_at=known(record.created_at),
        updated_at=known(record.updated_at),
        owner=known_text(record.owner),
        metadata=None if metadata is None else metadata.to_dict(),
    )
