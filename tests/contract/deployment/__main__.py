"""Compares a real deployment with openapi.yaml.

    MEM0_API_KEY=... python -m tests.contract.deployment --url https://api.mem0.ai [--write] [--rate 2]

It says what it is going to do before the first request, reads only unless `--write` is given, and ends with a list of the
differences. Exit code: 0 there are none, 1 there are some, 2 it could not run.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys

import httpx

from tests.contract.deployment import reads, writes
from tests.contract.deployment.session import CouldNotRun, Session


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.contract.deployment", description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True, help="where the deployment is, such as http://127.0.0.1:8765")
    parser.add_argument("--write", action="store_true", help="also add memories and make an export, and clean up")
    parser.add_argument("--rate", type=float, default=2.0, metavar="N", help="requests a second (default: %(default)g)")
    chosen = parser.parse_args(arguments)
    key = os.environ.get("MEM0_API_KEY", "")
    try:
        _check(chosen.url, key, chosen.rate)
    except CouldNotRun as error:
        print(f"could not run: {error}")
        return 2
    most = reads.MOST + (writes.MOST if chosen.write else 0)
    _announce(chosen.url, rate=chosen.rate, write=chosen.write, most=most)
    session = Session(chosen.url, key, rate=chosen.rate, most=most)
    left: list[str] = []
    problem: str | None = None
    writing = writes.Writes(session) if chosen.write else None
    try:
        reads.run(session)
        if writing is not None:
            writing.run()
    except CouldNotRun as error:
        problem = str(error)
    except KeyboardInterrupt:
        problem = "it was interrupted"
    finally:
        left = [] if writing is None else writing.left
        session.close()
    return _report(session, left, problem)


def _check(url: str, key: str, rate: float) -> None:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise CouldNotRun(f"the URL cannot be used: {error}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo or parsed.query:
        raise CouldNotRun("the URL has to be http(s)://host[:port][/path], without a name, a password or a query")
    if not key or not key.isascii() or not key.isprintable():
        raise CouldNotRun("set MEM0_API_KEY to the key of the deployment")
    if not 0 < rate <= 1000:
        raise CouldNotRun("the rate lies above 0 and up to 1000 requests a second")


def _announce(url: str, *, rate: float, write: bool, most: int) -> None:
    print("comparing a deployment with openapi.yaml")
    print(f"  where  {url}")
    if write:
        print("  does   reads, and writes: two memories of a new user named mem0-exports-contract-..., and one export")
        print("         then deletes these memories by their ids; where it cannot, they expire tomorrow")
    else:
        print("  does   reads only; requests that have to be refused name nobody (--write or WRITE=1 also writes)")
    print(f"  sends  at most {most} requests, one at a time, at most {rate:g} a second")
    print("  key    that of MEM0_API_KEY, which is never shown")
    parsed = httpx.URL(url)
    if parsed.scheme == "http" and not _is_loopback(parsed.host):
        print("  note   the key goes over the network in plain text: http, and not this machine")
    sys.stdout.flush()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _report(session: Session, left: list[str], problem: str | None) -> int:
    for each in session.differences:
        print(f"\n{each.name}")
        print(f"  operation  {each.operation}")
        print(f"  sent       {each.sent}")
        print(f"  promised   {each.promised}")
        print(f"  came       {each.came}")
    print()
    for sentence in left:
        print(session.redacted(sentence))
    count = len(session.differences)
    print(f"{len(session.checks)} checks, {session.requests} requests, {count or 'no'} difference{'s' * (count != 1)}")
    if problem is not None:
        print(f"could not run to the end: {session.redacted(problem)}")
        return 2
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
