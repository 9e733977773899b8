"""How many cases a test draws, and from which seed.

The same seed gives the same cases: a red build is to be the change's fault. SEED draws others, BUDGET draws more. With
SHRINK=0 a failure is reported as it was drawn, at once, and not as the smallest one that can be found in minutes.
"""

from __future__ import annotations

import os

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, Phase, seed, settings


Test = TypeVar("Test", bound=Callable[..., object] | type)

SEED = int(os.environ.get("SEED") or 1)
BUDGET = float(os.environ.get("BUDGET") or 1)
SHRINK = os.environ.get("SHRINK") != "0"

TIMEOUT = 900 * max(1.0, BUDGET)
"""Seconds for one test, of which hypothesis may take 300 to make a failure small."""


def limits(examples: int, *, steps: int = 50) -> settings:
    """Settings for a test that draws so many examples in a run of the default size."""
    return settings(
        max_examples=max(1, round(examples * BUDGET)),
        stateful_step_count=steps,
        deadline=None,
        phases=[each for each in Phase if SHRINK or each not in (Phase.shrink, Phase.explain)],
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
