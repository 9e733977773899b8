"""Test the log of a server: lines that nobody reads, and characters that a terminal or a reader would obey."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading

import httpx
import pytest

from mem0_exports_engine.server.logs import JsonLines, Writer
from tests.support.timeouts import scaled, wait_until


@pytest.fixture
def pipe():
    """A pipe, as two descriptors: one to read from, one to write to."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def record(message):
    return logging.LogRecord("mem0_exports_engine", logging.INFO, __file__, 0, message, (), None)


def test_a_server_whose_log_nobody_reads_answers_and_ends(tmp_path):
    """A pipe holds some 300 lines. After that, a blocking write would stop the event loop for good."""
    command = [sys.executable, "-m", "mem0_exports_cli.main", "serve", "--store", str(tmp_path / "s.db"), "--port", "0"]
    with subprocess.Popen(
        [*command, "--log-level", "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            url = process.stdout.readline().removeprefix("listening on ").strip()
            with httpx.Client(base_url=url, timeout=scaled(20)) as client:
                assert {client.get("/health").status_code for _ in range(2000)} == {200}
            lines = []
            while not any("were dropped" in line for line in lines[-1:]):  # it follows the lines that were kept
                lines.append(process.stderr.readline())
                if (
                    len(lines) % 50 == 0
                ):  # there is room again, and one more line makes the handler say what was dropped
                    httpx.get(f"{url}/health")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=scaled(20)) == 0
        finally:
            process.kill()

    message = json.loads(lines[-1])
    dropped = int(message["message"].split()[0])
    assert message["level"] == "warning"
    assert dropped > 100
    assert all(json.loads(line) for line in lines[1:]), "the lines that were kept are whole"


def test_dropped_lines_are_counted(pipe):
    reading, writing = pipe
    writer = Writer(writing)
    writer.setFormatter(JsonLines())
    for number in range(5000):
        writer.handle(record(f"{number} {'x' * 200}"))
    read = threading.Thread(target=lambda: received.append(os.read(reading, 2**20)) or read_all())

    received: list[bytes] = []

    def read_all():
        while b"the last" not in received[-1]:
            received.append(os.read(reading, 2**20))

    read.start()
    wait_until(lambda: writer._waiting.qsize() < 500, "the writer goes on once somebody reads")
    writer.handle(record("the last"))
    read.join(scaled(20))
    writer.flush()

    messages = [json.loads(line)["message"] for line in b"".join(received).decode().splitlines()]
    dropped = [int(message.split()[0]) for message in messages if "were dropped" in message]
    assert dropped
    assert sum(dropped) + len(messages) - len(dropped) - 1 == 5000
    assert messages[-1] == "the last"


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e", "\n", "\ufeff"]
)
def test_every_control_and_separator_character_is_escaped(character):
    text = JsonLines().format(record(f"a{character}b"))

    assert json.loads(text)["message"] == f"a{character}b"
    assert text.isascii()
    assert text.isprintable()


def test_the_end_of_the_process_does_not_wait_long_for_a_reader(pipe, monkeypatch):
    monkeypatch.setattr("mem0_exports_engine.server.logs._FLUSH_TIMEOUT", 0.01)
    writer = Writer(pipe[1])
    for _ in range(1000):
        writer.handle(record("x" * 1000))

    writer.flush()  # it returns, although most lines were not read

    assert writer._waiting.qsize() > 0
    os.set_blocking(pipe[0], False)
    wait_until(lambda: not (os.read(pipe[0], 2**20) and writer._waiting.qsize()), "the writer can end")
