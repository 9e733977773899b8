"""A FilterWarning points at the user's own line, from wherever the filter is checked."""

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
from tests.support.patience import patient


BOTH = (F.user_id == "a") & (F.agent_id == "b")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
SOURCE = Path(__file__).read_text(encoding="utf-8").splitlines()


def warned_lines(shown: list[warnings.WarningMessage]) -> list[str]:
    """The source lines that the warnings point at, all of which are in this file."""
    assert {each.category for each in shown} == {FilterWarning}
    assert {each.filename for each in shown} == {__file__}
    return [SOURCE[each.lineno - 1].strip() for each in shown]


def test_sync_calls():
    with Client.local() as client, warnings.catch_warnings(record=True, action="always") as shown:
        client.exports.create(SCHEMA, BOTH)
        client.exports.run(SCHEMA, BOTH)
        list(client.memories.list(BOTH))
        check_where(BOTH)

    assert warned_lines(shown) == [
        "client.exports.create(SCHEMA, BOTH)",
        "client.exports.run(SCHEMA, BOTH)",
        "list(client.memories.list(BOTH))",
        "check_where(BOTH)",
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_awaited_calls(backend):
    async def main() -> None:
        async with AsyncClient.local() as client:
            await client.exports.create(SCHEMA, BOTH)
            await client.exports.run(SCHEMA, BOTH)
            _ = [memory async for memory in client.memories.list(BOTH)]

    with pytest.warns(FilterWarning) as shown:
        anyio.run(main, backend=backend)

    assert warned_lines(shown) == [
        "await client.exports.create(SCHEMA, BOTH)",
        "await client.exports.run(SCHEMA, BOTH)",
        "_ = [memory async for memory in client.memories.list(BOTH)]",
    ]


def test_bulk_runs_although_they_check_in_threads():
    requests = [ExportRequest(SCHEMA, BOTH)]
    with Client.local() as client, warnings.catch_warnings(record=True, action="always") as shown:
        outcomes = client.exports.run_many(requests)
        assert [outcome.status for outcome in outcomes] == ["ready"]

    assert warned_lines(shown) == ["outcomes = client.exports.run_many(requests)"]


def test_awaited_bulk_runs_although_they_check_in_tasks():
    requests = [ExportRequest(SCHEMA, BOTH)]

    async def main() -> list[str]:
        async with AsyncClient.local() as client:
            outcomes = client.exports.run_many(requests)
            return [outcome.status async for outcome in outcomes]

    with pytest.warns(FilterWarning) as shown:
        assert asyncio.run(main()) == ["ready"]

    assert warned_lines(shown) == ["outcomes = client.exports.run_many(requests)"]


def test_a_task_of_its_own_has_the_line_that_runs_the_loop():
    async def main() -> None:
        async with AsyncClient.local() as client:
            await asyncio.gather(client.exports.create(SCHEMA, BOTH))

    with pytest.warns(FilterWarning) as shown:
        asyncio.run(main())

    assert warned_lines(shown) == ["asyncio.run(main())"]


def test_a_thread_without_any_line_of_the_user_still_has_a_place():
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


def test_python_shows_it_once_for_each_line(tmp_path):
    """By default Python shows a warning once for each line it points at: one in this package would hide all others."""
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

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=patient(60))

    shown = [line for line in done.stderr.splitlines() if "FilterWarning" in line]
    assert [line.split(":")[1] for line in shown] == ["4", "6"]
