"""Server processes that can be killed, paused and run side by side."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mem0_exports import Client, Retry
from tests.support.patience import patient


KEY = "a-key"
ROOT = Path(__file__).resolve().parents[3]
ONCE = Retry(attempts=1)
"""No client of these tests asks again: every answer counts."""


class Server:
    """A process that serves `store`, once it is told to begin. What it writes to standard error is kept."""

    def __init__(
        self,
        store: Path,
        *,
        lease: float | None = None,
        largest_file: int | None = None,
        most_pages: int | None = None,
        grace: float | None = None,
        batch_pause: float | None = None,
    ) -> None:
        options = {
            "--lease": lease,
            "--largest-file": largest_file,
            "--most-pages": most_pages,
            "--grace": grace,
            "--batch-pause": batch_pause,
        }
        command = [
            sys.executable,
            "-m",
            "tests.end_to_end.durability.launcher",
            "--store",
            str(store),
            "--api-key",
            KEY,
        ]
        for name, value in options.items():
            command += [] if value is None else [name, str(value)]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed by __exit__
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, cwd=ROOT
        )
        self.url = ""

    def begin(self) -> None:
        """Open the store and serve it. Returns at once."""
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def listening(self) -> Self:
        """Wait until it serves."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), f"it said {line!r} and {self.said()}"
        self.url = line.removeprefix("listening on ").strip()
        return self

    def client(self, timeout: float = 40.0) -> Client:
        """A client of this process, which repeats nothing."""
        return Client(KEY, base_url=self.url, retry=ONCE, timeout=patient(timeout))

    def said(self) -> str:
        """What it has written to standard error."""
        return os.pread(self._errors.fileno(), 10_000_000, 0).decode()

    def kill(self) -> None:
        """End it without a word: kill -9."""
        assert self._process.poll() is None, f"it ended by itself: {self.said()}"
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait(timeout=patient(20)) == -signal.SIGKILL

    def stop(self, seconds: float = 30.0) -> None:
        """End it as one should, and see that it did, within `seconds` on an idle machine."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(timeout=patient(seconds)) == 0, self.said()

    def pause(self, store: Path) -> None:
        """Stop it in its tracks, at a moment at which it holds no lock of the store: others could not go on."""
        for _ in range(200):
            self._process.send_signal(signal.SIGSTOP)
            _, status = os.waitpid(self._process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            if not locked(store):
                return
            self.go_on()
            time.sleep(0.003)
        raise AssertionError("it holds the store's lock all the time")

    def go_on(self) -> None:
        """Let it go on after a pause."""
        self._process.send_signal(signal.SIGCONT)

    def make_room(self) -> None:
        """Let its files grow again."""
        self._process.send_signal(signal.SIGUSR1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            stream.close()


def started(store: Path, **limits: Any) -> Server:
    """A server that serves already."""
    server = Server(store, **limits)
    try:
        server.begin()
        return server.listening()
    except BaseException:
        server.__exit__(None, None, None)
        raise


def locked(store: Path) -> bool:
    """Whether somebody is writing to the store at this moment."""
    connection = sqlite3.connect(store, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        return True
    finally:
        connection.close()
    return False
