"""Read the answer of a model: keep each value that stands in a memory, and say in which one and where.

A model cites badly but copies well. So it is not asked where it found a value: each value is looked for in the memories
that were sent, and what stands in none of them is dropped. A record is taken from one memory: the one in which most of its
values stand; those that do not stand there are dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import attrs

from mem0_exports_engine.extract.llm.grounding import Index, Span, Text
from mem0_exports_engine.extract.llm.questions import Either, Group, Leaf
from mem0_exports_engine.extract.offline.mismatch import Mismatch


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mem0_exports_engine.extract.llm.questions import Node
    from mem0_exports_engine.extract.offline.fit import Shape

How: TypeAlias = Literal["text", "judged"]

Path: TypeAlias = tuple[str | int, ...]
"""The place of a value inside a property: names and indexes."""

MAX_HITS: Final = 3
"""In how many memories a value is looked for at most, the newest first. A judge is asked about no more."""

_MAX_ITEMS: Final = 1000
"""The most items of a list in one answer that are looked at."""


class Memory(NamedTuple):
    """A memory whose text was sent."""

    order: int
    """Its place among the memories of the export, oldest first."""
    id: str
    day: str
    text: str


@attrs.frozen
class Hit:
    """Where a value stands."""

    value: Any
    """The value as the memory says it, which fits its schema."""
    memory: Memory
    span: Span | None
    """None if the value stands nowhere, and a judge has to say whether the memory says so."""

    @property
    def how(self) -> How:
        """How the value was found."""
        return "judged" if self.span is None else "text"


@attrs.frozen
class Finding:
    """A value of a property, with the places where it can be from, best first. All are of different memories."""

    path: Path
    shape: Shape
    hits: tuple[Hit, ...]


class Built(NamedTuple):
    """A value that was put together from scalars."""

    value: Any
    places: dict[Path, Path]
    """For each scalar in it, its path in the value, and the one that it had before gaps in lists were closed."""


@attrs.frozen
class Record:
    """An object from one memory."""

    group: Group
    memory: Memory
    findings: tuple[Finding, ...]
    """Its values, each with one hit in this memory; their paths are relative to the record."""

    @property
    def built(self) -> Built | None:
        """The object, or None if a required value is missing."""
        return build(self.group, {finding.path: finding.hits[0].value for finding in self.findings})

    @property
    def value(self) -> Any:
        """The object, or None if a required value is missing."""
        built = self.built
        return None if built is None else built.value


class Dropped(NamedTuple):
    """A value that the model has given and that was not used."""

    path: Path
    why: str
    value: Any


UNGROUNDED: Final = "the model gave a value that stands in no memory"
MISFIT: Final = "the value in the memory does not fit"


class _Wanted(NamedTuple):
    """A value to look for."""

    shape: Shape
    value: Any
    possible: Collection[int]
    """The memories in which it can stand."""


class Texts:
    """The memories of a chunk, in which values are looked for."""

    def __init__(self, memories: Sequence[Memory], *, with_ungrounded: bool) -> None:
        self.memories = memories
        self.dropped: list[Dropped] = []
        self._texts = [Text(memory.text) for memory in memories]
        self._index = Index([memory.text for memory in memories])
        self._with_ungrounded = with_ungrounded

    def find(self, path: Path, shape: Shape, value: Any, places: Sequence[int] | None = None) -> Finding | None:
        """Return where a scalar stands, the newest memory first. `places`: look only in these memories."""
        if value is None or isinstance(value, dict | list):
            return None
        hits: list[Hit] = []
        misfit: Mismatch | None = None
        wanted = self._wanted(shape, value)
        for place in reversed(range(len(self.memories)) if places is None else places):
            try:
                hit = self._hit(shape, wanted, place)
            except Mismatch as error:
                misfit = error
            else:
                hits += [] if hit is None else [hit]
                if len(hits) >= MAX_HITS:
                    break
        if not hits and self._with_ungrounded:
            hits = self._to_be_judged(shape, value, places)
        if not hits:
            self.dropped.append(Dropped(path, UNGROUNDED if misfit is None else f"{MISFIT}: {misfit}", value))
            return None
        return Finding(path, shape, tuple(hits))

    def _wanted(self, shape: Shape, value: Any) -> list[_Wanted]:
        """Return what to look for: the value as each of the alternatives of its schema has it."""
        fitted = [(part, self._fitted(part, value)) for part in (shape, *shape.branches)]
        return [_Wanted(part, each, self._index.places_of(each, part.node)) for part, each in fitted]

    def _hit(self, shape: Shape, wanted: list[_Wanted], place: int) -> Hit | None:
        """Return where a value stands in one memory. Raises Mismatch if it stands there, but does not fit."""
        text = self._texts[place]
        for part, value, possible in wanted:
            span = text.find(value, part.node) if place in possible else None
            if span is None:
                continue
            fitted = value
            if isinstance(fitted, str) and not part.node.keys() & {"enum", "const", "format"}:
                fitted = " ".join(text.text[span.start : span.end].split())  # as the memory writes it
            return Hit(shape.fit(fitted), self.memories[place], span)
        return None

    def _fitted(self, shape: Shape, value: Any) -> Any:
        """Return a value converted to its schema, such as "42" to 42; unchanged if that is not possible."""
        try:
            return shape.fit(value)
        except Mismatch:
            return value

    def _to_be_judged(self, shape: Shape, value: Any, places: Sequence[int] | None) -> list[Hit]:
        """Return the memories with which a value that stands nowhere has most in common."""
        try:
            fitted = shape.fit(value)
        except Mismatch:
            return []
        words = set(f"{shape.node.get('description', '')} {shape.node.get('title', '')} {value}".casefold().split())
        chosen = range(len(self.memories)) if places is None else places
        ranked = sorted(
            chosen, key=lambda place: (-len(words & set(self.memories[place].text.casefold().split())), -place)
        )
        return [Hit(fitted, self.memories[place], None) for place in ranked[:MAX_HITS]]

    def record(self, path: Path, node: Group | Either, value: Any) -> Record | None:
        """Return an object of a list, or a single one, with the values that stand in one memory."""
        if not isinstance(value, dict):
            return None
        groups = node.options if isinstance(node, Either) else (node,)
        for group in groups:
            if not has_its_tags(group, value):
                continue
            records = (self._record_at(group, value, place, node.shape) for place in self._places_of(group, value))
            found = [record for record in records if record is not None]
            if found:
                best = max(found, key=lambda record: len(record.findings))  # the first, so the newest, of equals
                self._note_dropped(path, group, value, best)
                return best
        self.dropped.append(Dropped(path, UNGROUNDED, value))
        return None

    def _note_dropped(self, path: Path, group: Group, value: Any, record: Record) -> None:
        kept = {finding.path for finding in record.findings}
        for inner, _, leaf in leaves(group, value):
            if inner not in kept:
                self.dropped.append(Dropped((*path, *inner), "it does not stand in the memory of its record", leaf))

    def _places_of(self, group: Group, value: Any) -> list[int]:
        """Return the memories in which most values of an object stand, the best and newest first."""
        counts: dict[int, int] = {}
        for _, leaf, each in leaves(group, value):
            wanted = self._wanted(leaf.shape, each)
            for place in set[int]().union(*(possible for _, _, possible in wanted)):
                try:
                    counts[place] = counts.get(place, 0) + (self._hit(leaf.shape, wanted, place) is not None)
                except Mismatch:
                    continue
        found = [place for place, count in counts.items() if count]
        if not found and self._with_ungrounded:
            found = [len(self.memories) - 1]
        return sorted(found, key=lambda place: (-counts.get(place, 0), -place))[:3]

    def _record_at(self, group: Group, value: Any, place: int, whole: Shape) -> Record | None:
        findings: list[Finding] = []
        before = len(self.dropped)
        for inner, leaf, each in leaves(group, value):
            finding = self.find(inner, leaf.shape, each, [place])
            if finding is not None:
                findings.append(finding)
        del self.dropped[before:]
        if not findings:
            return None
        record = Record(group, self.memories[place], tuple(findings))
        return record if record.value is not None and whole.problem(record.value) is None else None


def leaves(group: Group, value: Any, prefix: Path = ()) -> Iterator[tuple[Path, Leaf, Any]]:
    """Iterate over the scalars in an object of an answer: path, node and value."""
    for name, member in group.members.items():
        given = value.get(name) if isinstance(value, dict) else None
        if given is not None:
            yield from _leaves(member, given, (*prefix, name))


def _leaves(node: Node, given: Any, path: Path) -> Iterator[tuple[Path, Leaf, Any]]:
    if isinstance(node, Leaf):
        yield path, node, given
    elif isinstance(node, Group):
        yield from leaves(node, given, path)
    elif isinstance(node, Either):
        chosen = next((option for option in node.options if has_its_tags(option, given)), None)
        if chosen is not None:
            yield from leaves(chosen, given, path)
    elif isinstance(given, list):
        for index, item in enumerate(given[:_MAX_ITEMS]):
            yield from _leaves(node.item, item, (*path, index))


def has_its_tags(group: Group, value: Any) -> bool:
    """Return whether an object of an answer can be one of this group, by the members that have only one value."""
    if not isinstance(value, dict) or any(value.get(name, tag) != tag for name, tag in group.tags.items()):
        return False
    return not group.tags or any(name in value for name in group.tags) or bool(value.keys() & group.members.keys())


def build(group: Group, values: Mapping[Path, Any]) -> Built | None:
    """Return an object made of scalars by their paths. None if there are none, or a required value is missing."""
    made: dict[str, Any] = {}
    places: dict[Path, Path] = {}
    for name, shape in group.shape.properties.items():
        inner = {path[1:]: value for path, value in values.items() if path[0] == name}
        built = built_of(group.members[name], inner) if name in group.members else None
        if built is not None:
            made[name] = built.value
            places |= {(name, *now): (name, *before) for now, before in built.places.items()}
        elif name in group.tags:
            made[name] = group.tags[name]
        elif name in group.shape.required:
            if shape.nullable:
                made[name] = None
            elif shape.kinds == {"array"} and shape.problem([]) is None:
                made[name] = []
            else:
                return None
    return Built(made, places) if places else None


def built_of(member: Node, values: Mapping[Path, Any]) -> Built | None:
    """Return a value made of scalars by their paths. None if there are none, or a required one is missing."""
    if not values:
        return None
    if isinstance(member, Leaf):
        return Built(values[()], {(): ()})
    if isinstance(member, Group):
        return build(member, values)
    if isinstance(member, Either):
        names = {str(path[0]) for path in values}
        fitting = (option for option in member.options if names <= option.members.keys())
        return next((built for option in fitting if (built := build(option, values)) is not None), None)
    items: list[Any] = []
    places: dict[Path, Path] = {}
    for index in sorted({path[0] for path in values if isinstance(path[0], int)}):
        built = built_of(member.item, {path[1:]: value for path, value in values.items() if path[0] == index})
        if built is not None:
            places |= {(len(items), *now): (index, *before) for now, before in built.places.items()}
            items.append(built.value)
    return Built(items, places) if items else None
