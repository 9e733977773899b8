"""Test exports from a shell: results, formats, exit codes, and what goes where."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading

from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest

from mem0_exports import Client, F
from mem0_exports.errors import (
    ConnectionFailed,
    ExportFailed,
    ExportIncomplete,
    ExportTimeout,
    FilterError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RequestTimeout,
    SchemaError,
    ServerError,
    Unauthorized,
)
from mem0_exports_cli import exit_codes
from tests.support.serving import served
from tests.support.timeouts import scaled


UNKNOWN = "3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11"


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [*csv.DictReader(file)]


def test_run_prints_only_the_result_on_standard_output(shop):
    done = shop.run("export", "run", "models.py:Profile", "-u", "alex")

    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["city"] == "Lisbon"


@pytest.mark.parametrize("schema", ["models.py:Profile", "models:Profile", "profile.json", "models.py:Profile | None"])
def test_a_schema_is_a_type_or_a_json_schema(shop, schema):
    assert shop.json("export", "run", schema, "-u", "alex")["city"] == "Lisbon"


def test_a_schema_can_come_from_standard_input(shop):
    schema = shop.run("schema", "show", "models.py:Profile").stdout

    assert shop.json("export", "run", "-", "-u", "alex", given=schema)["city"] == "Lisbon"


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("none.py:X", "there is no file 'none.py'"),
        ("none:X", "No module named 'none'"),
        ("models.py", "say which type of the file to use"),
        ("Profile", "SCHEMA must be MODULE:TYPE"),
        ("models.py:Other", "models has no 'Other'; it has datetime, BaseModel, Profile, Event, Nothing"),
        ("models.py:list[Profile", "is not a type"),
        ("models.py:Profile.nothing", "is not a type"),
        ("models.py:list[Profile][1]", "is not a type"),
        ("models.py:print('x')", "is not a type"),
        ("models.py:Profile.__subclasses__", "is not a type"),
        ("none.json", "there is no file 'none.json'"),
        ("users.txt", "cannot be read"),
        ("broken.py:X", "importing broken.py failed: ZeroDivisionError: division by zero"),
        ("models.py:datetime.max", "cannot be described by a JSON Schema"),
    ],
)
def test_a_schema_that_cannot_be_used_is_named(shop, schema, problem):
    (shop.folder / "broken.py").write_text("1 / 0\n")

    done = shop.run("export", "run", schema, "-u", "alex")

    assert done.returncode == 2
    assert problem in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_results_become_files_by_their_suffix(shop):
    for suffix in ("json", "jsonl", "csv", "parquet", "md"):
        done = shop.run("export", "run", "models.py:list[Event]", "-u", "mara", "-o", f"events.{suffix}")
        assert (done.returncode, done.stdout) == (0, b""), done.stderr

    as_json = json.loads((shop.folder / "events.json").read_text())
    assert len(as_json) > 20
    assert [json.loads(line) for line in (shop.folder / "events.jsonl").read_text().splitlines()] == as_json
    rows = rows_of(shop.folder / "events.csv")
    assert [row["memory"] for row in rows] == [each["memory"] for each in as_json]
    table = pq.read_table(shop.folder / "events.parquet")
    assert str(table.schema.field("created_at").type) == "timestamp[us, tz=UTC]"
    assert table["memory"].to_pylist() == [each["memory"] for each in as_json]


def test_a_json_schema_of_a_list_becomes_one_row_for_each_item(shop):
    assert shop.run("schema", "show", "models.py:list[Event]", "-o", "events.json").returncode == 0

    shop.run("export", "run", "events.json", "-u", "mara", "-o", "events.csv")

    rows = rows_of(shop.folder / "events.csv")
    assert len(rows) > 20
    assert rows[0].keys() == {"created_at", "memory", "place"}


def test_create_wait_and_get(shop):
    made = shop.run("export", "create", "models.py:Profile", "-u", "alex")
    export_id = made.stdout.decode().strip()

    assert f"mem0-exports export wait {export_id} --store memories.db" in made.stderr.decode()
    waited, got = (shop.json("export", name, export_id) for name in ("wait", "get"))
    assert waited == got
    assert got["city"] == "Lisbon"
    assert "city: from 1 memory" in shop.run("report", export_id).stdout.decode()
    assert shop.json("report", export_id, "--json")["memories"] == 27


def test_get_of_an_unknown_export_exits_with_4(shop):
    done = shop.run("export", "get", "3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11")

    assert (done.returncode, done.stdout) == (4, b"")
    assert b"is not ready, has failed or expired, or does not exist" in done.stderr
    assert shop.run("report", "3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11").returncode == 4


def test_wait_in_vain_exits_with_5_and_says_the_id(shop):
    export_id = "3f0c8a52-5c1f-4f5e-9d3e-2f2f0d9a7c11"
    done = shop.run("export", "wait", export_id, "--timeout", "0.1")

    assert (done.returncode, done.stdout) == (5, b"")
    assert f"mem0-exports export wait {export_id}" in done.stderr.decode()
    assert "client." not in done.stderr.decode(), "a shell has no client"


def test_an_export_that_finds_nothing_warns_and_strict_fails(shop):
    done = shop.run("export", "run", "models.py:Nothing", "-u", "alex")
    strict = shop.run("export", "run", "models.py:Nothing", "-u", "alex", "--strict")

    assert (done.returncode, json.loads(done.stdout)) == (0, {"favourite_prime": None})
    assert b"warning: export" in done.stderr
    assert (strict.returncode, strict.stdout) == (7, b"")


def test_a_user_must_be_named_before_anything_is_sent(shop):
    done = shop.run("export", "run", "models.py:Profile", MEM0_BASE_URL="http://127.0.0.1:1")

    assert done.returncode == 2
    assert b"say whose memories" in done.stderr


def test_list_cancel_and_delete(shop):
    export_id = shop.run("export", "create", "models.py:Profile", "-u", "alex", "-q").stdout.decode().strip()
    with Client.local(shop.folder / "memories.db") as client:
        client.engine.workers.stop()
        waiting = client.exports.create({"type": "object"}, F.user_id == "alex").id
        client.engine.store.jobs.claim(datetime.now(UTC))  # or the process of the command would make it
        cancelled = shop.run("export", "cancel", waiting)
    finished = shop.run("export", "cancel", export_id)

    assert (cancelled.returncode, cancelled.stderr) == (0, f"export {waiting} failed: it was cancelled\n".encode())
    assert (finished.returncode, b"was finished already" in finished.stderr) == (0, True)
    listed = shop.json("export", "list", "--json")
    assert [(each["id"], each["state"]) for each in listed] == [(waiting, "failed"), (export_id, "done")]
    assert shop.run("export", "delete", export_id, waiting).returncode == 0
    assert shop.json("export", "list", "--json") == []
    assert shop.run("export", "delete", export_id).returncode == 4
    assert shop.run("export", "cancel", "no-uuid").returncode == 2


def test_the_exports_of_a_ledger_are_listed_without_a_key(shop):
    shop.run("export", "many", "models.py:Profile", "--all-users", "--ledger", "ledger.db")

    listed = shop.json("export", "list", "--ledger", "ledger.db", "--json", MEM0_EXPORTS_STORE="")

    assert [each["state"] for each in listed] == ["ready"] * 4
    assert all(each["id"] for each in listed)


class WithoutExtras(BaseHTTPRequestHandler):
    """A service without the operations of the engine, as Mem0's Platform."""

    def answer(self):
        self.send_response(404)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"detail": "Not found."}')

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 -- the names that http.server calls

    def log_message(self, *_arguments):
        pass


