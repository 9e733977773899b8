"""Remember what is known about lists that are read page by page, for as long as the memories of the project do not change.

A list is read by the numbers of its pages. Without this, each page would count all memories that the filters select, and
would step over those of the earlier pages, so that reading the whole list would take quadratic time. A list remembers its
count, and the places of some of its memories in the order; a page begins at the nearest place before it.
"""

from __future__ import annotations

import threading

from bisect import bisect_right, insort
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias


if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

MAX_LISTS: Final = 64
"""The most lists that are remembered; those that were not read for the longest time are forgotten."""

MAX_PLACES: Final = 5000
"""The most places that one list remembers."""

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
        self._places: list[Place] = []
        self._lock = threading.Lock()

    def nearest(self, offset: int) -> Place:
        """Return the last known place that is not after `offset`."""
        with self._lock:
            index = bisect_right(self._places, offset, key=_offset)
            return self._places[index - 1] if index else START

    def add(self, places: Iterable[Place]) -> None:
        """Remember places."""
        with self._lock:
            for place in places:
                index = bisect_right(self._places, place.offset, key=_offset)
                is_known = index and self._places[index - 1].offset == place.offset
                if not is_known and len(self._places) < MAX_PLACES:
                    insort(self._places, place, key=_offset)


def _offset(place: Place) -> int:
    return place.offset


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
