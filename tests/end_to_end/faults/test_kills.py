"""Test a bulk run with a ledger that is killed many times.

In the end all results are in the ledger, and no job was created twice except those reported as unknown.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys

from pathlib import Path

from mem0_exports import F, Ledger
from mem0_exports.exports.spec import ExportSpec
from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.bulk_run import WEIGHTS, Result, requests
from tests.end_to_end.faults.server import FaultServer, at_random, result_of
from tests.support.timeouts import scaled


KILLS = 20
COUNT = 800
ROOT = Path(__file__).resolve().parents[3]


def start(server, path, on_unknown):
    command = [
        sys.executable,
        "-m",
        "tests.end_to_end.faults.resumable_run",
        server.url,
        str(path),
        str(COUNT),
        on_unknown,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def run_to_the_end(server, path, on_unknown):
    with start(server, path, on_unknown) as process:
        out, _ = process.communicate(timeout=scaled(120))
    assert process.returncode == 0
    return {tag: (status, lost) for tag, status, lost in json.loads(out)}


def still_running(process, seconds):
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def test_run_survives_kills_at_random_moments(tmp_path):
    path = tmp_path / "ledger.db"
    draw = random.Random(4)
    kills_after_a_create = 0
    with FaultServer(polls_until_ready=0, script=at_random(0.1, 4, WEIGHTS)) as server:
        for _ in range(KILLS):
            created = len(server.created)
            with start(server, path, "skip") as process:
                # Kill it only after its first create: before that, nothing can be lost.
                while still_running(process, 0.01) and len(server.created) == created and created < COUNT:
                    pass
                if still_running(process, draw.uniform(0.0, 0.12)):
                    process.kill()
                    kills_after_a_create += created < len(server.created)
                process.wait()
        interrupted = run_to_the_end(server, path, "skip")
        unknown = {tag for tag, (status, _) in interrupted.items() if status != "ready"}
        creates_before = dict(server.creates_by_body)
        server.script = faults.no_faults
        final = run_to_the_end(server, path, "ask_again")
        created = len(server.created)

    assert kills_after_a_create >= KILLS / 2, "too few kills hit a run after a create"
    assert unknown, "no answer was lost"
    assert {status for status, _ in interrupted.values()} <= {"ready", "unknown", "skipped"}
    assert max(creates_before.values()) == 1, "a job was created twice before ask_again"
    assert {status for status, _ in final.values()} == {"ready"}
    assert {tag for tag, (_, lost) in final.items() if lost} == unknown, (
        "the exports that were asked again are not the unknown ones"
    )
    for body, times in server.creates_by_body.items():
        tag = faults.user_of(json.loads(body)["filters"])
        assert times <= 1 + final[tag][1], f"{tag} was created more often than its lost answers explain"
    assert created <= COUNT + sum(lost for _, lost in final.values())
    check_ledger(server, path)


def check_ledger(server, path):
    """Check that the ledger has every result; without the server."""
    with Ledger(path) as ledger:
        assert {entry.state for entry in ledger.entries()} == {"ready"}
        results = [ledger.result(entry.fingerprint) for entry in ledger.entries()]
        spec = ExportSpec.of(Result, F.user_id == "user-7", None)
        assert json.loads(ledger.result(spec.fingerprint(server.url)))["user"] == "user-7"
    users = sorted(json.loads(raw)["user"] for raw in results)
    assert users == sorted(request.tag for request in requests(COUNT))
    for raw in results:
        data = json.loads(raw)
        assert data == result_of({"filters": {"user_id": data["user"]}})
