"""SQL functions, implemented in Python, that compare values in JSON columns.

SQLite's own JSON functions cut a text at a NUL character and read integers beyond 64 bits as floats, so different
values could look equal. These functions are exact. They are registered on every connection of the store.
"""

from __future__ import annotations

import threading

from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.json_text import load


if TYPE_CHECKING:
    import sqlite3


def register(connection: sqlite3.Connection) -> None:
    """Register the functions on this connection."""
    connection.create_function("mem0_fold", 1, _fold, deterministic=True)
    connection.create_function("mem0_among", 2, _among, deterministic=True)
    connection.create_function("mem0_metadata", 4, _metadata, deterministic=True)
    connection.create_function("mem0_categories", 3, _categories, deterministic=True)


def _fold(text: str | None) -> str | None:
    """Return a text for caseless comparison in any alphabet. SQLite's lower() handles only ASCII."""
    return None if text is None else text.casefold()


class _Cache:
    """Parsed JSON documents, the last ones. Bounded by their length, not by their number."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._lock = threading.Lock()
        self._values: dict[str, Any] = {}
        self.length = 0
        """How many characters the documents have that are kept."""

    def __call__(self, document: str) -> Any:
        """Return the value of a document."""
        value = self._values.get(document, _UNKNOWN)  # without the lock, because this runs once for each row
        if value is not _UNKNOWN:
            return value
        value = load(document)
        with self._lock:
            if document not in self._values:
                self._values[document] = value
                self.length += len(document)
            while self.length > self._max_length:
                oldest = next(iter(self._values))
                del self._values[oldest]
                self.length -= len(oldest)
        return value


_UNKNOWN: Final = object()

MAX_CACHED: Final = 12_000_000
"""The most characters of documents that are kept parsed: more than the conditions of one request have."""

_loaded: Final = _Cache(MAX_CACHED)


def _metadata(document: str | None, operator: str, key: str, expected: str) -> bool:
    """Return whether the metadata have `key` with a value that equals ("eq") or contains the JSON value `expected`."""
    metadata = {} if document is None else load(document)
    if key not in metadata:
        return False
    actual, value = metadata[key], _loaded(expected)
    if operator == "eq":
        return _equal(actual, value)
    if isinstance(actual, str):
        return isinstance(value, str) and value in actual
    return isinstance(actual, list) and any(_equal(item, value) for item in actual)


def _equal(actual: Any, expected: Any) -> bool:
    """Return whether two JSON values are equal. 1 equals 1.0, but neither true nor "1". In Python, 1 == True."""
    if isinstance(actual, bool) or isinstance(expected, bool):
        return actual is expected
    if isinstance(actual, list) and isinstance(expected, list):
        return len(actual) == len(expected) and all(map(_equal, actual, expected))
    if isinstance(actual, dict) and isinstance(expected, dict):
        return actual.keys() == expected.keys() and all(_equal(actual[key], expected[key]) for key in actual)
    return bool(actual == expected)


def _among(text: str, expected: str) -> bool:
    """Return whether a text is in the list `expected`."""
    return text in _loaded(expected)


def _categories(document: str | None, operator: str, expected: str) -> bool:
    """Return whether a category is in the list `expected` ("in"), or equals the string `expected` in any case."""
    categories = [] if document is None else load(document)
    value = _loaded(expected)
    if operator == "in":
        return any(category in value for category in categories)
    folded = value.casefold()
    return any(category.casefold() == folded for category in categories)
