"""Parse JSON strictly, and read and write JSON pointers (RFC 6901), which name a place in a JSON document."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import unquote


if TYPE_CHECKING:
    from collections.abc import Iterable


def decode(body: bytes) -> Any:
    """Return the value of a UTF-8 JSON text, with or without a byte order mark.

    Raises ValueError for anything else, including NaN and Infinity, and for JSON nested deeper than Python can parse.
    """
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError:
        problem = "it is nested too deep to parse"
    raise ValueError(problem)  # outside the handler, to drop the thousands of frames of the RecursionError


def refuse_constant(name: str) -> NoReturn:
    """Raise ValueError for NaN, Infinity or -Infinity, which Python's decoder accepts but JSON does not have."""
    raise ValueError(f"{name} is not a JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=refuse_constant)


def escape(part: object) -> str:
    """Return a key or an index escaped as one part of a JSON pointer."""
    return str(part).replace("~", "~0").replace("/", "~1")


def pointer(path: Iterable[object]) -> str:
    """Return the JSON pointer for a path of keys and indexes from the root; the empty string for the root itself."""
    return "".join(f"/{escape(part)}" for part in path)


def follow(document: Any, reference: str) -> Any:
    """Return the target of a `$ref` such as `#/$defs/Address`; None if it is missing or in another document."""
    if not reference.startswith("#"):
        return None
    node = document
    for part in reference.split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(node, list):
            node = node[int(key)] if key.isdecimal() and int(key) < len(node) else None
        else:
            node = node.get(key) if isinstance(node, dict) else None
    return node
