"""Measure the embedded engine with many memories: time as a ratio to a lower bound, and peak memory.

    python benchmarks/local.py [MEMORIES]        (default: 1,000,000, which takes about ten minutes)

The lower bound ("floor") for reading is the time in which plain sqlite3 reads the same rows of the same file in the
same order, tuple by tuple, without using them. It is measured before and after each export. The ratio uses the mean of
the two. The floor for importing is the time in which plain sqlite3 inserts prepared rows into the same tables, with one
executemany and one transaction per batch. The batches are as large as in the import.

Each step runs in a process of its own. The last column has the peak resident memory of this process, which includes 50
MB for the interpreter and the imported modules. Ratios are ratios of CPU times (user and system), because wall-clock
times depend on the other load of a shared machine. The table has the wall-clock times too. An export is measured from
its creation to the last byte of its answer, in the process that runs the job. Budgets are goals, not tests.
"""

from __future__ import annotations

import hashlib
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from mem0_exports_engine.clock import now
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.importing import importer
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.rows import row_for
from mem0_exports_engine.store.sqlite.store import SqliteStore


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEMORIES: Final = 1_000_000
APP: Final = {"app_id": "bench"}
"""Filters that select all memories."""

ONE_USER: Final = {"user_id": "user-17"}

TEXTS: Final = {name: {"type": "string"} for name in ("id", "memory", "user_id", "run_id")}
TIMES: Final = {name: {"type": "string", "format": "date-time"} for name in ("created_at", "updated_at")}


def records_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an export with one record per memory."""
    item = {"type": "object", "properties": properties, "required": ["id"]}
    return {"type": "object", "properties": {"memories": {"type": "array", "items": item}}}


OWN_FIELDS: Final = records_schema({**TEXTS, **TIMES})
VALIDATED: Final = records_schema(
    {
        **TEXTS,
        **TIMES,
        "team": {"type": "string", "enum": ["red", "green", "blue", "white"]},
        "score": {"type": "integer", "minimum": 0, "maximum": 100},
        "note": {"anyOf": [{"type": "string", "maxLength": 200}, {"type": "null"}], "default": None},
    }
)
WITH_GAPS: Final = records_schema(
    {**TEXTS, **TIMES, "team": {"type": "string"}, "city": {"type": "string", "minLength": 2}}
)
PROFILE: Final = {
    "type": "object",
    "properties": {
        "team": {"type": "string"},
        "score": {"type": "integer"},
        "employer": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "teams": {"type": "array", "items": {"type": "string"}, "x-mem0-source": {"metadata": "team"}},
        "memories": {"type": "integer", "x-mem0-source": {"count": True}},
    },
}


# ---- the steps, each of which runs in a process of its own -----------------------------------------------------------


def memory_lines(count: int) -> Iterator[bytes]:
    """Yield memory records as JSON Lines, the same in every run."""
    draw = random.Random(7)  # noqa: S311 -- not for secrets
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(count):
        digest = hashlib.blake2b(number.to_bytes(8), digest_size=40).hexdigest()
        record = {
            "id": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}",
            "memory": f"Memory {number}: {digest} was seen near the harbour on a grey morning, and again the day after.",
            "user_id": f"user-{draw.randrange(10_000)}",
            "app_id": "bench",
            "run_id": f"run-{number // 50}",
            "metadata": {
                "team": draw.choice(["red", "green", "blue", "white"]),
                "score": draw.randrange(101),
                "note": digest[:20],
                **({"city": "Lisbon"} if number % 3 else {}),
            },
            "categories": ["work", "travel"][: draw.randrange(3)],
            "created_at": (start + timedelta(seconds=number)).isoformat(),
        }
        yield json.dumps(record).encode() + b"\n"


def raw_import(store: Path, lines: Path) -> None:
    """Measure the floor for importing. Only the inserts count."""
    SqliteStore(store).close()  # creates the tables
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    with lines.open("rb") as file:
        rows = (row_for(json.loads(line), DEFAULT_PROJECT, "", now()) for line in file)
        stopwatch, insert = Stopwatch(), ""
        while batch := [row for _, row in zip(range(importer.MAX_BATCH), rows, strict=False)]:
            insert = insert or f"INSERT INTO memories ({', '.join(batch[0])}) VALUES ({', '.join('?' * len(batch[0]))})"
            values = [tuple(row.values()) for row in batch]
            with stopwatch:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(insert, values)
                connection.execute("COMMIT")
    stopwatch.report()


def measure_import(store: Path, lines: Path) -> None:
    """Measure how long `mem0-exports import` takes to import the same lines."""
    opened = SqliteStore(store)
    with Stopwatch() as stopwatch, lines.open("rb") as file:
        done = importer.import_lines(opened.memories, file)
    opened.close()
    stopwatch.report(f"{done.added:,} added")


def raw_read(store: Path, where: dict[str, str]) -> None:
    """Measure the floor for reading, with all columns that records use."""
    ((column, value),) = where.items()
    query = (
        "SELECT id, memory, user_id, agent_id, app_id, run_id, metadata, categories, expiration_date, created_at, "
        f"updated_at FROM memories WHERE project = 'local' AND {column} = ? ORDER BY created_us, seq"
    )
    connection = sqlite3.connect(store)
    with Stopwatch() as stopwatch:
        count = sum(1 for _ in connection.execute(query, (value,)))
    stopwatch.report(f"{count:,} rows")


def run_export(store: Path, schema: dict[str, Any]) -> None:
    """Measure an export of all memories, until its answer has been read completely."""
    engine = Engine(store)
    body = json.dumps({"schema": schema, "filters": APP}).encode()
    with Stopwatch() as stopwatch:
        created = engine.respond("POST", "/v1/exports/", "", {}, body)
        get_body = json.dumps({"memory_export_id": json.loads(created.body)["id"]}).encode()
        while (answer := engine.respond("POST", "/v1/exports/get/", "", {}, get_body)).status == 404:
            time.sleep(0.05)
        pieces = [answer.body] if isinstance(answer.body, bytes) else answer.body
        size = sum(map(len, pieces))
    stopwatch.report(f"{size / 1e6:,.1f} MB")
    engine.close()


def read_pages(store: Path) -> None:
    """Measure 200 requests for a page of 100 memories of one user."""
    engine = Engine(store)
    body = json.dumps({"filters": ONE_USER}).encode()
    with Stopwatch() as stopwatch:
        for _ in range(200):
            answer = engine.respond("POST", "/v3/memories/", "page=1&page_size=100", {}, body)
    stopwatch.report(f"{json.loads(answer.body)['count']:,} memories")
    engine.close()


def raw_pages(store: Path) -> None:
    """Measure the floor for pages: plain sqlite3 reads the same rows and their count."""
    connection = sqlite3.connect(store)
    where = "FROM memories WHERE project = 'local' AND user_id = 'user-17'"
    with Stopwatch() as stopwatch:
        for _ in range(200):
            connection.execute(f"SELECT count(*) {where}").fetchone()
            list(connection.execute(f"SELECT * {where} ORDER BY created_us, seq LIMIT 100"))
    stopwatch.report()


# ---- measuring -------------------------------------------------------------------------------------------------------


class Stopwatch:
    """Adds up the CPU and wall-clock seconds of this process inside `with` blocks."""

    def __init__(self) -> None:
        self._cpu = self._wall = 0.0

    def __enter__(self) -> Self:
        self._cpu -= time.process_time()
        self._wall -= time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._cpu += time.process_time()
        self._wall += time.perf_counter()

    def report(self, result: str = "") -> None:
        """Print the figures of this process, for the process that started it."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([self._cpu, self._wall, peak, result]))


