"""Filters: which memories. `F` writes them, `Filter` is the tree that it makes.

    (F.user_id == "alex") & (F.created_at >= date(2025, 1, 1)) & ~F.categories.in_("spam")

One tree has three readers: `to_dict` (the service), `local.match` (SQL of the embedded engine) and `repr`. Each field
offers only the operators that the service accepts. What Python would silently misread (`and`, `or`, `not`, chained
comparison, `== None`) raises FilterError and says what to write instead.

The grammar is that of the Mem0 Platform's filter documentation and of `components/schemas/Filters` in openapi.yaml.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from mem0_exports import _times
from mem0_exports.errors import FilterError


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["AllOf", "AnyOf", "Condition", "F", "Filter", "Not", "TimeLike", "all_of", "any_of"]

TimeLike: TypeAlias = datetime | date | str
"""An aware datetime, a date (its midnight UTC), or an ISO 8601 string (UTC where it has no offset)."""

ENTITY_FIELDS: Final = ("user_id", "agent_id", "app_id", "run_id")
TIME_FIELDS: Final = ("created_at", "updated_at", "timestamp", "expiration_date")


class Filter:
    """A condition on memories, or several joined by `&` (and), `|` (or) and `~` (not). Immutable."""

    __slots__ = ()

    def __and__(self, other: Filter) -> Filter:
        return all_of(self, other) if isinstance(other, Filter) else NotImplemented

    def __or__(self, other: Filter) -> Filter:
        return any_of(self, other) if isinstance(other, Filter) else NotImplemented

    def __invert__(self) -> Filter:
        return self.part if isinstance(self, Not) else Not(self)

    def __bool__(self) -> NoReturn:
        raise FilterError(
            "a filter has no truth value: write a & b for 'a and b', a | b for 'a or b', ~a for 'not a' (each with "
            "parentheses around comparisons), and F.created_at.between(start, end) for a chained comparison"
        )

    def to_dict(self) -> dict[str, Any]:
        """The form that the service takes: one AND at the root. A new dict each time."""
        parts = self.parts if isinstance(self, AllOf) else (self,)
        return {"AND": [part._to_node() for part in parts]}

    def _to_node(self) -> dict[str, Any]:
        raise NotImplementedError

    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> Filter:
        """The tree for a dict in any documented form: flat fields, AND, OR, NOT, several operators in one object.

        Raises FilterError, with the JSON pointer of the bad part, for what the service refuses or misreads.
        """
        from mem0_exports._filter_documents import parse  # noqa: PLC0415 -- not every user passes dicts

        return parse(document)

    def is_scoped(self) -> bool:
        """Whether an entity id is named positively, as the service demands: not only `exists`, `!=` or below `~`."""
        return False


class Condition(Filter):
    """One field, one operator, one value: a leaf of the tree. `key` is the metadata key, None for other fields."""

    __slots__ = ("field", "key", "operator", "value")

    def __init__(self, field: str, operator: str, value: Any, key: str | None = None) -> None:
        set_ = object.__setattr__
        set_(self, "field", field)
        set_(self, "operator", operator)
        set_(self, "value", value)
        set_(self, "key", key)

    field: str
    operator: str
    value: Any
    key: str | None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a filter does not change: {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str, ...]:
        # repr tells 1, 1.0 and True apart, as JSON does.
        return (self.field, self.operator, repr(self.value), repr(self.key))

    def _to_node(self) -> dict[str, Any]:
        value = [*self.value] if isinstance(self.value, tuple) else self.value
        if self.operator == "exists":
            return {self.field: "*"}
        written = value if self.operator == "eq" else {self.operator: value}
        return {self.field: written if self.key is None else {self.key: written}}

    def is_scoped(self) -> bool:
        """Whether this names an entity positively."""
        return self.field in ENTITY_FIELDS and self.operator in {"eq", "in"}

    def __repr__(self) -> str:
        name = f"F.{self.field}" if self.key is None else f"F.metadata[{self.key!r}]"
        symbol = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}.get(self.operator)
        if symbol is not None:
            return f"{name} {symbol} {self.value!r}"
        arguments = "" if self.value is None else repr(self.value)
        if isinstance(self.value, tuple):
            arguments = ", ".join(map(repr, self.value))
        return f"{name}.{'in_' if self.operator == 'in' else self.operator}({arguments})"


class _Joined(Filter):
    """Several filters, two or more."""

    __slots__ = ("parts",)
    parts: tuple[Filter, ...]
    _word = ""
    _symbol = ""

    def __init__(self, parts: Iterable[Filter]) -> None:
        flat: list[Filter] = []
        for part in parts:
            flat += part.parts if isinstance(part, type(self)) else (part,)
        object.__setattr__(self, "parts", tuple(flat))

    __setattr__ = Condition.__setattr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash((self._word, self.parts))

    def _to_node(self) -> dict[str, Any]:
        return {self._word: [part._to_node() for part in self.parts]}

    def is_scoped(self) -> bool:
        return any(part.is_scoped() for part in self.parts)

    def __repr__(self) -> str:
        return f" {self._symbol} ".join(
            f"({part!r})" if _needs_parentheses(part) else repr(part) for part in self.parts
        )


class AllOf(_Joined):
    """All of `parts` hold."""

    __slots__ = ()
    _word, _symbol = "AND", "&"


class AnyOf(_Joined):
    """At least one of `parts` holds."""

    __slots__ = ()
    _word, _symbol = "OR", "|"


class Not(Filter):
    """`part` does not hold."""

    __slots__ = ("part",)
    part: Filter

    def __init__(self, part: Filter) -> None:
        object.__setattr__(self, "part", part)

    __setattr__ = Condition.__setattr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Not) and self.part == other.part

    def __hash__(self) -> int:
        return hash(("NOT", self.part))

    def _to_node(self) -> dict[str, Any]:
        return {"NOT": self.part._to_node()}

    def __repr__(self) -> str:
        return f"~({self.part!r})" if _needs_parentheses(self.part) else f"~{self.part!r}"


def _needs_parentheses(part: Filter) -> bool:
    return isinstance(part, _Joined) or (isinstance(part, Condition) and not repr(part).endswith(")"))


def all_of(*filters: Filter) -> Filter:
    """All of these hold; at least one filter."""
    return _join(AllOf, filters)


def any_of(*filters: Filter) -> Filter:
    """At least one of these holds; at least one filter."""
    return _join(AnyOf, filters)


def checked(where: Filter | Mapping[str, Any]) -> Filter:
    """`where` as a filter that the service accepts: a dict is read, and an entity has to be named positively."""
    found = where if isinstance(where, Filter) else Filter.from_dict(where)
    if not found.is_scoped():
        raise FilterError(
            "filters must name at least one user_id, agent_id, app_id or run_id with == or in_; exists(), != and "
            "what stands below ~ do not count. To cover everybody, go through client.entities.list()"
        )
    return found


def _join(kind: type[_Joined], filters: tuple[Filter, ...]) -> Filter:
    for each in filters:
        if not isinstance(each, Filter):
            raise FilterError(f"expected filters such as F.user_id == 'alex', got {type(each).__name__}")
    if not filters:
        raise FilterError(f"{'all_of' if kind is AllOf else 'any_of'}() needs at least one filter")
    return filters[0] if len(filters) == 1 else kind(filters)


# ---- the fields ------------------------------------------------------------------------------------------------------


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

    def _text(self, value: object) -> str:
        if value is None:
            raise FilterError(
                f"F.{self._name} cannot be compared with None: to ask for memories without one, write "
                f"~F.{self._name}.exists() where the field has exists()"
            )
        if not isinstance(value, str) or not value:
            raise FilterError(f"F.{self._name} takes a string that is not empty, got {value!r}")
        return value

    def _texts(self, values: tuple[str, ...]) -> tuple[str, ...]:
        if not values:
            raise FilterError(f"F.{self._name}.in_() needs at least one value: with none it would match nothing")
        return tuple(self._text(value) for value in values)


class EntityField(_Field):
    """A user, agent, app or run: `==`, `!=`, `in_`, `exists`."""

    __slots__ = ()

    def _id(self, value: object) -> str:
        if value == "*":
            raise FilterError(f"'*' means any {self._name}: write F.{self._name}.exists()")
        return self._text(value)

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
    """A point in time: `<`, `<=`, `>`, `>=`, `==`, `!=`, `in_`, `between`."""

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


class CategoriesField(_Field):
    """The categories: `in_`, `contains`."""

    __slots__ = ()

    def in_(self, *values: str) -> Filter:
        """Has one of these categories, spelled exactly so."""
        return Condition(self._name, "in", self._texts(values))

    def contains(self, value: str) -> Filter:
        """Has this category, upper and lower case being the same."""
        return Condition(self._name, "contains", self._text(value))


class KeywordsField(_Field):
    """The text of the memory: `contains`, `icontains`."""

    __slots__ = ()

    def contains(self, value: str) -> Filter:
        """The text contains this, upper and lower case being different."""
        return Condition(self._name, "contains", self._text(value))

    def icontains(self, value: str) -> Filter:
        """The text contains this, upper and lower case being the same."""
        return Condition(self._name, "icontains", self._text(value))


class MemoryIdsField(_Field):
    """The ids of memories: `in_`."""

    __slots__ = ()

    def in_(self, *values: str) -> Filter:
        """One of these memories."""
        return Condition(self._name, "in", self._texts(values))


class MetadataValue(_Field):
    """A metadata key of the top level: `==`, `!=`, `contains`."""

    __slots__ = ("_key",)

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
