"""Test that a FilterWarning points at the line of the user's code, wherever the filter is checked."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import warnings

from pathlib import Path
from types import FunctionType

import anyio
import pytest

from mem0_exports import AsyncClient, Client, ExportRequest, F, FilterWarning
from mem0_exports.call_site import call_site
from mem0_exports.filters.check import check_where
from tests.support.timeouts import scaled


BOTH = (F.user_id == "a") & (F.agent_id == "b")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()


def warned_lines(caught: list[warnings.WarningMessage]) -> list[str]:
    """Return the source lines that the FilterWarnings point at; check that all are in this file."""
    of_filters = [each for each in caught if each.category is FilterWarning]
    assert {each.filename for each in of_filters} == {__file__}
    return [SOURCE[each.lineno - 1].strip() for each in of_filters]


def test_warns_at_the_line_of_a_sync_call():
    with Client.local() as client, warnings.catch_warnings(record=True, action="always") as caught:
        client.exports.create(SCHEMA, BOTH)
        client.exports.run(SCHEMA, BOTH)
        list(client.memories.list(BOTH))
        check_where(BOTH)

    assert warned_lines(caught) == [
        "client.exports.create(SCHEMA, BOTH)",
        "client.exports.run(SCHEMA, BOTH)",
        "list(client.memories.list(BOTH))",
        "check_where(BOTH)",
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_warns_at_the_line_of_an_awaited_call(backend):
    async def main() -> None:
        async with AsyncClient.local() as client:
            await client.exports.create(SCHEMA, BOTH)
            await client.exports.run(SCHEMA, BOTH)
            _ = [memory async for memory in client.memories.list(BOTH)]

    with pytest.warns(FilterWarning) as caught:
        anyio.run(main, backend=backend)

    assert warned_lines(caught) == [
        "await client.exports.create(SCHEMA, BOTH)",
        "await client.exports.run(SCHEMA, BOTH)",
        "_ = [memory async for memory in client.memories.list(BOTH)]",
    ]


def test_warns_at_the_line_of_a_bulk_run_although_threads_check_its_filters():
    requests = [ExportRequest(SCHEMA, BOTH)]
    with Client.local() as client, warnings.catch_warnings(record=True, action="always") as caught:
        outcomes = client.exports.run_many(requests)
        assert [outcome.status for outcome in outcomes] == ["ready"]

    assert warned_lines(caught) == ["outcomes = client.exports.run_many(requests)"]


def test_warns_at_the_line_of_an_async_bulk_run_although_tasks_check_its_filters():
    requests = [ExportRequest(SCHEMA, BOTH)]

    async def main() -> list[str]:
        async with AsyncClient.local() as client:
            outcomes = client.exports.run_many(requests)
            return [outcome.status async for outcome in outcomes]

    with pytest.warns(FilterWarning) as caught:
        assert asyncio.run(main()) == ["ready"]

    assert warned_lines(caught) == ["outcomes = client.exports.run_many(requests)"]


def test_warns_at_the_line_that_runs_the_loop_if_a_task_checks_the_filter():
    async def main() -> None:
        async with AsyncClient.local() as client:
            await asyncio.gather(client.exports.create(SCHEMA, BOTH))

    with pytest.warns(FilterWarning) as caught:
        asyncio.run(main())

    assert warned_lines(caught) == ["asyncio.run(main())"]


def test_call_site_falls_back_to_the_standard_library_without_a_line_of_the_user():
    sites = []

    def target() -> None:
        sites.append(call_site())

    # A function whose globals are those of the package, as if the package had started the thread itself.
    package = {"__name__": "mem0_exports.x", "call_site": call_site}
    inside = FunctionType(target.__code__, package, "target", None, target.__closure__)
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()

    assert Path(sites[0].filename).name == "threading.py"


def test_python_shows_the_warning_once_per_line_of_the_user(tmp_path):
    """Python shows a warning once per line that it points at: a line of this package would hide all later ones."""
    script = tmp_path / "two_lines.py"
    script.write_text(
        "from mem0_exports import Client, F\n"
        "both = (F.user_id == 'a') & (F.agent_id == 'b')\n"
        "with Client.local() as client:\n"
        "    client.memories.list(both)\n"
        "    for _ in range(3):\n"
        "        client.memories.list(both)\n",
        encoding="utf-8",
    )

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=scaled(60))

    caught = [line for line in done.stderr.splitlines() if "FilterWarning" in line]
    assert [line.split(":")[1] for line in caught] == ["4", "6"]
