"""Check the formats of JSON Schema as Pydantic reads them, in addition to how their RFCs define them.

Pydantic writes a datetime without an offset, or a timedelta of 1.5 seconds, in a form that the RFC of the format does
not allow. A check by the RFC alone would throw away a value that the user's own type accepts.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid

from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs


if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import TypeAdapter

_RFC: Final = {
    name: jsonschema_rs.validator_for({"format": name}, validate_formats=True)
    for name in ("date-time", "date", "time", "duration", "email", "uuid", "ipv4", "ipv6", "uri", "regex")
}


@cache
def _adapter(name: str) -> TypeAdapter[Any] | None:
    """Return what reads texts of a format; None if Pydantic has no type of its own for it."""
    import pydantic  # noqa: PLC0415 -- kept out of the import of the package

    types: dict[str, Any] = {
        "date-time": dt.datetime,
        "date": dt.date,
        "time": dt.time,
        "duration": dt.timedelta,
        "uuid": uuid.UUID,
        "ipv4": IPv4Address,
        "ipv6": IPv6Address,
        "uri": pydantic.AnyUrl,
        "regex": re.Pattern[str],
    }
    return pydantic.TypeAdapter(types[name]) if name in types else None


def _is_valid(name: str, text: str) -> bool:
    if _RFC[name].is_valid(text):
        return True
    adapter = _adapter(name)
    if adapter is None:
        return False
    try:
        adapter.validate_json(json.dumps(text))
    except (ValueError, RecursionError, OverflowError):  # a regular expression may be too deep or too large
        return False
    return True


FORMATS: Final[dict[str, Callable[[str], bool]]] = {name: partial(_is_valid, name) for name in _RFC}
"""For each format, a function that returns whether a text has it."""
