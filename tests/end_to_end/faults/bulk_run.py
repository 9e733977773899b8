"""Run thousands of exports on a bad network, and check that all results are right and no job is created twice.

    python -m tests.end_to_end.faults.bulk_run 10000 --rate 0.2

It calls `run_many`, sync and async, against the server with scripted faults, and compares the outcomes with the
counters of the server. test_bulk.py does the same with fewer exports.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel

from mem0_exports import AsyncClient, Client, ExportOutcome, ExportRequest, F, Retry
from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.server import FaultServer, at_random, result_of
from tests.support.timeouts import scaled


WEIGHTS: Final = {
    faults.RESET_BEFORE: 2,
    faults.RESET_AFTER: 2,
    faults.CLOSE_BEFORE: 1,
    faults.CLOSE_AFTER: 1,
    faults.STALL: 0.1,
    faults.STALL_AFTER: 0.1,
    faults.TRUNCATE: 2,
    faults.GARBAGE: 1,
    faults.HTML_502: 2,
    faults.HTML_502_AFTER: 2,
    faults.STATUS_520: 1,
    faults.ERROR_500_AFTER: 1,
    faults.UNAVAILABLE_BARE: 1,
    faults.UNAVAILABLE.replace(seconds=0.02): 2,
    faults.RATE_LIMITED.replace(seconds=0.02): 1,
    faults.RATE_LIMITED_DATE.replace(seconds=0, skew=3600): 1,
    faults.EMPTY_SUCCESS: 1,
    faults.SHORT_JSON: 1,
    faults.INVALID_UTF8: 1,
    faults.NAN: 1,
    faults.DEEP: 0.2,
}
"""All temporary faults by relative frequency; without the permanent ones: 400, a redirect, wrong types."""

RETRY: Final = Retry(attempts=6, initial_delay=0.02, max_delay=0.2)


class Result(BaseModel):
    """The type of all results."""

    user: str
    n: int


def requests(count: int) -> Iterator[ExportRequest[Result]]:
    """Yield a request for an export of each user."""
    return (ExportRequest(Result, F.user_id == f"user-{number}", tag=f"user-{number}") for number in range(count))


async def _collect(
    base_url: str, export_requests: Iterable[ExportRequest[Result]], options: Any
) -> list[ExportOutcome[Result]]:
    async with AsyncClient("key", base_url=base_url, timeout=scaled(1), retry=RETRY) as client:
        return [outcome async for outcome in client.exports.run_many(export_requests, **options)]


def run(base_url: str, count: int, *, asynchronous: bool = False, **options: Any) -> list[ExportOutcome[Result]]:
    """Run `count` exports, and return all outcomes."""
    options = {"concurrency": 32, "timeout": scaled(120), **options}
    if asynchronous:
        return asyncio.run(_collect(base_url, requests(count), options))
    with Client("key", base_url=base_url, timeout=scaled(1), retry=RETRY) as client:
        return list(client.exports.run_many(requests(count), **options))


def check(outcomes: list[ExportOutcome[Result]], server: FaultServer, count: int) -> dict[str, Any]:
    """Return the figures of a run; AssertionError if an outcome is wrong, a job is lost or a job was created twice."""
    statuses = Counter(outcome.status for outcome in outcomes)
    assert sorted(outcome.index for outcome in outcomes) == list(range(count)), "not exactly one outcome per request"
    for outcome in outcomes:
        if outcome.status == "ready":
            expected = result_of({"filters": {"user_id": outcome.request.tag}})
            assert outcome.result().model_dump() == expected, "an export has the wrong result"
            assert outcome.export_id in server.polls
    twice = {body: times for body, times in server.creates_by_body.items() if times > 1}
    assert not twice, f"created more than once: {twice}"
    assert statuses.keys() <= {"ready", "unknown"}, f"unexpected statuses: {statuses}"
    assert statuses["unknown"] == server.ambiguous_creates, "the unknown outcomes are not the ambiguous creates"
    ready = {outcome.request.tag for outcome in outcomes if outcome.status == "ready"}
    created = {faults.user_of(json.loads(body)["filters"]) for body in server.creates_by_body}
    assert len(created - ready) == server.orphaned_jobs, "a job without a result is not an orphaned one"
    return {
        "exports": count,
        **statuses,
        "ambiguous creates": server.ambiguous_creates,
        "of those, with a job": server.orphaned_jobs,
        "jobs created": len(server.created),
        "created twice": len(twice),
        "requests": server.requests.total(),
        "faults": server.faults.total(),
    }


def main() -> None:
    """Run, check and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--rate", type=float, default=0.2, help="the share of requests with a fault")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for asynchronous in (False, True):
        with FaultServer(polls_until_ready=1, script=at_random(arguments.rate, arguments.seed, WEIGHTS)) as server:
            started = time.monotonic()
            outcomes = run(server.url, arguments.count, asynchronous=asynchronous)
            figures = check(outcomes, server, arguments.count)
        print("async" if asynchronous else "sync", f"in {time.monotonic() - started:.0f} s")
        for name, figure in figures.items():
            print(f"  {name:32} {figure:>8}")


if __name__ == "__main__":
    main()
