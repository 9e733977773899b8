"""Run `mem0-exports serve` in a process on a free loopback port."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path

from tests.support.timeouts import scaled


@contextlib.contextmanager
def served(
    store: Path, api_key: str | None = None, *more: str, log_level: str = "warning", log: Path | None = None
) -> Iterator[str]:
    """Serve `store` for as long as the context lasts, and yield the base URL.

    `more` are further arguments of the command; `log` is a file for its standard error.
    """
    command = [sys.executable, "-m", "mem0_exports_cli.main", "serve", "--store", str(store), "--port", "0"]
    command += ["--log-level", log_level, *([] if api_key is None else ["--api-key", api_key]), *more]
    with (
        contextlib.nullcontext() if log is None else log.open("wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:"), f"the server printed {line!r}"
            yield line.removeprefix("listening on ").strip()
        finally:
            process.terminate()
            assert process.wait(timeout=scaled(20)) == 0