@pytest.mark.parametrize("arguments", [["list"], ["cancel", UNKNOWN], ["delete", UNKNOWN]])
def test_a_service_that_cannot_cancel_or_list_says_so(shop, arguments):
    with HTTPServer(("127.0.0.1", 0), WithoutExtras) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = shop.run("export", *arguments, "--base-url", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()

    assert done.returncode == 1
    assert b"only the embedded engine" in done.stderr


class NeverReady(WithoutExtras):
    """A service whose exports are never ready."""

    asked = threading.Event()

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        created = self.path == "/v1/exports/"
        self.send_response(201 if created else 404)
        self.send_header("content-type", "application/json")
        self.end_headers()
        body = {"message": "x", "id": UNKNOWN} if created else {"error": "No memory export request found"}
        self.wfile.write(json.dumps(body).encode())
        if not created:
            self.asked.set()


@pytest.mark.parametrize(
    ("arguments", "how"),
    [
        (["run", "models.py:Profile", "-u", "alex"], f"go on with: mem0-exports export wait {UNKNOWN} --base-url http"),
        (["run", "models.py:Profile", "-u", "alex", "--ledger", "l.db"], "the same command goes on with it"),
        (["wait", UNKNOWN], f"go on with: mem0-exports export wait {UNKNOWN} --base-url http"),
    ],
    ids=["run", "ledger", "wait"],
)
def test_ctrl_c_while_waiting_says_how_to_go_on(shop, arguments, how):
    NeverReady.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), NeverReady) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mem0_exports",
                "export",
                *arguments,
                "--base-url",
                f"http://127.0.0.1:{server.server_port}",
            ],
            cwd=shop.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert NeverReady.asked.wait(scaled(30))
            process.send_signal(signal.SIGINT)
            shown, errors = process.communicate(timeout=scaled(30))
        finally:
            process.kill()
            server.shutdown()

    assert (process.returncode, shown) == (130, "")
    assert how in errors
    assert "Traceback" not in errors


