"""A call: the request of an operation, and the function that reads its response.

`operations` builds the calls; `flow` sends their requests. This module does not depend on single operations or on the
generated code.
"""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from mem0_exports.errors import ContractViolation, InputError
from mem0_exports.http.flow import Request, Response
from mem0_exports.http.responses import readable, refusal
from mem0_exports.strict_json import decode


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
M = TypeVar("M")
"""A generated model."""

MAX_EXCERPT: Final = 1000
"""How many bytes of a body are searched for the key before the excerpt is cut off. This is more than the excerpt shows,
because a key that was cut in half would not be recognized and redacted."""


class Call(NamedTuple, Generic[T]):
    """A request, and the function that reads its response."""

    request: Request
    read: Callable[[Response], T]


SHAPE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
"""What the generated models raise for a body that openapi.yaml does not allow."""


def call(
    operation_id: str,
    built: dict[str, Any],
    parse: Callable[[Mapping[str, Any]], M],
    convert: Callable[[M], T],
    *,
    writes: bool = False,
) -> Call[T]:
    """Return the call of an operation whose success responses all have a JSON body.

    Args:
        operation_id: its id in openapi.yaml.
        built: what its generated request builder returned.
        parse: `from_dict` of the generated model of its success body.
        convert: turns that model into the result.
        writes: whether the operation changes something. If so, it is repeated only if it cannot have been carried out.
            An operation that only reads can always be repeated, even if it is a POST.

    """
    return Call(request(operation_id, built, writes=writes), _reader(operation_id, parse, convert))


def request(operation_id: str, built: dict[str, Any], *, writes: bool = False) -> Request:
    """Return the request for `built`, the dict of a generated builder: method, url, and optional params and json."""
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
        repeatable=not writes,
    )


def _body(operation_id: str, response: Response) -> Any:
    """Return the JSON of a success; raise StatusError for any other status.

    Any 2xx is a success, as in the service's own clients. If a create answered with 200 were rejected, the id of its
    job would be lost.
    """
    if not 200 <= response.status < 300:
        raise refusal(operation_id, response)
    try:
        return decode(response.body)
    except ValueError as error:
        problem = f"the body is not JSON: {error}"
    raise violation(operation_id, response, problem, garbled=True)


def violation(operation_id: str, response: Response, problem: str, *, garbled: bool = False) -> ContractViolation:
    """Return the exception for a success whose body openapi.yaml does not allow; `garbled` means that it is not JSON."""
    return ContractViolation(
        readable(response.redacted(problem)),
        operation=operation_id,
        excerpt=response.redacted(response.body[:MAX_EXCERPT].decode("utf-8", "replace"))[:200],
        status=response.status,
        request_id=response.request_id,
        garbled=garbled,
    )


def _reader(
    operation_id: str, parse: Callable[[Mapping[str, Any]], M], convert: Callable[[M], T]
) -> Callable[[Response], T]:
    """Return a function that reads a response through its model, and raises ContractViolation for a wrong shape."""

    def read(response: Response) -> T:
        body = _body(operation_id, response)
        try:
            return convert(parse(body))
        except SHAPE_ERRORS as error:
            problem = f"the body does not match openapi.yaml: {type(error).__name__}: {error}"
        raise violation(operation_id, response, problem)

    return read
