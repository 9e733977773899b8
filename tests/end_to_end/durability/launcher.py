"""Run `mem0-exports serve` with options for tests: a short lease, a full disk, slow exports, a delayed start.

It imports everything, and opens the store and starts the server when it reads a line from standard input. So a test can
prepare the next process while the previous one still runs. SIGUSR1 lifts the limit of --max-file-size.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sqlite3
import sys
import tempfile
import time

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import uvicorn  # noqa: F401 -- imported early, so that the start is fast; so are the next ones

from mem0_exports_cli import main as cli
from mem0_exports_engine import engine, ports  # noqa: F401
from mem0_exports_engine.server import app, serve  # noqa: F401
from mem0_exports_engine.store.sqlite import connections, store  # noqa: F401
from mem0_exports_engine.store.sqlite.batches import SqliteBatch
from mem0_exports_engine.store.sqlite.memories import SqliteMemories


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", required=True)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--grace", default="10", metavar="SECONDS")
    parser.add_argument("--lease", type=float, metavar="SECONDS")
    parser.add_argument("--max-file-size", type=int, metavar="BYTES")
    parser.add_argument("--max-pages", type=int, metavar="N")
    parser.add_argument("--batch-pause", type=float, metavar="SECONDS")
    chosen = parser.parse_args()
    sys.stdin.readline()
    if chosen.lease is not None:
        ports.LEASE = timedelta(seconds=chosen.lease)
    if chosen.max_file_size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a write beyond the limit is an error, as on a full disk
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (chosen.max_file_size, before[1]))
        signal.signal(signal.SIGUSR1, lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, before))
    if chosen.max_pages is not None:
        limit = f"PRAGMA max_page_count = {chosen.max_pages}"
        limit_new_connections(limit)
    if chosen.batch_pause is not None:
        slow_down(chosen.batch_pause)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as key_file:
        key_file.write(chosen.api_key)
        key_file.flush()
        command = ["serve", "--store", chosen.store, "--port", "0", "--api-key-file", key_file.name]
        return cli.main([*command, "--log-level", "warning", "--grace", chosen.grace])


def limit_new_connections(limit: str) -> None:
    """Execute a pragma on each new connection of a store."""
    set_up = connections._set_up

    def limited(driver: sqlite3.Connection) -> None:
        set_up(driver)
        driver.execute(limit)

    connections._set_up = limited


def slow_down(seconds: float) -> None:
    """Make each batch of memories take this long without using the CPU, so that jobs are slow on any machine."""
    batches = SqliteMemories.batches

    def slow(*arguments: Any) -> Iterator[SqliteBatch]:
        for batch in batches(*arguments):
            time.sleep(seconds)
            yield batch

    SqliteMemories.batches = slow  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main())
