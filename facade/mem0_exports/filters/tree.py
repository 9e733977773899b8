"""The filter tree: one tree with three readers, `to_dict` (the service), `local.match` (SQL) and `repr`.

What Python would silently misread (`and`, `or`, `not`, chained comparison) raises FilterError and says what to write
instead.
"""

from __future__ import annotations

import warnings

from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, TypeAlias

import attrs

from mem0_exports.errors import FilterError, FilterWarning
from mem0_exports.filters.rules import CAREFUL, FilterRules


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Where: TypeAlias = "Filter | Mapping[str, Any]"
"""Which memories: a filter made with `F`, or a dict in any form that the service documents."""

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
    def from_dict(document: Mapping[str, Any], rules: FilterRules = CAREFUL) -> Filter:
        """The tree for a dict in any documented form: flat fields, AND, OR, NOT, several operators in one object.

        Raises FilterError, with the JSON pointer of the bad part, for what the service refuses or misreads. `rules`
        decides where nobody documents what it does.
        """
        from mem0_exports.filters.parse import parse  # noqa: PLC0415 -- not every user passes dicts

        return parse(document, rules)

    def conditions(self) -> Iterator[Condition]:
        """The leaves of the tree."""
        raise NotImplementedError

    def is_scoped(self) -> bool:
        """Whether an entity id is named positively, as the service demands: not only `exists`, `!=` or below `~`."""
        return False


@attrs.frozen(slots=True, repr=False)
class Condition(Filter):
    """One field, one operator, one value: a leaf of the tree."""

    field: str
    operator: str
    value: Any = attrs.field(eq=repr)  # repr tells 1, 1.0 and True apart, as JSON does
    key: str | None = None
    """The metadata key; None for other fields."""

    def _to_node(self) -> dict[str, Any]:
        value = [*self.value] if isinstance(self.value, tuple) else self.value
        if self.operator == "exists":
            return {self.field: "*"}
        written = value if self.operator == "eq" else {self.operator: value}
        return {self.field: written if self.key is None else {self.key: written}}

    def conditions(self) -> Iterator[Condition]:
        """The condition itself."""
        yield self

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
    """Several filters, two or more, none of them of the same kind: `_join` flattens."""

    __slots__ = ()
    parts: tuple[Filter, ...]
    _word: ClassVar[str]
    _symbol: ClassVar[str]

    def _to_node(self) -> dict[str, Any]:
        return {self._word: [part._to_node() for part in self.parts]}

    def conditions(self) -> Iterator[Condition]:
        """Those of the parts."""
        for part in self.parts:
            yield from part.conditions()

    def is_scoped(self) -> bool:
        """Whether one of the parts names an entity positively."""
        return any(part.is_scoped() for part in self.parts)

    def __repr__(self) -> str:
        return f" {self._symbol} ".join(
            f"({part!r})" if _needs_parentheses(part) else repr(part) for part in self.parts
        )


@attrs.frozen(slots=True, repr=False)
class AllOf(_Joined):
    """All of `parts` hold."""

    parts: tuple[Filter, ...]
    _word: ClassVar[str] = "AND"
    _symbol: ClassVar[str] = "&"


@attrs.frozen(slots=True, repr=False)
class AnyOf(_Joined):
    """At least one of `parts` holds."""

    parts: tuple[Filter, ...]
    _word: ClassVar[str] = "OR"
    _symbol: ClassVar[str] = "|"


@attrs.frozen(slots=True, repr=False)
class Not(Filter):
    """`part` does not hold."""

    part: Filter

    def conditions(self) -> Iterator[Condition]:
        """Those of the part."""
        yield from self.part.conditions()

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


def checked(where: Where, rules: FilterRules | None = None) -> Filter:
    """`where` as a filter that the service accepts: a dict is read, and an entity has to be named positively."""
    rules = rules or CAREFUL
    found = where if isinstance(where, Filter) else Filter.from_dict(where, rules)
    try:
        scoped = found.is_scoped()
    except RecursionError:
        raise FilterError("filters are nested too deep") from None
    if rules.two_entities != "allow" and isinstance(found, AllOf):
        _check_two_entities(found, rules)
    if not scoped and rules.scope == "required":
        raise FilterError(
            "filters must name at least one user_id, agent_id, app_id or run_id with == or in_; exists(), != and "
            "what stands below ~ do not count. To cover everybody, go through client.entities.list()"
        )
    return found


def _check_two_entities(found: AllOf, rules: FilterRules) -> None:
    named = {part.field for part in found.parts if isinstance(part, Condition) and part.is_scoped()}
    if not {"user_id", "agent_id"} <= named:
        return
    message = (
        "user_id AND agent_id: the Platform gives each memory that it extracts to one of the two, so that both together "
        "select nothing. Write (F.user_id == ...) | (F.agent_id == ...), or set FilterRules(two_entities='allow') for "
        "memories that were stored with both"
    )
    if rules.two_entities == "refuse":
        raise FilterError(message)
    warnings.warn(message, FilterWarning, stacklevel=2)


def _join(kind: type[AllOf | AnyOf], filters: tuple[Filter, ...]) -> Filter:
    for each in filters:
        if not isinstance(each, Filter):
            raise FilterError(f"expected filters such as F.user_id == 'alex', got {type(each).__name__}")
    if not filters:
        raise FilterError(f"{'all_of' if kind is AllOf else 'any_of'}() needs at least one filter")
    if len(filters) == 1:
        return filters[0]
    flat: list[Filter] = []
    for each in filters:
        flat += each.parts if isinstance(each, kind) else (each,)
    return kind(tuple(flat))
