"""Strict JSON: what other programs sent, read without guessing; and JSON pointers (RFC 6901), which name a place in it."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import unquote


if TYPE_CHECKING:
    from collections.abc import Iterable


def decode(body: bytes) -> Any:
    """Return the value of a JSON text, with or without a byte order mark.

    Raises ValueError for anything else, NaN and Infinity included, and for what is nested too deep to read.
    """
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError:
        problem = "it is nested too deep"
    raise ValueError(problem)


def refuse_constant(name: str) -> NoReturn:
    """Raise ValueError for NaN, Infinity or -Infinity, which Python's decoder reads and JSON does not have."""
    raise ValueError(f"{name} is not a JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=refuse_constant)


def escape(part: object) -> str:
    """Return a key or an index as one part of a pointer."""
    return str(part).replace("~", "~0").replace("/", "~1")


def pointer(path: Iterable[object]) -> str:
    """Return the pointer for keys and indexes from the root on; empty for the root itself."""
    return "".join(f"/{escape(part)}" for part in path)


def follow(document: Any, reference: str) -> Any:
    """Return what a `$ref` such as `#/$defs/Address` leads to, or None where it leads nowhere or out of the document."""
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
