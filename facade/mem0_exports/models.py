"""The records that calls return, except for exports. They are immutable and hold no details of HTTP.

openapi.yaml defines what the service sends. In these records, both a missing key and a null are None. The run of a
memory is always called `run_id`, as it is in filters.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs


T = TypeVar("T")


@attrs.frozen(slots=True)
class Memory:
    """A stored memory."""

    id: str
    memory: str
    """The text of the memory."""
    user_id: str | None
    agent_id: str | None
    app_id: str | None
    run_id: str | None
    """The session or conversation that the memory came from. The service's list of memories calls it `session_id`."""
    metadata: dict[str, Any] | None
    categories: list[str] | None
    expiration_date: str | None
    """The last day on which the memory is valid, as YYYY-MM-DD; None if it never expires."""
    created_at: datetime
    updated_at: datetime | None


@attrs.frozen(slots=True)
class Entity:
    """A user, agent, app or run that has memories."""

    name: str
    """The id to use in filters, such as "alex" in `F.user_id == "alex"`."""
    type: str
    """One of user, agent, app and run."""
    id: str
    """The service's internal id of the entity. It cannot be used in filters."""
    created_at: datetime | None
    updated_at: datetime | None
    owner: str | None = None
    """The account that the entity belongs to, if the service names it."""
    metadata: dict[str, Any] | None = None
    """The metadata that the service stores for the entity itself, if any."""


@attrs.frozen(slots=True)
class AddedMemory:
    """A memory that `memories.add` stored."""

    id: str
    memory: str


@attrs.frozen(slots=True)
class Account:
    """The account that an API key belongs to, as `ping` returns it."""

    status: str
    org_id: str | None
    project_id: str | None
    user_email: str | None


@attrs.frozen(slots=True)
class Page(Generic[T]):
    """One page of a list."""

    items: list[T]
    count: int
    """How many items the whole list has."""
    more: bool
    """Whether there is another page."""
