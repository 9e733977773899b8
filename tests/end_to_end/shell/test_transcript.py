"""Test what a user does at a shell, from the installed wheel alone: import, export, go on after Ctrl-C, copy, serve, cancel.

The wheel is installed into a new environment, which finds the dependencies in this one. `make demo` installs those too.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.timeouts import scaled, wait_until


ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "cli" / "mem0_exports_cli" / "demo" / "sample.jsonl"
LOCOMO = Path(os.environ.get("LOCOMO_MEMORIES", ROOT.parent / "shared" / "data" / "memories.jsonl"))
MODELS = """
from datetime import datetime
from pydantic import BaseModel

class Profile(BaseModel):
    full_name: str | None = None
    city: str | None = None

class Event(BaseModel):
    created_at: datetime
    memory: str
    place: str | None = None
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel, install it into a new environment, and return the path of the command."""
    folder = tmp_path_factory.mktemp("installed")
    python = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*python, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True, timeout=scaled(120))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True, timeout=scaled(120))
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    (wheel,) = folder.glob("*.whl")
    shutil.unpack_archive(wheel, site, "zip")
    command = folder / "env" / "bin" / "mem0-exports"
    command.write_text(
        f"#!{folder / 'env' / 'bin' / 'python'}\nimport sys\nfrom mem0_exports_cli.main import main\nsys.exit(main())\n"
    )
    command.chmod(0o755)
    where = subprocess.run(
        [
            folder / "env" / "bin" / "python",
            "-c",
            "import mem0_exports, mem0_exports_engine; print(mem0_exports.__file__)",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=scaled(60),
    )
    assert str(site) in where.stdout, "the packages of the wheel must be used, not those of the checkout"
    return command


@pytest.fixture
def shell(installed, tmp_path):
    (tmp_path / "models.py").write_text(MODELS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEM0_")}

    def run(*arguments, code=0, start=False, **environment):
        options = {"cwd": tmp_path, "env": {**kept, **environment}}
        if start:
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            return subprocess.Popen([installed, *map(str, arguments)], text=True, **pipes, **options)
        done = subprocess.run(
            [installed, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=scaled(120),
            check=False,
            **options,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done.stdout

    run.folder = tmp_path
    return run


def a_hundred_times():
    """Return the sample a hundred times, each time with users of its own."""
    records = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    for number in range(100):
        for record in records:
            copy = {name: value for name, value in record.items() if name != "id"}
            yield json.dumps({**copy, "user_id": f"{record['user_id']}-{number}"}, ensure_ascii=False)


@pytest.mark.timeout(300)
def test_a_day_at_a_shell(shell):
    folder = shell.folder
    assert "full_name='Jonas Pichlbauer'" in shell("demo")
    (folder / "many.jsonl").write_text("\n".join(a_hundred_times()), encoding="utf-8")

    # In.
    assert shell("import", "many.jsonl", "--store", "a.db") == "10500 added, 0 already stored, 0 rejected\n"
    assert shell("import", "many.jsonl", "--store", "a.db") == "0 added, 10500 already stored, 0 rejected\n"

    # Out, in each format.
    profile = ("export", "run", "models.py:Profile", "-u", "jonas-7", "--store", "a.db")
    assert json.loads(shell(*profile)) == {"full_name": "Jonas Pichlbauer", "city": "Graz"}
    events = ("export", "run", "models.py:list[Event]", "-u", "mara-9", "--store", "a.db")
    for suffix in ("json", "csv", "parquet"):
        assert shell(*events, "-o", f"events.{suffix}") == ""
    as_json = json.loads((folder / "events.json").read_text(encoding="utf-8"))
    with (folder / "events.csv").open(newline="", encoding="utf-8") as file:
        assert [row["memory"] for row in csv.DictReader(file)] == [each["memory"] for each in as_json]
    assert pq.read_table(folder / "events.parquet")["memory"].to_pylist() == [each["memory"] for each in as_json]

    # Many, interrupted and resumed.
    names = [f"{name}-{number}" for name in ("alex", "jonas", "mara", "priya") for number in range(100)]
    # So many that the run is certainly interrupted. Those that nobody has heard of have empty profiles.
    (folder / "users.txt").write_text("\n".join([*names, *(f"nobody-{number}" for number in range(1100))]))
    many = ("export", "many", "models.py:Profile", "--users", "users.txt", "--ledger", "night.db", "--store", "a.db")
    process = shell(*many, "-o", "profiles.jsonl", start=True)
    with process:
        try:
            # The result is beside its place until it is complete. The ledger cannot be looked into while it is open.
            wait_until(lambda: any(each.stat().st_size for each in folder.glob(".profiles.*")), "some are written")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=scaled(60))
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert "the same command goes on from here: night.db has the ids and the results" in errors
    assert not (folder / "profiles.jsonl").exists()
    before = ids(shell, "night.db")
    shell(*many, "-o", "profiles.jsonl")
    records = [json.loads(line) for line in (folder / "profiles.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(records) == 1500
    assert sum(record["data"]["full_name"] is not None for record in records) == 400
    assert {record["status"] for record in records} == {"ready"}
    assert before <= ids(shell, "night.db"), "what had been started was not started again"
    assert len(json.loads(shell("export", "list", "--store", "a.db", "--json"))) == 1504, "no export was made twice"

    # A copy is the same, byte for byte.
    shell("dump", "--store", "a.db", "-o", "a.jsonl")
    assert shell("import", "a.jsonl", "--store", "b.db") == "10500 added, 0 already stored, 0 rejected\n"
    shell("dump", "--store", "b.db", "-o", "b.jsonl")
    assert (folder / "a.jsonl").read_bytes() == (folder / "b.jsonl").read_bytes()

    # Served with a key.
    key = shell("keys", "create", "--store", "a.db").strip()
    server = shell("serve", "--store", "a.db", "--port", "0", start=True)
    with server:
        try:
            url = server.stdout.readline().split()[-1]
            served = ("export", "run", "models.py:Profile", "-u", "alex-1", "--base-url", url)
            shell(*served, code=3, MEM0_API_KEY="wrong")
            assert json.loads(shell(*served, MEM0_API_KEY=key))["city"] == "Lisbon"
            made = shell(
                "export", "create", "models.py:Profile", "-u", "alex-1", "--base-url", url, "-q", MEM0_API_KEY=key
            )
            shell("export", "wait", made.strip(), "--base-url", url, MEM0_API_KEY=key)
            shell("export", "delete", made.strip(), "--base-url", url, MEM0_API_KEY=key)
            shell("export", "get", made.strip(), "--base-url", url, code=4, MEM0_API_KEY=key)
            shell("export", "cancel", made.strip(), "--base-url", url, code=4, MEM0_API_KEY=key)
        finally:
            server.terminate()
            server.communicate(timeout=scaled(60))
    assert server.returncode == 0


def ids(shell, ledger: str) -> set[str]:
    return {each["id"] for each in json.loads(shell("export", "list", "--ledger", ledger, "--json")) if each["id"]}


@pytest.mark.skipif(not LOCOMO.exists(), reason="the LoCoMo memories are not part of this project")
def test_real_memories_are_imported_and_dumped(shell):
    assert shell("import", LOCOMO, "--store", "real.db") == "1620 added, 0 already stored, 0 rejected\n"
    shell("dump", "--store", "real.db", "-o", "real.jsonl")
    assert shell("import", "real.jsonl", "--store", "copy.db") == "1620 added, 0 already stored, 0 rejected\n"
    assert shell("dump", "--store", "copy.db") == (shell.folder / "real.jsonl").read_text(encoding="utf-8")
    users = json.loads(shell("entities", "list", "--type", "user", "--store", "real.db", "--json"))
    assert len(users) == len({json.loads(line)["user_id"] for line in LOCOMO.read_text(encoding="utf-8").splitlines()})
