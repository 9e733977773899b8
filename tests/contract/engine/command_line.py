"""The schemathesis command in a process of its own, against `mem0-exports serve` in another."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.contract.engine.budget import BUDGET, SEED
from tests.contract.engine.service import KEYS, ROOT, SETTINGS, operations, tally
from tests.support.patience import patient
from tests.support.serving import served


EXAMPLES = 30
SECONDS = 90
"""After which a run of the default size is given up, on an idle machine. It takes a quarter of that on two quiet cores."""

# Edge cases are generated for a minute, and are the same ones in process: over a socket only long runs have them.
PHASES = "examples,fuzzing,stateful" if BUDGET <= 1 else "examples,coverage,fuzzing,stateful"


class Outcome(NamedTuple):
    """How the command ended, and what it wrote."""

    code: int
    output: str


class CommandLine:
    """A run of the command."""

    def __init__(self, url: str, folder: Path) -> None:
        self._report = folder / "report.ndjson"
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(SETTINGS)),
            *("run", str(ROOT / "openapi.yaml"), "--url", url, "--no-color"),
            *("--phases", PHASES, "--max-examples", str(max(1, round(EXAMPLES * BUDGET))), "--seed", str(SEED)),
            *("--report", "ndjson", "--report-ndjson-path", str(self._report)),
        ]
        # What it keeps for later runs goes into the folder, not into the project.
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )

    def finished(self) -> Outcome:
        """Wait for the end, and count what it saw."""
        output, _ = self.process.communicate(timeout=patient(SECONDS * max(1, BUDGET)))
        if self._report.exists():
            tally.take_report(self._report, operations())
        return Outcome(self.process.returncode, output)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[CommandLine]:
    """A run against a server of its own, which has to end in order."""
    with served(folder / "memories.db", KEYS[0]) as url:
        command = CommandLine(url, folder)
        with command.process:
            try:
                yield command
            finally:
                command.process.kill()
