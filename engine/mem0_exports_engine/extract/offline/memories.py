"""Memories as the extractor sees them: in columns, and grouped by their metadata keys."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mem0_exports_engine.extract.offline.fit import by_folded
from mem0_exports_engine.extract.offline.hints import MAX_LENGTH


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mem0_exports_engine.ports import Record

_MAX_SUGGESTED: Final = 10_000
"""The most metadata keys that are kept for hints."""


class Keys:
    """The metadata keys of a memory. Memories with the same keys can share it."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.alike = by_folded(keys)
        """Lists of the keys that are spelled alike, by their folded form."""
        self._all = {key for keys in self.alike.values() for key in keys}

    def __contains__(self, key: str) -> bool:
        return key in self._all


class KnownKeys:
    """The metadata keys of all memories of an export. Memories with the same keys share one `Keys`, which is cached."""

    _max_size = 1_000_000
    """The most characters of all keys in the cache."""

    def __init__(self) -> None:
        self._cache: dict[tuple[str, ...], Keys] = {}
        self._size = 0
        self.cleared = 0
        """How often the cache has been cleared. What others keep for its keys has to go then, too."""
        self.suggested: set[str] = set()
        """The keys seen so far that could be hints; some are left out if there are very many."""

    def of(self, metadata: dict[str, Any] | None) -> Keys:
        """Return the keys of a memory's metadata."""
        names = tuple(metadata or ())
        keys = self._cache.get(names)
        if keys is None:
            size = 1 + sum(map(len, names))
            if self._size + size > self._max_size:
                self._size = 0
                self._cache.clear()
                self.cleared += 1
            self._size += size
            if len(self.suggested) < _MAX_SUGGESTED:
                self.suggested.update(name for name in names if len(name) <= MAX_LENGTH)
            keys = self._cache[names] = Keys(names)
        return keys


class Memories:
    """Some memories of an export, oldest first."""

    def __init__(self, columns: Mapping[str, Sequence[Any]], keys: list[Keys]) -> None:
        self.columns = columns
        """The values of all memories, for each of their fields."""
        self.keys = keys
        """The metadata keys of each memory."""

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]], known: KnownKeys) -> Memories:
        """Return the memories that have these values. The columns must include the metadata."""
        return cls(columns, [*map(known.of, columns["metadata"])])

    @property
    def ids(self) -> Sequence[str]:
        """The id of each memory."""
        return self.columns["id"]

    @cached_property
    def records(self) -> list[Record]:
        """The memories as records."""
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]

    @cached_property
    def groups(self) -> dict[Keys, list[int]]:
        """The places of the memories that have the same metadata keys."""
        if self.keys.count(self.keys[0]) == len(self.keys):  # the usual case
            return {self.keys[0]: [*range(len(self.keys))]}
        places: dict[Keys, list[int]] = {}
        for place, keys in enumerate(self.keys):
            places.setdefault(keys, []).append(place)
        return places

    def at(self, places: Sequence[int]) -> Memories:
        """Return the memories at these places."""
        if len(places) == len(self.keys):
            return self
        columns = {name: [values[place] for place in places] for name, values in self.columns.items()}
        return Memories(columns, [self.keys[place] for place in places])
