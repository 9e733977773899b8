"""How fast the client is: each figure stands beside a named baseline that the same run measures.

    python benchmarks/client.py

How it measures. Every time is CPU time (user and system), since the wall clock tells more about the neighbours on a
shared machine. Ours and the baseline take turns, round by round, and swap who goes first; the ratio is the median of
the ratios of the rounds, and its quartiles stand behind it. Other values are medians over the rounds.

- Imports run in fresh interpreters, isolated (-I); "net" is what goes beyond a bare interpreter of the same round.
  click is hidden from them: where it is installed, and rich with it, `import httpx` loads its command line too, which
  users of this package need not have, and which would hide a part of ours in the ratio.
- Calls run in blocks in this process, on the clock of the calling thread, without garbage collection inside a block.
  Client and baseline use the same httpx class, headers and mock transport, which answers with bytes made beforehand:
  no socket is involved, so the ratio is the worst case of what a user sees.
- The embedded engine runs its jobs in a thread of its own meanwhile; the clock of the calling thread leaves that out.

A budget is a wish, not a test: the last column says "ok" or "over", and the exit code is the same. The last two rows
have no budget, so that nothing stands there.
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
"""Rounds of fresh interpreters."""

ROUNDS: Final = 120
"""Rounds of blocks in this process."""

CALLS: Final = 40
"""Calls in a block where a row does not say otherwise."""

WIDTHS: Final = (35, 12, 24, 12, 6, 11, 14, 4)
"""Of the columns of the table."""

MILLI: Final = 1e3
MICRO: Final = 1e6

Block: TypeAlias = "Callable[[], float]"
"""Makes some calls; returns the seconds of CPU for one of them."""


class Profile(pydantic.BaseModel):
    """What the benchmark exports: eight fields, as in a small application."""

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


# ---- how it is measured ----------------------------------------------------------------------------------------------


class Pairs(NamedTuple):
    """Seconds of CPU, ours and the baseline's, one pair for each round."""

    ours: list[float]
    base: list[float]

    def quartiles(self) -> list[float]:
        """The lower quartile, the median and the upper quartile of the ratios of the rounds."""
        ratios = [ours / base for ours, base in zip(self.ours, self.base, strict=True)]
        return statistics.quantiles(ratios, n=4)


class Row(NamedTuple):
    """One line of the table. `within` is None where there is no budget, only an orientation."""

    what: str
    baseline: str
    pairs: Pairs
    scale: float
    unit: str
    budget: str
    within: bool | None

    def cells(self) -> tuple[str, ...]:
        """The texts of the columns."""
        ours, base = (f"{statistics.median(each) * self.scale:.3g} {self.unit}" for each in self.pairs[:2])
        low, middle, high = (f"{each:.2f}" for each in self.pairs.quartiles())
        verdict = {True: "ok", False: "over", None: ""}[self.within]
        return (self.what, ours, self.baseline, base, f"{middle}x", f"{low}-{high}", self.budget, verdict)


def by_ratio(what: str, baseline: str, pairs: Pairs, most: float, scale: float = MICRO, unit: str = "us") -> Row:
    """A row whose budget is a ratio, judged as it is shown: to two places."""
    return Row(what, baseline, pairs, scale, unit, f"{most:g}x", round(pairs.quartiles()[1], 2) <= most)


def turns(round_: int, *sides: int) -> Iterator[int]:
    """The sides in the order in which they come in this round: every other round turns it about."""
    return iter(sides if round_ % 2 == 0 else sides[::-1])


def paired(ours: Block, base: Block, rounds: int = ROUNDS) -> Pairs:
    """Run both in turns, after two blocks each to warm up."""
    blocks = (ours, base)
    for block in blocks * 2:
        block()
    pairs = Pairs([], [])
    for round_ in range(rounds):
        for side in turns(round_, 0, 1):
            pairs[side].append(blocks[side]())
    return pairs


def timed(call: Callable[[], object], calls: int = CALLS) -> float:
    """Seconds of CPU for one call of a block."""
    gc.disable()
    start = time.thread_time()
    for _ in range(calls):
        call()
    spent = time.thread_time() - start
    gc.enable()
    return spent / calls


async def timed_async(call: Callable[[], Awaitable[object]], calls: int = CALLS) -> float:
    """As `timed`, on the running event loop."""
    gc.disable()
    start = time.thread_time()
    for _ in range(calls):
        await call()
    spent = time.thread_time() - start
    gc.enable()
    return spent / calls


def cpu_of(statement: str) -> float:
    """Seconds of CPU of a fresh interpreter that runs `statement`."""
    code = f"import sys; sys.modules['click'] = None; {statement}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


