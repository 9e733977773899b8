"""Write records and export results to a file."""

from __future__ import annotations

import os
import tempfile

from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

from mem0_exports.errors import InputError
from mem0_exports.output import text
from mem0_exports.output.rows import items_of


if TYPE_CHECKING:
    from collections.abc import Iterator

Format: TypeAlias = Literal["json", "jsonl", "csv", "parquet", "md"]

FORMATS: Final = get_args(Format)

_BY_SUFFIX: Final = {"ndjson": "jsonl", "markdown": "md", "pq": "parquet"}


def save(rows: Any, path: str | Path, format: Format | None = None, *, schema: Any = None) -> None:  # noqa: A002 -- the usual name
    """Write models, records or dicts to a file: JSON, JSON Lines, CSV, Parquet or a Markdown table.

        save(client.memories.list(F.user_id == "alex"), "memories.parquet")

    The file is written beside its place and moved there at the end, so that a failure leaves an earlier file as it was.
    Memory use does not grow with the number of rows. In CSV, lists and objects are JSON text, and a text that a
    spreadsheet would take for a formula begins with an apostrophe.

    Args:
        rows: an iterable of models, memories, entities or dicts, or a single one of them.
        path: the file to write. Its folder must exist.
        format: json, jsonl, csv, parquet (needs the extra `arrow`) or md. Default: what the suffix of `path` says.
        schema: the type or JSON Schema of the rows, for dicts. Only CSV, Parquet and Markdown use it: it says which
            columns there are, and their types. By default they are found in the rows.

    Raises:
        InputError: the format is unknown, or a value cannot be written.
        ConfigurationError: the format needs a package that is not installed.
        OSError: the file cannot be written.

    """
    chosen = format_of(path, format)
    if chosen == "parquet":
        from mem0_exports.output.arrow import write_parquet  # noqa: PLC0415 -- an extra

        with _replacing(path) as temporary:
            write_parquet(items_of(rows), temporary, schema)
        return
    with _replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123
        write_text(rows, file, chosen, schema=schema)


def write_text(
    rows: Any,
    file: IO[str],
    kind: str,
    *,
    schema: Any = None,
    ascii_only: bool = False,
) -> None:
    """Write rows as text in one of the formats. A single object becomes a JSON object, not an array of one."""
    items = items_of(rows)
    if kind == "json":
        if isinstance(items, list) and len(items) == 1 and items[0] is rows:
            file.write(text.single(rows, ascii_only=ascii_only))
        else:
            text.write_json(items, file, ascii_only=ascii_only)
    elif kind == "jsonl":
        text.write_jsonl(items, file, ascii_only=ascii_only)
    elif kind == "csv":
        text.write_csv(items, file, schema)
    else:
        text.write_markdown(items, file, schema)


def format_of(path: str | Path, format: str | None = None) -> Format:  # noqa: A002 -- as in save
    """Return the format of a file, by its suffix if none is given. Raises InputError if it is unknown."""
    suffix = Path(path).suffix.removeprefix(".").lower()
    found = format or _BY_SUFFIX.get(suffix, suffix)
    if found in FORMATS:
        return cast("Format", found)
    problem = f"the file name {str(path)!r} does not say it" if format is None else f"got {format!r}"
    raise InputError(f"format must be one of {', '.join(FORMATS)}; {problem}", field="format")


@contextmanager
def _replacing(path: str | Path) -> Iterator[str]:
    """Yield the name of a temporary file that becomes the file at `path`, unless the block raises."""
    target = Path(path)
    if target.exists() and not target.is_file():  # a device or a pipe: there is nothing to replace
        yield str(target)
        return
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        yield name
        _take_mode(name, target)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _take_mode(name: str, target: Path) -> None:
    """Give a temporary file the mode of the file that it replaces, or the usual one."""
    try:
        mode = target.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    Path(name).chmod(mode)
