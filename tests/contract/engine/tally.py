"""What a run did: how often each operation answered with each status, and how many checks looked at it.

Counts answers in this process and, from the report of the schemathesis command, over a socket. The table is made of it,
and so is the verdict on pairs of operation and status that nothing ever reached.
"""

from __future__ import annotations

import json
import time

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple


class Pair(NamedTuple):
    """An operation and a status that it answers with."""

    operation_id: str
    status: int


class Tally:
    """Counts of one run."""

    def __init__(self) -> None:
        self.in_process: Counter[Pair] = Counter()
        self.over_socket: Counter[Pair] = Counter()
        self.checks = 0
        self.began = time.monotonic()

    @property
    def seen(self) -> Counter[Pair]:
        """All answers."""
        return self.in_process + self.over_socket

    def take_report(self, report: Path, operations: dict[tuple[str, str], str]) -> None:
        """Count what the NDJSON report of the schemathesis command tells. `operations` is by path and method."""
        for line in report.read_text("utf-8").splitlines():
            recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            self.checks += sum(map(len, recorder.get("checks", {}).values()))
            for case_id, interaction in recorder.get("interactions", {}).items():
                case = recorder["cases"][case_id]["value"]
                operation_id = operations.get((case["path"], case["method"].upper()))
                if operation_id is not None and interaction["response"] is not None:
                    self.over_socket[Pair(operation_id, interaction["response"]["status_code"])] += 1

    def missing(self, documented: set[Pair]) -> list[Pair]:
        """Documented pairs that were never seen."""
        return sorted(documented - self.seen.keys())

    def undocumented(self, documented: set[Pair]) -> list[Pair]:
        """Pairs that were seen and that nobody documents."""
        # 405 is HTTP's answer to a method that the path does not have, of which the spec need not speak.
        return sorted(pair for pair in self.seen.keys() - documented if pair.status != 405)

    def table(self, documented: set[Pair], about: dict[str, Any]) -> list[str]:
        """Lines for people: each documented pair with its counts, the other statuses, and a line of figures."""
        width = max(len(pair.operation_id) for pair in documented | self.seen.keys())
        lines = [f"{'operation':{width}} status in process over socket"]
        for pair in sorted(documented | self.seen.keys()):
            inside, outside = self.in_process[pair], self.over_socket[pair]
            remark = "" if pair in documented else "  of HTTP" if pair.status == 405 else "  UNDOCUMENTED"
            remark = "  NEVER SEEN" if inside + outside == 0 else remark
            lines.append(f"{pair.operation_id:{width}} {pair.status:6} {inside:10} {outside:11}{remark}")
        figures = {"cases": self.seen.total(), "checks": self.checks, "seconds": round(time.monotonic() - self.began)}
        lines.append(", ".join(f"{name} {value}" for name, value in {**figures, **about}.items()))
        return lines
