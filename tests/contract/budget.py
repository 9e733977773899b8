"""How many cases a test draws, and from which seed.

The same seed gives the same cases: a red build is to be the change's fault. SEED draws others, BUDGET draws more.
"""

from __future__ import annotations

import os

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, seed, settings


Test = TypeVar("Test", bound=Callable[..., object] | type)

SEED = int(os.environ.get("SEED") or 1)
BUDGET = float(os.environ.get("BUDGET") or 1)


def limits(examples: int, *, steps: int = 50) -> settings:
    """Settings for a test that draws so many examples in a run of the default size."""
    return settings(
        max_examples=max(1, round(examples * BUDGET)),
        stateful_step_count=steps,
        deadline=None,
        database=None,  # what a past run found would make this one draw other cases
        derandomize=False,  # it would make hypothesis overlook the seed
        suppress_health_check=list(HealthCheck),
        print_blob=False,  # the seed says it all
    )


def drawn(examples: int) -> Callable[[Test], Test]:
    """A decorator for tests with @given: so many examples, from the seed of this run."""

    def decorate(test: Test) -> Test:
        return seed(SEED)(limits(examples)(test))

    return decorate
