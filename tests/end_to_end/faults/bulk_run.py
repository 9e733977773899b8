"""Thousands of exports through a bad network: are all results right, and was nothing created twice?

    python -m tests.end_to_end.faults.bulk_run 10000 --rate 0.2

Runs `run_many`, sync or async, against the server with scripted faults, and compares what the client says with what the
server counted. tests/end_to_end/faults/test_bulk.py does the same with fewer.
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
from tests.support.patience import patient


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
    faults.UNAVAILABLE.but(seconds=0.02): 2,
    faults.RATE_LIMITED.but(seconds=0.02): 1,
    faults.RATE_LIMITED_DATE.but(seconds=0, skew=3600): 1,
    faults.EMPTY_SUCCESS: 1,
    faults.SHORT_JSON: 1,
    faults.INVALID_UTF8: 1,
    faults.NAN: 1,
    faults.DEEP: 0.2,
}
"""Every fault that may pass, by how often it comes. Left out are those that are final: 400, a redirect, wrong types."""

RETRY: Final = Retry(attempts=6, initial_delay=0.02, max_delay=0.2)


class Found(BaseModel):
    """What each export becomes."""

    user: str
    n: int


def requests(count: int) -> Iterator[ExportRequest[Found]]:
    """One export for each user."""
    return (ExportRequest(Found, F.user_id == f"user-{number}", tag=f"user-{number}") for number in range(count))


async def _collected(base_url: str, asked: Iterable[ExportRequest[Found]], options: Any) -> list[ExportOutcome[Found]]:
    async with AsyncClient("key", base_url=base_url, timeout=patient(1), retry=RETRY) as client:
        return [outcome async for outcome in client.exports.run_many(asked, **options)]


def run(base_url: str, count: int, *, asynchronous: bool = False, **options: Any) -> list[ExportOutcome[Found]]:
    """All outcomes."""
    options = {"concurrency": 32, "timeout": patient(120), **options}
    if asynchronous:
        return asyncio.run(_collected(base_url, requests(count), options))
    with Client("key", base_url=base_url, timeout=patient(1), retry=RETRY) as client:
        return list(client.exports.run_many(requests(count), **options))


def check(outcomes: list[ExportOutcome[Found]], server: FaultServer, count: int) -> dict[str, Any]:
    """What is to be held after a run; the figures of it. AssertionError where something is lost or done twice."""
    statuses = Counter(outcome.status for outcome in outcomes)
    assert sorted(outcome.index for outcome in outcomes) == list(range(count)), "an outcome for each request"
    for outcome in outcomes:
        if outcome.status == "ready":
            expected = result_of({"filters": {"user_id": outcome.request.tag}})
            assert outcome.result().model_dump() == expected, "the right result"
            assert outcome.export_id in server.polls
    twice = {question: times for question, times in server.creates_by_question.items() if times > 1}
    assert not twice, "no job is created twice"
    assert statuses.keys() <= {"ready", "unknown"}, f"nothing fails for another reason: {statuses}"
    assert statuses["unknown"] == server.dropped_creates, "what is reported as unknown is what the server dropped"
    known = {outcome.request.tag for outcome in outcomes if outcome.status == "ready"}
    made = {faults.user_of(json.loads(question)["filters"]) for question in server.creates_by_question}
    assert len(made - known) == server.dropped_after, "every other job has a result"
    return {
        "exports": count,
        **statuses,
        "dropped by the server": server.dropped_creates,
        "of those, created all the same": server.dropped_after,
        "jobs created": len(server.created),
        "created twice": len(twice),
        "requests": server.requests.total(),
        "faults": server.faults.total(),
    }


def main() -> None:
    """Run and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--rate", type=float, default=0.2, help="the share of requests that meet a fault")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for asynchronous in (False, True):
        with FaultServer(polls_until_ready=1, script=at_random(arguments.rate, arguments.seed, WEIGHTS)) as server:
            begun = time.monotonic()
            outcomes = run(server.url, arguments.count, asynchronous=asynchronous)
            figures = check(outcomes, server, arguments.count)
        print("async" if asynchronous else "sync", f"in {time.monotonic() - begun:.0f} s")
        for name, figure in figures.items():
            print(f"  {name:32} {figure:>8}")


if __name__ == "__main__":
    main()
