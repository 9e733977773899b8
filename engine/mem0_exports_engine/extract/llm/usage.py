"""Count what calls of a language model take."""

from __future__ import annotations

import attrs


@attrs.frozen
class Usage:
    """What one call or several have taken."""

    calls: int = 0
    """How many requests were sent."""
    cached: int = 0
    """How many answers were there already, from an earlier export or an earlier attempt."""
    tokens_in: int = 0
    """The tokens of the prompts."""
    tokens_out: int = 0
    """The tokens of the answers."""
    seconds: float = 0.0
    """The time that the calls took, added up."""

    def __add__(self, other: Usage) -> Usage:
        """Return both together."""
        return Usage(
            self.calls + other.calls,
            self.cached + other.cached,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.seconds + other.seconds,
        )


@attrs.frozen
class Estimate:
    """What an export will ask of a language model, estimated without sending anything.

    If the model also checks values, each value that is found takes one more short call, or several, which nobody can know
    before.
    """

    model: str
    memories: int
    """How many memories the export reads."""
    calls: int
    """How many requests will be sent to read them."""
    cached: int
    """How many answers are there already, and will not be asked for again."""
    tokens_in: int
    """The tokens of the prompts, rather too many than too few."""
    tokens_out: int
    """The most tokens of the answers."""
    too_long: int
    """How many memories do not fit into the context of the model, and cannot be read."""
