"""The log of a server: one JSON object a line on standard error, for people's eyes and for programs.

Each has `time`, `level`, `logger` and `message`; a request and the end of a job also have `event` and what belongs to
it. No key, no query, no body, nothing of a memory and nothing of a schema is ever in it.
"""

from __future__ import annotations

import json
import logging

from datetime import UTC, datetime


LEVELS = ("debug", "info", "warning", "error")


class JsonLines(logging.Formatter):
    """Writes records as JSON objects; what a record has as `fields` stands beside the rest."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def to_stderr(level: str) -> None:
    """Let this package and its HTTP server write what is at least of this level, each once."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in ("mem0_exports", "mem0_exports_engine", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel("WARNING" if name == "uvicorn" else level.upper())
