"""What SQL asks of JSON columns, answered by Python.

SQLite's own JSON functions end a text at a NUL and read numbers beyond 64 bits as floats, so that two different values
may look equal. These functions compare what was stored. They are registered on every connection of the store.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mem0_exports_engine.json_text import load


if TYPE_CHECKING:
    import sqlite3


def register(connection: sqlite3.Connection) -> None:
    """Offer the functions to the SQL of this connection."""
    connection.create_function("mem0_fold", 1, _fold, deterministic=True)
    connection.create_function("mem0_metadata", 4, _metadata, deterministic=True)
    connection.create_function("mem0_categories", 3, _categories, deterministic=True)


def _fold(text: str | None) -> str | None:
    """Upper and lower case as one, for every alphabet: SQLite's lower() knows ASCII alone."""
    return None if text is None else text.casefold()


@lru_cache(maxsize=256)
def _wanted(document: str) -> Any:
    return load(document)


def _metadata(document: str | None, operator: str, key: str, wanted: str) -> bool:
    """Whether the metadata have `key` with a value that equals, or contains, the JSON value `wanted`."""
    metadata = {} if document is None else load(document)
    if key not in metadata:
        return False
    found, value = metadata[key], _wanted(wanted)
    if operator == "eq":
        return _equal(found, value)
    return value in found if isinstance(found, str) else isinstance(found, list) and value in found


def _equal(found: Any, wanted: Any) -> bool:
    """JSON equality: 1 equals 1.0, but neither true nor "1"."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def _categories(document: str | None, operator: str, wanted: str) -> bool:
    """Whether one of the categories is among `wanted`, or is `wanted` whatever the case."""
    categories = [] if document is None else load(document)
    value = _wanted(wanted)
    if operator == "in":
        return any(each in value for each in categories)
    folded = value.casefold()
    return any(each.casefold() == folded for each in categories)
