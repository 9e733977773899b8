"""How many examples a property test draws: BUDGET=0.5 halves all of them, as `make test` does."""

from __future__ import annotations

import os


BUDGET = float(os.environ.get("BUDGET") or 1)


def examples(count: int) -> int:
    """Return the number of examples for a test that draws `count` of them in a whole run."""
    return max(1, round(count * BUDGET))
