"""Checks that the service accepts a filter, before anything is sent."""

from __future__ import annotations

import warnings

from collections.abc import Mapping
from typing import Any, TypeAlias

from mem0_exports.errors import FilterError, FilterWarning
from mem0_exports.filters.rules import CAREFUL, FilterRules
from mem0_exports.filters.tree import AllOf, Condition, Filter


Where: TypeAlias = Filter | Mapping[str, Any]
"""Which memories: a filter made with `F`, or a dict in any form that the service documents."""


def check_where(where: Where, rules: FilterRules | None = None) -> Filter:
    """`where` as a filter that the service accepts: a dict is read, and an entity has to be named positively."""
    rules = rules or CAREFUL
    found = where if isinstance(where, Filter) else Filter.from_dict(where, rules)
    try:
        scoped = found.is_scoped()
    except RecursionError:
        raise FilterError("filters are nested too deep") from None
    if rules.two_entities != "allow" and isinstance(found, AllOf):
        _check_two_entities(found, rules)
    if not scoped and rules.scope == "required":
        raise FilterError(
            "filters must name at least one user_id, agent_id, app_id or run_id with == or in_; exists(), != and "
            "what stands below ~ do not count. To cover everybody, go through client.entities.list()"
        )
    return found


def _check_two_entities(found: AllOf, rules: FilterRules) -> None:
    named = {part.field for part in found.parts if isinstance(part, Condition) and part.is_scoped()}
    if not {"user_id", "agent_id"} <= named:
        return
    message = (
        "user_id AND agent_id: the Platform gives each memory that it extracts to one of the two, so that both together "
        "select nothing. Write (F.user_id == ...) | (F.agent_id == ...), or set FilterRules(two_entities='allow') for "
        "memories that were stored with both"
    )
    if rules.two_entities == "refuse":
        raise FilterError(message)
    warnings.warn(message, FilterWarning, stacklevel=2)
