"""The filter tree: one tree with three readers, `to_dict` (the service), a store's SQL, and `repr`.

What Python would silently misread (`and`, `or`, `not`, chained comparison) raises FilterError and says what to write
instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

import attrs

from mem0_exports.errors import FilterError
from mem0_exports.facts import ENTITY_FIELDS
from mem0_exports.filters.parse import Nodes, parse
from mem0_exports.filters.rules import CAREFUL, FilterRules


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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
        return parse(document, rules, _NODES)

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


_NODES: Final = Nodes[Filter](Condition, lambda parts: all_of(*parts), lambda parts: any_of(*parts), Not)


def restore(document: Mapping[str, Any]) -> Filter:
    """Return the tree that `to_dict` wrote down. Trusts it: nothing is checked, and it may be nested to any depth.

    `from_dict` limits how deep strangers may nest filters; what it accepted may be written a little deeper than it was
    read, as each list below NOT becomes an OR of its own.
    """
    ((name, value),) = document.items()
    if name in {"AND", "OR"}:
        parts = [restore(each) for each in value]
        return all_of(*parts) if name == "AND" else any_of(*parts)
    if name == "NOT":
        return Not(restore(value))
    key: str | None = None
    if name == "metadata":
        ((key, value),) = value.items()
    elif value == "*":
        return Condition(name, "exists", None)
    operator, operand = next(iter(value.items())) if isinstance(value, dict) else ("eq", value)
    return Condition(name, operator, tuple(operand) if isinstance(operand, list) else operand, key)
