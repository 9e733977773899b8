"""The frame of a run: its seed at the beginning, the schemathesis command beside it, and the table at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.engine.budget import BUDGET, SEED, TIMEOUT
from tests.contract.engine.command_line import CommandLine, running
from tests.contract.engine.service import documented, tally


HERE = Path(__file__).parent
SOCKET = HERE / "test_command_line.py"
"""Waits for a process that runs beside the other tests, so it comes after them."""

JUDGE = HERE / "test_whole_run.py"
"""Judges what the whole run did, so it is the last, and says nothing of a part of it."""


def pytest_report_header() -> str:
    return f"contract: SEED={SEED} BUDGET={BUDGET:g}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.parent == HERE]
    for item in ours:
        item.add_marker(pytest.mark.timeout(TIMEOUT))
    judges = [item for item in ours if item.path == JUDGE]
    kept = sorted((item for item in ours if item.path != JUDGE), key=lambda item: item.path == SOCKET)
    if is_whole(config, {item.path for item in kept}):
        kept += judges
    elif judges:
        config.hook.pytest_deselected(items=judges)
    first = next((index for index, item in enumerate(items) if item in ours), 0)
    items[:] = items[:first] + kept + [item for item in items[first:] if item not in ours]


def is_whole(config: pytest.Config, ran: set[Path]) -> bool:
    """Whether every test of this folder is to run."""
    narrowed = config.option.keyword or config.option.markexpr or config.option.deselect
    by_name = any("::" in argument for argument in config.args)
    return not narrowed and not by_name and set(HERE.glob("test_*.py")) - {JUDGE} <= ran


@pytest.fixture(scope="package", autouse=True)
def command_line(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine | None]:
    """The schemathesis command, which begins with the first test of this folder. None where no test asks for it."""
    if all(item.path != SOCKET for item in request.session.items):
        yield None
        return
    with running(tmp_path_factory.mktemp("command-line")) as command:
        yield command


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if tally.seen:
        terminalreporter.section("contract: what the run saw")
        for line in tally.table(documented(), {"seed": SEED, "budget": f"{BUDGET:g}"}):
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"the same cases again: make contract SEED={SEED} BUDGET={BUDGET:g}")
