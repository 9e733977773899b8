"""SQL functions, implemented in Python, that compare values in JSON columns.

SQLite's own JSON functions cut a text at a NUL character and read integers beyond 64 bits as floats, so different
values could look equal. These functions are exact. They are registered on every connection of the store.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mem0_exports_engine.json_text import load


if TYPE_CHECKING:
    import sqlite3


def register(connection: sqlite3.Connection) -> None:
    """Register the functions on this connection."""
    connection.create_function("mem0_fold", 1, _fold, deterministic=True)
    connection.create_function("mem0_metadata", 4, _metadata, deterministic=True)
    connection.create_function("mem0_categories", 3, _categories, deterministic=True)


def _fold(text: str | None) -> str | None:
    """Return a text for caseless comparison in any alphabet. SQLite's lower() handles only ASCII."""
    return None if text is None else text.casefold()


@lru_cache(maxsize=256)
def _loaded(document: str) -> Any:
    return load(document)


def _metadata(document: str | None, operator: str, key: str, expected: str) -> bool:
    """Return whether the metadata have `key` with a value that equals ("eq") or contains the JSON value `expected`."""
    metadata = {} if document is None else load(document)
    if key not in metadata:
        return False
    actual, value = metadata[key], _loaded(expected)
    if operator == "eq":
        return _equal(actual, value)
    return value in actual if isinstance(actual, str) else isinstance(actual, list) and value in actual


def _equal(actual: Any, expected: Any) -> bool:
    """Return whether two JSON values are equal. 1 equals 1.0, but neither true nor "1". In Python, 1 == True."""
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    return bool(actual == expected)


def _categories(document: str | None, operator: str, expected: str) -> bool:
    """Return whether a category is in the list `expected` ("in"), or equals the string `expected` in any case."""
    categories = [] if document is None else load(document)
    value = _loaded(expected)
    if operator == "in":
        return any(category in value for category in categories)
    folded = value.casefold()
    return any(category.casefold() == folded for category in categories)
