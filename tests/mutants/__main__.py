"""Run the suites against each planted bug: `python -m tests.mutants`, or `make mutants`.

The exit code is 0 if enough mutants are caught, 1 if not, and 2 if the run is invalid, because a suite fails without
any mutant or a mutant is stale.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import time

from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from tests.mutants.catalogue import MUTANTS
from tests.mutants.model import problem
from tests.mutants.runner import InvalidRun, Runner
from tests.mutants.suites import SUITES


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutants.model import Mutant
    from tests.mutants.runner import Verdict
    from tests.mutants.suites import Suite

ROOT: Final = Path(__file__).resolve().parents[2]

REQUIRED_SHARE: Final = 0.95
"""The share of the mutants that must be caught."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description="Report which suite catches each planted bug."
    )
    parser.add_argument(
        "--only", default="", help="patterns of names, such as 'filters' or 'jobs.* spec.*' (default: all)"
    )
    parser.add_argument(
        "--suites", default="", help=f"suites to run (default: all): {' '.join(each.name for each in SUITES)}"
    )
    parser.add_argument("--jobs", type=int, default=2, help="number of mutants to run in parallel (default: 2)")
    parser.add_argument("--list", action="store_true", help="list the mutants without running anything")
    options = parser.parse_args(arguments)
    mutants = matching(MUTANTS, options.only)
    names = options.suites.split() or [suite.name for suite in SUITES]
    suites = [suite for suite in SUITES if suite.name in names]
    if unknown := set(names) - {suite.name for suite in suites}:
        parser.error(f"unknown suite: {', '.join(sorted(unknown))}; see --help")
    if not mutants:
        parser.error(f"no mutant's name matches {options.only!r}; see --list")
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name:34} {mutant.file}: {mutant.why}")
        return 0
    return run_mutants(ROOT, mutants, suites, jobs=options.jobs)


def matching(mutants: Sequence[Mutant], only: str) -> list[Mutant]:
    """Return the mutants whose names match one of the patterns; a part of a name matches, too."""
    patterns = [f"*{each}*" for each in only.split()] or ["*"]
    return [each for each in mutants if any(fnmatch.fnmatchcase(each.name, pattern) for pattern in patterns)]


def run_mutants(
    root: Path, mutants: Sequence[Mutant], suites: Sequence[Suite], *, jobs: int = 1, out: TextIO = sys.stdout
) -> int:
    """Run the suites on each mutant of the project at `root`, print the verdicts, and return the exit code."""
    stale = [f"{each.name}: {why}" for each in mutants if (why := problem(each, root)) is not None]
    if stale:
        print("stale mutants, to be updated for the changed project:", *stale, sep="\n  ", file=out)
        return 2
    started = time.monotonic()
    verdicts: list[Verdict] = []
    try:
        with Runner(root, suites) as runner, ThreadPoolExecutor(jobs) as pool:
            try:
                runner.check_imports()
                for _ in pool.map(runner.baseline, [each for each in suites if each.quick]):
                    pass
                seconds = time.monotonic() - started
                print(f"the quick suites pass without any mutant ({seconds:.0f} s)", file=out, flush=True)
                for done in as_completed([pool.submit(runner.judge, mutant) for mutant in mutants]):
                    verdicts.append(done.result())
                    print(row(verdicts[-1]), file=out, flush=True)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                runner.stop()
                raise
    except InvalidRun as error:
        print(f"invalid run: {error}", file=out)
        return 2
    return _print_summary(verdicts, time.monotonic() - started, out)


def row(verdict: Verdict) -> str:
    """Return a line of the table: the mutant, the suite that caught it, the seconds, and the test."""
    mutant, caught, seconds = verdict
    suite, test = caught or ("SURVIVES", mutant.survives or "")
    return f"{mutant.name:34} {suite:12} {seconds:6.1f} s  {test.removeprefix('tests/')}"


def _print_summary(verdicts: Sequence[Verdict], seconds: float, out: TextIO) -> int:
    caught = [each for each in verdicts if each.caught is not None]
    by_suite: dict[str, int] = {}
    for each in caught:
        if each.caught is not None:
            by_suite[each.caught.suite] = by_suite.get(each.caught.suite, 0) + 1
    share = len(caught) / len(verdicts)
    counts = ", ".join(f"{suite} {times}" for suite, times in sorted(by_suite.items(), key=lambda pair: -pair[1]))
    print(f"\n{len(caught)} of {len(verdicts)} caught ({share:.0%}) in {seconds:.0f} s: {counts or 'none'}", file=out)
    for mutant, found, _ in sorted(verdicts, key=lambda verdict: verdict.mutant.name):
        if found is None:
            print(f"  survives: {mutant.name}: {mutant.survives or 'no explanation'}", file=out)
        elif mutant.survives is not None:
            print(f"  caught, so its explanation (survives=) can be removed: {mutant.name}", file=out)
    return 0 if share >= REQUIRED_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