# ---- the rows --------------------------------------------------------------------------------------------------------


def imports() -> list[Row]:
    """Rows 1 and 2: what the imports cost."""
    statements = ("pass", "import mem0_exports", "import httpx, attrs", "from mem0_exports import Client")
    for statement in statements:
        cpu_of(statement)  # writes the bytecode and warms the page cache
    rounds = [[0.0] * len(statements) for _ in range(PROCESS_ROUNDS)]
    for number, found in enumerate(rounds):
        for index in turns(number, *range(len(statements))):
            found[index] = cpu_of(statements[index])
    bare, package, httpx_attrs, client = ([found[index] for found in rounds] for index in range(len(statements)))
    net = statistics.median(beyond(package, bare)) * MILLI
    over_bare = Pairs(package, bare)
    over_httpx = Pairs(beyond(client, bare), beyond(httpx_attrs, bare))
    what = f"import mem0_exports ({net:.1f} ms net)"
    return [
        Row(what, "a bare interpreter", over_bare, MILLI, "ms", "5 ms net", net <= 5),
        by_ratio("from mem0_exports import Client", "import httpx, attrs", over_httpx, 1.1, MILLI, "ms net"),
    ]


def beyond(spent: list[float], bare: list[float]) -> list[float]:
    """What each round spent beyond its bare interpreter."""
    return [each - least for each, least in zip(spent, bare, strict=True)]


def loaded() -> str:
    """Which expensive modules `import mem0_exports` brings in."""
    code = (
        "import sys, mem0_exports; "
        "print(*sorted({'httpx', 'pydantic', 'asyncio', 'sqlite3'} & sys.modules.keys()) or ['none'], sep=', ')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def constructor() -> list[Row]:
    """Row 3: a client that has sent nothing. What is made is kept, so that nothing is torn down on the clock."""
    kept: list[object] = []
    context = ssl.create_default_context()
    pairs = paired(
        partial(timed, lambda: kept.append(Client(api_key="k")), 10),
        partial(timed, lambda: kept.append(httpx.Client(verify=context)), 10),
    )
    within = statistics.median(pairs.ours) * MILLI <= 0.2
    return [Row('Client(api_key="k")', "httpx.Client, shared SSL", pairs, MILLI, "ms", "0.2 ms", within)]


def answer(request: httpx.Request) -> httpx.Response:
    """The mock service: the same bytes for every request to a path."""
    status, body = ANSWERS[request.url.path]
    return httpx.Response(status, headers=CONTENT_TYPE, content=body)


async def answer_async(request: httpx.Request) -> httpx.Response:
    """The mock service, awaited."""
    return answer(request)


def poll_body() -> bytes:
    """The body of a poll, made for each call as an application does it."""
    return json.dumps({"memory_export_id": EXPORT_ID}).encode()


def sync_calls() -> list[Row]:
    """Row 4: one call through the client, against the same request through httpx alone."""
    transport = httpx.MockTransport(answer)
    most = 1.15
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
        by_ratio("ping()", "httpx get, json", ping, most),
        by_ratio("exports.get(id, Model).poll()", "httpx post, json", poll, most),
        by_ratio("exports.create(Model, filter)", "httpx post, json", create, most),
    ]


def async_calls() -> list[Row]:
    """Row 5: the same, awaited on asyncio."""
    transport = httpx.MockTransport(answer_async)
    most = 1.2
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
        by_ratio("await ping()", "httpx get, json", ping, most),
        by_ratio("await exports.get(id, Model).poll()", "httpx post, json", poll, most),
        by_ratio("await exports.create(Model, filter)", "httpx post, json", create, most),
    ]


def embedded() -> list[Row]:
    """Row 6: starting a job on the embedded engine, in memory, which checks and stores it."""
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
    """Row 7: a filter, against the dict that it becomes."""

    def ours() -> object:
        return ((F.user_id == "alex") & (F.created_at >= "2025-01-01")).to_dict()

    def literal() -> object:
        return {"AND": [{"user_id": "alex"}, {"created_at": {"gte": "2025-01-01T00:00:00Z"}}]}

    pairs = paired(partial(timed, ours, 500), partial(timed, literal, 500))
    return [Row("filter of two conditions, to_dict", "a dict literal", pairs, MICRO, "us", "-", None)]


# ---- the table -------------------------------------------------------------------------------------------------------


def line(cells: tuple[str, ...]) -> str:
    """One line of the table, in columns."""
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def main() -> None:
    """Measure everything, and print each line as soon as it is known."""
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
