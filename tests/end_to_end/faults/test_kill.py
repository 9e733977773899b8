"""A bulk run with a ledger, killed again and again: in the end every result is on disk, and nothing was made twice unsaid."""

from __future__ import annotations

import json
import random
import subprocess
import sys

from pathlib import Path

from mem0_exports import F, Ledger
from mem0_exports.exports.spec import ExportSpec
from tests.end_to_end.faults import server as faults
from tests.end_to_end.faults.bulk_run import WEIGHTS, Found, requests
from tests.end_to_end.faults.server import FaultServer, at_random, result_of
from tests.support.patience import patient


KILLS = 20
COUNT = 300
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


def finish(server, path, on_unknown):
    with start(server, path, on_unknown) as process:
        out, _ = process.communicate(timeout=patient(120))
    assert process.returncode == 0
    return {tag: (status, lost) for tag, status, lost in json.loads(out)}


def lives(process, seconds):
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def test_killed_at_random_moments_and_run_again(tmp_path):
    path = tmp_path / "ledger.db"
    draw = random.Random(4)
    killed_under_way = 0
    with FaultServer(polls_until_ready=0, script=at_random(0.1, 4, WEIGHTS)) as server:
        for _ in range(KILLS):
            created = len(server.created)
            with start(server, path, "skip") as process:
                # From its first create on: before, there is nothing to lose.
                while lives(process, 0.01) and len(server.created) == created and created < COUNT:
                    pass
                if lives(process, draw.uniform(0.0, 0.12)):
                    process.kill()
                    killed_under_way += created < len(server.created)
                process.wait()
        middle = finish(server, path, "skip")
        unknown = {tag for tag, (status, _) in middle.items() if status != "ready"}
        made_before = dict(server.creates_by_question)
        server.script = faults.never
        end = finish(server, path, "ask_again")
        created = len(server.created)

    assert killed_under_way >= KILLS / 2, "most kills hit a run that had just created something"
    assert unknown, "some answers were lost"
    assert {status for status, _ in middle.values()} <= {"ready", "unknown", "skipped"}
    assert max(made_before.values()) == 1, "until the caller said ask_again, nothing was created twice"
    assert {status for status, _ in end.values()} == {"ready"}
    assert {tag for tag, (_, lost) in end.items() if lost} == unknown, "what was reported is what was asked again"
    for question, times in server.creates_by_question.items():
        tag = faults.user_of(json.loads(question)["filters"])
        assert times <= 1 + end[tag][1], "no create beyond those of unknown outcome"
    assert created <= COUNT + sum(lost for _, lost in end.values())
    on_disk(server, path)


def on_disk(server, path):
    """Every result, read without any server."""
    with Ledger(path) as ledger:
        assert {entry.state for entry in ledger.entries()} == {"ready"}
        results = [ledger.result(entry.fingerprint) for entry in ledger.entries()]
        spec = ExportSpec.of(Found, F.user_id == "user-7", None)
        assert json.loads(ledger.result(spec.fingerprint(server.url)))["user"] == "user-7"
    users = sorted(json.loads(raw)["user"] for raw in results)
    assert users == sorted(request.tag for request in requests(COUNT))
    for raw in results:
        data = json.loads(raw)
        assert data == result_of({"filters": {"user_id": data["user"]}})
