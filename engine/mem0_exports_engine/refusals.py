"""Make the documented error answers to requests that cannot be carried out.

If Mem0's Platform has a fixed text for an error, the engine sends exactly the same text, because client code could
depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping  # noqa: TC003 -- a NamedTuple's
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports.errors import FilterError
from mem0_exports.facts import ENTITY_FIELDS
from mem0_exports.filters.tree import Filter
from mem0_exports_engine.contract import error_body, refusal_status
from mem0_exports_engine.limits import MAX_CONDITIONS, MAX_LISTED


if TYPE_CHECKING:
    from mem0_exports.filters.rules import FilterRules
    from mem0_exports_engine.contract import Operation, Problem

NO_SCHEMA: Final = "Schema is required and must be a valid object"

NO_FILTERS: Final = {
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
    """A JSON document that is already text, whole or in pieces. It is sent without another validation."""

    json: bytes | Iterator[bytes]


class Outcome(NamedTuple):
    """The outcome of an operation: a status and a JSON document, either a value or `Text`.

    `Outcome(204)` is the outcome for a status that has no body in openapi.yaml.
    """

    status: int
    document: Any = None
    headers: Mapping[str, str] = {}
    """Headers of the answer besides Content-Type, by their names in lower case."""
    pending: str | None = None
    """The id of an export that has not ended yet, if the answer says no more than that."""


class Refused(Exception):
    """Raised by a handler to end the request with `answer`, an error outcome."""

    def __init__(self, answer: Outcome) -> None:
        super().__init__(answer)
        self.answer = answer


UNAUTHORIZED: Final = Outcome(
    401, {"detail": "Invalid API key. Send the header 'Authorization: Token <key>' with the key of this service."}
)


def bad_request(operation: Operation, message: str, *, about_filters: bool = False) -> Refused:
    """Return the answer to a request that does not match the spec, with the error body that the spec documents."""
    status = refusal_status(operation)
    body = error_body(operation.responses.get(status), message, about_filters=about_filters)
    return Refused(Outcome(status, body or {"detail": message}))


def misshapen(rules: FilterRules, operation: Operation, document: Any, wrong: Problem) -> Refused:
    """Return the 400 for a body that does not match the spec, with the service's own message if it has one."""
    keys = document.keys() if isinstance(document, dict) else set()
    if operation.id == "exports_create" and not isinstance(keys and document.get("schema"), dict):
        return bad_request(operation, NO_SCHEMA)
    missing = operation.id in NO_FILTERS and not keys & {"filters", "memory_export_id", *ENTITY_FIELDS}
    if missing and not (keys - {"schema", "messages", "infer", "export_instructions"}):
        return bad_request(operation, NO_FILTERS[operation.id], about_filters=True)
    misplaced = sorted(keys & {*ENTITY_FIELDS}) if operation.id != "memories_add" else []
    if misplaced:
        name = misplaced[0]
        return bad_request(
            operation, f'{name} belongs inside filters: {{"filters": {{"{name}": ...}}}}', about_filters=True
        )
    if wrong.pointer == "/infer" or (operation.id == "memories_add" and "infer" not in keys):
        return bad_request(operation, "infer must be false: this server has no language model and stores texts as is")
    if wrong.pointer.startswith("/filters") and isinstance(document["filters"], dict):
        parse_filters(rules, operation, document["filters"])  # raises an error with a clearer message than the schema's
    message = f"{wrong.pointer or 'the body'}: {wrong.message}"
    return bad_request(operation, message, about_filters=wrong.pointer.startswith("/filters"))


def parse_filters(rules: FilterRules, operation: Operation, document: Any, *, scoped: bool = False) -> Filter:
    """Return the filters of a request. Raises Refused (400) if they are invalid.

    With `scoped`, filters that name no entity are refused as well, provided that `rules` require an entity.
    """
    try:
        filters = Filter.from_dict(document, rules)
    except FilterError as error:
        raise bad_request(operation, str(error), about_filters=True) from None
    conditions = [*filters.conditions()]
    values = sum(len(each.value) for each in conditions if isinstance(each.value, list | tuple))
    if values > MAX_LISTED:
        message = f"filters must have at most {MAX_LISTED} values in their lists, got {values}; split the lists"
        raise bad_request(operation, message, about_filters=True)
    count = len(conditions)
    if count > MAX_CONDITIONS:
        message = f"filters must have at most {MAX_CONDITIONS} conditions, got {count}; one 'in' condition can list many values"
        raise bad_request(operation, message, about_filters=True)
    if scoped and rules.scope == "required" and not filters.is_scoped():
        raise bad_request(operation, _NOT_SCOPED, about_filters=True)
    return filters
