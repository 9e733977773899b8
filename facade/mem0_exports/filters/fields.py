"""Filters: which memories. `F` writes them, `Filter` is the tree that it makes.

    (F.user_id == "alex") & (F.created_at >= date(2025, 1, 1)) & ~F.categories.in_("spam")

Each field offers only the operators that the service accepts, and raises FilterError for values that it would refuse or
misread. The grammar is that of the Mem0 Platform's filter documentation and of `components/schemas/Filters` in
openapi.yaml.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, TypeAlias

from mem0_exports.errors import FilterError
from mem0_exports.filters import times as _times
from mem0_exports.filters.tree import AllOf, AnyOf, Condition, Filter, Not, all_of, any_of


__all__ = ["AllOf", "AnyOf", "Condition", "F", "Filter", "Not", "TimeLike", "all_of", "any_of"]

TimeLike: TypeAlias = datetime | date | str
"""An aware datetime, a date (its midnight UTC), or an ISO 8601 string (UTC where it has no offset)."""


class _Field:
    """A field of a memory. Compare it to make a filter."""

    __slots__ = ("_name",)
    __hash__ = None  # type: ignore[assignment]  # == makes a filter, so a field cannot be a dict key

    def __init__(self, name: str) -> None:
        self._name = name

    def __bool__(self) -> NoReturn:
        raise FilterError(f"F.{self._name} alone is no filter; compare it with something")

    def __repr__(self) -> str:
        return f"F.{self._name}"

    if not TYPE_CHECKING:  # type checkers are to find that a field has no such operator

        def _refuse(self, _value: object) -> NoReturn:
            raise FilterError(f"{self!r} is not compared so; {self._offers}")

        __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
        __hash__ = None

    @property
    def _offers(self) -> str:
        return f"write one of {', '.join(self._operators)}"

    _operators: ClassVar[tuple[str, ...]] = ()

    def _text(self, value: object) -> str:
        if value is None:
            raise FilterError(
                f"F.{self._name} cannot be compared with None: to ask for memories without one, write "
                f"~F.{self._name}.exists() where the field has exists()"
            )
        if not isinstance(value, str) or not value:
            raise FilterError(f"F.{self._name} takes a string that is not empty, got {value!r}")
        return str.__str__(value)  # of an enum of strings, the string

    def _texts(self, values: tuple[str, ...]) -> tuple[str, ...]:
        if not values:
            raise FilterError(f"F.{self._name}.in_() needs at least one value: with none it would match nothing")
        return tuple(self._text(value) for value in values)


class EntityField(_Field):
    """A user, agent, app or run: `==`, `!=`, `in_`, `exists`."""

    __slots__ = ()
    _operators = ("== id", "!= id", "in_(id, ...)", "exists()")

    def _id(self, value: object) -> str:
        text = self._text(value)
        if text == "*":
            raise FilterError(f"'*' means any {self._name}: write F.{self._name}.exists()")
        return text

    def __eq__(self, value: str) -> Filter:  # type: ignore[override]
        return Condition(self._name, "eq", self._id(value))

    def __ne__(self, value: str) -> Filter:  # type: ignore[override]
        """Anything but this id; a memory without such an id matches too."""
        return Condition(self._name, "ne", self._id(value))

    def in_(self, *values: str) -> Filter:
        """One of these ids."""
        return Condition(self._name, "in", tuple(self._id(value) for value in self._texts(values)))

    def exists(self) -> Filter:
        """Any id at all. Does not count as naming an entity, which every filter has to do once."""
        return Condition(self._name, "exists", None)


class TimeField(_Field):
    """A point in time: `<`, `<=`, `>`, `>=`, `==`, `!=`, `in_`, `between`, `last`."""

    __slots__ = ()

    def _time(self, value: object) -> str:
        return _times.to_wire(value, f"F.{self._name}")

    def __lt__(self, value: TimeLike) -> Filter:
        return Condition(self._name, "lt", self._time(value))

    def __le__(self, value: TimeLike) -> Filter:
        return Condition(self._name, "lte", self._time(value))

    def __gt__(self, value: TimeLike) -> Filter:
        return Condition(self._name, "gt", self._time(value))

    def __ge__(self, value: TimeLike) -> Filter:
        return Condition(self._name, "gte", self._time(value))

    def __eq__(self, value: TimeLike) -> Filter:  # type: ignore[override]
        return Condition(self._name, "eq", self._time(value))

    def __ne__(self, value: TimeLike) -> Filter:  # type: ignore[override]
        """At another time; a memory without this time matches too."""
        return Condition(self._name, "ne", self._time(value))

    def in_(self, *values: TimeLike) -> Filter:
        """At one of these times."""
        if not values:
            raise FilterError(f"F.{self._name}.in_() needs at least one value: with none it would match nothing")
        return Condition(self._name, "in", tuple(self._time(value) for value in values))

    def between(self, start: TimeLike, end: TimeLike) -> Filter:
        """From `start` (included) to `end` (excluded)."""
        return (self >= start) & (self < end)

    def last(self, *, weeks: float = 0, days: float = 0, hours: float = 0, minutes: float = 0) -> Filter:
        """Since so long before now, the moment in which this is called: `F.created_at.last(days=30)`."""
        length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
        if length <= timedelta():
            raise FilterError(f"F.{self._name}.last() needs a length above 0, such as last(days=30)")
        return self >= datetime.now(UTC) - length


class CategoriesField(_Field):
    """The categories: `in_`, `contains`."""

    __slots__ = ()
    _operators = ("in_(name, ...)", "contains(name)")

    def in_(self, *values: str) -> Filter:
        """Has one of these categories, spelled exactly so."""
        return Condition(self._name, "in", self._texts(values))

    def contains(self, value: str) -> Filter:
        """Has this category, upper and lower case being the same."""
        return Condition(self._name, "contains", self._text(value))


class KeywordsField(_Field):
    """The text of the memory: `contains`, `icontains`."""

    __slots__ = ()
    _operators = ("contains(text)", "icontains(text)")

    def contains(self, value: str) -> Filter:
        """The text contains this, upper and lower case being different."""
        return Condition(self._name, "contains", self._text(value))

    def icontains(self, value: str) -> Filter:
        """The text contains this, upper and lower case being the same."""
        return Condition(self._name, "icontains", self._text(value))


class MemoryIdsField(_Field):
    """The ids of memories: `in_`."""

    __slots__ = ()
    _operators = ("in_(id, ...)",)

    def in_(self, *values: str) -> Filter:
        """One of these memories."""
        return Condition(self._name, "in", self._texts(values))


class MetadataValue(_Field):
    """A metadata key of the top level: `==`, `!=`, `contains`."""

    __slots__ = ("_key",)
    _operators = ("== value", "!= value", "contains(text)")

    def __init__(self, key: str) -> None:
        super().__init__("metadata")
        self._key = key

    def __repr__(self) -> str:
        return f"F.metadata[{self._key!r}]"

    def _value(self, value: object) -> object:
        if value is None:
            raise FilterError(f"{self!r} cannot be compared with None: the service has no test for a missing key")
        if not isinstance(value, str | int | float | bool):
            raise FilterError(f"{self!r} takes a string, number or boolean, got {type(value).__name__}")
        return value

    def __eq__(self, value: str | float | bool) -> Filter:  # type: ignore[override]
        return Condition("metadata", "eq", self._value(value), self._key)

    def __ne__(self, value: str | float | bool) -> Filter:  # type: ignore[override]
        """Another value; a memory without this key matches too."""
        return Condition("metadata", "ne", self._value(value), self._key)

    def contains(self, value: str) -> Filter:
        """The value is a text that contains this, or a list with this in it."""
        return Condition("metadata", "contains", self._text(value), self._key)


class MetadataField:
    """The metadata: `F.metadata["city"] == "Lisbon"`."""

    __slots__ = ()
    __iter__ = None  # without these two, `in` would go through keys 0, 1, 2 ...
    __contains__ = None

    if not TYPE_CHECKING:

        def _refuse(self, _value: object) -> NoReturn:
            raise FilterError("F.metadata alone is not compared; name a key: F.metadata['city'] == 'Lisbon'")

        __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
        __hash__ = None

    def __getitem__(self, key: str) -> MetadataValue:
        if not isinstance(key, str) or not key:
            raise FilterError(f"a metadata key is a string that is not empty, got {key!r}")
        return MetadataValue(key)

    def __repr__(self) -> str:
        return "F.metadata"


class _Fields:
    """The fields that filters know, as attributes of `F`."""

    __slots__ = ()

    user_id: Final = EntityField("user_id")
    agent_id: Final = EntityField("agent_id")
    app_id: Final = EntityField("app_id")
    run_id: Final = EntityField("run_id")
    created_at: Final = TimeField("created_at")
    updated_at: Final = TimeField("updated_at")
    timestamp: Final = TimeField("timestamp")
    expiration_date: Final = TimeField("expiration_date")
    categories: Final = CategoriesField("categories")
    metadata: Final = MetadataField()
    keywords: Final = KeywordsField("keywords")
    memory_ids: Final = MemoryIdsField("memory_ids")

    if not TYPE_CHECKING:  # type checkers know the fields, and are to call any other name an error

        def __getattr__(self, name: str) -> NoReturn:
            known = ", ".join(sorted(each for each in vars(_Fields) if not each.startswith("_")))
            raise AttributeError(f"filters know no field {name!r}; they know {known}. Metadata is F.metadata[{name!r}]")

    def __repr__(self) -> str:
        return "F"


F: Final = _Fields()
"""The fields of a memory: `F.user_id == "alex"`."""
