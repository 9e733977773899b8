"""What the service does with filters where nothing is documented: one named setting for each open question."""

from __future__ import annotations

from typing import Final, Literal

import attrs


@attrs.frozen(slots=True)
class FilterRules:
    """How filters are read and checked where the Platform's documentation is silent.

    A client takes it as `Client(filter_rules=...)`, and so does `Filter.from_dict`. The defaults are the careful ones:
    what might be refused or misread is refused here, before anything is sent.
    """

    scope: Literal["required", "optional"] = "required"
    """Whether filters have to name an entity with `==` or `in_`. Lists demand it; of exports nobody says."""

    two_entities: Literal["warn", "allow", "refuse"] = "warn"
    """What to do about user_id AND agent_id. Memories that the Platform extracts belong to one of the two, so that both
    together select nothing; only memories stored with infer=False can have both."""

    not_list: Literal["none_of", "not_all_of", "refused"] = "none_of"
    """What a list below NOT means. Documented is an object; the open-source dialect reads a list as "none of these"."""

    date_bound: Literal["midnight", "whole_day"] = "midnight"
    """What a date without a time means in a dict's `lte` and `gt`: its midnight UTC, or the end of that day."""

    metadata_operators: Literal["nested", "refused"] = "nested"
    """Whether `{"metadata": {"city": {"ne": "Porto"}}}` is an operator. Documented are the operators, not their place."""


CAREFUL: Final = FilterRules()
"""The defaults."""
