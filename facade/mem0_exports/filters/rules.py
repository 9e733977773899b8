"""Settings for what the Platform's documentation leaves open about filters, one for each question."""

from __future__ import annotations

from typing import Final, Literal

import attrs


@attrs.frozen(slots=True)
class FilterRules:
    """How to read and check filters where the Platform's documentation is silent.

    Client(filter_rules=FilterRules(two_entities="allow"))

    Pass it to a client or to `Filter.from_dict`. The defaults are careful: a filter that the service might refuse or
    misread raises FilterError before anything is sent.
    """

    scope: Literal["required", "optional"] = "required"
    """Whether a filter must name an entity with `==` or `in_`. The Platform documents this for lists of memories, but
    not for exports."""

    two_entities: Literal["warn", "allow", "refuse"] = "warn"
    """What to do about a filter with user_id AND agent_id. The Platform stores each memory that it extracts under only
    one of the two, so that such a filter selects none of them. Only memories stored with infer=False can have both."""

    not_list: Literal["none_of", "not_all_of", "refused"] = "none_of"
    """What a list below NOT means. The documentation shows only an object there. The open-source version of Mem0 reads
    a list as "none of these"."""

    date_bound: Literal["midnight", "whole_day"] = "midnight"
    """What a date without a time means for `lte` and `gt` in a filter dict: midnight UTC at the start of that day, or
    the end of that day."""

    metadata_operators: Literal["nested", "refused"] = "nested"
    """Whether `{"metadata": {"city": {"ne": "Porto"}}}` is read as an operator. The operators are documented, but not
    their place in the dict."""


CAREFUL: Final = FilterRules()
"""The defaults."""
