"""Measure the speed of the client, and compare each figure with a named baseline measured in the same run.

    python benchmarks/client.py

All times are CPU times (user and system), because wall-clock times depend on the other load of a shared machine. In
each round, both our code and the baseline run, in alternating order. The ratio is the median of the ratios of the
rounds; the next column has its quartiles. All other values are medians over the rounds.

- Imports run in fresh, isolated interpreters (-I). "net" is the time minus that of a bare interpreter in the same
  round. click is hidden, because `import httpx` also loads httpx's command line if click and rich are installed. Users
  of this package may not have them, and the additional time would make our share in the ratio look smaller.
- Calls run in blocks in this process. Their time is that of the calling thread, without garbage collection. Client and
  baseline use the same httpx class, headers and mock transport, which returns prepared bytes. No socket is involved,
  so the ratio is the worst case for users.
- The embedded engine runs its jobs in another thread, whose time does not count.

Budgets are goals, not tests: the last column says "ok" or "over", but the exit code is always 0. The last two rows have
no budget.
"""

from __future__ import annotations

import asyncio
import gc
import json
import platform
import resource
import ssl
import statistics
import subprocess
import sys
import time

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import httpx
import pydantic

from mem0_exports import AsyncClient, Client, F, __version__


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

PROCESS_ROUNDS: Final = 31
"""The number of rounds with fresh interpreters."""

ROUNDS: Final = 120
"""The number of rounds with blocks in this process."""

CALLS: Final = 40
"""The default number of calls in a block."""

WIDTHS: Final = (35, 12, 24, 12, 6, 11, 14, 4)
"""The widths of the columns of the table."""

MILLI: Final = 1e3
MICRO: Final = 1e6

Block: TypeAlias = "Callable[[], float]"
"""Makes some calls, and returns the CPU seconds per call."""


class Profile(pydantic.BaseModel):
    """The type of the exports: eight fields, as in a small application."""

    full_name: str | None = None
    job_title: str | None = None
    employer: str | None = None
    city: str | None = None
    birth_year: int | None = None
    allergy: str | None = None
    hobbies: list[str] = []
    languages: list[str] = []


ADDRESS: Final = "http://bench.invalid"
EXPORT_ID: Final = "0d6f7c1e-6b1a-4f0e-9a53-2f3a3c1b7d10"
HEADERS: Final = {"authorization": "Token k", "accept": "application/json", "user-agent": "bench/1.0 python/3"}
CONTENT_TYPE: Final = {"content-type": "application/json"}
CREATE_BODY: Final[dict[str, Any]] = {
    "schema": Profile.model_json_schema(),
    "filters": {"AND": [{"user_id": "alex"}]},
}
PROFILE: Final = Profile(
    full_name="Alex Moreira",
    job_title="engineer",
    employer="Northwind",
    city="Lisbon",
    birth_year=1988,
    hobbies=["climbing", "chess"],
    languages=["Portuguese", "English"],
)
ANSWERS: Final = {
    "/v1/ping/": (200, b'{"status": "ok", "org_id": "o", "project_id": "p", "user_email": "alex@example.com"}'),
    "/v1/exports/": (201, json.dumps({"message": "Memory export request received.", "id": EXPORT_ID}).encode()),
    "/v1/exports/get/": (200, PROFILE.model_dump_json().encode()),
}


# ---- measuring -------------------------------------------------------------------------------------------------------


class Pairs(NamedTuple):
    """CPU seconds of our code and of the baseline, by round."""

    ours: list[float]
    base: list[float]

    def quartiles(self) -> list[float]:
        """Return the lower quartile, the median and the upper quartile of the ratios of the rounds."""
        ratios = [ours / base for ours, base in zip(self.ours, self.base, strict=True)]
        return statistics.quantiles(ratios, n=4)


