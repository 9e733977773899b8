"""Build the request of each operation and read its response. The only module that imports mem0_exports_api.

It uses the generated request builders and models. It does not use the generated functions that send requests: they have
no timeout, return None for errors, and fail on status codes that are not in Python's list. Success bodies are parsed by
the generated models, so that openapi.yaml decides what is valid; errors are read from every format that the service
uses.
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
"""Bytes of a body that are searched for the key before an excerpt is cut off. It is more than is shown, because half a
key would not be found and redacted."""


class Ready(NamedTuple, Generic[T]):
    """The result of a finished export. Wrapped, because the value itself may be None if its type allows that."""

    value: T


WRITES: Final = frozenset({"exports_create", "memories_add"})
"""The operations that change something. All others only read, even if they are POSTs."""


class Call(NamedTuple, Generic[T]):
    """A request, and the function that reads its response."""

    request: Request
    read: Callable[[Response], T]


_SHAPE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
"""What the generated models raise for a body that openapi.yaml does not allow."""


def prepare() -> None:
    """Import every module that the first requests need.

    The generated package alone takes some 30 ms to import. That is too slow for `import mem0_exports`, and an event
    loop should do it before its first request.
    """
    import mem0_exports.models  # noqa: F401, PLC0415

    from mem0_exports_api.api.account import ping  # noqa: F401, PLC0415
    from mem0_exports_api.api.entities import entities_list  # noqa: F401, PLC0415
    from mem0_exports_api.api.exports import exports_create, exports_get  # noqa: F401, PLC0415
    from mem0_exports_api.api.memories import memories_add, memories_list  # noqa: F401, PLC0415


def _request(operation_id: str, built: dict[str, Any]) -> Request:
    """Return the request for the result of a generated builder: method, url, and perhaps params and json."""
    body = built.get("json")
    try:
        content = None if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{operation_id}: the arguments must be JSON values, but cannot be written as JSON: {error}", field="body"
        ) from None
    return Request(
        operation_id,
        built["method"].upper(),
        built["url"],
        built.get("params"),
        content,
        repeatable=operation_id not in WRITES,
    )


def _body(operation_id: str, response: Response) -> Any:
    """Return the JSON of a success; raise StatusError for any other status.

    Any 2xx is a success, as in the service's own clients: rejecting a create's 200 would lose the id of its job.
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
    """Return a function that reads a response with `convert`, and raises ContractViolation for a wrong shape."""

    def read(response: Response) -> T:
        body = _body(operation_id, response)
        try:
            return convert(body)
        except _SHAPE_ERRORS as error:
            problem = f"the body does not match openapi.yaml: {type(error).__name__}: {error}"
        raise _violation(operation_id, response, problem)

    return read


@cache
def _unset() -> type:
    from mem0_exports_api.types import Unset  # noqa: PLC0415 -- see prepare()

    return Unset


def _none(value: Any) -> Any:
    """Return None for the generated models' "missing" marker, and any other value as it is."""
    return None if isinstance(value, _unset()) else value


def _text(value: Any) -> Any:
    """Return a string, or None for a missing one. The generated models do not check that a string is one."""
    value = _none(value)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"expected a string, got {type(value).__name__}")
    return value


