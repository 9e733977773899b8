"""Measure what users wait for, print one table with goals, and keep the figures in benchmarks/results/.

    python benchmarks/bench.py [MEMORIES]        (default: 100,000, which takes about three minutes; also 1,000,000)

Each step runs in a process of its own, on one store that is imported first. A ratio names what it is compared with, which
is measured in the same run. CPU times are those of the process (user and system) with all its threads, because wall-clock
times depend on the other load of the machine. Goals are goals, not tests; those in milliseconds are for a current server.
docs/performance.md says how to read the rows; `benchmarks/curves.py` draws them.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx
import local  # type: ignore[import-not-found]  # the script beside this one

from pydantic import BaseModel

from mem0_exports import Client, ExportRequest, F
from mem0_exports_engine.clock import now
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.sqlite.store import SqliteStore


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mem0_exports.filters.tree import Filter

MEMORIES: Final = 100_000
RESULTS: Final = Path(__file__).with_name("results")
HUNDRED: Final = F.run_id.in_("run-1", "run-2")
"""Selects a hundred memories of the store."""

EXPORT: Final = "550e8400-e29b-41d4-a716-446655440000"


class Profile(BaseModel):
    """What the small exports are made into."""

    team: str | None = None
    score: int | None = None
    note: str | None = None


class Row(NamedTuple):
    """One figure. `goal`: at most this, or at least this if `more_is_better`."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    more_is_better: bool = False

    @property
    def verdict(self) -> str:
        """`ok` or `over`, beside the goal."""
        if self.goal is None:
            return ""
        is_good = self.value >= self.goal if self.more_is_better else self.value <= self.goal
        return f"{'>=' if self.more_is_better else '<='} {self.goal:g} {'ok' if is_good else 'over'}"


class Times(NamedTuple):
    """Milliseconds for each call."""

    cpu: float
    wall: float


def times(call: Callable[[], object], count: int, rounds: int = 5) -> Times:
    """Return the shortest mean times of a call, over some rounds of `count` calls."""
    found = []
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(count):
            call()
        found.append(Times((time.process_time() - cpu) / count * 1e3, (time.perf_counter() - wall) / count * 1e3))
    return min(found)


# ---- the steps, each of which runs in a process of its own -----------------------------------------------------------


def creating(_store: Path) -> Iterator[Row]:
    """Compare a create on the embedded engine with a POST of httpx to a mock transport."""

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json={"message": "x", "id": EXPORT})

    body = {"schema": Profile.model_json_schema(), "filters": {"AND": [{"user_id": "a"}]}}
    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://x") as http, Client.local() as client:
        client.engine.workers.take_no_more()  # type: ignore[attr-defined]  # measures creating alone
        time.sleep(0.5)
        floor = times(lambda: http.post("/v1/exports/", json=body).json(), 200)
        ours = times(lambda: client.exports.create(Profile, F.user_id == "a"), 200)
    yield Row("create, in memory, to a mock POST of httpx", ours.cpu / floor.cpu, "x", 1.6)
    yield Row("create, in memory, CPU", ours.cpu, "ms")


def running(store: Path) -> Iterator[Row]:
    """Measure exports of a hundred memories."""
    with Client.local(store) as client:
        client.exports.run(Profile, HUNDRED)
        found = times(lambda: client.exports.run(Profile, HUNDRED), 20)
        yield Row("run of 100 memories, CPU", found.cpu, "ms", 8)
        yield Row("run of 100 memories, wall to CPU", found.wall / found.cpu, "x", 1.5)
        many = times(lambda: [*client.exports.run_many(_requests(100), concurrency=16)], 1)
        yield Row("run_many of 100 at 16, CPU for each", many.cpu / 100, "ms", 10)


def first_run(store: Path) -> Iterator[Row]:
    """Measure the first export of a process, from the import of the package on.

    click is hidden: `import httpx` also loads httpx's command line if click and rich are installed, in up to 100 ms.
    """
    code = (
        "import sys, time; sys.modules['click'] = None; from pydantic import BaseModel\n"
        "class P(BaseModel):\n    team: str | None = None\n"
        "begin = time.process_time()\n"
        "from mem0_exports import Client, F\n"
        f"with Client.local({str(store)!r}) as client:\n    client.exports.run(P, F.run_id.in_('run-1', 'run-2'))\n"
        "print(time.process_time() - begin)"
    )
    # With compiled modules, as wherever a package is installed. The first of the runs compiles them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(store.parent / "compiled")
    runs = [subprocess.check_output([sys.executable, "-c", code], env=environment) for _ in range(6)]
    found = [float(printed) for printed in runs]
    yield Row("first run of a process, CPU", min(found) * 1e3, "ms", 170)


def serving(store: Path) -> Iterator[Row]:
    """Measure exports over `mem0-exports serve`."""
    code = "import sys; from mem0_exports_cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "serve", "--store", str(store), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None
            with Client("local", base_url=found[0]) as client:
                client.exports.run(Profile, HUNDRED)
                one = times(lambda: client.exports.run(Profile, HUNDRED), 10)
                yield Row("run over serve, wall", one.wall, "ms", 60)
                many = times(lambda: [*client.exports.run_many(_requests(100), concurrency=16)], 1)
                yield Row("run_many over serve at 16", 100e3 / many.wall, "exports/s", 38, more_is_better=True)
        finally:
            server.terminate()


