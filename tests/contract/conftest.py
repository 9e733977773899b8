"""The frame of a run: its seed at the beginning, the schemathesis command beside it, and the table at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.budget import BUDGET, SEED, TIMEOUT
from tests.contract.command_line import CommandLine, running
from tests.contract.service import documented, tally


HERE = Path(__file__).parent
SOCKET = HERE / "test_command_line.py"
"""Waits for a process that runs beside the other tests, so it comes after them."""

JUDGE = HERE / "test_whole_run.py"
"""Judges what the whole run did, so it is the last, and says nothing of a part of it."""


def pytest_report_header() -> str:
    return f"contract: SEED={SEED} BUDGET={BUDGET:g}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    last = [item for item in items if item.path == SOCKET]
    judges = [item for item in items if item.path == JUDGE]
    others = [item for item in items if item.path not in (SOCKET, JUDGE)]
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.timeout(TIMEOUT))
    whole = is_whole(config, {item.path for item in others + last})
    items[:] = others + last + (judges if whole else [])
    if judges and not whole:
        config.hook.pytest_deselected(items=judges)


def is_whole(config: pytest.Config, ran: set[Path]) -> bool:
    """Whether every test of this folder is to run."""
    narrowed = config.option.keyword or config.option.markexpr or config.option.deselect
    by_name = any("::" in argument for argument in config.args)
    return not narrowed and not by_name and set(HERE.glob("test_*.py")) - {JUDGE} <= ran


@pytest.fixture(scope="session", autouse=True)
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
