"""Scale timeouts with the load of the machine, so that no test fails because the machine is busy."""

from __future__ import annotations

import os
import time

from collections.abc import Callable, Iterator


_measured = -1.0, 1.0
"""When the slowdown was measured last, and what it was."""


def slowdown() -> float:
    """Return how many times longer work takes now than on an idle machine; at least 1.

    It is measured at most once a second, because that takes a fiftieth of a second, and some tests ask a thousand times.
    """
    global _measured  # noqa: PLW0603 -- a cache
    at, found = _measured
    if at < 0 or time.monotonic() - at > 1:
        found = _slowdown_now()
        _measured = time.monotonic(), found
    return found


def _slowdown_now() -> float:
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
