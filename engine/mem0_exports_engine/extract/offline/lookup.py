"""Find the value of a property in a memory.

The sources, in this order:

0. the source that an annotation of the schema names (see `mem0_exports.schemas.annotations`). If there is one, no other
   source is used;
1. the memory's own field of that name: id, memory, user_id, agent_id, app_id, run_id, metadata, categories, created_at,
   updated_at, expiration_date;
2. the metadata key of that name;
3. the memory's own field for which the name is a common alias: text or content for memory, session_id for run_id,
   timestamp for created_at, tags for categories, memory_id for id.

Names match even if they differ in case, underscores, hyphens and spaces. If a value does not fit, the next source is
tried. A property with several names (`x-mem0-names`) is looked up by each of them, in order.
"""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 -- a NamedTuple's
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from mem0_exports.facts import RUN_ALIAS
from mem0_exports.schemas.annotations import MEMORY_FIELDS, names_of, source_of
from mem0_exports_engine.extract.offline.fit import folded
from mem0_exports_engine.extract.offline.mismatch import Mismatch


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.memories import Keys, KnownKeys, Memories
    from mem0_exports_engine.ports import Record


class Step(NamedTuple):
    """One place to look for a value."""

    take: Callable[[Record], Any]
    """Return the value that a memory has in this place, or None."""
    field: str
    """The field of the memory from which the value is taken."""
    key: str | None = None
    """The key, if the value is that of a metadata key."""
    is_conditional: bool = False
    """Whether only some memories have the value of the field in this place."""

    def column(self, memories: Memories) -> Sequence[Any]:
        """Return the values that memories with the same metadata keys have in this place. Much faster than `take`."""
        if self.is_conditional:
            return [*map(self.take, memories.records)]
        values = memories.columns[self.field]
        return values if self.key is None else [metadata[self.key] for metadata in values]


Steps: TypeAlias = tuple[Step, ...]
"""Places to look, in order of preference."""

NO_SOURCE: Final = "no memory field or metadata key with this name has a value"

_OWN: Final = {folded(name): name for name in MEMORY_FIELDS}
_ALIASES: Final = {
    folded(alias): name
    for alias, name in {
        "text": "memory",
        "content": "memory",
        RUN_ALIAS: "run_id",
        "timestamp": "created_at",
        "tags": "categories",
        "memory_id": "id",
    }.items()
}


_ABSENT: Final = {
    "memory": "the memory field {0!r} has no value",
    "metadata": "the metadata key {0!r} has no value",
    "category": "no memory is in the category {0!r}",
    "count": "a count can fill only a property of the root",
    "text": "only a language model can read it out of the texts",
}
"""For each kind of annotation, why a property stayed empty."""


_MAX_NAMED: Final = 5
"""The most keys that a reason names."""


