"""Start, pause and kill server processes."""

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
from tests.support.timeouts import scaled


KEY = "a-key"
ROOT = Path(__file__).resolve().parents[3]
ONCE = Retry(attempts=1)
"""No retries: these tests check every answer."""


class Server:
    """A process that serves `store` once `begin` is called; its standard error is in `stderr()`."""

    def __init__(
        self,
        store: Path,
        *,
        lease: float | None = None,
        max_file_size: int | None = None,
        max_pages: int | None = None,
        grace: float | None = None,
        batch_pause: float | None = None,
    ) -> None:
        options = {
            "--lease": lease,
            "--max-file-size": max_file_size,
            "--max-pages": max_pages,
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
        """Tell the process to open the store and serve it. Returns immediately."""
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def wait_until_listening(self) -> Self:
        """Wait until the server listens."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), f"the server printed {line!r} and {self.stderr()}"
        self.url = line.removeprefix("listening on ").strip()
        return self

    def client(self, timeout: float = 40.0) -> Client:
        """Return a client of this server, without retries."""
        return Client(KEY, base_url=self.url, retry=ONCE, timeout=scaled(timeout))

    def stderr(self) -> str:
        """Return what the process has written to standard error."""
        return os.pread(self._errors.fileno(), 10_000_000, 0).decode()

    def kill(self) -> None:
        """End the process with SIGKILL."""
        assert self._process.poll() is None, f"the server had already ended: {self.stderr()}"
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait(timeout=scaled(20)) == -signal.SIGKILL

    def stop(self, seconds: float = 30.0) -> None:
        """End the process with SIGTERM within `seconds`, scaled, and check its exit code."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(timeout=scaled(seconds)) == 0, self.stderr()

    def pause(self, store: Path) -> None:
        """Stop the process with SIGSTOP while it holds no lock on the store, which would block the others."""
        for _ in range(200):
            self._process.send_signal(signal.SIGSTOP)
            _, status = os.waitpid(self._process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            if not is_locked(store):
                return
            self.resume()
            time.sleep(0.003)
        raise AssertionError("the server held the store's lock at every attempt to pause it")

    def resume(self) -> None:
        """Continue the process after a pause."""
        self._process.send_signal(signal.SIGCONT)

    def make_room(self) -> None:
        """Lift the limit on the size of its files."""
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


def start_server(store: Path, **limits: Any) -> Server:
    """Start a server, and return it once it listens."""
    server = Server(store, **limits)
    try:
        server.begin()
        return server.wait_until_listening()
    except BaseException:
        server.__exit__(None, None, None)
        raise


def is_locked(store: Path) -> bool:
    """Return whether a process is writing to the store now."""
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
