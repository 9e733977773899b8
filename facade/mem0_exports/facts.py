"""Facts about Mem0's API that several modules need. Each stands here and nowhere else.

Sources are the Platform's documentation and `openapi.yaml`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final


ENTITY_TYPES: Final = {"user": "user_id", "agent": "agent_id", "app": "app_id", "run": "run_id"}
"""What a memory can belong to, and the field that names it."""

ENTITY_FIELDS: Final = tuple(ENTITY_TYPES.values())
"""The fields that name an entity, in the order in which the API lists them."""

RUN_ALIAS: Final = "session_id"
"""What lists of memories call the `run_id`."""

NOTICE: Final = "mem0_notice"
"""A key that the service may add to any answer for accounts without an owner. It is never part of an export."""

RETENTION: Final = timedelta(days=7)
"""How long the service keeps an export, counted from its creation ("expires after 7 days")."""
