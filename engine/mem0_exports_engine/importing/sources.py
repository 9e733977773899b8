"""Find the records in a file: JSON Lines, JSON documents of any shape that Mem0 writes, CSV, and backups of its tools.

A file can be compressed with gzip, begin with a byte order mark (also in the middle, where files were joined), or be in
UTF-16. Large JSON documents are never parsed as a whole: their records are cut out and parsed one by one.
"""

from __future__ import annotations

import csv
import io
import re

from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports.errors import InputError
from mem0_exports_engine import json_text
from mem0_exports_engine.importing.files import in_utf_8, joined, seekable, unzipped, whole
from mem0_exports_engine.importing.found import Found
from mem0_exports_engine.importing.markdown import is_markdown, of_markdown
from mem0_exports_engine.importing.openmemory import of_zip
from mem0_exports_engine.limits import MAX_BYTES


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LISTS: Final = ("results", "memories", "records", "items", "data")
"""The names under which a page or a file has its records."""

_TEXTS: Final = ("memory", "text", "content")

_HEAD: Final = 1_000_000
"""The number of bytes from which the format is recognized."""

_BOM: Final = b"\xef\xbb\xbf"
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[][{}:,]', re.DOTALL)
_FORMULA: Final = ("'=", "'+", "'-", "'@", "'\t", "'\r")
"""How a cell begins that a writer of CSV has guarded against spreadsheets."""


class Source(NamedTuple):
    """A file whose format was recognized."""

    format: str
    """The format in words."""
    unit: str
    """What is counted: "line" or "record"."""
    found: Iterator[Found]


def open_source(file: IO[bytes], *, levels: int = 3) -> Source:
    """Recognize the format of a file and return its records, which are read as you iterate.

    Raises InputError if the format is not known, or if files are packed in each other more than `levels` deep: there
    are files that contain themselves.
    """
    if not levels:
        raise InputError("the file is packed too many times; unpack it", field="file")
    head = file.read(_HEAD)
    return _unpacked(head, file, levels - 1) or _recognized(head, file)


def _unpacked(head: bytes, file: IO[bytes], levels: int) -> Source | None:
    """Return the source inside a file that is compressed or in UTF-16, or None for another file."""
    if head.startswith(b"\x1f\x8b"):
        inner = open_source(unzipped(joined(head, file)), levels=levels)
        return inner._replace(format=f"{inner.format}, compressed with gzip")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        inner = open_source(in_utf_8(joined(head, file)), levels=levels)
        return inner._replace(format=f"{inner.format} in UTF-16")
    if head.startswith(b"PK\x03\x04"):
        archive = of_zip(seekable(head, file), lambda part: open_source(part, levels=levels).found)
        return Source("a backup of OpenMemory", "line", archive)
    return None


def _recognized(head: bytes, file: IO[bytes]) -> Source:
    start = head.removeprefix(_BOM).lstrip()
    if not start:
        return Source("an empty file", "line", iter(()))
    if start.startswith(b"[") or (start.startswith(b"{") and not _is_lines(start)):
        hint = "write it as JSON Lines, one record per line, for example with: jq -c '.[]'"
        return Source("a JSON document", "record", _of_document(whole(head, file, "a JSON document", hint)))
    if is_markdown(start):
        data = whole(head, file, "a Markdown file", "split it in front of a line ---")
        return Source("Markdown of Mem0's coding plugin", "record", of_markdown(data.removeprefix(_BOM).lstrip()))
    lines = io.BufferedReader(joined(head, file))
    if start.startswith(b"{"):
        return Source("JSON Lines", "line", of_lines(_bounded(lines)))
    delimiter = _delimiter(start)
    if delimiter is not None:
        return Source("CSV", "line", _of_csv(lines, delimiter))
    raise InputError(
        f"the file is neither JSON Lines, JSON, CSV with a column {', '.join(_TEXTS)} nor a backup of a tool of Mem0; it "
        "begins with "
        f"{start[:40].decode(errors='replace')!r}",
        field="file",
    )


def of_lines(lines: Iterable[bytes]) -> Iterator[Found]:
    """Return the records of JSON Lines. A line is a record, or a page or list of records."""
    for number, raw in enumerate(lines, 1):
        line = raw.removeprefix(_BOM)
        if not line.strip():
            continue
        if len(line) > MAX_BYTES:
            yield Found(number, None, f"the line must be at most {MAX_BYTES // 1024 // 1024} MB", MAX_BYTES)
            continue
        yield from _parsed(number, line, "line")


def _is_lines(start: bytes) -> bool:
    """Return whether a text that begins with an object is JSON Lines, and not a document of several lines."""
    first, newline, rest = start.partition(b"\n")
    if not newline:
        return len(start) < MAX_BYTES and len(start) < _HEAD  # a single object
    if first.rstrip().endswith(b"}"):
        return True
    return rest.startswith((b"{", _BOM + b"{"))  # the first line is damaged; members of an object begin otherwise


def _bounded(file: IO[bytes]) -> Iterator[bytes]:
    """Iterate over lines. Of a line that is too long, only the beginning is read into memory."""
    while line := file.readline(MAX_BYTES + 2):
        rest = line
        while len(line) > MAX_BYTES and rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES)
        yield line


def _of_document(data: bytes) -> Iterator[Found]:
    number = 0
    for text in _values(data):
        if text is None:
            yield Found(number + 1, None, "the file ends in the middle of a JSON value", 0)
            return
        for found in _parsed(number + 1, text, "record"):
            number += 1
            yield found._replace(number=number)


