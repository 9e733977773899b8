"""What each operation does, once its request is known to fit the spec."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from mem0_exports.errors import FilterError
from mem0_exports.facts import ENTITY_FIELDS
from mem0_exports.filters import times as _times
from mem0_exports.filters.tree import Filter
from mem0_exports_engine.extract import Unusable, check_schema
from mem0_exports_engine.store.sqlite import jobs, memories


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mem0_exports_engine.contract import Problem
    from mem0_exports_engine.engine import Engine

MOST_CONDITIONS: Final = 400
"""Conditions in one filter: some more, and SQLite refuses the expression."""

ORGANIZATION: Final = "local"
"""That of every project of a store."""

_NOT_FOUND: Final = "No memory export request found"
_NO_SCHEMA: Final = "Schema is required and must be a valid object"
_NO_FILTERS_FOR: Final = {
    "exports_create": "One of the filters: app_id, user_id, agent_id, run_id, memory_export_id is required!",
    "exports_get": "One of the filters: app_id, user_id, agent_id, run_id is required!",
    "memories_list": "Filters are required and cannot be empty",
    "memories_add": f"At least one of {', '.join(ENTITY_FIELDS)} is required",
}

_NOT_SCOPED: Final = (
    "filters must include at least one positively-scoped entity ID (user_id, agent_id, app_id, or run_id). Wildcards "
    "and NOT-only entity references do not count as scoped."
)


class Text(NamedTuple):
    """A JSON document as text, which was checked when it was made, at once or piece by piece."""

    json: bytes | Iterator[bytes]


class Outcome(NamedTuple):
    """A status and a JSON document, or the `Text` of one."""

    status: int
    document: Any


class Refused(Exception):
    """The request cannot be done."""

    def __init__(self, answer: Outcome) -> None:
        super().__init__(answer)
        self.answer = answer


UNAUTHORIZED: Final = Outcome(
    401, {"detail": "Invalid API key. Send the header 'Authorization: Token <key>' with the key of this service."}
)


def bad_request(operation_id: str, message: str, *, about_filters: bool = False) -> Refused:
    """The 400 of an operation, in the shape that the service uses for it."""
    if operation_id == "memories_add":
        return Refused(Outcome(400, {"error": "400 Bad Request", "details": {"message": message}}))
    by_message = operation_id == "exports_get" or (operation_id == "exports_create" and not about_filters)
    return Refused(Outcome(400, {"message" if by_message else "error": message}))


def misshapen(engine: Engine, operation_id: str, document: Any, wrong: Problem) -> Refused:
    """The 400 for a body that does not fit the spec: the service's own words where it has any."""
    keys = document.keys() if isinstance(document, dict) else set()
    if operation_id == "exports_create" and not isinstance(keys and document.get("schema"), dict):
        return bad_request(operation_id, _NO_SCHEMA)
    missing = operation_id in _NO_FILTERS_FOR and not keys & {"filters", "memory_export_id", *ENTITY_FIELDS}
    if missing and not (keys - {"schema", "messages", "infer", "export_instructions"}):
        return bad_request(operation_id, _NO_FILTERS_FOR[operation_id], about_filters=True)
    misplaced = sorted(keys & {*ENTITY_FIELDS}) if operation_id != "memories_add" else []
    if misplaced:
        name = misplaced[0]
        return bad_request(
            operation_id, f'{name} belongs inside filters: {{"filters": {{"{name}": ...}}}}', about_filters=True
        )
    if wrong.pointer == "/infer" or (operation_id == "memories_add" and "infer" not in keys):
        return bad_request(operation_id, "infer must be false: this service stores texts as they are")
    if wrong.pointer.startswith("/filters") and isinstance(document["filters"], dict):
        _filters(engine, operation_id, document["filters"])  # names the bad part better than a schema can
    message = f"{wrong.pointer or 'the body'}: {wrong.message}"
    return bad_request(operation_id, message, about_filters=wrong.pointer.startswith("/filters"))


def _filters(engine: Engine, operation_id: str, document: Any, *, scoped: bool = False) -> Filter:
    try:
        filters = Filter.from_dict(document, engine.filter_rules)
    except FilterError as error:
        raise bad_request(operation_id, str(error), about_filters=True) from None
    if sum(1 for _ in filters.conditions()) > MOST_CONDITIONS:
        message = f"filters have more than {MOST_CONDITIONS} conditions; in_ takes many values in one"
        raise bad_request(operation_id, message, about_filters=True)
    if scoped and engine.filter_rules.scope == "required" and not filters.is_scoped():
        raise bad_request(operation_id, _NOT_SCOPED, about_filters=True)
    return filters


def _in_project(project: str, body: Any) -> None:
    """Refused where a request names another organization or project than its key belongs to."""
    for name, own in (("org_id", ORGANIZATION), ("project_id", project)):
        if body.get(name, own) != own:
            message = f"{name}: this key belongs to {own!r}, and opens nothing else. Leave {name} out."
            raise Refused(Outcome(403, {"detail": message}))


