"""Find the operation of openapi.yaml that a request is for, and validate bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jsonschema_rs

from mem0_exports.strict_json import pointer
from mem0_exports_engine.parameters import Parameter, decoded


if TYPE_CHECKING:
    from collections.abc import Mapping

HEALTH: Final = "/health"
"""The path of the health check. It needs no API key and is not part of the spec; it is for process monitors."""


class Operation(NamedTuple):
    """One operation of the spec, with validators for its parameters and bodies."""

    id: str
    method: str
    path: str
    """The path as it is in the spec, with the names of its parameters in braces."""
    path_parameters: Mapping[str, Parameter]
    query_parameters: Mapping[str, Parameter]
    request: jsonschema_rs.Validator | None
    """The validator of the request's body; None if the operation takes no body."""
    body_required: bool
    responses: Mapping[int, jsonschema_rs.Validator | None]
    """The validator of the body for each documented status; None for a status without a body."""


class Match(NamedTuple):
    """The path of the spec that a request matches, its operations by method, and the text of its parameters."""

    path: str
    methods: Mapping[str, Operation]
    segments: Mapping[str, str]
    """The percent-encoded text of each path parameter."""


class Contract:
    """All operations of a spec."""

    def __init__(self, operations: list[Operation]) -> None:
        self.operations: Final = {operation.id: operation for operation in operations}
        self.paths: Final[dict[str, dict[str, Operation]]] = {}
        for operation in operations:
            self.paths.setdefault(operation.path, {})[operation.method] = operation
        # If two paths match a request, the one with a literal segment at their leftmost difference wins.
        templates = sorted((path.split("/") for path in self.paths), key=lambda parts: [*map(is_parameter, parts)])
        self._templates: dict[int, list[list[str]]] = {}
        for template in templates:
            self._templates.setdefault(len(template), []).append(template)
        self._literals = {part for template in templates for part in template if not is_parameter(part)}

    def match(self, path: str) -> Match | None:
        """Return the operations at a percent-encoded path, or None if the spec has no such path.

        A path parameter is exactly one segment that is not empty. Its value is not validated yet.
        """
        raw = path.split("/")
        texts = [*map(decoded, raw)]
        for template in self._templates.get(len(raw), ()):
            if all(
                text != "" if is_parameter(part) else text == part for part, text in zip(template, texts, strict=True)
            ):
                segments = {part[1:-1]: text for part, text in zip(template, raw, strict=True) if is_parameter(part)}
                found = "/".join(template)
                return Match(found, self.paths[found], segments)
        return None

    def loggable(self, path: str) -> str:
        """Return a percent-encoded path without anything that could be the value of a path parameter."""
        if path == HEALTH:
            return path
        match = self.match(path)
        if match is not None:
            return match.path
        return "/".join(text if text in self._literals else "*" for text in map(decoded, path.split("/")))


class Problem(NamedTuple):
    """What is wrong with a body: a JSON pointer to the place, and a message."""

    pointer: str
    message: str


def is_parameter(segment: str) -> bool:
    """Return whether a segment of a path in the spec is a parameter, such as `{memory_id}`."""
    return segment.startswith("{")


def problem(validator: jsonschema_rs.Validator, body: Any) -> Problem | None:
    """Return the first thing that is wrong with `body`, or None if it is valid."""
    try:
        validator.validate(body)  # unlike `iter_errors`, it stops at the first error
    except jsonschema_rs.ValidationError as error:
        return Problem(pointer(error.instance_path), error.message[:300])
    return None


def refusal_status(operation: Operation) -> int:
    """Return the documented status for a request that does not match the spec.

    The status is 400. An operation that does not document 400 can refuse only its path parameters, with 404.
    """
    return 400 if 400 in operation.responses or 404 not in operation.responses else 404


def error_body(
    validator: jsonschema_rs.Validator | None, message: str, *, about_filters: bool = False
) -> dict[str, Any] | None:
    """Return an error body that contains `message` and matches a schema, or None if no form of error body does.

    The service has four forms of error bodies. exports_create allows two of them, and uses `error` for invalid filters.
    """
    forms: list[dict[str, Any]] = [{"message": message}, {"error": message}, {"detail": message}]
    forms.append({"error": "400 Bad Request", "details": {"message": message}})
    if about_filters:
        forms[:2] = forms[1::-1]
    return next((form for form in forms if validator is not None and validator.is_valid(form)), None)
