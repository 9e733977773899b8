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
from functools import cached_property, partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from mem0_exports.facts import RUN_ALIAS
from mem0_exports.schemas.annotations import MEMORY_FIELDS, names_of, source_of
from mem0_exports_engine.extract.offline.fit import by_folded, folded
from mem0_exports_engine.extract.offline.hints import MAX_LENGTH
from mem0_exports_engine.extract.offline.mismatch import Mismatch
from mem0_exports_engine.ports import FieldPath, Record


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mem0_exports_engine.extract.offline.fit import Shape


class Step(NamedTuple):
    """One place to look for a value."""

    take: Callable[[Record], Any]
    """Return the value that a memory has in this place, or None."""
    path: FieldPath | None = None
    """The place, or None if it involves more than one field."""


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


class Keys:
    """The metadata keys of a memory. Memories with the same keys can share it."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.alike = by_folded(keys)
        """Lists of the keys that are spelled alike, by their folded form."""
        self._all = {key for keys in self.alike.values() for key in keys}

    def __contains__(self, key: str) -> bool:
        return key in self._all


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
    def path(self) -> FieldPath | None:
        """The first place to look, if metadata keys are spelled exactly like the property.

        None if the value comes from several fields.
        """
        if self.annotation is not None:
            kind, name = self.annotation
            return FieldPath(own=name) if kind == "memory" else FieldPath(key=name) if kind == "metadata" else None
        if len(self._names) > 1:
            return None
        own = _OWN.get(folded(self.name))
        return FieldPath(key=self.name) if own is None else FieldPath(own=own)

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
            return (Step(partial(_text_of_category, name.casefold())),) if kind == "category" else ()
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
    return Step(itemgetter(name), FieldPath(own=name))


def _metadata_key(key: str) -> Step:
    return Step(lambda record: record["metadata"][key], FieldPath(key=key))


def _text_of_category(name: str, record: Record) -> Any:
    categories = record["categories"] or ()
    return record["memory"] if any(category.casefold() == name for category in categories) else None


_MAX_SUGGESTED: Final = 10_000
"""The most metadata keys that are kept for hints."""


class Plan:
    """The places where several lookups look, for memories that have the same metadata keys."""

    def __init__(self, lookups: Sequence[Lookup], keys: Keys) -> None:
        self.steps = [lookup.steps(keys) for lookup in lookups]
        """The places to look, for each lookup."""
        self.empty = [index for index, steps in enumerate(self.steps) if not steps]
        """The lookups that find nothing in these memories."""
        self.names = [lookup.name for lookup, steps in zip(lookups, self.steps, strict=True) if steps]
        """The names of the lookups that can find something."""

    @cached_property
    def first_values(self) -> Callable[[Record], tuple[Any, ...]] | None:
        """A function that returns the first choice for each of `names`, or None if one of them is a category."""
        paths = [steps[0].path for steps in self.steps if steps]
        if None in paths:
            return None
        # For speed, all fields are read with one itemgetter and all metadata with another, then put in the order of
        # names.
        take_own = _taker([path.own for path in paths if path is not None and path.own is not None])
        take_metadata = _taker([path.key for path in paths if path is not None and path.own is None])
        taken = sorted(range(len(paths)), key=lambda index: paths[index].own is None)  # type: ignore[union-attr]
        places = {index: place for place, index in enumerate(taken)}
        arrange = _taker([places[index] for index in range(len(paths))])

        def first_values(record: Record) -> tuple[Any, ...]:
            return arrange(take_own(record) + take_metadata(record["metadata"]))

        return first_values


def _taker(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that takes these items out of a mapping or tuple, always as a tuple."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return (lambda items: (items[keys[0]],)) if keys else (lambda _items: ())


class KnownKeys:
    """The metadata keys of all memories of an export. Memories with the same keys share one `Keys`, which is cached."""

    _max_size = 1_000_000
    """The most characters of all keys in the cache."""

    def __init__(self) -> None:
        self._cache: dict[tuple[str, ...], Keys] = {}
        self._size = 0
        self.cleared = 0
        """How often the cache has been cleared. What others keep for its keys has to go then, too."""
        self._of_batch: dict[int, tuple[Any, Keys]] = {}
        """The metadata of the batch and their keys, by their id(), which stays theirs while they are here."""
        self.suggested: set[str] = set()
        """The keys seen so far that could be hints; some are left out if there are very many."""

    def of(self, metadata: dict[str, Any] | None) -> Keys:
        """Return the keys of a memory's metadata."""
        known = self._of_batch.get(id(metadata))
        if known is not None:
            return known[1]
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
        self._of_batch[id(metadata)] = metadata, keys
        return keys

    def end_batch(self) -> None:
        """Forget which metadata have which keys."""
        self._of_batch.clear()


class Plans:
    """Returns the plan for a memory. Memories with the same metadata keys share one, which is cached."""

    _max_size = 100_000
    """The most lookups of all plans in the cache."""

    def __init__(self, lookups: Sequence[Lookup], known: KnownKeys) -> None:
        self._lookups = lookups
        self._known = known
        self._cache: dict[Keys, Plan] = {}
        self._cleared = 0

    def of(self, record: Record) -> Plan:
        """Return the plan for a memory."""
        keys = self._known.of(record["metadata"])
        plan = self._cache.get(keys)
        if plan is None:
            # Otherwise the plans would keep the keys that were dropped.
            if self._cleared != self._known.cleared or len(self._cache) * (1 + len(self._lookups)) > self._max_size:
                self._cache.clear()
                self._cleared = self._known.cleared
            plan = self._cache[keys] = Plan(self._lookups, keys)
        return plan


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
