"""What the handlers of operations work with: the store, the rules and the clock of one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs


if TYPE_CHECKING:
    import uuid

    from collections.abc import Callable
    from datetime import datetime, timedelta

    from mem0_exports.filters.rules import FilterRules
    from mem0_exports_engine.ports import Store


@attrs.frozen(slots=True, kw_only=True)
class Service:
    """An engine without its shells: handlers see this and nothing else of it."""

    store: Store
    filter_rules: FilterRules
    retention: timedelta
    """For how long an export can be fetched, from its creation on."""
    now: Callable[[], datetime]
    """The clock, an aware datetime in UTC."""
    new_id: Callable[[], uuid.UUID]
    wake: Callable[[], None]
    """Tells the worker that there is a new job."""
