"""How many cases the tests of this folder draw, and from which seed.

The seed is fixed, so that a build fails only because of a change. SEED draws other cases, BUDGET draws more. With
SHRINK=0 a failing case is reported immediately, as it was drawn; otherwise Hypothesis spends minutes making it small.
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
"""The timeout of one test in seconds. Hypothesis may spend up to 300 of them on shrinking."""


def run_settings(examples: int, *, steps: int = 50) -> settings:
    """Return the settings of a test that draws `examples` cases if BUDGET is 1."""
    return settings(
        max_examples=max(1, round(examples * BUDGET)),
        stateful_step_count=steps,
        deadline=None,
        phases=[each for each in Phase if SHRINK or each not in (Phase.shrink, Phase.explain)],
        database=None,  # failures saved by earlier runs would change the cases of this run
        derandomize=False,  # it would override the seed
        suppress_health_check=list(HealthCheck),
        print_blob=False,  # the seed is enough to reproduce a failure
    )


def seeded_examples(examples: int) -> Callable[[Test], Test]:
    """Return a decorator for tests with @given that draws `examples` cases from the seed of this run."""

    def decorate(test: Test) -> Test:
        return seed(SEED)(run_settings(examples)(test))

    return decorate
