"""How the embedded engine does with many memories: time as a ratio to a floor of the same run, and memory.

    python benchmarks/local.py [MEMORIES]        (1,000,000 where nothing is said; that takes some ten minutes)

The floor of reading is raw sqlite3 that reads the same rows of the same file in the same order, one tuple after the
other, and does nothing with them. It is measured before and after each job, and the ratio is to the mean of the two. The
floor of importing is raw sqlite3 that stores rows made beforehand in the same tables, with one executemany and one
transaction for as many rows as the import takes at once.

Every step runs in a process of its own, whose peak of resident memory is the last column; the interpreter with what it
imports is 50 MB of it. Ratios are of CPU time (user and system), as the wall clock tells more about the neighbours on a
shared machine; wall-clock seconds stand beside them. An export is measured from its creation to the last byte of its
answer, in the process that runs the job. A budget is a wish, not a test.
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

from mem0_exports_engine import importer
from mem0_exports_engine.clock import now
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.rows import row_for
from mem0_exports_engine.store.sqlite.store import SqliteStore


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEMORIES: Final = 1_000_000
APP: Final = {"app_id": "bench"}
"""All of them."""

ONE_USER: Final = {"user_id": "user-17"}

TEXTS: Final = {name: {"type": "string"} for name in ("id", "memory", "user_id", "run_id")}
TIMES: Final = {name: {"type": "string", "format": "date-time"} for name in ("created_at", "updated_at")}


def of_records(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an export with one record for each memory."""
    item = {"type": "object", "properties": properties, "required": ["id"]}
    return {"type": "object", "properties": {"memories": {"type": "array", "items": item}}}


