"""Rows as text: JSON, JSON Lines, CSV and Markdown."""

from __future__ import annotations

import csv

from typing import IO, TYPE_CHECKING, Any, Final

from mem0_exports.output.rows import json_text, json_value
from mem0_exports.output.table import Table


if TYPE_CHECKING:
    from collections.abc import Iterable

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula. CSV with such a text can run commands when it is opened."""


def write_json(items: Iterable[Any], file: IO[str], *, ascii_only: bool = False) -> None:
    """Write a JSON array, one item per line. Reads `items` as it writes."""
    separator = "["
    for item in items:
        file.write(f"{separator}\n  {json_text(json_value(item), ascii_only=ascii_only)}")
        separator = ","
    file.write("[]\n" if separator == "[" else "\n]\n")


def write_jsonl(items: Iterable[Any], file: IO[str], *, ascii_only: bool = False) -> None:
    """Write JSON Lines: one item per line. Reads `items` as it writes."""
    for item in items:
        file.write(json_text(json_value(item), ascii_only=ascii_only) + "\n")


def write_csv(items: Iterable[Any], file: IO[str], schema: Any = None) -> None:
    """Write CSV with a header (RFC 4180). Lists and objects are JSON text; None is an empty cell.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, which shows it as text.
    """
    writer = csv.writer(file)
    with Table(items, schema) as table:
        writer.writerow(map(_safe, table.kinds))
        for row in table.rows():
            writer.writerow(cell(row.get(name)) for name in table.kinds)


def write_markdown(items: Iterable[Any], file: IO[str], schema: Any = None) -> None:
    """Write a Markdown table."""
    with Table(items, schema) as table:
        names = [_escaped(name) for name in table.kinds]
        file.write(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}\n")
        for row in table.rows():
            cells = [_escaped(plain_text(row.get(name))) for name in table.kinds]
            file.write(f"| {' | '.join(cells)} |\n")


def cell(value: Any) -> str | int | float | None:
    """Return a JSON value as a cell of CSV."""
    if isinstance(value, str):
        return _safe(value)
    return value if isinstance(value, int | float | None) and not isinstance(value, bool) else json_text(value)


def plain_text(value: Any) -> str:
    """Return a JSON value as text for people: texts and numbers as they are, None as nothing, the rest as JSON text."""
    return "" if value is None else value if isinstance(value, str) else json_text(value)


def single(value: Any, *, ascii_only: bool = False) -> str:
    """Return the JSON text of one value, indented."""
    return json_text(json_value(value), indent=2, ascii_only=ascii_only) + "\n"


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r\n", "<br>").replace("\n", "<br>")
