"""The records that calls other than exports return: frozen, and free of the HTTP layer's details.

openapi.yaml defines the shapes. Here a missing key and a null are both None, and a memory's run is always `run_id`, the
name that filters use.
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
    """The session or conversation that it came from. The service's list calls it `session_id`."""
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
    """The id that filters take, such as the "alex" of `F.user_id == "alex"`."""
    type: str
    """One of user, agent, app and run."""
    id: str
    """The service's internal id of the entity. Filters do not take it."""
    created_at: datetime | None
    updated_at: datetime | None
    owner: str | None = None
    """The account that the entity belongs to, if the service names it."""
    metadata: dict[str, Any] | None = None
    """What the service keeps about the entity itself, if anything."""


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
