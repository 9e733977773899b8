"""What comes back beside exports: frozen records without the HTTP layer's peculiarities.

openapi.yaml declares the shapes; these are views of them in which a missing key and a null are both None, and the run
of a memory has the one name that filters use.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs


T = TypeVar("T")


@attrs.frozen(slots=True)
class Memory:
    """A memory."""

    id: str
    memory: str
    """The text."""
    user_id: str | None
    agent_id: str | None
    app_id: str | None
    run_id: str | None
    """The session or conversation; the service's list calls it session_id."""
    metadata: dict[str, Any] | None
    categories: list[str] | None
    expiration_date: str | None
    """The last day on which it counts, YYYY-MM-DD."""
    created_at: datetime
    updated_at: datetime | None


@attrs.frozen(slots=True)
class Entity:
    """A user, agent, app or run that has memories."""

    name: str
    """What filters take."""
    type: str
    """user, agent, app or run."""
    id: str
    """A number of the service's own."""
    created_at: datetime | None
    updated_at: datetime | None


@attrs.frozen(slots=True)
class AddedMemory:
    """A memory that was stored."""

    id: str
    memory: str


@attrs.frozen(slots=True)
class Account:
    """Whose key it is."""

    status: str
    org_id: str | None
    project_id: str | None
    user_email: str | None


@attrs.frozen(slots=True)
class Page(Generic[T]):
    """A page of a list: its items, how many there are in all, and whether there is another page."""

    items: list[T]
    count: int
    more: bool
