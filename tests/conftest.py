"""All suites run where local time is not UTC, so that whatever takes the one for the other shows, on any machine."""

from __future__ import annotations

import os
import time

from pathlib import Path

import pytest

from hypothesis import Phase, settings

from tests.support.patience import slowness


if hasattr(time, "tzset"):
    os.environ["TZ"] = "Asia/Kathmandu"  # 5 hours and 45 minutes ahead, all year; the processes of tests inherit it
    time.tzset()


if os.environ.get("NO_SHRINK"):  # for whoever only wants to know whether a test fails; making cases small takes minutes
    settings.register_profile("no-shrink", phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target])
    settings.load_profile("no-shrink")


HERE = Path(__file__).parent
ORDER = ("contract/engine", "contract/client", "end_to_end", "contract", "properties", "tools", "unit")
"""The folders with the longest files first, so that all processes end at about the same time."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders with the longest files first."""

    def place(item: pytest.Item) -> int:
        folder = item.path.parent.relative_to(HERE).as_posix()
        return next((index for index, name in enumerate(ORDER) if f"{folder}/".startswith(f"{name}/")), len(ORDER))

    items.sort(key=place)
    # pyproject.toml gives each test a minute. A busy machine may take longer, and so may what is long on any.
    long = {"durability": 300}
    slower = slowness()
    for item in items:
        if item.get_closest_marker("timeout") is None:
            seconds = next((long[name] for name in long if name in item.path.parts), 60)
            item.add_marker(pytest.mark.timeout(seconds * slower))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Keep what belongs together in one process, where tests run in several (`pytest -n 3`).

    A file stays whole: its last tests may judge what the others have counted. So does contract/engine, as a folder.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            folder = "tests/contract/engine/"
            return folder if path.startswith(folder) else path

    return Together(config, log)