def _exports_create(engine: Engine, project: str, body: Any, _parameters: dict[str, int]) -> Outcome:
    _in_project(project, body)
    try:
        check_schema(body["schema"])
    except Unusable as error:
        raise bad_request("exports_create", f"{_NO_SCHEMA}: {error}") from None
    if "filters" not in body:
        raise bad_request("exports_create", _NO_FILTERS_FOR["exports_create"], about_filters=True)
    filters = _filters(engine, "exports_create", body["filters"], scoped=True)
    export_id = str(engine.new_id())
    jobs.create(
        engine.store,
        project,
        export_id,
        engine.now(),
        engine.kept,
        schema=body["schema"],
        filters=filters,
        instructions=body.get("export_instructions"),
    )
    engine.worker.wake()
    message = "Memory export request received. The export will be ready in a few seconds."
    return Outcome(201, {"message": message, "id": export_id})


def _exports_get(engine: Engine, project: str, body: Any, _parameters: dict[str, int]) -> Outcome:
    _in_project(project, body)
    export_id = body.get("memory_export_id")
    filters = None if export_id is not None else _filters(engine, "exports_get", body["filters"])
    row = jobs.find(engine.store, project, engine.now(), export_id=export_id, filters=filters)
    if row is not None and row["state"] == "DONE":
        return Outcome(200, Text(jobs.result(engine.store, row)))
    if row is not None and row["state"] == "FAILED":
        return Outcome(404, {"error": _NOT_FOUND, "reason": row["reason"]})
    return Outcome(404, {"error": _NOT_FOUND})


def _ping(_engine: Engine, project: str, _body: Any, _parameters: dict[str, int]) -> Outcome:
    return Outcome(200, {"status": "ok", "org_id": ORGANIZATION, "project_id": project, "user_email": None})


def _memories_add(engine: Engine, project: str, body: Any, _parameters: dict[str, int]) -> Outcome:
    now = engine.now()
    stamp = body.get("timestamp")
    written = now if stamp is None else datetime.fromtimestamp(stamp, UTC)
    shared = {name: body.get(name) for name in (*ENTITY_FIELDS, "metadata", "expiration_date")}
    rows = [
        memories.row_for(
            {**shared, "memory": message["content"], "created_at": _times.text_of(written)},
            project,
            str(engine.new_id()),
            now,
        )
        for message in body["messages"]
        if message["role"] != "system"
    ]
    added = memories.add(engine.store, rows, now)
    return Outcome(
        200,
        {
            "message": "Memories stored successfully",
            "status": "SUCCEEDED",
            "event_id": str(engine.new_id()),
            "results": [{"id": row["id"], "data": {"memory": row["memory"]}, "event": "ADD"} for row in added],
        },
    )


def _memories_list(engine: Engine, project: str, body: Any, parameters: dict[str, int]) -> Outcome:
    number, size = parameters["page"], parameters["page_size"]
    filters = _filters(engine, "memories_list", body["filters"], scoped=True)
    count, records = memories.page(
        engine.store,
        project,
        filters,
        engine.now(),
        show_expired=body.get("show_expired", False),
        offset=(number - 1) * size,
        limit=size,
    )
    return _paged("/v3/memories/", count, number, size, [*map(_listed, records)])


def _listed(record: dict[str, Any]) -> dict[str, Any]:
    """A memory as the list gives it, which calls the run a session."""
    return {("session_id" if name == "run_id" else name): value for name, value in record.items()}


def _entities_list(engine: Engine, project: str, _body: Any, parameters: dict[str, int]) -> Outcome:
    number, size = parameters["page"], parameters["page_size"]
    found = memories.entities(engine.store, project)
    results = [
        {
            "id": str(index),
            "name": each.name,
            "type": each.type,
            "created_at": each.created_at,
            "updated_at": each.updated_at,
            "owner": None,
            "metadata": None,
        }
        for index, each in enumerate(found, 1)
    ]
    totals = {f"total_{kind}s": sum(each.type == kind for each in found) for kind in ("user", "agent", "app", "run")}
    first = (number - 1) * size
    return _paged("/v1/entities/", len(found), number, size, results[first : first + size], totals)


def _paged(
    path: str, count: int, number: int, size: int, results: list[Any], more: dict[str, int] | None = None
) -> Outcome:
    last = max(1, -(-count // size))
    if number > last:
        raise Refused(Outcome(404, {"detail": "Invalid page."}))
    following = f"{path}?page={number + 1}&page_size={size}" if number < last else None
    preceding = f"{path}?page={number - 1}&page_size={size}" if number > 1 else None
    return Outcome(200, {"count": count, "next": following, "previous": preceding, **(more or {}), "results": results})


Handler: TypeAlias = "Callable[[Engine, str, Any, dict[str, int]], Outcome]"

HANDLERS: Final[dict[str, Handler]] = {
    "exports_create": _exports_create,
    "exports_get": _exports_get,
    "ping": _ping,
    "memories_add": _memories_add,
    "memories_list": _memories_list,
    "entities_list": _entities_list,
}
