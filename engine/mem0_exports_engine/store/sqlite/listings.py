"""Remember what is known about lists that are read page by page, for as long as the memories of the project do not change.

A list is read by the numbers of its pages. Without this, each page would count all memories that the filters select, and
would step over those of the earlier pages, so that reading the whole list would take quadratic time. A list remembers its
count and some places in it: those where pages that were read lately ended, so that reading on is fast, and, once a page far
away was asked for, places all over it. A page begins at the nearest place before it.
"""

from __future__ import annotations

import threading

from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias


if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

MAX_LISTS: Final = 64
"""The most lists that are remembered; those that were not read for the longest time are forgotten."""

MAX_SPREAD: Final = 1000
"""The most places all over a list."""

MAX_RECENT: Final = 100
"""The most places where pages ended."""

MAX_KEY: Final = 1000
"""A place whose key has more characters is not remembered. Ids of entities can have megabytes."""

Key: TypeAlias = "tuple[Any, ...]"
"""The values by which a list is ordered."""


class Place(NamedTuple):
    """A place in a list: after `offset` rows, the last of which has this key. At the start, there is none."""

    offset: int
    key: Key | None


START: Final = Place(0, None)


class Listing:
    """What is known about one list."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.count: int | None = None
        """The number of rows, once they were counted."""
        self.is_spread = False
        """Whether places all over the list are known."""
        self._spread: list[Place] = []
        self._recent: OrderedDict[int, Place] = OrderedDict()
        self._lock = threading.Lock()

    def nearest(self, offset: int) -> Place:
        """Return the last known place that is not after `offset`."""
        with self._lock:
            index = bisect_right(self._spread, offset, key=lambda place: place.offset)
            known = [*self._spread[index - 1 : index], *self._recent.values()]
        return max((place for place in known if place.offset <= offset), key=lambda place: place.offset, default=START)

    def spread(self, places: Iterable[Place]) -> None:
        """Remember places all over the list, which come in its order."""
        found = [place for place in places if _is_small(place)]
        with self._lock:
            self._spread, self.is_spread = found, True

    def page_ended(self, place: Place) -> None:
        """Remember where a page ended."""
        if _is_small(place):
            with self._lock:
                self._recent.pop(place.offset, None)
                self._recent[place.offset] = place
                if len(self._recent) > MAX_RECENT:
                    self._recent.popitem(last=False)


def _is_small(place: Place) -> bool:
    return sum(len(part) for part in place.key or () if isinstance(part, str)) <= MAX_KEY


class Listings:
    """The lists that were read lately."""

    def __init__(self) -> None:
        self._lists: OrderedDict[Hashable, Listing] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, name: Hashable, revision: int) -> Listing:
        """Return what is known about a list in this revision of the memories of its project."""
        with self._lock:
            found = self._lists.pop(name, None)
            if found is None or found.revision != revision:
                found = Listing(revision)
            self._lists[name] = found
            if len(self._lists) > MAX_LISTS:
                self._lists.popitem(last=False)
            return found
