"""The results of a run, as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.contract.deployment.output import say
from tests.contract.deployment.session import Check, Difference


SAME: Final = 0
DIFFERENT: Final = 1
COULD_NOT_RUN: Final = 2
RESULTS: Final = {SAME: "same", DIFFERENT: "different", COULD_NOT_RUN: "could-not-run"}
"""What the summary line says for each exit code."""


@dataclass
class Results:
    """What a run found. `problem` says why it did not finish; `left` lists what it left behind in the deployment."""

    seed: int
    checks: list[Check] = field(default_factory=list)
    requests: int = 0
    not_checked: list[tuple[str, str]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    problem: str | None = None

    @property
    def differences(self) -> list[Difference]:
        return [each for check in self.checks for each in check.differences]

    @property
    def exit_code(self) -> int:
        if self.problem is not None:
            return COULD_NOT_RUN
        return DIFFERENT if self.differences else SAME

    @property
    def summary(self) -> str:
        """The last line of the output. Scripts read it: its form is documented in --help and docs/testing.md."""
        return (
            f"contract: result={RESULTS[self.exit_code]} differences={len(self.differences)} checks={len(self.checks)}"
            f" requests={self.requests} not-checked={len(self.not_checked)} seed={self.seed}"
        )


def show(results: Results) -> None:
    """Print the differences, what was not checked, and the summary line."""
    for each in results.differences:
        say()
        say(each.name)
        say(f"  operation  {each.operation}")
        say(f"  sent       {each.sent}")
        say(f"  promised   {each.promised}")
        say(f"  received   {each.received}")
    say()
    for operation, reason in results.not_checked:
        say(f"not checked: {operation}: {reason}")
    for sentence in results.left:
        say(sentence)
    if results.problem is not None:
        say(f"could not run: {results.problem}")
    say(results.summary)
