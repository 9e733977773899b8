"""Look into an SQLite file that may belong to another program, without changing it or the files beside it."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import tempfile

from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def looking_into(path: Path) -> Iterator[sqlite3.Connection | None]:
    """Open a file only for reading, or yield None if there is no file or it is empty.

    An ordinary connection would change a file in WAL mode: it creates the -shm file, and the last connection that
    closes moves the -wal file into the database. So the file is opened as immutable, which reads it as it is, without
    its -wal file. Its tables may not have been moved into it yet. In that case, copies of both files are read.
    """
    try:
        empty = not path.stat().st_size
    except (OSError, ValueError):
        empty = True
    if empty:
        yield None
        return
    with contextlib.closing(_immutable(path)) as connection:
        tables = _has_tables(connection)
        if tables or not _has_content(wal_of(path)):
            yield connection
            return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        _copy_in_another_process({path: copy, wal_of(path): wal_of(copy)})
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            yield connection


def _copy_in_another_process(copies: dict[Path, Path]) -> None:
    """Copy files. If this process closed a descriptor of a file, POSIX would drop all its locks on it, also SQLite's."""
    code = "import shutil, sys; files = iter(sys.argv[1:]); [shutil.copyfile(one, next(files)) for one in files]"
    arguments = [str(each) for pair in copies.items() for each in pair]
    command = [sys.executable, "-I", "-S", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 -- our own code, and two paths
    if done.returncode:
        raise OSError(f"cannot copy {arguments[0]!r}: {done.stderr.decode(errors='replace')[-200:]}")


def wal_of(path: Path) -> Path:
    """Return the path of the -wal file of a database."""
    return path.with_name(f"{path.name}-wal")


def _immutable(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _has_content(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_size > 0
    return False
