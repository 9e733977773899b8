"""One run: the announcement, the checks, and the report."""

from __future__ import annotations

import ipaddress

from typing import Any

import httpx

from mem0_exports import __version__
from tests.contract.deployment import generated, options, output, reads, writes
from tests.contract.deployment.coverage import engine_only, not_checked
from tests.contract.deployment.errors import CouldNotRun
from tests.contract.deployment.junit import JUnitFile
from tests.contract.deployment.options import Options
from tests.contract.deployment.output import say
from tests.contract.deployment.report import Results, show
from tests.contract.deployment.session import Session
from tests.support.spec import load


MOST = 1000
"""The largest value of --max-requests: this is no load test."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    output.prepare()
    chosen = options.parser().parse_args(arguments)
    results = Results(chosen.seed)
    junit: JUnitFile | None = None
    try:
        document = load()
        if chosen.junit is not None:
            junit = JUnitFile(chosen.junit, _properties(options.public_url(chosen.url), chosen.seed, document))
        _run(options.validated(chosen), document, results)
    except CouldNotRun as error:
        results.problem = str(error)
    except KeyboardInterrupt:
        results.problem = "it was interrupted: run it again"
    if junit is not None:
        try:
            junit.write(results)
        except CouldNotRun as error:
            results.problem = results.problem or str(error)
    show(results)
    return results.exit_code


def _properties(url: str, seed: int, document: dict[str, Any]) -> dict[str, str]:
    return {
        "url": url,
        "seed": str(seed),
        "version": __version__,
        "specification": f"{document['info']['title']} {document['info']['version']}",
    }


def _run(chosen: Options, document: dict[str, Any], results: Results) -> None:
    """Run the checks, and add what they find to `results`, also if they end with an exception."""
    reserved = writes.MOST if chosen.write else 0
    fewest = reads.MOST + reserved
    most = fewest + generated.USUAL if chosen.max_requests is None else chosen.max_requests
    if not fewest <= most <= MOST:
        least = f"{fewest}{' with --write' * chosen.write}"
        raise CouldNotRun(f"--max-requests must be at least {least} and at most {MOST}, got {most}")
    session = Session(
        document,
        chosen.url,
        chosen.key,
        rate=chosen.rate,
        timeout=chosen.timeout,
        most=most,
        without=() if chosen.engine else engine_only(document),
    )
    writing = writes.Writes(session) if chosen.write else None
    ended = False
    try:
        cases = generated.draw(session, chosen.seed, most - fewest)
        _announce(chosen, most, len(cases))
        reads.Reads(session, chosen.seed).run()
        generated.run(session, cases, reserved=reserved)
        if writing is not None:
            writing.run()
        ended = True
    finally:
        session.close()
        results.checks = [*session.checks.values()]
        results.requests = session.requests
        results.not_checked = not_checked(document, session, write=chosen.write, ended=ended)
        results.left = [] if writing is None else [session.redacted(each) for each in writing.left]


def _announce(chosen: Options, most: int, cases: int) -> None:
    say("comparing a deployment with openapi.yaml")
    say(f"  where  {options.public_url(chosen.url)}")
    if chosen.write:
        say("  does   reads and writes: two memories of a new user mem0-exports-contract-..., and one export")
        say("         then deletes these memories by their ids; if it cannot, they expire tomorrow")
    else:
        say("  does   reads only; requests that must be refused name no existing user (--write or WRITE=1 also writes)")
    say(f"  sends  at most {most} requests, one at a time, at most {chosen.rate:g} per second")
    say(f"  seed   {chosen.seed}, which draws {cases} of the requests (--seed N or SEED=N draws others)")
    say(f"  key    the one in {options.KEY_VARIABLE}, which is never shown")
    url = httpx.URL(chosen.url)
    if url.scheme == "http" and not _is_loopback(url.host):
        say("  note   the key crosses the network unencrypted, because the URL starts with http://")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