class Figures(NamedTuple):
    """The figures of a step."""

    cpu: float
    wall: float
    peak: float
    """Peak resident memory in megabytes."""
    result: str


STEPS: Final[dict[str, Callable[..., None]]] = {
    "raw_import": lambda folder: raw_import(folder / "raw.db", folder / "lines.jsonl"),
    "import": lambda folder: measure_import(folder / "store.db", folder / "lines.jsonl"),
    "raw_read": lambda folder: raw_read(folder / "store.db", APP),
    "own fields": lambda folder: run_export(folder / "store.db", OWN_FIELDS),
    "validated": lambda folder: run_export(folder / "store.db", VALIDATED),
    "with gaps": lambda folder: run_export(folder / "store.db", WITH_GAPS),
    "profile": lambda folder: run_export(folder / "store.db", PROFILE),
    "raw_page": lambda folder: raw_pages(folder / "store.db"),
    "page": lambda folder: read_pages(folder / "store.db"),
}


def run_step(name: str, folder: Path) -> Figures:
    """Run a step in a process of its own, and return its figures."""
    command = [sys.executable, __file__, "--step", name, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Figures(*json.loads(done.stdout))


def print_row(name: str, floor: float, step: Figures, budget: float | None) -> None:
    """Print a line of the table."""
    ratio = step.cpu / floor
    verdict = "" if budget is None else f"{budget:g} {'ok' if ratio <= budget and step.peak < 256 else 'over'}"
    figures = f"{ratio:6.2f}x {verdict:10} {step.cpu:8.2f} {step.wall:8.2f} {step.peak:7.0f}"
    print(f"{name:42} {figures}  {step.result}", flush=True)


def main(count: int) -> None:
    """Measure everything, and print a table."""
    with tempfile.TemporaryDirectory(prefix="mem0-exports-bench-") as name:
        folder = Path(name)
        with (folder / "lines.jsonl").open("wb") as file:
            file.writelines(memory_lines(count))
        size = (folder / "lines.jsonl").stat().st_size
        print(f"{count:,} memories, {size / 1e6:,.0f} MB as JSON Lines, SQLite {sqlite3.sqlite_version}")
        print(f"{'':42} {'ratio':>7} {'budget':10} {'CPU s':>8} {'wall s':>8} {'peak MB':>7}")
        floor = run_step("raw_import", folder)
        print_row("raw executemany", floor.cpu, floor, None)
        print_row("import", floor.cpu, run_step("import", folder), 2)
        for title, name_of_step, budget in (
            ("list export of own fields (written by SQL)", "own fields", 3),
            ("list export with validation", "validated", 6),
            ("the same, a third of records lack a value", "with gaps", 6),
            ("profile export with validation", "profile", 6),
        ):
            before = run_step("raw_read", folder)
            step_figures = run_step(name_of_step, folder)
            after = run_step("raw_read", folder)
            print_row("raw read of the same rows", before.cpu, after, None)
            print_row(title, (before.cpu + after.cpu) / 2, step_figures, budget)
        floor = run_step("raw_page", folder)
        print_row("200 raw pages of one user", floor.cpu, floor, None)
        print_row("200 pages of one user", floor.cpu, run_step("page", folder), None)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        STEPS[sys.argv[2]](Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else MEMORIES)
