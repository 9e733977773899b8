"""Merge what was found in the chunks of an export: the newest scalar, the distinct items of a list.

What is held in memory does not grow with the number of memories: of a scalar, a few different values with the newest
memory of each; of a list, its distinct items, up to a limit.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mem0_exports_engine.extract.llm.findings import Hit, Memory, Path, Record, built_of
from mem0_exports_engine.extract.llm.folding import fold_value
from mem0_exports_engine.extract.llm.slots import OneOf, Records, Scalar, Values, shown, slots_of
from mem0_exports_engine.extract.offline.filling import FromTexts
from mem0_exports_engine.extract.offline.work import size_of
from mem0_exports_engine.json_text import dump
from mem0_exports_engine.limits import MAX_HELD
from mem0_exports_engine.report import Evidence, Gap


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mem0_exports_engine.extract.llm.questions import Node

MAX_VALUES: Final = 20
"""The most different values of one scalar that are kept: the newest ones."""

MAX_IDS: Final = 100
"""The most memory ids of a property in the report."""

_MAX_UNREAD: Final = 1000
"""The most ids of memories that were not read in the report."""


class Read(NamedTuple):
    """What was found in one chunk."""

    scalars: list[tuple[Path, Hit]]
    values: list[tuple[Path, Hit]]
    records: list[tuple[Path, Record]]
    gaps: Counter[tuple[str, str]]
    """How often something was dropped, by path and reason."""
    unread: list[tuple[Memory, str]]
    memories: int
    """How many memories the chunk had."""

    @classmethod
    def nothing(cls, unread: Iterable[tuple[Memory, str]] = ()) -> Read:
        """Return what there is if a chunk was not read."""
        failed = [*unread]
        return cls([], [], [], Counter(), failed, len(failed))

    def with_other(self, other: Read) -> Read:
        """Return both together."""
        return Read(
            self.scalars + other.scalars,
            self.values + other.values,
            self.records + other.records,
            self.gaps + other.gaps,
            self.unread + other.unread,
            self.memories + other.memories,
        )


class Merged:
    """Everything that was found so far."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._slots = {slot.path: slot for name, node in nodes.items() for slot in slots_of((name,), node)}
        self._scalars: dict[Path, dict[str, Hit]] = {path: {} for path in self._slots}
        self._values: dict[Path, dict[bytes, Hit]] = {path: {} for path in self._slots}
        self._records: dict[Path, dict[bytes, Record]] = {path: {} for path in self._slots}
        self._held = 0
        self.gaps: Counter[tuple[str, str]] = Counter()
        self.unread: Counter[str] = Counter()
        """How many memories were not read, by reason."""
        self.unread_ids: list[str] = []
        self.read = 0
        """How many memories were read or given up."""

    def add(self, read: Read) -> None:
        """Take what was found in a chunk. Chunks come oldest first."""
        self.read += read.memories
        self.gaps += read.gaps
        for memory, why in read.unread:
            self.unread[why] += 1
            if len(self.unread_ids) < _MAX_UNREAD:
                self.unread_ids.append(memory.id)
        for path, hit in read.scalars:
            known = self._scalars[path]
            known.pop(key := same(hit.value), None)
            known[key] = hit
            if len(known) > MAX_VALUES:
                del known[next(iter(known))]
        for path, hit in read.values:
            self._hold(path, self._values[path], dump(same(hit.value)), hit, hit.value)
        for path, record in read.records:
            if isinstance(self._slots[path], OneOf):
                self._records[path] = {b"": record}
            else:
                self._hold(path, self._records[path], dump(record.value), record, record.value)

    def _hold(self, path: Path, known: dict[bytes, Any], key: bytes, found: Any, value: Any) -> None:
        if key in known:
            return
        if self._held > MAX_HELD:
            self.gaps[
                shown(path), f"more values were left out, as all together take more than {MAX_HELD // 10**6} MB"
            ] += 1
            return
        self._held += 2 * size_of(value)
        known[key] = found

    def disputed(self) -> Iterator[tuple[Scalar, list[Hit]]]:
        """Iterate over the scalars of which chunks have found different values, the newest last."""
        for path, hits in self._scalars.items():
            slot = self._slots[path]
            if isinstance(slot, Scalar) and len(hits) > 1:
                yield slot, sorted(hits.values(), key=lambda hit: hit.memory.order)

    def settle(self, path: Path, hit: Hit) -> None:
        """Decide which value of a scalar counts."""
        self._scalars[path] = {same(hit.value): hit}

    def texts(self) -> dict[str, FromTexts]:
        """Return what was found for each property, put together."""
        return {name: self._of(name, node) for name, node in self._nodes.items()}

    def _of(self, name: str, node: Node) -> FromTexts:
        values: dict[Path, Any] = {}
        origins: dict[Path, Hit] = {}
        for path, slot in self._slots.items():
            if path[0] == name:
                for place, hit in self._hits(path, slot):
                    values[place[1:]] = hit.value
                    origins[place[1:]] = hit
        if not values:
            return FromTexts()
        built = built_of(node, values)
        if built is None:
            self.gaps[name, "a required member was found in no text"] += 1
            return FromTexts()
        problem = node.shape.problem(built.value)
        if problem is not None:
            self.gaps[name, f"the value collected from all texts does not match the schema: {problem}"] += 1
            return FromTexts()
        found = [(now, origins[before]) for now, before in built.places.items()]
        ids = [*dict.fromkeys(hit.memory.id for _, hit in found)]
        return FromTexts(built.value, ids[:MAX_IDS], [evidence((name, *path), hit) for path, hit in found])

    def _hits(self, path: Path, slot: object) -> Iterator[tuple[Path, Hit]]:
        """Iterate over the scalars that are found at a slot, with their paths."""
        if isinstance(slot, Scalar):
            for hit in self._scalars[path].values():  # at most one, once all disputes are settled
                yield path, hit
        elif isinstance(slot, Values):
            for index, hit in enumerate(self._values[path].values()):
                yield (*path, index), hit
        elif isinstance(slot, Records | OneOf):
            for index, record in enumerate(self._records[path].values()):
                place = (*path, index) if isinstance(slot, Records) else path
                for finding in record.findings:
                    yield (*place, *finding.path), finding.hits[0]

    def report(self) -> list[Gap]:
        """Return what was dropped and not read."""
        gaps = [Gap(path, reason, times) for (path, reason), times in sorted(self.gaps.items())]
        return [*gaps, *(Gap("(texts)", f"not read: {why}", times) for why, times in sorted(self.unread.items()))]


def evidence(path: Path, hit: Hit) -> Evidence:
    """Return the entry of the report for a value."""
    span = hit.span
    return Evidence(
        shown(path),
        hit.how,
        hit.memory.id,
        None if span is None else span.start,
        None if span is None else span.end,
    )


def same(value: Any) -> str:
    """Return a text that is equal for values that are the same to a reader."""
    return fold_value(value) if isinstance(value, str) else dump(value).decode()
