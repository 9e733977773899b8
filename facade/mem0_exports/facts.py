"""Facts about Mem0's API that several modules need, each defined only here.

The sources are the Platform's documentation and `openapi.yaml`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final


ENTITY_TYPES: Final = {"user": "user_id", "agent": "agent_id", "app": "app_id", "run": "run_id"}
"""The kinds of entity that a memory can belong to, and the field that holds the entity's id."""

ENTITY_FIELDS: Final = tuple(ENTITY_TYPES.values())
"""The fields that hold an entity's id, in the API's order."""

RUN_ALIAS: Final = "session_id"
"""The name that the service's list of memories uses for `run_id`."""

NOTICE: Final = "mem0_notice"
"""A key that the service may add to any response for an account without an owner. It is never part of an export."""

WAIT: Final = "mem0-exports-max-wait"
"""The header in which the engine says for how many seconds at most it holds a request with `Prefer: wait=N`."""

MAX_WAIT: Final = 10
"""What the engine says there."""

LEFT_OUT: Final = "mem0-exports-left-out"
"""The header of a result that says how many records the embedded engine left out of its lists. Its presence says that
the service has reports on exports."""

RETENTION: Final = timedelta(days=7)
"""How long the service keeps an export after its creation ("expires after 7 days" in the Platform's documentation)."""
