"""Test `import --to platform`: memories are added to a running service, one by one."""

from __future__ import annotations

import http.server
import json
import signal
import subprocess
import sys
import threading

import pytest

from tests.support.serving import served
from tests.support.timeouts import scaled, wait_until


RECORDS = [
    {
        "id": "9ae4c4c2-6d5b-4a66-8e0e-0b7f0b1c6f10",
        "memory": "Zoë 🍵",
        "user_id": "zoë",
        "run_id": "r",
        "metadata": {"n": [1, {"x": None}]},
        "categories": ["c"],
        "created_at": "2025-01-01T12:00:00.123456+02:00",
        "expiration_date": "2999-01-01",
    },
    {"memory": 5, "user_id": "a"},
    {"memory": "of an agent", "agent_id": "b"},
    {"memory": "of nobody"},
]


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.fixture
def service(tmp_path):
    with served(tmp_path / "served.db") as url:
        yield url


def test_what_a_service_keeps_arrives(shop, service):
    done = shop.run("import", "-", "--to", "platform", "--base-url", service, given=lines(*RECORDS))

    assert done.returncode == 7, done.stderr.decode()
    assert done.stdout == b"2 added, 0 already stored, 2 rejected\n"
    assert b"standard input:2: memory must be a non-empty string" in done.stderr
    assert b"standard input:4: at least one of user_id" in done.stderr
    assert b"a new id" in done.stderr
    (found,) = shop.json("memories", "list", "-u", "zoë", "--json", "--base-url", service)
    assert found.pop("id") != RECORDS[0]["id"]
    assert found.pop("updated_at")
    assert {name: value for name, value in found.items() if value is not None} == {
        "memory": "Zoë 🍵",
        "user_id": "zoë",
        "run_id": "r",
        "metadata": {"n": [1, {"x": None}]},
        "created_at": "2025-01-01T10:00:00Z",
        "expiration_date": "2999-01-01",
    }


def test_sending_again_adds_nothing_and_start_at_begins_later(shop, service):
    shop.run("import", "-", "--to", "platform", "--base-url", service, given=lines(RECORDS[0]))
    again = shop.run(
        "import", "-", "--to", "platform", "--base-url", service, "--user-id", "x", given=lines(RECORDS[0], RECORDS[3])
    )
    later = shop.run(
        "import", "-", "--to", "platform", "--base-url", service, "--start-at", "3", given=lines(*RECORDS[:3])
    )

    assert again.stdout == b"1 added, 1 already stored, 0 rejected\n"
    assert (later.returncode, later.stdout) == (0, b"1 added, 0 already stored, 0 rejected\n")


def test_a_dry_run_needs_no_key_and_sends_nothing(shop):
    done = shop.run("import", "-", "--to", "platform", "--dry-run", given=lines(*RECORDS))

    assert (done.returncode, done.stdout) == (7, b"dry run: 2 added, 0 already stored, 2 rejected\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--to", "platform", "--store", "x.db"], b"exclude each other"),
        (["--to", "platform", "--on-conflict", "skip"], b"--on-conflict is for --to store"),
        (["--start-at", "2"], b"--start-at is for --to platform"),
        (["--base-url", "http://127.0.0.1:9", "--store", "x.db"], b"--base-url is for --to platform"),
    ],
)
def test_options_that_do_not_fit_are_refused(shop, arguments, problem):
    done = shop.run("import", "memories.jsonl", *arguments)

    assert done.returncode == 2
    assert problem in done.stderr
    assert not (shop.folder / "x.db").exists()


def test_without_a_store_both_ways_are_named(shop):
    done = shop.run("import", "memories.jsonl", MEM0_EXPORTS_STORE="")

    assert done.returncode == 2
    assert b"--store" in done.stderr
    assert b"--to platform" in done.stderr


_ID = "550e8400-e29b-41d4-a716-446655440000"


class Service(http.server.BaseHTTPRequestHandler):
    """Takes two memories. What it does with the third depends on the test."""

    taken = 0
    waits = threading.Event()
    third = "refuse"

    def do_GET(self) -> None:
        self._answer(200, {"status": "ok", "org_id": "o", "project_id": "p", "user_email": "e"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        cls = type(self)
        cls.taken += 1
        if cls.taken <= 2:
            added = {"id": _ID, "data": {"memory": "x"}, "event": "ADD"}
            self._answer(200, {"message": "", "status": "SUCCEEDED", "event_id": _ID, "results": [added]})
        elif cls.third == "refuse":
            self._answer(401, {"detail": "revoked"})
        else:
            cls.waits.set()
            threading.Event().wait(scaled(30))

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stopping():
    handler = type("Stopping", (Service,), {"taken": 0, "waits": threading.Event()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


GIVEN = lines(*({"memory": f"number {number}", "user_id": "a"} for number in range(5)))


def test_a_service_that_takes_no_more_says_where_to_go_on(shop, stopping):
    done = shop.run("import", "-", "--to", "platform", "--base-url", stopping[1], given=GIVEN)

    assert done.returncode == 3
    assert b"stopped at line 3: 2 added" in done.stderr
    assert b"--start-at 3" in done.stderr


def test_ctrl_c_says_where_to_go_on(shop, stopping):
    handler, url = stopping
    handler.third = "wait"
    (shop.folder / "given.jsonl").write_bytes(GIVEN)
    command = [sys.executable, "-m", "mem0_exports", "import", "given.jsonl", "--to", "platform", "--base-url", url]
    process = subprocess.Popen(command, cwd=shop.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(handler.waits.is_set, "the third memory")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=scaled(30))
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 130
    assert b"stopped at line 3: 2 added" in errors
    assert b"--start-at 3" in errors
    assert b"Traceback" not in errors
