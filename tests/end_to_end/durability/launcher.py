"""`mem0-exports serve`, with what a test asks for beside it: a short lease, a full disk, a start on command.

Everything is imported first; the store is opened, and the server started, once a line comes on standard input. So the
next process can be kept ready while the one before it is still at work. A disk that is full has room again at SIGUSR1.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import uvicorn  # noqa: F401 -- loaded before the start, as are the next ones

from mem0_exports_cli import main as cli
from mem0_exports_engine import engine, ports  # noqa: F401
from mem0_exports_engine.server import app, serve  # noqa: F401
from mem0_exports_engine.store.sqlite import store  # noqa: F401
from mem0_exports_engine.store.sqlite.batches import SqliteBatch
from mem0_exports_engine.store.sqlite.memories import SqliteMemories


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", required=True)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--grace", default="10", metavar="SECONDS")
    parser.add_argument("--lease", type=float, metavar="SECONDS")
    parser.add_argument("--largest-file", type=int, metavar="BYTES")
    parser.add_argument("--most-pages", type=int, metavar="N")
    parser.add_argument("--batch-pause", type=float, metavar="SECONDS")
    chosen = parser.parse_args()
    sys.stdin.readline()
    if chosen.lease is not None:
        ports.LEASE = timedelta(seconds=chosen.lease)
    if chosen.largest_file is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond it is an error, as on a full disk
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (chosen.largest_file, before[1]))
        signal.signal(signal.SIGUSR1, lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, before))
    if chosen.most_pages is not None:
        limit = f"PRAGMA max_page_count = {chosen.most_pages}"
        sa.event.listen(sa.engine.Engine, "connect", lambda connection, _record: connection.execute(limit))
    if chosen.batch_pause is not None:
        slow_down(chosen.batch_pause)
    command = ["serve", "--store", chosen.store, "--port", "0", "--api-key", chosen.api_key, "--log-level", "warning"]
    return cli.main([*command, "--grace", chosen.grace])


def slow_down(seconds: float) -> None:
    """Let each batch of memories take this long, without any CPU: a job that is slow, and not starved."""
    batches = SqliteMemories.batches

    def slow(*arguments: Any) -> Iterator[SqliteBatch]:
        for batch in batches(*arguments):
            time.sleep(seconds)
            yield batch

    SqliteMemories.batches = slow  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main())
