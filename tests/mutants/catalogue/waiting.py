"""Bugs in waiting for the end of an export: `Prefer: wait=N` in the engine, and in the client that asks for it."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_WAITING = "engine/mem0_exports_engine/waiting.py"
_SETTINGS = "facade/mem0_exports/http/settings.py"

MUTANTS: Final = (
    Mutant(
        "waiting.end-missed",
        _WAITING,
        "            if self._ended != before:  # between",
        "            if False:  # between",
        "an export that ends at the wrong moment is reported seconds later",
    ),
    Mutant(
        "waiting.any-end-wakes",
        _WAITING,
        "            calls = [*self._calls.get(export_id, ())]\n",
        "            calls = [call for each in self._calls.values() for call in each]\n",
        "the end of an export wakes all who wait for others, so that the work is quadratic",
    ),
    Mutant(
        "waiting.no-bound",
        _WAITING,
        "not self._closed and self._count < MAX_WAITING",
        "not self._closed",
        "any number of requests can be held",
    ),
    Mutant(
        "waiting.stop-waits",
        "engine/mem0_exports_engine/waiting.py",
        "            self._closed = True\n",
        "            pass\n",
        "a server that stops goes on holding requests",
    ),
    Mutant(
        "waiting.leaks",
        _WAITING,
        "                    self._calls[export_id].remove(call)\n",
        "                    pass\n",
        "a server remembers every request that it has held",
    ),
    Mutant(
        "waiting.platform-is-asked",
        _SETTINGS,
        "        self._longest = 0\n",
        "        self._longest = 10\n",
        "the Platform gets a header that it does not know",
    ),
    Mutant(
        "waiting.held-beyond-the-timeout",
        _SETTINGS,
        "math.floor(min(left, timeout) / 2)",
        "math.floor(left)",
        "a poll is held until its own timeout ends it",
    ),
    Mutant(
        "waiting.pause-after-a-held-poll",
        "facade/mem0_exports/http/flow.py",
        "pause = 0.0 if passed >= held else pause - passed",
        "pause -= passed",
        "between two polls that are held, an export can end without being noticed for seconds",
    ),
    Mutant(
        "waiting.cancel-wakes-nobody",
        "engine/mem0_exports_engine/engine.py",
        "        self.workers.cancelled(export_id)\n        self.waiting.ended(export_id)\n",
        "        self.workers.cancelled(export_id)\n",
        "who waits for an export learns only seconds later that it was cancelled",
    ),
)
