"""Carry out the operations, each in a handler of its own. A handler gets only requests that match the spec."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import attrs

from mem0_exports.facts import ENTITY_FIELDS, LEFT_OUT, MAX_WAIT, RUN_ALIAS, WAIT
from mem0_exports.filters import times
from mem0_exports.schemas.validate import Unusable
from mem0_exports_engine import clock
from mem0_exports_engine.failures import Interrupted, TooLarge
from mem0_exports_engine.json_text import dump
from mem0_exports_engine.limits import MAX_COPIED, MAX_MESSAGES, MAX_PAGE, MAX_SECONDS
from mem0_exports_engine.refusals import (
    NO_FILTERS,
    NO_SCHEMA,
    Outcome,
    Refused,
    Text,
    bad_request,
    parse_filters,
)
from mem0_exports_engine.report import Report
from mem0_exports_engine.schema_cost import admit
from mem0_exports_engine.service import Service
from mem0_exports_engine.store.rows import row_for


if TYPE_CHECKING:
    from mem0_exports_engine.contract import Operation
    from mem0_exports_engine.parameters import Values
    from mem0_exports_engine.ports import ExportState


ORGANIZATION: Final = "local"
"""The organization of every project."""

_NOT_FOUND: Final = "No memory export request found"
_NO_SUCH_EXPORT: Final = Outcome(404, {"error": "No such export"})
_NO_SUCH_MEMORY: Final = Outcome(404, {"error": "Memory not found!"})

_CAN_WAIT: Final = {WAIT: str(MAX_WAIT)}
"""The header that tells clients that they can wait for the end of an export."""


class Request(NamedTuple):
    """A request that matches openapi.yaml, as a handler gets it."""

    operation: Operation
    project: str
    parameters: Values
    """The path and query parameters: `parameters.get("page", int)`, or `find` for a parameter that may be missing."""
    body: Any
    """The JSON value of the body; None if the request has none."""


Handler: TypeAlias = Callable[[Service, Request], Outcome]
"""Carries out an operation."""


def _in_project(project: str, body: Any) -> None:
    """Raise Refused (403) if the body names an organization or project other than that of the API key."""
    for name, own in (("org_id", ORGANIZATION), ("project_id", project)):
        if body.get(name, own) != own:
            message = f"{name}: this key belongs to {own!r}, and opens nothing else. Leave {name} out."
            raise Refused(Outcome(403, {"detail": message}))


def _exports_create(service: Service, request: Request) -> Outcome:
    project, body = request.project, request.body
    _in_project(project, body)
    try:
        admit(body["schema"])
    except Unusable as error:
        raise bad_request(request.operation, f"{NO_SCHEMA}: {error}") from None
    if "filters" not in body:
        raise bad_request(request.operation, NO_FILTERS["exports_create"], about_filters=True)
    filters = parse_filters(service.filter_rules, request.operation, body["filters"], scoped=True)
    export_id = str(service.new_id())
    service.store.jobs.create(
        project,
        export_id,
        service.now(),
        service.retention,
        schema=body["schema"],
        filters=filters,
        instructions=body.get("export_instructions"),
        lane=service.lane,
    )
    service.wake()
    message = "Memory export request received. The export will be ready in a few seconds."
    return Outcome(201, {"message": message, "id": export_id}, _CAN_WAIT)


def _exports_get(service: Service, request: Request) -> Outcome:
    project, body = request.project, request.body
    _in_project(project, body)
    export_id = body.get("memory_export_id")
    filters = None if export_id is not None else parse_filters(service.filter_rules, request.operation, body["filters"])
    export = service.store.jobs.find(project, service.now(), export_id=export_id, filters=filters)
    if export is not None and export.state == "DONE":
        report = None if export.report is None else Report.from_json(export.report)
        left_out = 0 if report is None else report.left_out + report.unread
        return Outcome(200, Text(service.store.jobs.result(export)), {**_CAN_WAIT, LEFT_OUT: str(left_out)})
    # The service answers 404 for pending, failed and unknown exports alike. This engine adds the reason for a failure.
    if export is not None and export.state == "FAILED":
        return Outcome(404, {"error": _NOT_FOUND, "reason": export.reason}, _CAN_WAIT)
    return Outcome(404, {"error": _NOT_FOUND}, _CAN_WAIT, pending=None if export is None else export.id)


def _exports_report(service: Service, request: Request) -> Outcome:
    export_id = request.parameters.get("export_id", str).lower()
    export = service.store.jobs.find(request.project, service.now(), export_id=export_id)
    if export is None or export.report is None:
        return Outcome(404, {"error": "No report on this export"})
    return Outcome(200, attrs.asdict(Report.from_json(export.report)))


def _exports_list(service: Service, request: Request) -> Outcome:
    number, size = _paging(request)
    count, found = service.store.jobs.page(request.project, service.now(), offset=(number - 1) * size, limit=size)
    return _paged("/v1/exports/", count, number, size, [*map(_state, found)])


def _exports_cancel(service: Service, request: Request) -> Outcome:
    export_id = request.parameters.get("export_id", str).lower()
    found = service.store.jobs.cancel(request.project, service.now(), export_id, "it was cancelled")
    if found is None:
        return _NO_SUCH_EXPORT
    service.cancelled(export_id)
    return Outcome(200, _state(found))


def _exports_delete(service: Service, request: Request) -> Outcome:
    export_id = request.parameters.get("export_id", str).lower()
    if not service.store.jobs.delete(request.project, service.now(), export_id):
        return _NO_SUCH_EXPORT
    service.cancelled(export_id)
    return Outcome(200, {"message": "Memory export deleted"})


def _state(export: ExportState) -> dict[str, Any]:
    return {
        "id": export.id,
        "state": export.state.lower(),
        "created_at": clock.text_at(export.created_us),
        "expires_at": clock.text_at(export.expires_us),
        "reason": export.reason,
    }


def _ping(_service: Service, request: Request) -> Outcome:
    return Outcome(200, {"status": "ok", "org_id": ORGANIZATION, "project_id": request.project, "user_email": None})


def _memories_add(service: Service, request: Request) -> Outcome:
    body, now = request.body, service.now()
    _limit_added(request)
    stamp = body.get("timestamp")
    created = now if stamp is None else datetime.fromtimestamp(stamp, UTC)
    shared = {name: body.get(name) for name in (*ENTITY_FIELDS, "metadata", "expiration_date")}
    rows = [
        row_for(
            {**shared, "memory": message["content"], "created_at": times.text_of(created)},
            request.project,
            str(service.new_id()),
            now,
        )
        for message in body["messages"]
        if message["role"] != "system"
    ]
    added = service.store.memories.add(rows, now)
    return Outcome(
        200,
        {
            "message": "Memories stored successfully",
            "status": "SUCCEEDED",
            "event_id": str(service.new_id()),
            "results": [{"id": row["id"], "data": {"memory": row["memory"]}, "event": "ADD"} for row in added],
        },
    )


def _limit_added(request: Request) -> None:
    """Refuse an add of too many messages, or of metadata that are too large for the number of messages."""
    count = len(request.body["messages"])
    if count > MAX_MESSAGES:
        raise bad_request(
            request.operation, f"messages must have at most {MAX_MESSAGES} items, got {count}; add them in parts"
        )
    size = count * len(dump(request.body.get("metadata")))
    if size > MAX_COPIED:
        raise bad_request(
            request.operation,
            f"each of the {count} memories would have the metadata, which would take more than {MAX_COPIED // 10**6} MB; "
            "add fewer messages at once, or smaller metadata",
        )


def _memories_list(service: Service, request: Request) -> Outcome:
    body = request.body
    number, size = _paging(request)
    filters = parse_filters(service.filter_rules, request.operation, body["filters"], scoped=True)
    try:
        count, records = service.store.memories.page(
            request.project,
            filters,
            service.now(),
            show_expired=body.get("show_expired", False),
            offset=(number - 1) * size,
            limit=size,
        )
    except Interrupted:
        raise bad_request(
            request.operation,
            f"with the memories of this entity, these filters take more than {MAX_SECONDS:g} s; use fewer conditions, or "
            "an export, which has the time",
            about_filters=True,
        ) from None
    except TooLarge:
        message = f"the {size} memories of this page have more than {MAX_PAGE} characters; ask for a smaller page_size"
        raise bad_request(request.operation, message) from None
    return _paged("/v3/memories/", count, number, size, [*map(_listed, records)])


def _memories_get(service: Service, request: Request) -> Outcome:
    record = service.store.memories.get(request.project, _memory_id(request))
    return _NO_SUCH_MEMORY if record is None else Outcome(200, _listed(record))


def _memories_delete(service: Service, request: Request) -> Outcome:
    if not service.store.memories.delete(request.project, _memory_id(request)):
        return _NO_SUCH_MEMORY
    return Outcome(200, {"message": "Memory deleted successfully!"})


def _memory_id(request: Request) -> str:
    """Return the memory id of the path in lower case, as in the store. Requests may have UUIDs in upper case."""
    return request.parameters.get("memory_id", str).lower()


def _listed(record: dict[str, Any]) -> dict[str, Any]:
    """Return a memory in the shape of the memory list, which names the run `session_id` instead of `run_id`."""
    return {(RUN_ALIAS if name == "run_id" else name): value for name, value in record.items()}


def _entities_list(service: Service, request: Request) -> Outcome:
    number, size = _paging(request)
    first = (number - 1) * size
    counts, entities = service.store.memories.entities(request.project, offset=first, limit=size)
    results = [
        {
            "id": str(index),
            **entity,
            "owner": None,
            "metadata": None,
        }
        for index, entity in enumerate(entities, first + 1)
    ]
    totals = {f"total_{kind}s": count for kind, count in counts.items()}
    return _paged("/v1/entities/", sum(counts.values()), number, size, results, totals)


def _paging(request: Request) -> tuple[int, int]:
    """Return the number of the page and the size of the pages."""
    return request.parameters.get("page", int), request.parameters.get("page_size", int)


def _paged(
    path: str, count: int, number: int, size: int, results: list[Any], more: dict[str, int] | None = None
) -> Outcome:
    last = max(1, -(-count // size))
    if number > last:
        raise Refused(Outcome(404, {"detail": "Invalid page."}))
    following = f"{path}?page={number + 1}&page_size={size}" if number < last else None
    preceding = f"{path}?page={number - 1}&page_size={size}" if number > 1 else None
    return Outcome(200, {"count": count, "next": following, "previous": preceding, **(more or {}), "results": results})


HANDLERS: Final[dict[str, Handler]] = {
    "exports_create": _exports_create,
    "exports_get": _exports_get,
    "exports_report": _exports_report,
    "exports_list": _exports_list,
    "exports_cancel": _exports_cancel,
    "exports_delete": _exports_delete,
    "ping": _ping,
    "memories_add": _memories_add,
    "memories_list": _memories_list,
    "memories_get": _memories_get,
    "memories_delete": _memories_delete,
    "entities_list": _entities_list,
}