OWN_FIELDS: Final = of_records({**TEXTS, **TIMES})
VALIDATED: Final = of_records(
    {
        **TEXTS,
        **TIMES,
        "team": {"type": "string", "enum": ["red", "green", "blue", "white"]},
        "score": {"type": "integer", "minimum": 0, "maximum": 100},
        "note": {"anyOf": [{"type": "string", "maxLength": 200}, {"type": "null"}], "default": None},
    }
)
WITH_GAPS: Final = of_records(
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


# ---- what is measured: each step is a function that runs in a process of its own ------------------------------------


def made_up(count: int) -> Iterator[bytes]:
    """Lines of memory records, the same ones each time."""
    draw = random.Random(7)  # noqa: S311 -- no secrets
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
    """The floor of importing: only storing rows counts."""
    SqliteStore(store).close()  # makes the tables
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    with lines.open("rb") as file:
        rows = (row_for(json.loads(line), DEFAULT_PROJECT, "", now()) for line in file)
        spent, insert = Spent(), ""
        while batch := [row for _, row in zip(range(importer.MAX_BATCH), rows, strict=False)]:
            insert = insert or f"INSERT INTO memories ({', '.join(batch[0])}) VALUES ({', '.join('?' * len(batch[0]))})"
            values = [tuple(row.values()) for row in batch]
            with spent:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(insert, values)
                connection.execute("COMMIT")
    spent.tell()


def our_import(store: Path, lines: Path) -> None:
    """`mem0-exports import` of the same lines."""
    opened = SqliteStore(store)
    with Spent() as spent, lines.open("rb") as file:
        done = importer.import_lines(opened.memories, file)
    opened.close()
    spent.tell(f"{done.added:,} added")


def raw_read(store: Path, where: dict[str, str]) -> None:
    """The floor of reading: all columns that a record has."""
    ((column, value),) = where.items()
    query = (
        "SELECT id, memory, user_id, agent_id, app_id, run_id, metadata, categories, expiration_date, created_at, "
        f"updated_at FROM memories WHERE project = 'local' AND {column} = ? ORDER BY created_us, seq"
    )
    connection = sqlite3.connect(store)
    with Spent() as spent:
        count = sum(1 for _ in connection.execute(query, (value,)))
    spent.tell(f"{count:,} rows")


def export(store: Path, schema: dict[str, Any]) -> None:
    """An export of everything, with its answer read to the end."""
    engine = Engine(store)
    body = json.dumps({"schema": schema, "filters": APP}).encode()
    with Spent() as spent:
        created = engine.respond("POST", "/v1/exports/", "", {}, body)
        wanted = json.dumps({"memory_export_id": json.loads(created.body)["id"]}).encode()
        while (answer := engine.respond("POST", "/v1/exports/get/", "", {}, wanted)).status == 404:
            time.sleep(0.05)
        pieces = [answer.body] if isinstance(answer.body, bytes) else answer.body
        size = sum(map(len, pieces))
    spent.tell(f"{size / 1e6:,.1f} MB")
    engine.close()


def a_page(store: Path) -> None:
    """A page of 100 of the memories of one user, 200 times."""
    engine = Engine(store)
    body = json.dumps({"filters": ONE_USER}).encode()
    with Spent() as spent:
        for _ in range(200):
            answer = engine.respond("POST", "/v3/memories/", "page=1&page_size=100", {}, body)
    spent.tell(f"{json.loads(answer.body)['count']:,} memories")
    engine.close()


def raw_page(store: Path) -> None:
    """The floor of that: the same rows, and how many there are."""
    connection = sqlite3.connect(store)
    where = "FROM memories WHERE project = 'local' AND user_id = 'user-17'"
    with Spent() as spent:
        for _ in range(200):
            connection.execute(f"SELECT count(*) {where}").fetchone()
            list(connection.execute(f"SELECT * {where} ORDER BY created_us, seq LIMIT 100"))
    spent.tell()


# ---- measuring ------------------------------------------------------------------------------------------------------


class Spent:
    """CPU and wall-clock seconds of this process inside `with`, added up."""

    def __init__(self) -> None:
        self._cpu = self._wall = 0.0

    def __enter__(self) -> Self:
        self._cpu -= time.process_time()
        self._wall -= time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._cpu += time.process_time()
        self._wall += time.perf_counter()

    def tell(self, what: str = "") -> None:
        """Print what this process needed, for the process that waits for it."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([self._cpu, self._wall, peak, what]))


class Measured(NamedTuple):
    """What a step needed."""

    cpu: float
    wall: float
    peak: float
    """Megabytes."""
    what: str


STEPS: Final[dict[str, Callable[..., None]]] = {
    "raw_import": lambda folder: raw_import(folder / "raw.db", folder / "lines.jsonl"),
    "import": lambda folder: our_import(folder / "store.db", folder / "lines.jsonl"),
    "raw_read": lambda folder: raw_read(folder / "store.db", APP),
    "own fields": lambda folder: export(folder / "store.db", OWN_FIELDS),
    "validated": lambda folder: export(folder / "store.db", VALIDATED),
    "with gaps": lambda folder: export(folder / "store.db", WITH_GAPS),
    "profile": lambda folder: export(folder / "store.db", PROFILE),
    "raw_page": lambda folder: raw_page(folder / "store.db"),
    "page": lambda folder: a_page(folder / "store.db"),
}


def step(name: str, folder: Path) -> Measured:
    """Run a step in a process of its own."""
    command = [sys.executable, __file__, "--step", name, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Measured(*json.loads(done.stdout))


def row(name: str, floor: float, measured: Measured, budget: float | None) -> None:
    """Print a line of the table."""
    ratio = measured.cpu / floor
    verdict = "" if budget is None else f"{budget:g} {'ok' if ratio <= budget and measured.peak < 256 else 'over'}"
    figures = f"{ratio:6.2f}x {verdict:10} {measured.cpu:8.2f} {measured.wall:8.2f} {measured.peak:7.0f}"
    print(f"{name:42} {figures}  {measured.what}", flush=True)


def main(count: int) -> None:
    """Measure everything, and print a table."""
    with tempfile.TemporaryDirectory(prefix="mem0-exports-bench-") as name:
        folder = Path(name)
        with (folder / "lines.jsonl").open("wb") as file:
            file.writelines(made_up(count))
        size = (folder / "lines.jsonl").stat().st_size
        print(f"{count:,} memories, {size / 1e6:,.0f} MB as JSON Lines, SQLite {sqlite3.sqlite_version}")
        print(f"{'':42} {'ratio':>7} {'budget':10} {'CPU s':>8} {'wall s':>8} {'peak MB':>7}")
        floor = step("raw_import", folder)
        row("raw executemany", floor.cpu, floor, None)
        row("import", floor.cpu, step("import", folder), 2)
        for title, name_of_step, budget in (
            ("list export of own fields (written by SQL)", "own fields", 3),
            ("list export with validation", "validated", 6),
            ("the same, where a third lacks a value", "with gaps", 6),
            ("profile export with validation", "profile", 6),
        ):
            before = step("raw_read", folder)
            measured = step(name_of_step, folder)
            after = step("raw_read", folder)
            row("raw read of the same rows", before.cpu, after, None)
            row(title, (before.cpu + after.cpu) / 2, measured, budget)
        floor = step("raw_page", folder)
        row("200 raw pages of one user", floor.cpu, floor, None)
        row("200 pages of one user", floor.cpu, step("page", folder), None)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        STEPS[sys.argv[2]](Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else MEMORIES)
