"""Build the request of each operation and read its response. The only module that imports mem0_exports_api.

It uses the generated request builders and models, with their types. If openapi.yaml renames, removes or retypes a
property, the type checkers name the line here that has to change. The generated functions that send requests are not
used: they have no timeout, return None for errors, and fail on status codes that are not in Python's list. The
generated models parse the bodies of successes, so that openapi.yaml decides what is valid. Errors are read in every
format that the service uses.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

from mem0_exports.errors import ContractViolation, ExportFailed
from mem0_exports.facts import LEFT_OUT, NOTICE
from mem0_exports.http.calls import SHAPE_ERRORS, Call, call, request, violation
from mem0_exports.http.responses import readable, refusal
from mem0_exports.strict_json import decode


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from mem0_exports.http.flow import Response
    from mem0_exports.models import Account, AddedMemory, Entity, ExportGap, ExportReport, Memory, Page
    from mem0_exports_api import models
    from mem0_exports_api.types import Unset

T = TypeVar("T")

MAX_DIGITS: Final = 18
"""The most digits of a count in a header; anything longer is not a count."""


class Ready(NamedTuple, Generic[T]):
    """The result of a finished export. It wraps the value, which can be None if its type allows that."""

    value: T


def prepare() -> None:
    """Import every module that the first requests need.

    The generated package alone takes about 30 ms to import, which is too slow for `import mem0_exports`. An async
    client calls this before its first request.
    """
    import mem0_exports.models  # noqa: F401, PLC0415

    from mem0_exports_api.api.account import ping  # noqa: F401, PLC0415
    from mem0_exports_api.api.entities import entities_list  # noqa: F401, PLC0415
    from mem0_exports_api.api.exports import exports_create, exports_get, exports_report  # noqa: F401, PLC0415
    from mem0_exports_api.api.memories import memories_add, memories_delete, memories_get, memories_list  # noqa: F401, PLC0415


@cache
def _unset_type() -> type[Unset]:
    from mem0_exports_api.types import Unset  # noqa: PLC0415 -- see prepare()

    return Unset


def _sent(value: T | None) -> T | Unset:
    """Return the value of an optional property of a request, or UNSET for None, so that None is not sent.

    The generated models would send None as null.
    """
    from mem0_exports_api.types import UNSET  # noqa: PLC0415 -- see prepare()

    return UNSET if value is None else value


def _known(value: T | Unset | None) -> T | None:
    """Return the value of an optional property of a response; None if it is missing or null."""
    if isinstance(value, _unset_type()):
        return None
    return cast("T | None", value)  # the checkers cannot know that no property has the type Unset itself


def _text(value: str) -> str:
    """Return a string of a response; raise TypeError for anything else. The generated models do not check this."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {type(value).__name__}")
    return value


def _known_text(value: str | Unset | None) -> str | None:
    """Return a string of a response; None if it is missing or null."""
    text = _known(value)
    return None if text is None else _text(text)


def _count(value: int) -> int:
    """Return an integer of a response; raise TypeError for anything else. The generated models do not check this.

    In JSON, 7.0 is an integer too.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError(f"expected an integer, got {type(value).__name__}")
    return int(value)


def _id(value: UUID) -> str:
    """Return an id of a response as the text that the other operations take."""
    return str(value)


def _id_as_written(parsed: UUID, written: object) -> str:
    """Return an id as the service wrote it. The model has read it as a UUID, but the service compares ids as text."""
    return written if isinstance(written, str) else _id(parsed)


class _Verbatim:
    """A checked document that is used instead of a generated model, which would only copy it.

    Copying takes longer than the rest of a call. tests/unit/client/filters/test_filters.py checks that the copy would be equal.
    """

    __slots__ = ("_document",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def to_dict(self) -> Mapping[str, Any]:
        return self._document


def exports_create(
    schema: Mapping[str, Any],
    filters: Mapping[str, Any],
    *,
    instructions: str | None = None,
    org_id: str | None = None,
    project_id: str | None = None,
) -> Call[str]:
    """Return the call that starts an export job. Its response is read as the job's id."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_create import _get_kwargs as exports_create_request  # noqa: PLC0415 -- see prepare()

    body = models.MemoryExportRequest(
        schema=models.JsonSchema.from_dict(schema),
        filters=cast("models.Filters", _Verbatim(filters)),
        export_instructions=_sent(instructions),
        org_id=_sent(org_id),
        project_id=_sent(project_id),
    )

    def parse(answer: Mapping[str, Any]) -> tuple[models.MemoryExportAccepted, object]:
        return models.MemoryExportAccepted.from_dict(answer), answer["id"]

    def convert(accepted: tuple[models.MemoryExportAccepted, object]) -> str:
        parsed, written = accepted
        return _id_as_written(parsed.id, written)

    return call("exports_create", exports_create_request(body=body), parse, convert, writes=True)


