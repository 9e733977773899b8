"""Run the schemathesis command in a process of its own, against a `mem0-exports serve` process."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.contract.engine.budget import BUDGET, SEED
from tests.contract.engine.service import KEYS, ROOT, SETTINGS, operation_ids, tally
from tests.support.serving import served
from tests.support.timeouts import scaled


EXAMPLES = 30
SECONDS = 90
"""The timeout of a run of the default size on an idle machine. On two idle cores it takes a quarter of that."""

# Generating the edge cases (the coverage phase) takes a minute, and test_operations.py sends the same ones in-process.
# So only long runs also send them over a socket.
PHASES = "examples,fuzzing,stateful" if BUDGET <= 1 else "examples,coverage,fuzzing,stateful"


class Outcome(NamedTuple):
    """The exit code of the command and its output."""

    code: int
    output: str


class CommandLine:
    """One run of the command; starts at once."""

    def __init__(self, url: str, folder: Path) -> None:
        self._report = folder / "report.ndjson"
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(SETTINGS)),
            *("run", str(ROOT / "openapi.yaml"), "--url", url, "--no-color"),
            *("--phases", PHASES, "--max-examples", str(max(1, round(EXAMPLES * BUDGET))), "--seed", str(SEED)),
            *("--report", "ndjson", "--report-ndjson-path", str(self._report)),
        ]
        # In `folder`, because the command writes files for later runs, which do not belong in the project.
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )

    def wait(self) -> Outcome:
        """Wait for the end, add the report to the tally, and return the outcome."""
        output, _ = self.process.communicate(timeout=scaled(SECONDS * max(1, BUDGET)))
        if self._report.exists():
            tally.take_report(self._report, operation_ids())
        return Outcome(self.process.returncode, output)


@contextlib.contextmanager
def start(folder: Path) -> Iterator[CommandLine]:
    """Run the command against a server of its own; fail unless the server shuts down cleanly."""
    with served(folder / "memories.db", KEYS[0]) as url:
        command = CommandLine(url, folder)
        with command.process:
            try:
                yield command
            finally:
                command.process.kill()
