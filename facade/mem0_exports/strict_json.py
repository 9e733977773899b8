"""JSON pointers (RFC 6901), which name a place in a document."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable


def escaped(part: object) -> str:
    """A key or an index as a part of a pointer."""
    return str(part).replace("~", "~0").replace("/", "~1")


def pointer(path: Iterable[object]) -> str:
    """The pointer for keys and indexes from the root on; empty for the root itself."""
    return "".join(f"/{escaped(part)}" for part in path)