class Row(NamedTuple):
    """One line of the table. `within` is None if there is no budget. The text `budget` is then only informative."""

    what: str
    baseline: str
    pairs: Pairs
    scale: float
    unit: str
    budget: str
    within: bool | None

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the columns."""
        ours, base = (f"{statistics.median(each) * self.scale:.3g} {self.unit}" for each in self.pairs[:2])
        low, middle, high = (f"{each:.2f}" for each in self.pairs.quartiles())
        verdict = {True: "ok", False: "over", None: ""}[self.within]
        return (self.what, ours, self.baseline, base, f"{middle}x", f"{low}-{high}", self.budget, verdict)


def ratio_row(what: str, baseline: str, pairs: Pairs, budget: float, scale: float = MICRO, unit: str = "us") -> Row:
    """Return a row with a budget for the median ratio. The ratio is rounded to two places, as the table shows it."""
    return Row(what, baseline, pairs, scale, unit, f"{budget:g}x", round(pairs.quartiles()[1], 2) <= budget)


def alternating(round_: int, *sides: int) -> Iterator[int]:
    """Return the sides in the order of this round, which alternates."""
    return iter(sides if round_ % 2 == 0 else sides[::-1])


def paired(ours: Block, base: Block, rounds: int = ROUNDS) -> Pairs:
    """Run both blocks in each round, after two warm-up runs of each."""
    blocks = (ours, base)
    for block in blocks * 2:
        block()
    pairs = Pairs([], [])
    for round_ in range(rounds):
        for side in alternating(round_, 0, 1):
            pairs[side].append(blocks[side]())
    return pairs


def timed(call: Callable[[], object], calls: int = CALLS) -> float:
    """Return the CPU seconds per call of a block of calls."""
    gc.disable()
    start = time.thread_time()
    for _ in range(calls):
        call()
    spent = time.thread_time() - start
    gc.enable()
    return spent / calls


async def timed_async(call: Callable[[], Awaitable[object]], calls: int = CALLS) -> float:
    """Return the CPU seconds per call of a block of calls on the running event loop."""
    gc.disable()
    start = time.thread_time()
    for _ in range(calls):
        await call()
    spent = time.thread_time() - start
    gc.enable()
    return spent / calls


def cpu_of(statement: str) -> float:
    """Return the CPU seconds of a fresh interpreter that runs `statement`."""
    code = f"import sys; sys.modules['click'] = None; {statement}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


# ---- the rows --------------------------------------------------------------------------------------------------------


def imports() -> list[Row]:
    """Return rows 1 and 2: the time of imports."""
    statements = ("pass", "import mem0_exports", "import httpx, attrs", "from mem0_exports import Client")
    for statement in statements:
        cpu_of(statement)  # writes the bytecode and warms the page cache
    rounds = [[0.0] * len(statements) for _ in range(PROCESS_ROUNDS)]
    for number, times in enumerate(rounds):
        for index in alternating(number, *range(len(statements))):
            times[index] = cpu_of(statements[index])
    bare, package, httpx_attrs, client = ([times[index] for times in rounds] for index in range(len(statements)))
    net = statistics.median(net_times(package, bare)) * MILLI
    over_bare = Pairs(package, bare)
    over_httpx = Pairs(net_times(client, bare), net_times(httpx_attrs, bare))
    what = f"import mem0_exports ({net:.1f} ms net)"
    return [
        Row(what, "a bare interpreter", over_bare, MILLI, "ms", "5 ms net", net <= 5),
        ratio_row("from mem0_exports import Client", "import httpx, attrs", over_httpx, 1.1, MILLI, "ms net"),
    ]


def net_times(spent: list[float], bare: list[float]) -> list[float]:
    """Return the time of each round minus that of its bare interpreter."""
    return [each - least for each, least in zip(spent, bare, strict=True)]


def loaded() -> str:
    """Return the expensive modules that `import mem0_exports` loads."""
    code = (
        "import sys, mem0_exports; "
        "print(*sorted({'httpx', 'pydantic', 'asyncio', 'sqlite3'} & sys.modules.keys()) or ['none'], sep=', ')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def constructor() -> list[Row]:
    """Return row 3: creating a client. The clients are kept, so that the time to destroy them does not count."""
    clients: list[object] = []
    context = ssl.create_default_context()
    pairs = paired(
        partial(timed, lambda: clients.append(Client(api_key="k")), 10),
        partial(timed, lambda: clients.append(httpx.Client(verify=context)), 10),
    )
    within = statistics.median(pairs.ours) * MILLI <= 0.2
    return [Row('Client(api_key="k")', "httpx.Client, shared SSL", pairs, MILLI, "ms", "0.2 ms", within)]


def answer(request: httpx.Request) -> httpx.Response:
    """Answer like a service. All requests to a path get the same bytes."""
    status, body = ANSWERS[request.url.path]
    return httpx.Response(status, headers=CONTENT_TYPE, content=body)


async def answer_async(request: httpx.Request) -> httpx.Response:
    """Answer like `answer`, for async clients."""
    return answer(request)


def poll_body() -> bytes:
    """Return the body of a poll, serialized for each call as an application does."""
    return json.dumps({"memory_export_id": EXPORT_ID}).encode()


def sync_calls() -> list[Row]:
    """Return row 4: calls of the client, compared with the same requests of plain httpx."""
    transport = httpx.MockTransport(answer)
    budget = 1.15
    with (
        Client(api_key="k", base_url=ADDRESS, transport=transport) as client,
        httpx.Client(headers=HEADERS, transport=transport) as bare,
    ):

        def bare_poll() -> object:
            return bare.post(f"{ADDRESS}/v1/exports/get/", content=poll_body(), headers=CONTENT_TYPE).json()

        ping = paired(partial(timed, client.ping), partial(timed, lambda: bare.get(f"{ADDRESS}/v1/ping/").json()))
        poll = paired(partial(timed, lambda: client.exports.get(EXPORT_ID, Profile).poll()), partial(timed, bare_poll))
        create = paired(
            partial(timed, lambda: client.exports.create(Profile, F.user_id == "alex")),
            partial(timed, lambda: bare.post(f"{ADDRESS}/v1/exports/", json=CREATE_BODY).json()),
        )
    return [
        ratio_row("ping()", "httpx get, json", ping, budget),
        ratio_row("exports.get(id, Model).poll()", "httpx post, json", poll, budget),
        ratio_row("exports.create(Model, filter)", "httpx post, json", create, budget),
    ]


def async_calls() -> list[Row]:
    """Return row 5: the same calls on asyncio."""
    transport = httpx.MockTransport(answer_async)
    budget = 1.2
    client = AsyncClient(api_key="k", base_url=ADDRESS, transport=transport)
    bare = httpx.AsyncClient(headers=HEADERS, transport=transport)

    async def bare_ping() -> object:
        return (await bare.get(f"{ADDRESS}/v1/ping/")).json()

    async def bare_poll() -> object:
        return (await bare.post(f"{ADDRESS}/v1/exports/get/", content=poll_body(), headers=CONTENT_TYPE)).json()

    async def bare_create() -> object:
        return (await bare.post(f"{ADDRESS}/v1/exports/", json=CREATE_BODY)).json()

    with asyncio.Runner() as runner:

        def block(call: Callable[[], Awaitable[object]]) -> Block:
            return lambda: runner.run(timed_async(call))

        ping = paired(block(client.ping), block(bare_ping))
        poll = paired(block(lambda: client.exports.get(EXPORT_ID, Profile).poll()), block(bare_poll))
        create = paired(block(lambda: client.exports.create(Profile, F.user_id == "alex")), block(bare_create))
        runner.run(client.close())
        runner.run(bare.aclose())
    return [
        ratio_row("await ping()", "httpx get, json", ping, budget),
        ratio_row("await exports.get(id, Model).poll()", "httpx post, json", poll, budget),
        ratio_row("await exports.create(Model, filter)", "httpx post, json", create, budget),
    ]


def embedded() -> list[Row]:
    """Return row 6: creating a job on the embedded engine, in memory."""
    with (
        Client.local() as client,
        httpx.Client(headers=HEADERS, transport=httpx.MockTransport(answer)) as bare,
    ):
        pairs = paired(
            partial(timed, lambda: client.exports.create(Profile, F.user_id == "alex"), 10),
            partial(timed, lambda: bare.post(f"{ADDRESS}/v1/exports/", json=CREATE_BODY).json(), 10),
        )
    return [Row("local: exports.create", "httpx post, json, mock", pairs, MILLI, "ms", "at most 0.5 ms", None)]


def filters() -> list[Row]:
    """Return row 7: a filter, compared with a dict literal of the same content."""

    def ours() -> object:
        return ((F.user_id == "alex") & (F.created_at >= "2025-01-01")).to_dict()

    def literal() -> object:
        return {"AND": [{"user_id": "alex"}, {"created_at": {"gte": "2025-01-01T00:00:00Z"}}]}

    pairs = paired(partial(timed, ours, 500), partial(timed, literal, 500))
    return [Row("filter of two conditions, to_dict", "a dict literal", pairs, MICRO, "us", "-", None)]


# ---- the table -------------------------------------------------------------------------------------------------------


def line(cells: tuple[str, ...]) -> str:
    """Return one line of the table."""
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def main() -> None:
    """Measure everything, and print each line as soon as it is measured."""
    packages = f"mem0-exports {__version__}, httpx {httpx.__version__}, pydantic {pydantic.VERSION}"
    print(f"Python {platform.python_version()}, {packages}; CPU time, medians\n")
    print(line(("what", "ours", "baseline", "takes", "ratio", "quartiles", "budget", "")), flush=True)
    gc.freeze()
    for measure in (imports, constructor, sync_calls, async_calls, embedded, filters):
        for row in measure():
            print(line(row.cells()), flush=True)
    print(f"\nOf httpx, pydantic, asyncio and sqlite3, `import mem0_exports` loads: {loaded()}")


if __name__ == "__main__":
    main()
