"""The parts of one engine that the handlers of operations need: the store, the filter rules and the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs


if TYPE_CHECKING:
    import uuid

    from collections.abc import Callable
    from datetime import datetime, timedelta

    from mem0_exports.filters.rules import FilterRules
    from mem0_exports_engine.ports import Lane, Store


@attrs.frozen(slots=True, kw_only=True)
class Service:
    """The part of an engine that handlers can use."""

    store: Store
    filter_rules: FilterRules
    retention: timedelta
    """How long an export can be fetched, counted from its creation."""
    lane: Lane
    """The lane of new jobs."""
    now: Callable[[], datetime]
    """Returns the current time as an aware datetime in UTC."""
    new_id: Callable[[], uuid.UUID]
    wake: Callable[[], None]
    """Tells the worker that there is a new job."""
    cancelled: Callable[[str], None]
    """Tells the worker that a job was cancelled."""