def listing(store: Path) -> Iterator[Row]:
    """Measure pages of memories and of entities, each as the store returns it."""
    with contextlib.closing(SqliteStore(store)) as opened:
        memories = opened.memories

        def page(where: Filter, offset: int) -> tuple[int, Any]:
            return memories.page(DEFAULT_PROJECT, where, now(), show_expired=False, offset=offset, limit=200)

        everything = F.app_id == "bench"
        count, first = _timed(lambda: page(everything, 0)[0])
        yield Row("first page of 200 of all memories, with the count, CPU", first, "ms")
        yield Row("first page far away, CPU", _timed(lambda: page(everything, count - 300))[1], "ms")
        worst = max(_timed(lambda at=at: page(everything, at))[1] for at in range(0, count, max(200, count // 50)))
        yield Row("slowest other page of 200, CPU", worst, "ms", 5)
        pairs = [(F.user_id == f"user-{user}") | (F.user_id == f"user-{user + 100}") for user in range(17, 37)]
        taken = statistics.median(_timed(lambda either=either: page(either, 0))[1] for either in pairs)
        yield Row("page of user A or user B, with the count, CPU", taken, "ms", 5)
        total, first = _timed(lambda: sum(memories.entities(DEFAULT_PROJECT, offset=0, limit=100)[0].values()))
        yield Row("first page of 100 entities, with the counts, CPU", first, "ms", 1200)
        memories.entities(DEFAULT_PROJECT, offset=total - 100, limit=100)
        offsets = range(0, total, max(100, total // 50))
        worst = max(_timed(lambda at=at: memories.entities(DEFAULT_PROJECT, offset=at, limit=100))[1] for at in offsets)
        yield Row("slowest other page of 100 entities, CPU", worst, "ms", 5)


def filtering(store: Path) -> Iterator[Row]:
    """Measure filters that no index answers: each looks at all memories."""
    everything = F.app_id == "bench"
    wanted = {
        'metadata["team"] == "red"': F.metadata["team"] == "red",
        'metadata["score"] == 17': F.metadata["score"] == 17,
        'categories.in_("travel")': F.categories.in_("travel"),
        'keywords.icontains("memory 77")': F.keywords.icontains("memory 77"),
    }
    with contextlib.closing(SqliteStore(store)) as opened:
        for name, condition in wanted.items():
            where = everything & condition
            _, took = _timed(
                lambda where=where: opened.memories.page(
                    DEFAULT_PROJECT, where, now(), show_expired=False, offset=0, limit=1
                )
            )
            yield Row(f"count of {name}, CPU", took, "ms", 500)


def _requests(count: int) -> list[ExportRequest[Profile]]:
    return [ExportRequest(Profile, HUNDRED, tag=str(number)) for number in range(count)]


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.process_time()
    found = call()
    return found, (time.process_time() - begin) * 1e3


STEPS: Final[dict[str, Callable[[Path], Iterator[Row]]]] = {
    "creating": creating,
    "running": running,
    "first_run": first_run,
    "serving": serving,
    "listing": listing,
    "filtering": filtering,
}


# ---- measuring -------------------------------------------------------------------------------------------------------


def measured(step: str, store: Path) -> list[Row]:
    """Run a step in a process of its own, and return its rows and its peak memory."""
    command = [sys.executable, __file__, "--step", step, str(store)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [Row(*row) for row in json.loads(done.stdout)]


def imports_and_list_exports(folder: Path) -> Iterator[Row]:
    """Yield the rows of `local.py`, as ratios to plain sqlite3."""
    floor = local.run_step("raw_import", folder)
    (folder / "raw.db").unlink()
    done = local.run_step("import", folder)
    yield Row("import, to a raw executemany", done.cpu / floor.cpu, "x", 1.5)
    yield Row("import, peak memory", done.peak, "MB")
    for name, goal in (("own fields", 2.0), ("validated", 3.5), ("with gaps", 5.0), ("profile", 6.0)):
        before, done, after = (local.run_step(each, folder) for each in ("raw_read", name, "raw_read"))
        yield Row(f"export, {name}, to a raw read", 2 * done.cpu / (before.cpu + after.cpu), "x", goal)
        if name == "own fields":
            yield Row("export, own fields, peak memory", done.peak, "MB", 80)


def show(row: Row) -> Row:
    """Print a row."""
    print(f"{row.name:56} {row.value:9.2f} {row.unit:9} {row.verdict}", flush=True)
    return row


def main(count: int) -> None:
    """Measure everything, print the table, and keep it."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mem0-exports-bench-") as name:
        folder = Path(name)
        with (folder / "lines.jsonl").open("wb") as file:
            file.writelines(local.memory_lines(count))
        print(f"{count:,} memories, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
        rows = [show(row) for row in imports_and_list_exports(folder)]
        for step in STEPS:
            rows += [show(row) for row in measured(step, folder / "store.db")]
    RESULTS.mkdir(exist_ok=True)
    moment = datetime.now(UTC)
    kept = RESULTS / f"{moment:%Y-%m-%d}-{count}.json"
    figures = {row.name: {"value": round(row.value, 3), "unit": row.unit, "goal": row.goal} for row in rows}
    kept.write_text(json.dumps({"memories": count, "date": f"{moment:%Y-%m-%d}", "figures": figures}, indent=2) + "\n")
    print(
        f"{kept.relative_to(Path.cwd(), walk_up=True) if sys.version_info >= (3, 12) else kept.name} written, after ",
        end="",
    )
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        found = [*STEPS[sys.argv[2]](Path(sys.argv[3]))]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([*found, Row(f"{sys.argv[2]}, peak memory", peak, "MB")]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else MEMORIES)
