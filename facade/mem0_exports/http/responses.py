"""Turn error responses into exceptions.

The service uses several JSON formats for errors, and proxies answer with HTML.
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
"""The longest message, in characters; the rest is cut off."""

_MAX_READ: Final = 64 * 1024
"""How much of an error's body is read for a message, in bytes."""

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
    """Return the exception for a response that is not a success."""
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
        message = _json_message(decode(response.body))
    except ValueError:
        message = None
    if message is not None:
        return message
    text = response.body[:_MAX_READ].decode("utf-8", "replace")
    return _without_tags(text) if text.lstrip()[:1] == "<" else text


def _json_message(body: Any) -> str | None:
    """Return the message in a JSON error, or None if there is none in any of the service's formats.

    The formats are details.message, error.message, message, error, detail, and lists of problems keyed by field.
    """
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
        if isinstance(inside, dict) and isinstance(message := inside.get(key), str) and readable(message):
            return message
    fields = [
        f"{field}: {' '.join(map(str, problems))}" for field, problems in body.items() if isinstance(problems, list)
    ]
    return "; ".join(fields) or None


def _without_tags(page: str) -> str:
    """Return the text of an HTML page, without tags, scripts and styles."""
    return re.sub(r"<[^>]*>", " ", re.sub(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->", " ", page))


def readable(text: str) -> str:
    """Return `text` on one line, without control characters, and cut off at MAX_MESSAGE characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[:_MAX_READ]).split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _retry_after(headers: Any) -> float | None:
    """Return the wait in seconds that the Retry-After header asks for; None if it is missing or malformed.

    The header is a number of seconds or a date. A date is compared with the Date header of the same response, not with
    our clock, because the clocks of the two machines may differ.
    """
    value = headers.get("retry-after")
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,300}(\.[0-9]{1,300})?", value):
        return float(value)
    until = _date(value)
    if until is None:
        return None
    now = _date(headers.get("date")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _date(text: str | None) -> datetime | None:
    """Parse an HTTP date; return None for a missing or malformed one."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 -- only error responses need it

    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
