"""The operations: requests from Python values, values from responses. The only module that imports mem0_exports_api.

It uses the generated request builders and models, never the generated senders, which have no timeout, answer None for
errors and fail on statuses that HTTP does not name. Success bodies go through the generated models, so that
openapi.yaml decides what is valid; errors are read from every shape that the service uses.
"""

from __future__ import annotations

import json

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

from mem0_exports.errors import ContractViolation, ExportFailed, InputError
from mem0_exports.facts import NOTICE
from mem0_exports.http.flow import Request, Response
from mem0_exports.http.responses import readable, refusal
from mem0_exports.strict_json import decode


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mem0_exports.models import Account, AddedMemory, Entity, Memory, Page

T = TypeVar("T")

MAX_EXCERPT: Final = 1000
"""Bytes of a body that are looked at for an excerpt: more than is shown, so that no key is cut in two."""


class Ready(NamedTuple, Generic[T]):
    """A finished export. Its value may be None, where its type allows that."""

    value: T


WRITES: Final = frozenset({"exports_create", "memories_add"})
"""The operations that do something; all others only read, also those that are POSTs."""


class Call(NamedTuple, Generic[T]):
    """A request, and how to read what comes back."""

    request: Request
    read: Callable[[Response], T]


_SHAPE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
"""What generated parsers raise for a body that is not what the spec says."""


def prepare() -> None:
    """Import what the first requests would import.

    The generated package alone costs some 30 ms, which `import mem0_exports` need not pay and an event loop may want to
    have behind it.
    """
    import mem0_exports.models  # noqa: F401, PLC0415

    from mem0_exports_api.api.account import ping  # noqa: F401, PLC0415
    from mem0_exports_api.api.entities import entities_list  # noqa: F401, PLC0415
    from mem0_exports_api.api.exports import exports_create, exports_get  # noqa: F401, PLC0415
    from mem0_exports_api.api.memories import memories_add, memories_list  # noqa: F401, PLC0415


def _request(operation_id: str, built: dict[str, Any]) -> Request:
    """Return the request for what a generated builder gave: method, url, and perhaps params and json."""
    body = built.get("json")
    try:
        content = None if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{operation_id}: the request cannot be written as JSON: {error}", field="body") from None
    return Request(
        operation_id,
        built["method"].upper(),
        built["url"],
        built.get("params"),
        content,
        repeatable=operation_id not in WRITES,
    )


def _body(operation_id: str, response: Response) -> Any:
    """The JSON of a success; raises the error for any other status.

    Clients of the service take any 2xx for a success, and so does this one: an id must not be lost over a 200.
    """
    if not 200 <= response.status < 300:
        raise refusal(operation_id, response)
    try:
        return decode(response.body)
    except ValueError as error:
        problem = f"the body is not JSON: {error}"
    raise _violation(operation_id, response, problem, garbled=True)


def _violation(operation_id: str, response: Response, problem: str, *, garbled: bool = False) -> ContractViolation:
    return ContractViolation(
        readable(response.redacted(problem)),
        operation=operation_id,
        excerpt=response.redacted(response.body[:MAX_EXCERPT].decode("utf-8", "replace"))[:200],
        status=response.status,
        request_id=response.request_id,
        garbled=garbled,
    )


def _reader(operation_id: str, convert: Callable[[Any], T]) -> Callable[[Response], T]:
    """`convert` on the JSON of a success; what it raises for a wrong shape becomes ContractViolation."""

    def read(response: Response) -> T:
        body = _body(operation_id, response)
        try:
            return convert(body)
        except _SHAPE_ERRORS as error:
            problem = f"the body is not what openapi.yaml promises: {type(error).__name__}: {error}"
        raise _violation(operation_id, response, problem)

    return read


@cache
def _unset() -> type:
    from mem0_exports_api.types import Unset  # noqa: PLC0415 -- see prepare()

    return Unset


def _none(value: Any) -> Any:
    """The generated models' "not sent" as None."""
    return None if isinstance(value, _unset()) else value


def _text(value: Any) -> Any:
    """A text, or None for what was not sent. The generated models pass on whatever stands in the place of a text."""
    value = _none(value)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} stands in the place of a text")
    return value


