"""Scale timeouts with the load of the machine, so that no test fails because the machine is busy."""

from __future__ import annotations

import os
import time

from collections.abc import Callable, Iterator


def slowdown() -> float:
    """Return how many times longer work takes now than on an idle machine; at least 1."""
    cpu, wall = time.process_time(), time.monotonic()
    while time.process_time() - cpu < 0.02:
        pass
    wall_per_cpu = (time.monotonic() - wall) / 0.02
    load = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0
    return max(1.0, wall_per_cpu, load)


def scaled(seconds: float) -> float:
    """Return a timeout for something that takes at most `seconds` on an idle machine."""
    return seconds * slowdown()


def longer_and_longer(seconds: float) -> Iterator[float]:
    """Iterate over timeouts, scaled, for a test in which something has to happen before the timeout expires.

    The test breaks out of the loop once it has happened. On an idle machine, that is the first time.
    """
    for factor in (1, 5, 25):
        yield scaled(seconds * factor)


def wait_until(condition: Callable[[], object], description: str, seconds: float = 30.0) -> None:
    """Wait until the condition is true; raise AssertionError if that takes longer than `seconds`, scaled."""
    start = time.monotonic()
    while not condition():
        waited = time.monotonic() - start
        # The timeout is scaled only here, since the machine may have been idle when the wait began.
        assert waited < seconds or waited < scaled(seconds), f"after {waited:.0f} s, still not true: {description}"
        time.sleep(0.005)
