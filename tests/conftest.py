"""Configure all tests: time zone, profiles of Hypothesis, order and timeouts.

Local time is not UTC, so that code that confuses the two fails on every machine.
"""

from __future__ import annotations

import os
import signal
import time

from pathlib import Path

import pytest

from hypothesis import Phase, settings

from tests.support.timeouts import slowdown


if hasattr(time, "tzset"):
    os.environ["TZ"] = "Asia/Kathmandu"  # 5:45 h ahead of UTC, all year; subprocesses inherit it
    time.tzset()


# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would the commands that they start and
# interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


if os.environ.get("NO_SHRINK"):  # shrinking takes minutes; skip it to see only whether a test fails
    settings.register_profile("no-shrink", phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target])
    settings.load_profile("no-shrink")


HERE = Path(__file__).parent
ORDER = ("contract/engine", "contract/client", "end_to_end", "contract", "properties", "tools", "unit")
"""The order of the folders: the longest files first, so that all processes end at about the same time."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by folder, and set the timeout of each."""

    def position(item: pytest.Item) -> int:
        folder = item.path.parent.relative_to(HERE).as_posix()
        return next((index for index, name in enumerate(ORDER) if f"{folder}/".startswith(f"{name}/")), len(ORDER))

    items.sort(key=position)
    # The timeout is there for a test that hangs. It is generous, and more so if the machine is busy already.
    factor = slowdown()
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300 * factor))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Keep each file in one process under `pytest -n 3`: its last tests may check what the earlier ones have counted.

    All files of contract/engine stay in one process for the same reason.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            folder = "tests/contract/engine/"
            return folder if path.startswith(folder) else path

    return ByFile(config, log)
