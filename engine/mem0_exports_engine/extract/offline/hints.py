"""Suggest a metadata key with a similar name for a field that stayed empty."""

from __future__ import annotations

import difflib

from typing import TYPE_CHECKING, Final

from mem0_exports_engine.extract.offline.fit import folded


if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH: Final = 40
"""The most characters of a name that is compared. The work grows with the square of the length."""

MAX_COMPARISONS: Final = 3000
"""The most comparisons in one report. They take less than half a second, whatever the names are."""


class Hints:
    """Suggests keys until the budget of a report is used up. The first fields of the schema come first."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = sorted(key for key in keys if len(key) <= MAX_LENGTH)
        self.comparisons = 0

    def nearest(self, name: str) -> str | None:
        """Return the most similar key, or None if no key is similar or the budget is used up."""
        if len(name) > MAX_LENGTH:
            return None
        compared = self._keys[: MAX_COMPARISONS - self.comparisons]
        self.comparisons += len(compared)
        others = [key for key in compared if folded(key) != folded(name)]
        close = difflib.get_close_matches(name, others, 1, 0.7)
        return close[0] if close else None
