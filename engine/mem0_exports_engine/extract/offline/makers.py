"""Make one record of a list from one memory, value by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from mem0_exports_engine.extract.offline.lookup import Lookup, Plans, first_fit, values
from mem0_exports_engine.extract.offline.mismatch import Mismatch
from mem0_exports_engine.extract.offline.values import MISSING


if TYPE_CHECKING:
    from mem0_exports_engine.extract.offline.fit import Shape
    from mem0_exports_engine.extract.offline.free_names import FreeNames
    from mem0_exports_engine.extract.offline.memories import Keys, KnownKeys
    from mem0_exports_engine.ports import Record

_NOTHING: Final = "the memory has no value for any field of the record"


class Required:
    """The type of REQUIRED."""


REQUIRED: Final = Required()
"""Means that a record without a value is left out."""


class Note(NamedTuple):
    """A field of a record that got no value."""

    lookup: Lookup | None
    """The field; None for a metadata key that is not declared."""
    value: Any = None
    """The value that does not fit, if there is one."""
    error: Mismatch | None = None
    """Why it does not fit."""


class Made(NamedTuple):
    """The record that was made from a memory, or why there is none."""

    record: Record | None
    problem: str | None
    """Why there is no record."""
    notes: list[Note]
    is_about: bool
    """Whether the memory has any of the values. If not, it is about something else than the records of the list."""

    @property
    def is_exact(self) -> bool:
        """Whether there is a record, and no value was left out of it."""
        return self.record is not None and all(note.error is None for note in self.notes)


class Maker(Protocol):
    """Makes records of one kind."""

    @property
    def lookups(self) -> list[Lookup]:
        """The lookups of the declared fields."""
        ...

    def make(self, record: Record, keys: Keys, item: Shape) -> Made:
        """Make a record from a memory with these metadata keys. `item` is the shape that it has to match."""
        ...


class PropertyMaker:
    """Makes records with declared properties. Implements `Maker`."""

    def __init__(self, shape: Shape, known: KnownKeys) -> None:
        self.shapes = [*shape.properties.values()]
        self.lookups = [Lookup(name, each) for name, each in shape.properties.items()]
        self.plans = Plans(self.lookups, known)
        self.defaults = [
            _default_for(each) if name in shape.required else MISSING for name, each in shape.properties.items()
        ]

    def make(self, record: Record, keys: Keys, item: Shape) -> Made:
        """See `Maker.make`."""
        filled: Record = {}
        notes: list[Note] = []
        found = [values(steps, record) for steps in self.plans.of(keys).steps]
        is_about = any(found)
        for lookup, shape, candidates, instead in zip(self.lookups, self.shapes, found, self.defaults, strict=True):
            if candidates:
                try:
                    filled[lookup.name] = first_fit(shape, candidates)
                    continue
                except Mismatch as error:
                    notes.append(Note(lookup, candidates[0], error))
            else:
                notes.append(Note(lookup))
            if instead is REQUIRED:
                problem = f"the memory has no value for the required field {lookup.name}"
                return Made(None, problem, notes, is_about)
            if instead is not MISSING:
                filled[lookup.name] = instead
        return _checked(filled, item, notes, is_about=is_about)


class FreeMaker:
    """Makes records of schemas that name no properties: a record has the metadata of its memory. Implements `Maker`."""

    def __init__(self, names: FreeNames) -> None:
        self._names = names
        self.lookups: list[Lookup] = []

    def make(self, record: Record, keys: Keys, item: Shape) -> Made:
        """See `Maker.make`."""
        filled: Record = {}
        notes: list[Note] = []
        try:
            wanted = self._names.wanted(record["metadata"])
        except Mismatch as error:
            return Made(None, str(error), notes, is_about=True)
        for key, value, shape in wanted:
            try:
                filled[key] = shape.fit(value)
            except Mismatch as error:
                notes.append(Note(None, value, error))
        return _checked(filled, item, notes, is_about=bool(wanted))


def _checked(filled: Record, item: Shape, notes: list[Note], *, is_about: bool) -> Made:
    if not filled:
        return Made(None, _NOTHING, notes, is_about)
    problem = item.problem(filled)
    if problem is not None:
        return Made(None, f"the record does not match its schema: {problem}", notes, is_about)
    return Made(filled, None, notes, is_about)


def _default_for(shape: Shape) -> Any:
    """Return what a required property gets if it has no value: null or [] if the schema allows it, else REQUIRED."""
    if shape.nullable:
        return None
    return [] if shape.kinds == {"array"} and shape.problem([]) is None else REQUIRED