class Lookup:
    """Decides where the value of one property is looked up."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.annotation = source_of(shape.node) or source_of(shape.items.node)
        self._names = [*dict.fromkeys([name, *names_of(shape.node)])]
        """The names to look up, in order of preference."""
        self._ambiguous: list[str] = []
        """Metadata keys of one memory that all match, so that none of them was used."""

    @property
    def absent(self) -> str:
        """The reason to report if there is no value."""
        return NO_SOURCE if self.annotation is None else _ABSENT[self.annotation.kind].format(self.annotation.name)

    def explained(self, reason: str) -> str:
        """Return the final reason of a gap, once all memories have been seen.

        It does not depend on where a batch ends, as it would if the keys seen so far decided.
        """
        if reason != NO_SOURCE or not self._ambiguous:
            return reason
        keys = ", ".join(map(repr, self._ambiguous))
        return f"several metadata keys match: {keys}; choose one with From.metadata({self._ambiguous[0]!r})"

    @property
    def own_field(self) -> str | None:
        """The field of memories that is looked at first; None if that is a metadata key, or depends on the memory."""
        if self.annotation is not None:
            return self.annotation.name if self.annotation.kind == "memory" else None
        return _OWN.get(folded(self._names[0]))

    @property
    def fields(self) -> set[str]:
        """The fields of memories that have to be read, except metadata."""
        if self.annotation is None:
            return {
                field
                for name in self._names
                for field in (_OWN.get(folded(name)), _ALIASES.get(folded(name)))
                if field is not None
            }
        kind, name = self.annotation
        return {"memory": {name}, "category": {"memory", "categories"}}.get(kind, set())

    def steps(self, keys: Keys) -> Steps:
        """Return where to look in a memory whose metadata have these keys."""
        if self.annotation is not None:
            kind, name = self.annotation
            if kind == "memory":
                return (_own_field(name),)
            if kind == "metadata":
                return (_metadata_key(name),) if name in keys else ()
            # A count cannot be looked up in a single memory.
            return (_text_of(name),) if kind == "category" else ()
        return tuple(step for name in self._names for step in self._steps_of(name, keys))

    def _steps_of(self, name: str, keys: Keys) -> Iterator[Step]:
        """Iterate over the places to look for one name, if no annotation says where."""
        wanted = folded(name)
        if wanted in _OWN:
            yield _own_field(_OWN[wanted])
        # An exact key wins. If there are only several similar keys, none is used, because any choice would be a guess.
        alike = keys.alike.get(wanted, [])
        if name in keys or len(alike) == 1:
            yield _metadata_key(name if name in keys else alike[0])
        elif alike and not self._ambiguous:
            self._ambiguous = sorted(alike)[:_MAX_NAMED]
        if wanted in _ALIASES:
            yield _own_field(_ALIASES[wanted])


def _own_field(name: str) -> Step:
    return Step(itemgetter(name), name)


def _metadata_key(key: str) -> Step:
    return Step(lambda record: record["metadata"][key], "metadata", key)


def _text_of(category: str) -> Step:
    return Step(partial(_text_of_category, category.casefold()), "memory", is_conditional=True)


def _text_of_category(name: str, record: Record) -> Any:
    categories = record["categories"] or ()
    return record["memory"] if any(category.casefold() == name for category in categories) else None


class Plan:
    """The places where several lookups look, for memories that have the same metadata keys."""

    def __init__(self, lookups: Sequence[Lookup], keys: Keys) -> None:
        self.steps = [lookup.steps(keys) for lookup in lookups]
        """The places to look, for each lookup."""
        places = [(step.field, step.key) for steps in self.steps for step in steps]
        self.repeats = len({*places}) < len(places)
        """Whether two lookups can find the same value. A large one is then more work than the memory itself."""


class Plans:
    """Returns the plan for a memory. Memories with the same metadata keys share one, which is cached."""

    _max_size = 100_000
    """The most lookups of all plans in the cache."""

    def __init__(self, lookups: Sequence[Lookup], known: KnownKeys) -> None:
        self._lookups = lookups
        self._known = known
        self._cache: dict[Keys, Plan] = {}
        self._cleared = 0

    def of(self, keys: Keys) -> Plan:
        """Return the plan for a memory whose metadata have these keys."""
        plan = self._cache.get(keys)
        if plan is None:
            # Otherwise the plans would keep the keys that were dropped.
            if self._cleared != self._known.cleared or len(self._cache) * (1 + len(self._lookups)) > self._max_size:
                self._cache.clear()
                self._cleared = self._known.cleared
            plan = self._cache[keys] = Plan(self._lookups, keys)
        return plan


def first_choices(steps: Steps, memories: Memories) -> Sequence[Any]:
    """Return the first value that each memory has at these places, or None if it has none."""
    if not steps:
        return [None] * len(memories.keys)
    first, *others = steps
    found = first.column(memories)
    if not others or None not in found:
        return found
    instead = first_choices((*others,), memories)
    return [other if value is None else value for value, other in zip(found, instead, strict=True)]


def values(steps: Steps, record: Record) -> list[Any]:
    """Return the values that the memory has at these places, in order of preference."""
    return [value for step in steps if (value := step.take(record)) is not None]


def first_fit(shape: Shape, values: list[Any]) -> Any:
    """Return the first value that fits, converted. If none does, raise the Mismatch of the first value."""
    mismatch: Mismatch | None = None
    for value in values:
        try:
            return shape.fit(value)
        except Mismatch as error:
            mismatch = mismatch or error
    raise mismatch or Mismatch("there is no value")
