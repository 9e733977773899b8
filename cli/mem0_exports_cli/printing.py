"""Write results to standard output or a file, and remarks to standard error."""

from __future__ import annotations

import io
import os
import sys

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.errors import ConfigurationError, InputError
from mem0_exports.output import save as saving
from mem0_exports.output.rows import items_of
from mem0_exports.output.table import Table
from mem0_exports.output.text import plain_text


if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

FORMATS: Final = ("json", "jsonl", "csv", "parquet", "md", "table")


class Output:
    """Where the result of a command goes, and in which format."""

    def __init__(self, path: str | None, chosen: str | None, *, quiet: bool = False) -> None:
        """Check the options, before anything is sent. `path` is None for standard output.

        Raises InputError or ConfigurationError if they cannot be used.
        """
        self.path = path
        self.format = chosen
        self.quiet = quiet
        if path is None:
            if chosen == "parquet":
                raise InputError("--format parquet needs a file: -o FILE.parquet", field="format")
            return
        if chosen != "table":
            self.format = saving.format_of(path, chosen)
        if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
            return  # a device or a pipe
        folder = Path(path).absolute().parent
        if not folder.is_dir():
            raise ConfigurationError(f"-o: the folder {folder} does not exist")
        if not os.access(folder, os.W_OK) or Path(path).is_dir():
            raise ConfigurationError(f"-o: {path} cannot be written")
        if self.format == "parquet":
            from mem0_exports.output.arrow import require  # noqa: PLC0415 -- an extra

            require()

    def write(self, rows: Any, *, schema: Any = None, default: str = "json") -> None:
        """Write rows, as they come. `default` is the format for standard output if none was chosen."""
        chosen = self.format or default
        if chosen == "table":
            text = self._table(rows, schema)
            if self.path is None:
                sys.stdout.write(text)
            else:
                Path(self.path).write_text(text, encoding="utf-8")
        elif self.path is not None:
            saving.save(rows, self.path, saving.format_of(self.path, chosen), schema=schema)
        else:
            with _data(chosen) as file:
                saving.write_text(rows, file, chosen, schema=schema, ascii_only=not _is_unicode(file))

    @staticmethod
    def _table(rows: Any, schema: Any) -> str:
        from rich import box  # noqa: PLC0415 -- slow to import
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table as RichTable  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        with Table(items_of(rows), schema) as found:
            names = [*found.kinds]
            used: set[str] = set()
            cells = []
            for row in found.rows():
                used |= {name for name, value in row.items() if value is not None}
                cells.append({name: _visible(plain_text(row.get(name))) for name in names})
        shown = [name for name in names if name in used]
        if not shown:
            return ""
        table = RichTable(*map(_visible, shown), box=box.SIMPLE_HEAD if _is_unicode(sys.stdout) else box.ASCII)
        for each in cells:
            table.add_row(*(Text(each[name], overflow="fold") for name in shown))
        text = io.StringIO()
        width = None if sys.stdout.isatty() else 200
        Console(file=text, width=width, no_color=True, legacy_windows=False).print(table)
        return text.getvalue()


def default_for_lists() -> str:
    """Return the format of lists on standard output: a table for people, JSON Lines for programs."""
    return "table" if sys.stdout.isatty() else "jsonl"


def remark(text: str, *, quiet: bool = False) -> None:
    """Print a remark for people to standard error."""
    if not quiet:
        print(text, file=sys.stderr)


def _is_unicode(file: TextIO) -> bool:
    return (file.encoding or "").lower().replace("-", "").replace("_", "") in {"utf8", "utf8sig"}


@contextmanager
def _data(chosen: str) -> Iterator[TextIO]:
    """Yield standard output, for JSON as it is: letters that it cannot show become escapes of JSON.

    The other formats have no escapes. A pipe or a file gets them as UTF-8, whatever the locale.
    """
    if chosen in {"json", "jsonl"} or sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        yield sys.stdout
        return
    sys.stdout.flush()
    file = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="", write_through=True)
    try:
        yield file
        file.flush()
    finally:
        file.detach()  # it must not close standard output


def _visible(text: str) -> str:
    """Return a text without control characters, which could change what the terminal shows."""
    return "".join(letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)