class _Verbatim:
    """A checked document in place of a generated model that would only copy it.

    Copying takes longer than the rest of a call. tests/unit/client/filters/test_filters.py checks that the copy would be equal.
    """

    __slots__ = ("_document",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def to_dict(self) -> Mapping[str, Any]:
        return self._document


def _not_none(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None: for the generated models, None means an explicit null."""
    return {name: value for name, value in fields.items() if value is not None}


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
        **_not_none(export_instructions=instructions, org_id=org_id, project_id=project_id),
    )

    def convert(accepted: Any) -> str:
        models.MemoryExportAccepted.from_dict(accepted)
        # The original text: the model would parse it as a UUID, but the service compares ids as text.
        return str(accepted["id"])

    return Call(_request("exports_create", exports_create_request(body=body)), _reader("exports_create", convert))


def exports_get(
    export_id: str, load: Callable[[bytes], T], *, org_id: str | None = None, project_id: str | None = None
) -> Call[Ready[T] | None]:
    """Return the call that fetches an export.

    Its response is read as what `load` makes of the JSON text, or None while the export is not ready (404).
    """
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
        # Raised again with the status and request id of the response, which `load` does not know.
        raise _violation("exports_get", response, problem, garbled=garbled)

    def _pending(response: Response) -> models.MemoryExportNotFound | None:
        """Return the documented 404, or None for any other, such as a proxy's page, which is an error.

        Taken for "not ready", a wrong address would be polled until the deadline.
        """
        try:
            body = decode(response.body)
            not_found = models.MemoryExportNotFound.from_dict(body)
        except _SHAPE_ERRORS:
            return None
        are_strings = all(isinstance(body[key], str) for key in ("error", "reason") if key in body)
        return not_found if are_strings and body.keys() <= {"error", "reason", NOTICE} else None

    body = models.GetMemoryExportRequest(memory_export_id=export_id, **_not_none(org_id=org_id, project_id=project_id))
    return Call(_request("exports_get", exports_get_request(body=body)), read)


def ping() -> Call[Account]:
    """Return the call that checks the key. Its response is read as the account."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.account.ping import _get_kwargs as ping_request  # noqa: PLC0415 -- see prepare()

    def convert(body: Any) -> Account:
        from mem0_exports.models import Account  # noqa: PLC0415 -- see prepare()

        parsed = models.Ping.from_dict(body)
        return Account(_text(parsed.status), _text(parsed.org_id), _text(parsed.project_id), _text(parsed.user_email))

    return Call(_request("ping", ping_request()), _reader("ping", convert))


def memories_add(messages: list[dict[str, str]], **fields: Any) -> Call[list[AddedMemory]]:
    """Return the call that stores memories word for word. Its response is read as the memories that were stored."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.memories.memories_add import _get_kwargs as memories_add_request  # noqa: PLC0415 -- see prepare()

    body = models.AddMemoriesRequest.from_dict({"messages": messages, "infer": False, **_not_none(**fields)})

    def convert(answer: Any) -> list[AddedMemory]:
        from mem0_exports.models import AddedMemory  # noqa: PLC0415 -- see prepare()

        return [
            AddedMemory(str(added.id), _text(added.data.memory))
            for added in models.AddedMemories.from_dict(answer).results
        ]

    return Call(_request("memories_add", memories_add_request(body=body)), _reader("memories_add", convert))


def memories_list(filters: Mapping[str, Any], *, show_expired: bool, page: int, page_size: int) -> Call[Page[Memory]]:
    """Return the call that lists one page of memories."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.memories.memories_list import _get_kwargs as memories_list_request  # noqa: PLC0415 -- see prepare()

    body = models.ListMemoriesRequest(filters=cast("models.Filters", _Verbatim(filters)), show_expired=show_expired)

    def convert(answer: Any) -> Page[Memory]:
        from mem0_exports.models import Page  # noqa: PLC0415 -- see prepare()

        parsed = models.MemoryPage.from_dict(answer)
        return Page([_memory(record) for record in parsed.results], parsed.count, parsed.next_ is not None)

    return Call(
        _request("memories_list", memories_list_request(body=body, page=page, page_size=page_size)),
        _reader("memories_list", convert),
    )


def _memory(record: Any) -> Memory:
    """Return the public record of a memory for the generated model's."""
    from mem0_exports.models import Memory  # noqa: PLC0415 -- see prepare()

    metadata, categories = _none(record.metadata), _none(record.categories)
    return Memory(
        id=str(record.id),
        memory=_text(record.memory),
        user_id=_text(record.user_id),
        agent_id=_text(record.agent_id),
        app_id=_text(record.app_id),
        run_id=_text(record.session_id),
        metadata=None if metadata is None else metadata.to_dict(),
        categories=None if categories is None else [_text(category) for category in categories],
        expiration_date=_text(record.expiration_date),
        created_at=record.created_at,
        updated_at=_none(record.updated_at),
    )


def entities_list(*, page: int, page_size: int) -> Call[Page[Entity]]:
    """Return the call that lists one page of entities."""
    from mem0_exports_api import models  # noqa: PLC0415 -- see prepare()
    from mem0_exports_api.api.entities.entities_list import _get_kwargs as entities_list_request  # noqa: PLC0415 -- see prepare()

    def convert(answer: Any) -> Page[Entity]:
        from mem0_exports.models import Entity, Page  # noqa: PLC0415 -- see prepare()

        parsed = models.EntityPage.from_dict(answer)
        items = [
            Entity(
                _text(record.name), record.type_, _text(record.id), _none(record.created_at), _none(record.updated_at)
            )
            for record in parsed.results
        ]
        return Page(items, parsed.count, parsed.next_ is not None)

    return Call(
        _request("entities_list", entities_list_request(page=page, page_size=page_size)),
        _reader("entities_list", convert),
    )
