"""The log of a server: JSON Lines on standard error.

Each line has `time`, `level`, `logger` and `message`. The lines for a request and for the end of a job also have `event`
and its details. The log never contains API keys, queries, bodies, or any part of a memory or a schema.
"""

from __future__ import annotations

import json
import logging

from datetime import UTC, datetime


LEVELS = ("debug", "info", "warning", "error")


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
        return json.dumps(line, ensure_ascii=False, default=str)


def to_stderr(level: str) -> None:
    """Log this package and uvicorn to standard error: this package from `level` up, uvicorn from warnings up."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in ("mem0_exports", "mem0_exports_engine", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel("WARNING" if name == "uvicorn" else level.upper())
