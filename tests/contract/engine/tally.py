"""Count how often each operation answered with each status in a run, and how many checks were made.

In-process answers are counted directly; those over a socket are read from the report of the schemathesis command. The
counts make the table at the end of a run, and show which documented statuses were never seen.
"""

from __future__ import annotations

import json
import time

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple


class Pair(NamedTuple):
    """An operation and a status that it returns."""

    operation_id: str
    status: int


class Tally:
    """The counts of one run."""

    def __init__(self) -> None:
        self.in_process: Counter[Pair] = Counter()
        self.over_socket: Counter[Pair] = Counter()
        self.checks = 0
        self.began = time.monotonic()

    @property
    def seen(self) -> Counter[Pair]:
        """The counts of all answers, in-process and over a socket."""
        return self.in_process + self.over_socket

    def take_report(self, report: Path, operations: dict[tuple[str, str], str]) -> None:
        """Add the answers in a report (NDJSON) of the schemathesis command. `operations`: ids by path and method."""
        for line in report.read_text("utf-8").splitlines():
            recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            self.checks += sum(map(len, recorder.get("checks", {}).values()))
            for case_id, interaction in recorder.get("interactions", {}).items():
                case = recorder["cases"][case_id]["value"]
                operation_id = operations.get((case["path"], case["method"].upper()))
                if operation_id is not None and interaction["response"] is not None:
                    self.over_socket[Pair(operation_id, interaction["response"]["status_code"])] += 1

    def missing(self, documented: set[Pair]) -> list[Pair]:
        """Return the documented pairs that were never seen."""
        return sorted(documented - self.seen.keys())

    def undocumented(self, documented: set[Pair]) -> list[Pair]:
        """Return the pairs that were seen but are not documented."""
        # 405 is HTTP's answer to a method that the path does not have; the spec need not document it.
        return sorted(pair for pair in self.seen.keys() - documented if pair.status != 405)

    def table(self, documented: set[Pair], about: dict[str, Any]) -> list[str]:
        """Return the lines of a readable table of all pairs and their counts, and a line of totals."""
        width = max(len(pair.operation_id) for pair in documented | self.seen.keys())
        lines = [f"{'operation':{width}} status in process over socket"]
        for pair in sorted(documented | self.seen.keys()):
            inside, outside = self.in_process[pair], self.over_socket[pair]
            remark = "" if pair in documented else "  standard HTTP" if pair.status == 405 else "  UNDOCUMENTED"
            remark = "  NEVER SEEN" if inside + outside == 0 else remark
            lines.append(f"{pair.operation_id:{width}} {pair.status:6} {inside:10} {outside:11}{remark}")
        figures = {"cases": self.seen.total(), "checks": self.checks, "seconds": round(time.monotonic() - self.began)}
        lines.append(", ".join(f"{name} {value}" for name, value in {**figures, **about}.items()))
        return lines
