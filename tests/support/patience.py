"""Timeouts that scale with the machine: a test waits for conditions, and gives up later where everything is slower."""

from __future__ import annotations

import os
import time

from collections.abc import Callable


def slowness() -> float:
    """Return how many times as long work takes here and now than on an idle machine; at least 1."""
    cpu, wall = time.process_time(), time.monotonic()
    while time.process_time() - cpu < 0.02:
        pass
    measured = (time.monotonic() - wall) / 0.02
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0
    return max(1.0, measured, waiting)


def patient(seconds: float) -> float:
    """Return the seconds to wait, on a machine as busy as this one, for what takes `seconds` at most on an idle one."""
    return seconds * slowness()


def until(true: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for something to be true. AssertionError after `seconds`, or later where the machine is busy by then."""
    begun = time.monotonic()
    while not true():
        waited = time.monotonic() - begun
        # How busy the machine is counts only now: it may have been idle when the test began.
        assert waited < seconds or waited < patient(seconds), f"waited {waited:.0f} s in vain: {what}"
        time.sleep(0.005)
