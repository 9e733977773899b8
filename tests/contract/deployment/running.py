"""Runs the command of this folder, in a process of its own or in this one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

from functools import partial
from pathlib import Path

from tests.contract.deployment import command, reads, writes
from tests.support.timeouts import scaled


ROOT = Path(__file__).resolve().parents[3]
KEY = "m0-deployment-0123456789"


def command_line(url, *arguments, rate=1000):
    return [sys.executable, "-m", "tests.contract.deployment", "--url", url, "--rate", str(rate), *arguments]


def run(url, *arguments, **environment):
    """Run the command in a process of its own; return its exit code and what it printed, errors included."""
    done = subprocess.run(
        command_line(url, *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=scaled(60),
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.returncode, done.stdout


def start(url, *arguments):
    """Start the command in a process of its own, where Ctrl-C works even if the tests run in the background."""
    return subprocess.Popen(
        command_line(url, *arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- it starts no thread
    )


def differences(url, capsys, *arguments):
    """Run the fixed checks in this process; return the exit code, the names of the differences, and the output."""
    most = reads.MOST + (writes.MOST if "--write" in arguments else 0)
    code = command.main(["--url", url, "--rate", "1000", "--max-requests", str(most), *arguments])
    printed = capsys.readouterr().out
    assert KEY not in printed
    return code, re.findall(r"^([a-z]+\.[a-z0-9-]+:[a-z_-]+)$", printed, flags=re.MULTILINE), printed


def summary(printed):
    """Return the last line of an output, parsed."""
    *_, last = printed.splitlines()
    found = re.fullmatch(
        r"contract: result=(same|different|could-not-run) differences=(\d+) checks=(\d+)"
        r" requests=(\d+) not-checked=(\d+) seed=(-?\d+)",
        last,
    )
    assert found, printed
    result, *numbers = found.groups()
    return result, *map(int, numbers)
