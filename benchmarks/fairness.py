"""Measure how long each writer of one file waits: four servers, three local clients and an import at the same time.

    python benchmarks/fairness.py [SECONDS]        (default: 20)

Each writer runs in a process of its own. A server gets adds and exports from a client of its own; a local client adds
and exports directly; the import goes on for the whole time. The table has the longest and the mean time of one write
of each kind, in seconds, and the number of writes. The goal is 2 s for the longest: before imports wrote in short
transactions and waiting writers looked at the lock often, it was 20 s.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time

from pathlib import Path
from typing import TYPE_CHECKING, Final

from mem0_exports import Client, F, Retry
from mem0_exports_engine.importing.importer import import_lines
from mem0_exports_engine.store.sqlite.store import SqliteStore


if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.queues import Queue

SECONDS: Final = 20.0
SERVERS: Final = 4
CLIENTS: Final = 3
SCHEMA: Final = {
    "type": "object",
    "properties": {"all": {"type": "array", "items": {"type": "object", "properties": {"memory": {"type": "string"}}}}},
}


def measure(client: Client, name: str, until: float, waits: Queue[tuple[str, float]]) -> None:
    """Add memories and start exports until the time is over, and put how long each took."""
    number = 0
    while time.time() < until:
        number += 1
        started = time.monotonic()
        client.memories.add(f"{name} {number} {started}", user_id=name)
        waits.put((name, time.monotonic() - started))
        if number % 10 == 0:
            started = time.monotonic()
            client.exports.create(SCHEMA, F.user_id == name)
            waits.put((name, time.monotonic() - started))


def use_a_server(path: Path, name: str, until: float, waits: Queue[tuple[str, float]]) -> None:
    """Start a server, and use it."""
    command = [sys.executable, "-m", "mem0_exports_cli.main", "serve", "--store", str(path), "--port", "0"]
    command += ["--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().removeprefix("listening on ").strip()
        with Client("m0-benchmark", base_url=url, timeout=120, retry=Retry(attempts=1)) as client:
            measure(client, name, until, waits)
        server.terminate()


def use_locally(path: Path, name: str, until: float, waits: Queue[tuple[str, float]]) -> None:
    """Use the file directly."""
    with Client.local(path, timeout=120) as client:
        measure(client, name, until, waits)


def import_until(path: Path, name: str, until: float, waits: Queue[tuple[str, float]]) -> None:
    """Import memories until the time is over, and put how long each thousand took."""

    def lines() -> Iterator[bytes]:
        number, started = 0, time.monotonic()
        while time.time() < until:
            number += 1
            if number % 1000 == 0:
                waits.put((name, time.monotonic() - started))
                started = time.monotonic()
            yield json.dumps({"memory": f"{name} {number} {until}", "user_id": name}).encode()

    with contextlib.closing(SqliteStore(path)) as store:
        import_lines(store.memories, lines())


def main() -> None:
    """Run all writers, and print the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    context = multiprocessing.get_context("spawn")
    waits: Queue[tuple[str, float]] = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memories.db"
        SqliteStore(path).close()
        until = time.time() + seconds + 3  # some of which the processes need to start
        writers = [(use_a_server, f"server {number}") for number in range(SERVERS)]
        writers += [(use_locally, f"local {number}") for number in range(CLIENTS)]
        writers.append((import_until, "import"))
        processes = [context.Process(target=run, args=(path, name, until, waits)) for run, name in writers]
        for process in processes:
            process.start()
        found: dict[str, list[float]] = {}
        while any(process.is_alive() for process in processes) or not waits.empty():
            with contextlib.suppress(Exception):
                name, wait = waits.get(timeout=0.2)
                found.setdefault(name, []).append(wait)
    print(f"{'writer':12}{'writes':>8}{'mean s':>10}{'longest s':>11}")
    for _, name in writers:
        each = found.get(name, [])
        mean = sum(each) / len(each) if each else float("nan")
        print(f"{name:12}{len(each):8}{mean:10.3f}{max(each, default=float('nan')):11.3f}")


if __name__ == "__main__":
    main()