def exports_get(
    export_id: str, load: Callable[[bytes, int | None], T], *, org_id: str | None = None, project_id: str | None = None
) -> Call[Ready[T] | None]:
    """Return the call that fetches an export.

    Its response is read as the value that `load` returns for the JSON text and the number of records that the service
    left out of it (None if it does not say, as it has no reports), or None if the export is not ready (404).
    """
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_get import _get_kwargs as exports_get_request  # noqa: PLC0415 -- see prepare()

    def read(response: Response) -> Ready[T] | None:
        if response.status == 404 and (pending := _pending(response)) is not None:
            reason = _known_text(pending.reason)
            if reason is not None:
                raise ExportFailed(export_id, readable(response.redacted(reason)))
            return None
        if not 200 <= response.status < 300:
            raise refusal("exports_get", response)
        try:
            return Ready(load(response.body, _left_out(response)))
        except ContractViolation as error:
            problem, garbled = error.problem, error.garbled
        # Raised again with the status and request id of the response, which `load` does not know.
        raise violation("exports_get", response, problem, garbled=garbled)

    def _pending(response: Response) -> models.MemoryExportNotFound | None:
        """Return the documented 404 of an export that is not ready; None for any other 404, such as a proxy's page.

        Any other 404 is an error. If it counted as "not ready", a wrong address would be polled until the deadline.
        """
        try:
            body = decode(response.body)
            not_found = models.MemoryExportNotFound.from_dict(body)
        except SHAPE_ERRORS:
            return None
        are_strings = isinstance(body["error"], str) and isinstance(body.get("reason"), str | None)
        return not_found if are_strings and body.keys() <= {"error", "reason", NOTICE} else None

    body = models.GetMemoryExportRequest(memory_export_id=export_id, org_id=_sent(org_id), project_id=_sent(project_id))
    return Call(request("exports_get", exports_get_request(body=body)), read)


def _left_out(response: Response) -> int | None:
    text = response.headers.get(LEFT_OUT, "")
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None


