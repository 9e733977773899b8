"""The command line: its options, and their validation."""

from __future__ import annotations

import argparse
import os

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from tests.contract.deployment.errors import CouldNotRun


KEY_VARIABLE = "MEM0_API_KEY"
EPILOG = f"""\
The key of the deployment is read from the environment variable {KEY_VARIABLE}.

exit codes:
  0  the deployment answers as openapi.yaml says
  1  it does not; each difference is listed
  2  it could not be checked, or not completely; the message says why

A run ends with one line of the form
  contract: result=RESULT differences=N checks=N requests=N not-checked=N seed=N
where RESULT is same, different or could-not-run, for the exit codes 0, 1 and 2.
"""


class Options(NamedTuple):
    """The options of a run."""

    url: str
    key: str
    rate: float
    timeout: float
    seed: int
    max_requests: int | None
    write: bool
    engine: bool


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.contract.deployment",
        description="Compare a running deployment with openapi.yaml. Only reads, unless --write is given.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--url", required=True, help="the address of the deployment, such as http://127.0.0.1:8765")
    made.add_argument("--write", action="store_true", help="also add memories and make an export, and clean up")
    made.add_argument("--rate", type=float, default=2.0, metavar="N", help="requests per second (default: %(default)g)")
    made.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="seconds to wait for an answer (default: %(default)g)"
    )
    made.add_argument(
        "--seed", type=int, default=1, metavar="N", help="draws the generated requests (default: %(default)s)"
    )
    made.add_argument(
        "--max-requests", type=int, metavar="N", help="the most requests to send; more allow more generated requests"
    )
    made.add_argument("--junit", type=Path, metavar="FILE", help="write the results to FILE as JUnit XML")
    made.add_argument(
        "--engine", action="store_true", help="the deployment is `mem0-exports serve`: check what only that has, too"
    )
    return made


def validated(chosen: argparse.Namespace) -> Options:
    """Return the options; raise CouldNotRun if one cannot be used."""
    _check_url(chosen.url)
    key = os.environ.get(KEY_VARIABLE, "")
    _check_key(key)
    if not 0 < chosen.rate <= 1000:
        raise CouldNotRun(f"--rate must be above 0 and at most 1000 requests per second, got {chosen.rate:g}")
    if not 0 < chosen.timeout <= 600:
        raise CouldNotRun(f"--timeout must be above 0 and at most 600 seconds, got {chosen.timeout:g}")
    return Options(
        chosen.url.rstrip("/"),
        key,
        chosen.rate,
        chosen.timeout,
        chosen.seed,
        chosen.max_requests,
        chosen.write,
        chosen.engine,
    )


def public_url(text: str) -> str:
    """Return a URL without its user name, password, query and fragment; the URL need not be valid."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "(not a URL)"
    if "@" in parts.path:  # such as user:password@host, where the scheme is missing
        return "(not a URL)"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme else f"{host}{parts.path}"


def _check_url(text: str) -> None:
    form = "write --url http://host:port or https://host"
    if any(character.isspace() or not character.isprintable() for character in text):
        raise CouldNotRun(f"the URL contains a space or a control character: {form}")
    try:
        url = httpx.URL(text)
        url.host.encode("idna")
        port = url.port
    except (httpx.InvalidURL, ValueError) as error:  # UnicodeError of a host name is a ValueError
        reason = str(error) if "@" not in text else "it cannot be parsed"
        raise CouldNotRun(f"the URL cannot be used ({reason}): {form}") from None
    if url.scheme not in {"http", "https"}:
        raise CouldNotRun(f"the URL must start with http:// or https://: {form}")
    if not url.host:
        raise CouldNotRun(f"the URL has no host: {form}")
    if url.userinfo:
        raise CouldNotRun(f"the URL must not contain a user name or a password: pass the key in {KEY_VARIABLE}")
    if url.query or url.fragment:
        raise CouldNotRun(f"the URL must not have a query or a fragment: {form}")
    if port is not None and not 0 < port < 65536:
        raise CouldNotRun(f"the port of the URL must be between 1 and 65535, got {port}")


def _check_key(key: str) -> None:
    if not key:
        raise CouldNotRun(f"{KEY_VARIABLE} is not set: set it to the key of the deployment")
    if any(character.isspace() for character in key):
        raise CouldNotRun(f"{KEY_VARIABLE} contains a space or a line break: set it to the key alone")
    if not key.isascii() or not key.isprintable():
        raise CouldNotRun(f"{KEY_VARIABLE} contains characters that are not printable ASCII: set it to the key alone")
