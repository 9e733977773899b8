"""Error responses as exceptions. The service has five shapes for them, and proxies have HTML."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any, Final

from mem0_exports import errors


if TYPE_CHECKING:
    from mem0_exports._flow import Response

NOTICE: Final = "mem0_notice"
"""A key that the service may add to any answer for accounts without an owner; never part of what was asked for."""

LONGEST: Final = 500
"""Characters of a message that are kept."""

_KINDS: Final[dict[int, type[errors.StatusError]]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    413: errors.BadRequest,
    422: errors.BadRequest,
    429: errors.RateLimited,
}


def refusal(operation: str, response: Response) -> errors.StatusError:
    """The exception for a response that is no success."""
    status = response.status
    kind = _KINDS.get(status) or (errors.ServerError if status >= 500 else errors.StatusError)
    return kind(
        _message(response) or "(no message)",
        status=status,
        operation=operation,
        request_id=response.headers.get("x-request-id"),
        retry_after=_seconds(response.headers.get("retry-after")),
    )


def _message(response: Response) -> str:
    text = response.body[: LONGEST * 4].decode("utf-8", "replace").strip()
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        if 300 <= response.status < 400:
            return f"redirected to {response.headers.get('location', '?')}; redirects are not followed, check base_url"
        return _cut(" ".join(text.split()))
    return _cut(_said(body) or text)


def _said(body: Any) -> str | None:
    """The sentence in a JSON error: details.message, message, error, detail, or lists keyed by field."""
    if not isinstance(body, dict):
        return None
    details = body.get("details")
    for holder, key in ((details, "message"), (body, "message"), (body, "error"), (body, "detail")):
        if isinstance(holder, dict) and isinstance(said := holder.get(key), str) and said:
            return said
    fields = [
        f"{field}: {' '.join(map(str, problems))}" for field, problems in body.items() if isinstance(problems, list)
    ]
    return "; ".join(fields) or None


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdecimal() and len(header) < 10 else None


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
