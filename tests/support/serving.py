"""Run `mem0-exports serve` in a process on a free loopback port."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tests.support.timeouts import scaled


def _key_in(file: IO[str], api_key: str | None) -> list[str]:
    """Write a key to a file, and return the arguments for it."""
    if api_key is None:
        return []
    file.write(api_key)
    file.flush()
    return ["--api-key-file", file.name]


@contextlib.contextmanager
def served(
    store: Path, api_key: str | None = None, *more: str, log_level: str = "warning", log: Path | None = None
) -> Iterator[str]:
    """Serve `store` for as long as the context lasts, and yield the base URL.

    `more` are further arguments of the command; `log` is a file for its standard error.
    """
    command = [sys.executable, "-m", "mem0_exports_cli.main", "serve", "--store", str(store), "--port", "0"]
    command += ["--log-level", log_level, *more]
    with (
        tempfile.NamedTemporaryFile("w", encoding="utf-8") as key_file,
        contextlib.nullcontext() if log is None else log.open("wb") as errors,
        subprocess.Popen(
            [*command, *_key_in(key_file, api_key)], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:"), f"the server printed {line!r}"
            yield line.removeprefix("listening on ").strip()
        finally:
            process.terminate()
            assert process.wait(timeout=scaled(20)) == 0