def exports_report(export_id: UUID) -> Call[ExportReport]:
    """Return the call that fetches the report on a finished export. Only the embedded engine has this operation."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_report import _get_kwargs as exports_report_request  # noqa: PLC0415 -- see prepare()

    def convert(report: models.MemoryExportReport) -> ExportReport:
        from mem0_exports.models import ExportReport  # noqa: PLC0415 -- see prepare()

        return ExportReport(
            memories=_count(report.memories),
            left_out=_count(report.left_out),
            filled={name: [*map(_text, ids)] for name, ids in report.filled.additional_properties.items()},
            gaps=[*map(_gap, report.gaps)],
            notes=[*map(_text, report.notes)],
        )

    return call("exports_report", exports_report_request(export_id), models.MemoryExportReport.from_dict, convert)


def _gap(gap: models.MemoryExportGap) -> ExportGap:
    from mem0_exports.models import ExportGap  # noqa: PLC0415 -- see prepare()

    return ExportGap(
        path=_text(gap.path),
        reason=_text(gap.reason),
        count=_count(gap.count),
        did_you_mean=_known_text(gap.did_you_mean),
    )


def ping() -> Call[Account]:
    """Return the call that checks the key. Its response is read as the account."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.account.ping import _get_kwargs as ping_request  # noqa: PLC0415 -- see prepare()

    def convert(found: models.Ping) -> Account:
        from mem0_exports.models import Account  # noqa: PLC0415 -- see prepare()

        return Account(
            status=_text(found.status),
            org_id=_known_text(found.org_id),
            project_id=_known_text(found.project_id),
            user_email=_known_text(found.user_email),
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
        user_id=_sent(user_id),
        agent_id=_sent(agent_id),
        app_id=_sent(app_id),
        run_id=_sent(run_id),
        metadata=_sent(None if metadata is None else models.Metadata.from_dict(metadata)),
        timestamp=_sent(timestamp),
        expiration_date=_sent(expiration_date),
    )

    def convert(stored: models.AddedMemories) -> list[AddedMemory]:
        from mem0_exports.models import AddedMemory  # noqa: PLC0415 -- see prepare()

        return [AddedMemory(id=_id(added.id), memory=_text(added.data.memory)) for added in stored.results]

    return call("memories_add", memories_add_request(body=body), models.AddedMemories.from_dict, convert, writes=True)


def memories_list(filters: Mapping[str, Any], *, show_expired: bool, page: int, page_size: int) -> Call[Page[Memory]]:
    """Return the call that lists one page of memories."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.memories.memories_list import _get_kwargs as memories_list_request  # noqa: PLC0415 -- see prepare()

    body = models.ListMemoriesRequest(filters=cast("models.Filters", _Verbatim(filters)), show_expired=show_expired)

    def convert(found: models.MemoryPage) -> Page[Memory]:
        return _page([_memory(record) for record in found.results], found.count, found.next_)

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
        _known_text(deleted.message)

    built = memories_delete_request(memory_id)
    return call("memories_delete", built, models.DeletedMemory.from_dict, convert, writes=True)


def _page(items: list[T], count: int, next_page: str | None) -> Page[T]:
    """Return a page of a list. `count` is the length of the list, and `next_page` the address of the next page."""
    from mem0_exports.models import Page  # noqa: PLC0415 -- see prepare()

    return Page(items=items, count=count, more=next_page is not None)


def _memory(record: models.Memory) -> Memory:
    """Return the public record of a memory for the generated model of it."""
    from mem0_exports.models import Memory  # noqa: PLC0415 -- see prepare()

    metadata, categories = _known(record.metadata), _known(record.categories)
    return Memory(
        id=_id(record.id),
        memory=_text(record.memory),
        user_id=_known_text(record.user_id),
        agent_id=_known_text(record.agent_id),
        app_id=_known_text(record.app_id),
        run_id=_known_text(record.session_id) or _known_text(record.run_id),
        metadata=None if metadata is None else metadata.to_dict(),
        categories=None if categories is None else [_text(category) for category in categories],
        expiration_date=_known_text(record.expiration_date),
        created_at=record.created_at,
        updated_at=_known(record.updated_at),
    )


def entities_list(*, page: int, page_size: int) -> Call[Page[Entity]]:
    """Return the call that lists one page of entities."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.entities.entities_list import _get_kwargs as entities_list_request  # noqa: PLC0415 -- see prepare()

    def convert(found: models.EntityPage) -> Page[Entity]:
        return _page([_entity(record) for record in found.results], found.count, found.next_)

    return call(
        "entities_list", entities_list_request(page=page, page_size=page_size), models.EntityPage.from_dict, convert
    )


def _entity(record: models.Entity) -> Entity:
    """Return the public record of an entity for the generated model of it."""
    from mem0_exports.models import Entity  # noqa: PLC0415 -- see prepare()

    metadata = _known(record.metadata)
    return Entity(
        name=_text(record.name),
        type=_text(record.type_),
        id=_text(record.id),
        created_at=_known(record.created_at),
        updated_at=_known(record.updated_at),
        owner=_known_text(record.owner),
        metadata=None if metadata is None else metadata.to_dict(),
    )
