"""Scale the number of examples of property tests: BUDGET=0.5 halves it, as `make test` does."""

from __future__ import annotations

import os


BUDGET = float(os.environ.get("BUDGET") or 1)


def examples(count: int) -> int:
    """Return the number of examples for a test that draws `count` of them if BUDGET is 1."""
    return max(1, round(count * BUDGET))
