"""Run the official client mem0ai and this one through the same work on the same server, and print ratios.

    make interop                     (once: it makes the environment of the official client, .venv-mem0ai)
    python benchmarks/peers.py

Each client runs in a process of its own, alternately, three times; the shortest times count. The official client is used as
its documentation says: exports are waited for by a loop that asks once a second, because it has no call that waits. Nothing
leaves this machine: the official client's telemetry is off.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final


if TYPE_CHECKING:
    from collections.abc import Callable

OFFICIAL: Final = Path(__file__).parent.parent / ".venv-mem0ai" / "bin" / "python"
ROUNDS: Final = 3
LISTED: Final = 1000
METADATA: Final = {"city": "Lisbon"}
SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}


def work(url: str, name: str) -> dict[str, tuple[float, float]]:
    """Do the work with one of the clients. Return the CPU and wall-clock seconds of each part."""
    took: dict[str, tuple[float, float]] = {}

    def part(title: str, call: Callable[[], Any]) -> Any:
        cpu, wall = time.process_time(), time.perf_counter()
        found = call()
        took[title] = time.process_time() - cpu, time.perf_counter() - wall
        return found

    def load() -> Any:
        if name == "mem0ai":
            from mem0 import MemoryClient  # noqa: PLC0415 -- measured

            return MemoryClient
        from mem0_exports import Client  # noqa: PLC0415 -- measured

        return Client

    user = f"{name}-{os.getpid()}"
    make = part("import", load)
    if name == "mem0ai":
        client = part("constructor, which pings", lambda: make(api_key="local-key-of-nobody", host=url))
    else:
        client = make("local-key-of-nobody", base_url=url)
        part("constructor, which pings", client.ping)
    part("200 adds", lambda: [_add(client, name, f"fact {number}", user) for number in range(200)])
    part(f"list of {LISTED}", lambda: _list(client, name))
    part("50 exports, one after the other", lambda: [_export(client, name, user) for _ in range(50)])
    return took


def _add(client: Any, name: str, text: str, user: str) -> None:
    if name == "mem0ai":
        client.add(text, user_id=user, metadata=METADATA, infer=False)
    else:
        client.memories.add(text, user_id=user, metadata=METADATA)


def _list(client: Any, name: str) -> None:
    if name != "mem0ai":
        assert len([*client.memories.list({"user_id": "listed"})]) == LISTED
        return
    found: list[Any] = []
    page, more = 0, True
    while more:
        page += 1
        answer = client.get_all(filters={"AND": [{"user_id": "listed"}]}, page=page, page_size=100)
        found += answer["results"]
        more = answer["next"] is not None
    assert len(found) == LISTED


def _export(client: Any, name: str, user: str) -> None:
    if name != "mem0ai":
        client.exports.run(SCHEMA, {"user_id": user})
        return
    from mem0.exceptions import MemoryNotFoundError  # noqa: PLC0415 -- an environment of its own

    export_id = client.create_memory_export(schema=SCHEMA, filters={"AND": [{"user_id": user}]})["id"]
    while True:
        try:
            client.get_memory_export(memory_export_id=export_id)
        except MemoryNotFoundError:
            time.sleep(1)
        else:
            return


def measured(python: str, url: str, name: str) -> dict[str, tuple[float, float]]:
    """Do the work in a process of its own."""
    confined = {**os.environ, "MEM0_TELEMETRY": "false", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    with tempfile.TemporaryDirectory() as home:
        command = [python, __file__, "--work", url, name]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**confined, "MEM0_DIR": home})
    return json.loads(done.stdout)


def main() -> None:
    """Start the server, let both clients work, and print the table."""
    if not OFFICIAL.exists():
        sys.exit("there is no environment of the official client; run: make interop")
    with tempfile.TemporaryDirectory(prefix="mem0-exports-peers-") as folder:
        store = Path(folder) / "store.db"
        lines = (json.dumps({"memory": f"fact {number}", "user_id": "listed"}).encode() for number in range(LISTED))
        from mem0_exports import Client  # noqa: PLC0415 -- the official client's environment does not have it

        with Client.local(store) as client:
            client.engine.import_lines(lines)
        code = "import sys; from mem0_exports_cli.main import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "serve", "--store", str(store), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                found = re.search(r"http://\S+", server.stdout.readline() if server.stdout else "")
                assert found is not None
                rounds: dict[str, list[dict[str, tuple[float, float]]]] = {"mem0ai": [], "mem0-exports": []}
                for _ in range(ROUNDS):
                    rounds["mem0ai"].append(measured(str(OFFICIAL), found[0], "mem0ai"))
                    rounds["mem0-exports"].append(measured(sys.executable, found[0], "mem0-exports"))
            finally:
                server.terminate()
    print(f"{'':34} {'CPU, ms':>21}  {'wall-clock, ms':>21}  mem0ai / mem0-exports")
    print(f"{'':34} {'mem0ai':>10} {'mem0-exports':>12} {'mem0ai':>10} {'mem0-exports':>12} {'CPU':>7} {'wall':>7}")
    for title in rounds["mem0ai"][0]:
        best = {name: [min(each[title][kind] for each in found) for kind in (0, 1)] for name, found in rounds.items()}
        (cpu, wall), (our_cpu, our_wall) = best["mem0ai"], best["mem0-exports"]
        figures = f"{cpu * 1e3:10.1f} {our_cpu * 1e3:12.1f} {wall * 1e3:10.1f} {our_wall * 1e3:12.1f}"
        print(f"{title:34} {figures} {cpu / our_cpu:6.1f}x {wall / our_wall:6.1f}x")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        print(json.dumps(work(sys.argv[2], sys.argv[3])))
    else:
        main()
