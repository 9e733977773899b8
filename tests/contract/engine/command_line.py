"""Run the schemathesis command in a process of its own, against a `mem0-exports serve` process."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys

from collections.abc import Collection, Iterator
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


MORE_SEEDS = 9
"""How many more seeds are tried until every link has been followed. A run follows most of them, and which is chance."""

_FOLLOWED = re.compile(r"-> \[\d+\] (\w+) ->")


class Outcome(NamedTuple):
    """The exit code of the command, its output, and the names of the links that it has followed."""

    code: int
    output: str
    links: frozenset[str]


class CommandLine:
    """One run of the command; starts at once."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._report = folder / "report.ndjson"
        self.process = self._started(PHASES, SEED)

    def _started(self, phases: str, seed: int) -> subprocess.Popen[str]:
        command = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(SETTINGS)),
            *("run", str(ROOT / "openapi.yaml"), "--url", self._url, "--no-color"),
            *("--phases", phases, "--max-examples", str(max(1, round(EXAMPLES * BUDGET))), "--seed", str(seed)),
            *("--report", "ndjson", "--report-ndjson-path", str(self._report)),
        ]
        # In `folder`, because the command writes files for later runs, which do not belong in the project.
        return subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )

    def wait(self, links: Collection[str] = ()) -> Outcome:
        """Wait for the end, add the report to the tally, and return the outcome.

        Until all of `links` have been followed, the stateful phase is run again, with other seeds.
        """
        outcome = self._ended()
        for more in range(MORE_SEEDS):
            if outcome.code != 0 or outcome.links >= {*links}:
                break
            self.process = self._started("stateful", SEED + 1 + more)
            again = self._ended()
            outcome = Outcome(again.code, outcome.output + again.output, outcome.links | again.links)
        return outcome

    def _ended(self) -> Outcome:
        output, _ = self.process.communicate(timeout=scaled(SECONDS * max(1, BUDGET)))
        followed: frozenset[str] = frozenset()
        if self._report.exists():
            tally.take_report(self._report, operation_ids())
            followed = frozenset(_FOLLOWED.findall(self._report.read_text(encoding="utf-8")))
            self._report.unlink()
        return Outcome(self.process.returncode, output, followed)


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
