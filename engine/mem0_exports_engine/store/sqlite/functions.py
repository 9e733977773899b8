"""SQL functions, implemented in Python, that compare values in JSON columns.

SQLite's own JSON functions cut a text at a NUL character and read integers beyond 64 bits as floats, so different
values could look equal. These functions are exact. They are registered on every connection of the store.
"""

from __future__ import annotations

import itertools
import re
import threading
import weakref

from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.json_text import load


if TYPE_CHECKING:
    import sqlite3


PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_ -]+")
"""Metadata keys that need no escaping in a JSON path of SQLite."""


def register(connection: sqlite3.Connection) -> None:
    """Register the functions on this connection."""
    connection.create_function("mem0_fold", 1, _fold, deterministic=True)
    connection.create_function("mem0_among", 2, _among, deterministic=True)
    connection.create_function("mem0_metadata", 4, _metadata, deterministic=True)
    connection.create_function("mem0_matches", 2, _matches, deterministic=True)
    connection.create_function("mem0_categories", 3, _categories, deterministic=True)


def _fold(text: str | None) -> str | None:
    """Return a text for caseless comparison in any alphabet. SQLite's lower() handles only ASCII."""
    return None if text is None else text.casefold()


class Expected(str):
    """Stands for a JSON value in a statement: SQLite passes only its short text to the functions, for each row.

    The value itself can have megabytes. It is there for as long as this object, which the statement has.
    """

    __slots__ = ("__weakref__", "value")

    value: Any

    @classmethod
    def of(cls, value: Any) -> Expected:
        """Return the text for a value."""
        text = str(next(_numbers))
        made = cls(text)
        made.value = value
        _expected[text] = made  # the key must be another object, which does not keep this one
        return made


_numbers: Final = itertools.count()

_expected: Final[weakref.WeakValueDictionary[str, Expected]] = weakref.WeakValueDictionary()


class _Last(threading.local):
    """The last metadata that were parsed in a thread. All conditions of a filter look at one memory, then at the next."""

    document = ""
    value: Any = None


_last: Final = _Last()


def forget() -> None:
    """Drop what was parsed in this thread, which can be large. Called at the end of a transaction."""
    _last.document, _last.value = "", None


def _parsed(document: str) -> Any:
    if document != _last.document:
        forget()  # before parsing, so that not two of them are in memory, and none is left if parsing fails
        _last.value = load(document)
        _last.document = document
    return _last.value


def _metadata(document: str | None, operator: str, key: str, expected: str) -> bool:
    """Return whether the metadata have `key` with a value that equals ("eq") or contains the expected one."""
    return holds({} if document is None else _parsed(document), operator, key, _expected[expected].value)


def _matches(document: str | None, expected: str) -> bool:
    """Return whether the metadata satisfy the expected predicate."""
    return bool(_expected[expected].value({} if document is None else _parsed(document)))


def holds(metadata: dict[str, Any], operator: str, key: str, value: Any) -> bool:
    """Return whether metadata have `key` with a value that equals ("eq") or contains `value`."""
    if key not in metadata:
        return False
    actual = metadata[key]
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
    """Return whether a text is in the expected set."""
    return text in _expected[expected].value


def _categories(document: str | None, operator: str, expected: str) -> bool:
    """Return whether a category is in the expected set ("in"), or equals the expected string in any case."""
    categories = [] if document is None else load(document)
    value = _expected[expected].value
    if operator == "in":
        return any(category in value for category in categories)
    folded = value.casefold()
    return any(category.casefold() == folded for category in categories)
