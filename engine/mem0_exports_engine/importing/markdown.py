"""Read the Markdown file that the export skill of Mem0's coding plugin writes.

Each memory is a block: a line `---`, lines of `name: value` that begin with `id`, another line `---`, and the text. The
text may have lines `---` of its own, so a block ends only where the next one begins with its `id`.
"""

from __future__ import annotations

import re

from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.importing.found import Found


if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK: Final = re.compile(r"^---[ \t]*\n(?=id:)", re.MULTILINE)
_END: Final = re.compile(r"^---[ \t]*$", re.MULTILINE)
_LISTS: Final = ("files", "categories")
_FIELDS: Final = ("id", "created_at", "categories")


def is_markdown(start: bytes) -> bool:
    """Return whether a file that begins so is such a file."""
    return _BLOCK.match(start.replace(b"\r\n", b"\n").decode(errors="replace")) is not None


def of_markdown(data: bytes) -> Iterator[Found]:
    """Return the records of a file. It names no user, so the caller has to."""
    text = data.decode(errors="surrogateescape").replace("\r\n", "\n")
    begins = [match.end() for match in _BLOCK.finditer(text)]
    ends = [match.start() for match in _BLOCK.finditer(text)][1:]
    for number, (begin, end) in enumerate(zip(begins, [*ends, len(text)], strict=True), 1):
        yield _of_block(number, text[begin:end])


def _of_block(number: int, block: str) -> Found:
    try:
        size = len(block.encode())
    except UnicodeEncodeError:
        return Found(number, None, "the record is not valid UTF-8; save the file as UTF-8", len(block))
    end = _END.search(block)
    if end is None:
        return Found(number, None, "the record has no line --- between its fields and its text", size)
    named: dict[str, Any] = {}
    for line in block[: end.start()].splitlines():
        name, _, value = line.partition(":")
        if value.strip():
            named[name.strip()] = _items(value) if name.strip() in _LISTS else value.strip()
    record = {name: named.pop(name) for name in _FIELDS if name in named}
    return Found(number, {**record, "memory": block[end.end() :].strip(), "metadata": named or None}, None, size)


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]
