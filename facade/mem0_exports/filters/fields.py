"""`F`, the fields of a memory: compare them to write a filter.

    (F.user_id == "alex") & (F.created_at >= date(2025, 1, 1)) & ~F.categories.in_("spam")

Each field has only the operators that the service accepts, and raises FilterError for a value that the service would
refuse or misread. The sources are the Mem0 Platform's filter documentation and `components/schemas/Filters` in
openapi.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, TypeAlias, overload

from mem0_exports.errors import FilterError
from mem0_exports.filters import times as _times
from mem0_exports.filters.tree import AllOf, AnyOf, Condition, Filter, Not, all_of, any_of


__all__ = ["AllOf", "AnyOf", "Condition", "F", "Filter", "Not", "TimeLike", "all_of", "any_of"]

TimeLike: TypeAlias = datetime | date | str
"""An aware datetime, a date (meaning midnight UTC), or an ISO 8601 string (UTC if it has no offset)."""


class _Field:
    """A field of a memory. Compare it with a value to get a filter."""

    __slots__ = ("_name",)
    __hash__ = None  # type: ignore[assignment]  # == makes a filter, so a field cannot be a dict key

    def __init__(self, name: str) -> None:
        self._name = name

    def __bool__(self) -> NoReturn:
        raise FilterError(f"F.{self._name} is a field, not a filter: compare it with a value; {self._offers}")

    def __repr__(self) -> str:
        return f"F.{self._name}"

    if not TYPE_CHECKING:  # hidden from type checkers, so that they report every use of these operators

        def _refuse(self, _value: object) -> NoReturn:
            raise FilterError(f"{self!r} does not have this operator; {self._offers}")

        __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
        __hash__ = None

        def _refuse_joining(self, _other: object) -> NoReturn:
            raise _bare_field(self)

        # Reached from `F.user_id == "a" & F.run_id == "b"`, where Python evaluates `"a" & F.run_id` first.
        __and__ = __rand__ = __or__ = __ror__ = _refuse_joining

        def __invert__(self) -> NoReturn:
            raise _bare_field(self)

    @property
    def _offers(self) -> str:
        return f"use one of {', '.join(self._operators)}"

    _operators: ClassVar[tuple[str, ...]] = ()

    def _text(self, value: object) -> str:
        if value is None:
            raise FilterError(
                f"F.{self._name} cannot be compared with None; for memories without this field, write "
                f"~F.{self._name}.exists() (only user_id, agent_id, app_id and run_id have exists())"
            )
        if not isinstance(value, str) or not value:
            raise FilterError(f"F.{self._name} must be compared with a non-empty string, got {value!r}")
        return str.__str__(value)  # turns a member of a string enum into its value

    def _texts(self, values: tuple[object, ...]) -> tuple[str, ...]:
        return tuple(self._text(value) for value in self._listed(values))

    def _listed(self, values: tuple[object, ...]) -> tuple[object, ...]:
        """Return the values of `in_`, which are passed one by one or as one iterable."""
        if len(values) == 1 and isinstance(values[0], Iterable) and not isinstance(values[0], str | bytes | Mapping):
            # The order of a set differs between processes, and a ledger must find the export of the same filter again.
            values = tuple(sorted(values[0], key=repr) if isinstance(values[0], AbstractSet) else values[0])
        if not values:
            raise FilterError(f"F.{self._name}.in_() needs at least one value; with none it would match nothing")
        return values


def _bare_field(field: object) -> FilterError:
    """Return the error for a field, instead of a filter, beside `&`, `|` or `~`."""
    return FilterError(
        f"{field!r} is a field, not a filter. & and | bind more tightly than comparisons, so put parentheses around each "
        'comparison: (F.user_id == "alex") & (F.run_id == "r1")'
    )


class EntityField(_Field):
    """The id of a user, agent, app or run. Has `==`, `!=`, `in_()` and `exists()`."""

    __slots__ = ()
    _operators = ("== id", "!= id", "in_(id, ...)", "exists()")

    def _id(self, value: object) -> str:
        text = self._text(value)
        if text == "*":
            raise FilterError(
                f"F.{self._name} cannot be compared with '*'; for any {self._name}, write F.{self._name}.exists(), "
                "joined by & with a condition that names an entity"
            )
        return text

    def __eq__(self, value: str) -> Filter:  # type: ignore[override]
        return Condition(self._name, "eq", self._id(value))

    def __ne__(self, value: str) -> Filter:  # type: ignore[override]
        """Match memories with any other id, or without one."""
        return Condition(self._name, "ne", self._id(value))

    @overload
    def in_(self, *values: str) -> Filter: ...
    @overload
    def in_(self, values: Iterable[str], /) -> Filter: ...
    def in_(self, *values: object) -> Filter:
        """Match memories with one of these ids: `F.user_id.in_("alex", "kim")` or `F.user_id.in_(["alex", "kim"])`."""
        return Condition(self._name, "in", tuple(self._id(value) for value in self._listed(values)))

    def exists(self) -> Filter:
        """Match memories with any id. This does not count as naming an entity, which every filter must do."""
        return Condition(self._name, "exists", None)


class TimeField(_Field):
    """A point in time. Has `<`, `<=`, `>`, `>=`, `==`, `!=`, `in_()`, `between()` and `last()`."""

    __slots__ = ()
    _operators = ("<", "<=", ">", ">=", "==", "!=", "in_(time, ...)", "between(start, end)", "last(days=30)")

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
        """Match memories with any other time, or without one."""
        return Condition(self._name, "ne", self._time(value))

    @overload
    def in_(self, *values: TimeLike) -> Filter: ...
    @overload
    def in_(self, values: Iterable[TimeLike], /) -> Filter: ...
    def in_(self, *values: object) -> Filter:
        """Match memories with exactly one of these times, which are passed one by one or as one list."""
        return Condition(self._name, "in", tuple(self._time(value) for value in self._listed(values)))

    def between(self, start: TimeLike, end: TimeLike) -> Filter:
        """Match times from `start` (included) to `end` (excluded)."""
        return (self >= start) & (self < end)

    def last(self, *, weeks: float = 0, days: float = 0, hours: float = 0, minutes: float = 0) -> Filter:
        """Match times that are at most this long before the call: `F.created_at.last(days=30)`."""
        given = {"weeks": weeks, "days": days, "hours": hours, "minutes": minutes}
        for name, value in given.items():
            if not isinstance(value, int | float) or value != value:  # noqa: PLR0124 -- only NaN differs from itself
                raise FilterError(f"F.{self._name}.last() needs a number of {name}, such as {name}=30, got {value!r}")
        try:
            length = timedelta(**given)
            start = datetime.now(UTC) - length
        except OverflowError:
            passed = ", ".join(f"{name}={value}" for name, value in given.items() if value)
            raise FilterError(
                f"F.{self._name}.last({passed}) reaches further than the calendar, which begins in the year 1; write a "
                "shorter time, or leave the condition out"
            ) from None
        if length <= timedelta():
            raise FilterError(f"F.{self._name}.last() needs a duration above 0, such as last(days=30), got {length}")
        return self >= start


class CategoriesField(_Field):
    """The categories of a memory. Has `in_()` and `contains()`."""

    __slots__ = ()
    _operators = ("in_(name, ...)", "contains(name)")

    @overload
    def in_(self, *values: str) -> Filter: ...
    @overload
    def in_(self, values: Iterable[str], /) -> Filter: ...
    def in_(self, *values: object) -> Filter:
        """Match memories that have at least one of these categories, with exactly this spelling."""
        return Condition(self._name, "in", self._texts(values))

    def contains(self, value: str) -> Filter:
        """Match memories that have this category, ignoring case."""
        return Condition(self._name, "contains", self._text(value))


class KeywordsField(_Field):
    """The text of a memory. Has `contains()` and `icontains()`."""

    __slots__ = ()
    _operators = ("contains(text)", "icontains(text)")

    def contains(self, value: str) -> Filter:
        """Match memories whose text contains `value`, with the same case."""
        return Condition(self._name, "contains", self._text(value))

    def icontains(self, value: str) -> Filter:
        """Match memories whose text contains `value`, ignoring case."""
        return Condition(self._name, "icontains", self._text(value))


class MemoryIdsField(_Field):
    """The id of a memory. Has `in_()`."""

    __slots__ = ()
    _operators = ("in_(id, ...)",)

    @overload
    def in_(self, *values: str) -> Filter: ...
    @overload
    def in_(self, values: Iterable[str], /) -> Filter: ...
    def in_(self, *values: object) -> Filter:
        """Match the memories with these ids, which are passed one by one or as one list."""
        return Condition(self._name, "in", self._texts(values))


class MetadataValue(_Field):
    """The value of a top-level metadata key. Has `==`, `!=` and `contains()`."""

    __slots__ = ("_key",)
    _operators = ("== value", "!= value", "contains(text)")

    def __init__(self, key: str) -> None:
        super().__init__("metadata")
        self._key = key

    def __repr__(self) -> str:
        return f"F.metadata[{self._key!r}]"

    def _value(self, value: object) -> object:
        if value is None:
            raise FilterError(f"{self!r} cannot be compared with None; the service has no test for a missing key")
        if not isinstance(value, str | int | float | bool):
            raise FilterError(f"{self!r} must be compared with a string, number or boolean, got {type(value).__name__}")
        return value

    def __eq__(self, value: str | float | bool) -> Filter:  # type: ignore[override]
        return Condition("metadata", "eq", self._value(value), self._key)

    def __ne__(self, value: str | float | bool) -> Filter:  # type: ignore[override]
        """Match memories with any other value for the key, or without the key."""
        return Condition("metadata", "ne", self._value(value), self._key)

    def contains(self, value: str) -> Filter:
        """Match memories whose value is a string that contains `value`, or a list with `value` as an item."""
        return Condition("metadata", "contains", self._text(value), self._key)


class MetadataField:
    """The metadata of a memory. Index it by key and compare: `F.metadata["city"] == "Lisbon"`."""

    __slots__ = ()
    __iter__ = None  # without these two, `in` would loop over the keys 0, 1, 2, ... forever
    __contains__ = None

    if not TYPE_CHECKING:

        def _refuse(self, _value: object) -> NoReturn:
            raise FilterError("F.metadata has no operators of its own; name a key: F.metadata['city'] == 'Lisbon'")

        __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
        __hash__ = None

        def _refuse_joining(self, _other: object) -> NoReturn:
            raise _bare_field(self)

        __and__ = __rand__ = __or__ = __ror__ = _refuse_joining

        def __invert__(self) -> NoReturn:
            raise _bare_field(self)

    def __getitem__(self, key: str) -> MetadataValue:
        if not isinstance(key, str) or not key:
            raise FilterError(f"a metadata key must be a non-empty string, got {key!r}")
        return MetadataValue(key)

    def __repr__(self) -> str:
        return "F.metadata"


_TEXT: Final = 'F.keywords.icontains("...") for memories whose text contains a word'
_INSTEAD: Final = {
    **dict.fromkeys(("memory", "text", "content", "keyword"), _TEXT),
    **dict.fromkeys(("id", "memory_id", "ids"), 'F.memory_ids.in_("...")'),
    **dict.fromkeys(("session_id", "run", "session"), 'F.run_id == "..."'),
    **{kind: f'F.{kind}_id == "..."' for kind in ("user", "agent", "app")},
    "category": 'F.categories.in_("...")',
    "created": "F.created_at",
    "updated": "F.updated_at",
}
"""What to write for names that people try. Some of them are names of memories' fields."""


class _Fields:
    """The fields that a filter can compare, as attributes of `F`."""

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

    if not TYPE_CHECKING:  # type checkers see the fields above; a __getattr__ would make them accept any name

        def __getattr__(self, name: str) -> NoReturn:
            if name in _INSTEAD:
                raise AttributeError(f"F has no field {name!r}; write {_INSTEAD[name]}")
            fields = ", ".join(sorted(field for field in vars(_Fields) if not field.startswith("_")))
            raise AttributeError(
                f"F has no field {name!r}; the fields are {fields}. For a metadata key, write F.metadata[{name!r}]"
            )

    def __repr__(self) -> str:
        return "F"


F: Final = _Fields()
"""The fields of a memory. Compare one to get a filter: `F.user_id == "alex"`, `F.created_at.last(days=30)`."""
