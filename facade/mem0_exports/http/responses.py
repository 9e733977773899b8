"""Error responses as exceptions.

The service has five shapes for errors, and proxies have HTML.
"""

from __future__ import annotations

import re

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mem0_exports import errors
from mem0_exports.strict_json import decode


if TYPE_CHECKING:
    from mem0_exports.http.flow import Response

MAX_MESSAGE: Final = 500
"""Characters of a message that are kept."""

_MAX_READ: Final = 64 * 1024
"""Bytes of an error's body that are looked at."""

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
        readable(response.redacted(_message(response))) or "(no message)",
        status=status,
        operation=operation,
        request_id=response.request_id,
        retry_after=_retry_after(response.headers),
    )


def _message(response: Response) -> str:
    if 300 <= response.status < 400:
        return f"redirected to {response.headers.get('location', '?')}; redirects are not followed, check base_url"
    try:
        said = _said(decode(response.body))
    except ValueError:
        said = None
    if said is not None:
        return said
    text = response.body[:_MAX_READ].decode("utf-8", "replace")
    return _without_tags(text) if text.lstrip()[:1] == "<" else text


def _said(body: Any) -> str | None:
    """The sentence in a JSON error: details.message, message, error, detail, or lists keyed by field."""
    if not isinstance(body, dict):
        return None
    for holder, key in (
        ("details", "message"),
        ("error", "message"),
        (None, "message"),
        (None, "error"),
        (None, "detail"),
    ):
        inside = body if holder is None else body.get(holder)
        if isinstance(inside, dict) and isinstance(said := inside.get(key), str) and readable(said):
            return said
    fields = [
        f"{field}: {' '.join(map(str, problems))}" for field, problems in body.items() if isinstance(problems, list)
    ]
    return "; ".join(fields) or None


def _without_tags(page: str) -> str:
    """What a reader of an HTML page would see."""
    return re.sub(r"<[^>]*>", " ", re.sub(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->", " ", page))


def readable(text: str) -> str:
    """`text` on one line, without control characters, and not too long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[:_MAX_READ]).split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _retry_after(headers: Any) -> float | None:
    """Seconds to wait, from Retry-After as seconds or as a date; None where it says neither.

    A date is compared with the Date of the same answer, as the clocks of two machines differ.
    """
    said = headers.get("retry-after")
    if said is None:
        return None
    said = said.strip()
    if re.fullmatch(r"[0-9]{1,300}(\.[0-9]{1,300})?", said):
        return float(said)
    until = _date(said)
    if until is None:
        return None
    now = _date(headers.get("date")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _date(text: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 -- only errors have dates

    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
