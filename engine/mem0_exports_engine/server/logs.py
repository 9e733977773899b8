"""The log of a server: JSON Lines on standard error.

Each line has `time`, `level`, `logger` and `message`. The lines for a request and for the end of a job also have `event`
and its details. The log never contains API keys, queries, bodies, or any part of a memory or a schema.

Logging never waits for whoever reads standard error. If nobody does, lines are dropped, and counted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time

from datetime import UTC, datetime
from typing import Final


LEVELS = ("debug", "info", "warning", "error")

_MAX_WAITING: Final = 1000
"""The most lines that wait to be written."""

_FLUSH_TIMEOUT: Final = 1.0
"""Seconds that the end of the process waits for the last lines to be written."""


class JsonLines(logging.Formatter):
    """Format each record as one JSON object, merged with the record's `fields` if it has any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # All but printable ASCII is escaped. Some control characters beyond it can change what a terminal shows, and
        # some separators end a line for some readers.
        return json.dumps(line, default=str).replace("\x7f", "\\u007f")


class Writer(logging.Handler):
    """Writes lines to a file descriptor in a thread, and drops them while too many are waiting."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._waiting: queue.Queue[str] = queue.Queue(_MAX_WAITING)
        self._dropped = 0
        threading.Thread(target=self._write, name="mem0-exports-log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record. Calls come one at a time, because logging holds the handler's lock."""
        try:
            line = self.format(record)
            if self._dropped:
                self._waiting.put_nowait(self.format(_about(self._dropped)))
                self._dropped = 0
            self._waiting.put_nowait(line)
        except queue.Full:
            self._dropped += 1
        except Exception:  # noqa: BLE001 -- as in every handler: logging must not make the program fail
            self.handleError(record)

    def flush(self) -> None:
        """Wait until the lines are written, but not for long: the reader may have stopped reading."""
        deadline = time.monotonic() + _FLUSH_TIMEOUT
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)

    def _write(self) -> None:
        # `sys.stderr` is not used. A thread that waits in its write() would hold its lock, and Python could not end.
        while True:
            left = self._waiting.get().encode() + b"\n"
            with contextlib.suppress(OSError):  # nobody can read it any more
                while left:
                    left = left[os.write(self._descriptor, left) :]
            self._waiting.task_done()


def _about(dropped: int) -> logging.LogRecord:
    """Return a record which says that lines were dropped."""
    message = "%d log lines were dropped, because nobody read standard error"
    return logging.LogRecord("mem0_exports_engine", logging.WARNING, __file__, 0, message, (dropped,), None)


def to_stderr(level: str) -> None:
    """Log this package and uvicorn to standard error: this package from `level` up, uvicorn from warnings up."""
    handler = Writer(sys.stderr.fileno())
    handler.setFormatter(JsonLines())
    for name in ("mem0_exports", "mem0_exports_engine", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel("WARNING" if name == "uvicorn" else level.upper())
