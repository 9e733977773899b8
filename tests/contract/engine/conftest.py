"""Print the seed of a run and the table at its end, and run the schemathesis command beside the other tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.engine.budget import BUDGET, SEED, TIMEOUT
from tests.contract.engine.command_line import CommandLine, start
from tests.contract.engine.service import documented_pairs, tally


HERE = Path(__file__).parent
COMMAND_LINE_TEST = HERE / "test_command_line.py"
"""Waits for the schemathesis command, which runs beside the other tests; so it runs after them."""

COVERAGE_TEST = HERE / "test_spec_coverage.py"
"""Checks what the whole run covered; so it runs last, and is deselected if only a part of the tests runs."""


def pytest_report_header() -> str:
    return f"contract: SEED={SEED} BUDGET={BUDGET:g}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    in_folder = [item for item in items if item.path.parent == HERE]
    for item in in_folder:
        item.add_marker(pytest.mark.timeout(TIMEOUT))
    coverage_tests = [item for item in in_folder if item.path == COVERAGE_TEST]
    ordered = sorted(
        (item for item in in_folder if item.path != COVERAGE_TEST), key=lambda item: item.path == COMMAND_LINE_TEST
    )
    if is_whole(config, {item.path for item in ordered}):
        ordered += coverage_tests
    elif coverage_tests:
        config.hook.pytest_deselected(items=coverage_tests)
    first = next((index for index, item in enumerate(items) if item in in_folder), 0)
    items[:] = items[:first] + ordered + [item for item in items[first:] if item not in in_folder]


def is_whole(config: pytest.Config, files: set[Path]) -> bool:
    """Return whether all tests of this folder are going to run."""
    narrowed = config.option.keyword or config.option.markexpr or config.option.deselect
    by_name = any("::" in argument for argument in config.args)
    return not narrowed and not by_name and set(HERE.glob("test_*.py")) - {COVERAGE_TEST} <= files


@pytest.fixture(scope="package", autouse=True)
def command_line(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine | None]:
    """The schemathesis command, started with the first test of this folder; None if no selected test needs it."""
    if all(item.path != COMMAND_LINE_TEST for item in request.session.items):
        yield None
        return
    with start(tmp_path_factory.mktemp("command-line")) as command:
        yield command


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if tally.seen:
        terminalreporter.section("contract: answers seen in this run")
        for line in tally.table(documented_pairs(), {"seed": SEED, "budget": f"{BUDGET:g}"}):
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"to run the same cases again: make contract SEED={SEED} BUDGET={BUDGET:g}")