class _Verbatim:
    """A document that was checked already, in the place of a generated model that would only copy it.

    The copy costs more than the rest of a call; tests/unit/client/filters/test_filters.py holds that it would be equal.
    """

    __slots__ = ("_document",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def to_dict(self) -> Mapping[str, Any]:
        return self._document


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that have a value: the generated models tell "not sent" from null."""
    return {name: value for name, value in fields.items() if value is not None}


def exports_create(
    schema: Mapping[str, Any],
    filters: Mapping[str, Any],
    *,
    instructions: str | None = None,
    org_id: str | None = None,
    project_id: str | None = None,
) -> Call[str]:
    """Start an export job; reads its id."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_create import _get_kwargs as exports_create_request  # noqa: PLC0415 -- see prepare()

    body = models.MemoryExportRequest(
        schema=models.JsonSchema.from_dict(schema),
        filters=cast("models.Filters", _Verbatim(filters)),
        **_given(export_instructions=instructions, org_id=org_id, project_id=project_id),
    )

    def convert(accepted: Any) -> str:
        models.MemoryExportAccepted.from_dict(accepted)
        return str(accepted["id"])  # as it came: the service compares it as text

    return Call(_request("exports_create", exports_create_request(body=body)), _reader("exports_create", convert))


def exports_get(
    export_id: str, load: Callable[[bytes], T], *, org_id: str | None = None, project_id: str | None = None
) -> Call[Ready[T] | None]:
    """Fetch an export; reads what `load` makes of the JSON text of its object, or None while there is none (404)."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.exports.exports_get import _get_kwargs as exports_get_request  # noqa: PLC0415 -- see prepare()

    def read(response: Response) -> Ready[T] | None:
        if response.status == 404 and (pending := _pending(response)) is not None:
            reason = _none(pending.reason)
            if reason is not None:
                raise ExportFailed(export_id, readable(response.redacted(reason)))
            return None
        if not 200 <= response.status < 300:
            raise refusal("exports_get", response)
        try:
            return Ready(load(response.body))
        except ContractViolation as error:
            problem, garbled = error.problem, error.garbled
        raise _violation("exports_get", response, problem, garbled=garbled)

    def _pending(response: Response) -> models.MemoryExportNotFound | None:
        """The documented 404; any other, such as a proxy's page, is an error."""
        try:
            body = decode(response.body)
            found = models.MemoryExportNotFound.from_dict(body)
        except _SHAPE_ERRORS:
            return None
        texts = all(isinstance(body[key], str) for key in ("error", "reason") if key in body)
        return found if texts and body.keys() <= {"error", "reason", NOTICE} else None

    body = models.GetMemoryExportRequest(memory_export_id=export_id, **_given(org_id=org_id, project_id=project_id))
    return Call(_request("exports_get", exports_get_request(body=body)), read)


def ping() -> Call[Account]:
    """Check the key."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.account.ping import _get_kwargs as ping_request  # noqa: PLC0415 -- see prepare()

    def convert(body: Any) -> Account:
        from mem0_exports.models import Account  # noqa: PLC0415 -- see prepare()

        found = models.Ping.from_dict(body)
        return Account(_text(found.status), _text(found.org_id), _text(found.project_id), _text(found.user_email))

    return Call(_request("ping", ping_request()), _reader("ping", convert))


def memories_add(messages: list[dict[str, str]], **fields: Any) -> Call[list[AddedMemory]]:
    """Store memories as they are; reads those that were stored."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.memories.memories_add import _get_kwargs as memories_add_request  # noqa: PLC0415 -- see prepare()

    body = models.AddMemoriesRequest.from_dict({"messages": messages, "infer": False, **_given(**fields)})

    def convert(answer: Any) -> list[AddedMemory]:
        from mem0_exports.models import AddedMemory  # noqa: PLC0415 -- see prepare()

        return [
            AddedMemory(str(each.id), _text(each.data.memory))
            for each in models.AddedMemories.from_dict(answer).results
        ]

    return Call(_request("memories_add", memories_add_request(body=body)), _reader("memories_add", convert))


def memories_list(filters: Mapping[str, Any], *, show_expired: bool, page: int, page_size: int) -> Call[Page[Memory]]:
    """One page of memories."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.memories.memories_list import _get_kwargs as memories_list_request  # noqa: PLC0415 -- see prepare()

    body = models.ListMemoriesRequest(filters=cast("models.Filters", _Verbatim(filters)), show_expired=show_expired)

    def convert(answer: Any) -> Page[Memory]:
        from mem0_exports.models import Page  # noqa: PLC0415 -- see prepare()

        found = models.MemoryPage.from_dict(answer)
        return Page([_memory(each) for each in found.results], found.count, found.next_ is not None)

    return Call(
        _request("memories_list", memories_list_request(body=body, page=page, page_size=page_size)),
        _reader("memories_list", convert),
    )


def _memory(found: Any) -> Memory:
    from mem0_exports.models import Memory  # noqa: PLC0415 -- see prepare()

    metadata, categories = _none(found.metadata), _none(found.categories)
    return Memory(
        id=str(found.id),
        memory=_text(found.memory),
        user_id=_text(found.user_id),
        agent_id=_text(found.agent_id),
        app_id=_text(found.app_id),
        run_id=_text(found.session_id),
        metadata=None if metadata is None else metadata.to_dict(),
        categories=None if categories is None else [_text(each) for each in categories],
        expiration_date=_text(found.expiration_date),
        created_at=found.created_at,
        updated_at=_none(found.updated_at),
    )


def entities_list(*, page: int, page_size: int) -> Call[Page[Entity]]:
    """One page of entities."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.entities.entities_list import _get_kwargs as entities_list_request  # noqa: PLC0415 -- see prepare()

    def convert(answer: Any) -> Page[Entity]:
        from mem0_exports.models import Entity, Page  # noqa: PLC0415 -- see prepare()

        found = models.EntityPage.from_dict(answer)
        items = [
            Entity(_text(each.name), each.type_, _text(each.id), _none(each.created_at), _none(each.updated_at))
            for each in found.results
        ]
        return Page(items, found.count, found.next_ is not None)

    return Call(
        _request("entities_list", entities_list_request(page=page, page_size=page_size)),
        _reader("entities_list", convert),
    )