def _values(data: bytes) -> Iterator[bytes | None]:
    """Cut the records out of JSON documents that follow each other. Ends with None if the last one is not closed.

    A record is an item of a list that is the document itself or a member of it under one of the names LISTS. If there
    is no such list, the document is the record. Text between documents is returned as a record that is not JSON.
    """
    cut = _Cut(data)
    for token in _TOKEN.finditer(data):
        text = cut.see(token)
        if text is not None and text.replace(_BOM, b"").strip():
            yield text
    yield from cut.rest()


class _Cut:
    """Where the documents and records begin, in a text whose brackets, commas, colons and strings are seen in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._depth = 0
        self._list = 0
        """The depth inside the list whose items are records, or 0 outside of it."""
        self._begin = 0
        """Where the current record, or the text between two documents, begins."""
        self._has_list = False
        self._name = self._last = b""

    def see(self, token: re.Match[bytes]) -> bytes | None:
        """Return the text that ends at this token, if it is a record or stands between two documents."""
        mark = token[0]
        if mark in {b"[", b"{"}:
            return self._open(token, mark)
        if mark in {b"]", b"}"}:
            return self._close(token)
        if mark == b"," and self._depth and self._list == self._depth:
            return self._cut(token.start(), token.end())
        if mark == b":" and self._depth == 1:
            self._name = self._last[1:-1]
        self._last = mark
        return None

    def rest(self) -> Iterator[bytes | None]:
        """Yield what follows the last document, or None if it is not closed."""
        if self._depth:
            yield None
        elif self._data[self._begin :].replace(_BOM, b"").strip():
            yield self._data[self._begin :]

    def _open(self, token: re.Match[bytes], mark: bytes) -> bytes | None:
        before = None
        if not self._depth:
            before, self._name, self._has_list = self._cut(token.start(), token.start()), b"", False
        self._depth += 1
        is_named = self._depth == 2 and self._name.decode(errors="replace") in LISTS
        if mark == b"[" and not self._list and (self._depth == 1 or is_named):
            self._list, self._begin, self._has_list = self._depth, token.end(), True
        return before

    def _close(self, token: re.Match[bytes]) -> bytes | None:
        found = None
        if self._depth and self._list == self._depth:
            found, self._list = self._cut(token.start(), token.end()), 0
        self._depth = max(0, self._depth - 1)
        if not self._depth:
            document = self._cut(token.end(), token.end())
            found = found if self._has_list else document
        return found

    def _cut(self, end: int, begin: int) -> bytes:
        text, self._begin = self._data[self._begin : end], begin
        return text


def _parsed(number: int, text: bytes, unit: str) -> Iterator[Found]:
    if len(text) > MAX_BYTES:
        yield Found(number, None, f"the {unit} must be at most {MAX_BYTES // 1024 // 1024} MB", MAX_BYTES)
        return
    try:
        value = json_text.read(text)
    except ValueError as error:
        yield Found(number, None, f"the {unit} is {error}", len(text))
        return
    records = [*_expanded(value)]
    for record in records:
        yield Found(number, record, None, len(text) // len(records))


def _expanded(value: Any, levels: int = 3) -> Iterator[Any]:
    """Yield the records of a page or a list of them, or the value itself."""
    if isinstance(value, list) and levels and value:
        for item in value:
            yield from _expanded(item, levels - 1)
        return
    if isinstance(value, dict) and levels and not any(isinstance(value.get(name), str) for name in _TEXTS):
        for name in LISTS:
            if isinstance(value.get(name), list):
                for item in value[name]:
                    yield from _expanded(item, levels - 1)
                return
    yield value


def _delimiter(start: bytes) -> str | None:
    """Return what separates the cells of CSV, or None if the first line is no header of memories."""
    header = start.partition(b"\n")[0].decode(errors="replace").strip()
    for delimiter in (",", ";", "\t"):
        names = {cell.strip().strip('"').lower() for cell in header.split(delimiter)}
        if names & {*_TEXTS}:
            return delimiter
    return None


def _of_csv(file: IO[bytes], delimiter: str) -> Iterator[Found]:
    csv.field_size_limit(MAX_BYTES)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield Found(reader.line_num, None, f"the line is not valid CSV: {error}", 0)
            continue
        if row is None:
            return
        if header is None:
            header = [name.strip() for name in row]
        elif any(row):
            yield _of_row(reader.line_num, header, row)


def _of_row(number: int, header: list[str], row: list[str]) -> Found:
    size = sum(map(len, row))
    if len(row) > len(header):
        return Found(number, None, f"the line has {len(row)} cells, but the header has {len(header)}", size)
    try:
        "".join(row).encode()
    except UnicodeEncodeError:
        return Found(number, None, "the line is not valid UTF-8; save the file as UTF-8", size)
    record: dict[str, Any] = {}
    for name, given in zip(header, row, strict=False):
        if given == "" or not name:
            continue
        cell = given[1:] if given.startswith(_FORMULA) else given
        try:
            record[name] = _cell(name, cell)
        except ValueError as error:
            return Found(number, None, f"{name} is {error}", size)
    return Found(number, record, None, size)


def _cell(name: str, cell: str) -> Any:
    """Return the value of a cell. `metadata` and `categories` are JSON; other columns are JSON if they look like it."""
    if name == "categories" and not cell.startswith("["):
        return [part.strip() for part in cell.split(",")]
    if name in {"metadata", "categories"}:
        return json_text.read(cell.encode())
    return cell
