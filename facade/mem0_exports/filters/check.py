"""Check that the service accepts a filter, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from mem0_exports.call_site import CallSite, call_site
from mem0_exports.errors import FilterError, FilterWarning
from mem0_exports.filters.rules import CAREFUL, FilterRules
from mem0_exports.filters.tree import AllOf, Condition, Filter


Where: TypeAlias = Filter | Mapping[str, Any]
"""Which memories to select: a filter written with `F`, or a dict in any form that the service documents."""


def check_where(where: Where, rules: FilterRules | None = None, *, caller: CallSite | None = None) -> Filter:
    """Return `where` as a filter; raise FilterError if the service would not accept it.

    A FilterWarning points at `caller`, or by default at the nearest line of user code on the stack. Pass `caller` if
    the check does not run in the thread or task of the user's call.
    """
    rules = rules or CAREFUL
    tree = where if isinstance(where, Filter) else Filter.from_dict(where, rules)
    try:
        scoped = tree.is_scoped()
    except RecursionError:
        raise FilterError("filters are nested too deep; use fewer levels of &, | and ~") from None
    if rules.two_entities != "allow" and isinstance(tree, AllOf):
        _check_two_entities(tree, rules, caller)
    if not scoped and rules.scope == "required":
        raise FilterError(
            "filters must name at least one user_id, agent_id, app_id or run_id with == or in_(); exists(), != and "
            "conditions below ~ do not count. To export everyone's memories, loop over client.entities.list()"
        )
    return tree


def _check_two_entities(tree: AllOf, rules: FilterRules, caller: CallSite | None) -> None:
    scoped_fields = {part.field for part in tree.parts if isinstance(part, Condition) and part.is_scoped()}
    if not {"user_id", "agent_id"} <= scoped_fields:
        return
    message = (
        "user_id AND agent_id selects nothing: the Platform stores each memory that it extracts under one of the two. "
        "Write (F.user_id == ...) | (F.agent_id == ...), or set FilterRules(two_entities='allow') if your memories "
        "were stored with both"
    )
    if rules.two_entities == "refuse":
        raise FilterError(message)
    (caller or call_site()).warn(FilterWarning(message))