def test_many_makes_a_record_for_each_user(shop):
    done = shop.run("export", "many", "models.py:Profile", "--users", "users.txt", "-u", "nobody")

    records = {each["user_id"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0
    assert records["alex"]["data"]["city"] == "Lisbon"
    assert records["nobody"]["data"]["city"] is None
    assert "found nothing" in records["nobody"]["warning"]
    assert b"3 of 3 exports are ready, 0 failed" in done.stderr


def test_many_takes_users_from_a_pipe_and_writes_a_table(shop):
    done = shop.shell("printf 'alex\\nmara\\n' | mem0-exports export many models.py:Profile --users - -o profiles.csv")

    assert done.returncode == 0, done.stderr
    rows = rows_of(shop.folder / "profiles.csv")
    assert [(row["user_id"], row["city"]) for row in rows] == [("alex", "Lisbon"), ("mara", "Ghent")]


def test_many_with_a_ledger_makes_nothing_twice(shop):
    first, second = (
        shop.run("export", "many", "models.py:Profile", "--all-users", "--ledger", "ledger.db") for _ in range(2)
    )

    assert first.returncode == second.returncode == 0
    ids = [{json.loads(line)["export_id"] for line in each.stdout.splitlines()} for each in (first, second)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 4


def test_many_with_failures_exits_with_7_or_1(shop):
    (shop.folder / "strict.json").write_text(
        '{"type": "object", "properties": {"full_name": {"type": "string"}}, "required": ["full_name"]}'
    )
    some = shop.run("export", "many", "strict.json", "-u", "alex", "-u", "nobody")
    none = shop.run("export", "many", "strict.json", "-u", "nobody")

    assert (some.returncode, none.returncode) == (7, 1)
    records = [json.loads(line) for line in some.stdout.splitlines()]
    assert [each["status"] for each in records] == ["ready", "failed"]
    assert "full_name" in records[1]["error"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["-o", "none/out.json"], "does not exist"),
        (["-o", "out.xlsx"], "format must be one of json, jsonl, csv, parquet, md"),
        (["-F", "parquet"], "needs a file"),
        (["--json", "-F", "csv"], "exclude each other"),
        (["--timeout", "0"], "--timeout"),
        (["--where", "F.user_id"], "--where must be a filter"),
        (["--after", "yesterday"], "yesterday"),
        (["--base-url", "http://127.0.0.1:1", "--store", "memories.db"], "exclude each other"),
        (["--api-key-file", "none", "--base-url", "http://127.0.0.1:1"], "cannot be read"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named_and_nothing_is_made(shop, arguments, problem):
    done = shop.run("export", "run", "models.py:Profile", "-u", "alex", *arguments)

    assert done.returncode in {1, 2}
    assert problem in done.stderr.decode()
    assert done.stdout == b""


def test_the_output_can_be_a_device(shop):
    assert shop.run("export", "run", "models.py:Profile", "-u", "alex", "-o", "/dev/null", "-F", "json").returncode == 0


def test_a_folder_that_cannot_be_written_is_said_before_the_export(shop):
    folder = shop.folder / "closed"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # the superuser can write everywhere, but not in /proc
        folder = "/proc/1"

    done = shop.run("export", "run", "models.py:Profile", "-u", "alex", "-o", f"{folder}/out.json")

    assert done.returncode == 1
    assert b"out.json" in done.stderr


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", "ascii"), ("cp1252", "cp1252"), ("utf-8", "utf-8")])
def test_json_is_valid_whatever_the_encoding(shop, encoding, shown):
    shop.run("import", "-", given='{"memory": "名前 🍵 é", "user_id": "tea"}'.encode())

    done = shop.run("memories", "list", "-u", "tea", PYTHONIOENCODING=encoding)

    assert json.loads(done.stdout.decode(shown))["memory"] == "名前 🍵 é"
    table = shop.run("memories", "list", "-u", "tea", "-F", "table", PYTHONIOENCODING=encoding)
    assert table.returncode == 0, table.stderr
    as_csv = shop.run("memories", "list", "-u", "tea", "-F", "csv", PYTHONIOENCODING=encoding)
    assert "名前 🍵 é" in as_csv.stdout.decode(), "data in a pipe is UTF-8"


def test_a_table_shows_no_control_characters(shop):
    shop.run("import", "-", given=b'{"memory": "red \\u001b[31m alert", "user_id": "x"}')

    done = shop.run("memories", "list", "-u", "x", "-F", "table")

    assert b"\x1b" not in done.stdout
    assert b"red \\x1b[31m alert" in done.stdout


@pytest.mark.parametrize(
    "command", ["dump", "memories list -u alex", "export run 'models.py:list[Event]' -u alex -F jsonl"]
)
def test_a_reader_that_stops_ends_the_command_quietly(shop, command):
    done = shop.shell(f"mem0-exports {command} -q | head -1; echo ${{PIPESTATUS[0]}}")

    *lines, code = done.stdout.decode().splitlines()
    assert len(lines) == 1
    assert code in {"0", "141"}
    assert done.stderr == b""


def test_nothing_but_results_and_problems_is_printed_in_a_pipe(shop):
    """No progress, no colours: neither stream is a terminal."""
    done = shop.run("export", "many", "models.py:Profile", "--all-users", "-q")

    assert done.stderr == b""
    assert b"\x1b" not in done.stdout


def test_progress_is_shown_on_a_terminal_only(shop):
    script = "mem0-exports dump -o copy.jsonl"
    shown = shop.shell(f'script -qec "{script}" /dev/null', TERM="xterm")
    plain = shop.shell(f'script -qec "{script}" /dev/null', TERM="xterm", NO_COLOR="1")
    quiet = shop.shell(f'script -qec "{script} -q" /dev/null', TERM="xterm")

    assert b"memories" in shown.stdout
    assert b"\x1b[" in shown.stdout
    assert b"\x1b[" not in plain.stdout
    assert b"105 memories written" in plain.stdout
    assert quiet.stdout.strip() == b""


def test_a_served_store_is_used_with_its_key(shop):
    with served(shop.folder / "memories.db", "secret-key-1") as url:
        common = ("export", "run", "models.py:Profile", "-u", "alex", "--base-url", url)
        wrong = shop.run(*common, MEM0_API_KEY="wrong")
        right = shop.run(*common, MEM0_API_KEY="secret-key-1")
        (shop.folder / "key").write_text("secret-key-1\n")
        by_file = shop.run(*common, "--api-key-file", "key")
        dumped = shop.run("dump", "-q", "--base-url", url, MEM0_API_KEY="secret-key-1")

    assert wrong.returncode == 3
    assert (right.returncode, by_file.returncode) == (0, 0)
    assert json.loads(right.stdout)["city"] == "Lisbon"
    local = shop.run("dump", "-q").stdout.splitlines()
    assert sorted(json.loads(line)["id"] for line in dumped.stdout.splitlines()) == sorted(
        json.loads(line)["id"] for line in local
    )


def test_a_missing_key_exits_with_3_and_says_how_to_do_without(shop):
    done = shop.run("status", MEM0_EXPORTS_STORE="")

    assert done.returncode == 3
    assert b"MEM0_API_KEY" in done.stderr
    assert b"--store FILE" in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SchemaError("x"), 2),
        (FilterError("x"), 2),
        (Unauthorized("x", status=401, operation="ping"), 3),
        (Forbidden("x", status=403, operation="ping"), 3),
        (exit_codes.MissingKey("x"), 3),
        (NotFound("x", status=404, operation="ping"), 4),
        (ExportTimeout("1", timeout=1, polls=1), 5),
        (RequestTimeout("x"), 5),
        (OutcomeUnknown("x", fingerprint="f"), 6),
        (ExportIncomplete("x", export_id="1", data={}, report=None), 7),
        (ExportFailed("1", "x"), 1),
        (ServerError("x", status=500, operation="ping"), 1),
        (RateLimited("x", status=429, operation="ping"), 1),
        (ConnectionFailed("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_kind_of_failure_has_its_exit_code(error, code):
    assert exit_codes.code_of(error) == code
    assert f"{code} " in exit_codes.HELP


def test_a_lost_answer_exits_with_6():
    error = ConnectionFailed("x")
    error.outcome_unknown = True

    assert exit_codes.code_of(error) == 6


def test_a_bare_install_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['click'] = None; import importlib.util as u; found = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'click' else found(name, *a)\n"
        "from mem0_exports_cli.main import main; sys.exit(main(['demo']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, cwd=tmp_path, timeout=scaled(60)
    )

    assert done.returncode == 1
    assert done.stderr.decode() == (
        'mem0-exports: the command line needs click; install it with: pip install "mem0-exports[cli]"\n'
    )
