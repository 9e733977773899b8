"""The filter tree: conditions joined by and, or and not. It is sent as a dict; the embedded engine turns it into SQL.

Python would silently drop part of a filter written with `and`, `or`, `not` or a chained comparison. These raise
FilterError, and the message says what to write instead.
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
    """A condition on memories, or several joined by `&` (and), `|` (or) and `~` (not). Immutable, hashable, picklable.

    where = (F.user_id == "alex") & ~F.categories.in_("spam")
    """

    __slots__ = ()

    def __and__(self, other: Filter) -> Filter:
        return all_of(self, other) if isinstance(other, Filter) else NotImplemented

    def __or__(self, other: Filter) -> Filter:
        return any_of(self, other) if isinstance(other, Filter) else NotImplemented

    def __invert__(self) -> Filter:
        return self.part if isinstance(self, Not) else Not(self)

    def __bool__(self) -> NoReturn:
        raise FilterError(
            "a filter has no truth value: write a & b for 'a and b', a | b for 'a or b', ~a for 'not a' (with "
            "parentheses around each comparison), and F.created_at.between(start, end) for a chained comparison"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the filter as the dict that the service accepts, with one AND at the root. A new dict each time.

        `(F.user_id == "alex").to_dict()` returns `{"AND": [{"user_id": "alex"}]}`.
        """
        parts = self.parts if isinstance(self, AllOf) else (self,)
        return {"AND": [part._to_node() for part in parts]}

    def _to_node(self) -> dict[str, Any]:
        raise NotImplementedError

    @staticmethod
    def from_dict(document: Mapping[str, Any], rules: FilterRules = CAREFUL) -> Filter:
        """Parse a filter dict in any form that the Platform documents: flat fields, AND, OR, NOT, objects of operators.

            Filter.from_dict({"user_id": "alex", "created_at": {"gte": "2025-01-01"}})

        `rules` decides what the documentation leaves open. Raises FilterError, with the JSON pointer of the bad part in
        `pointer`, for a filter that the service would refuse or misread.
        """
        return parse(document, rules, _NODES)

    def conditions(self) -> Iterator[Condition]:
        """Iterate over all conditions in the tree."""
        raise NotImplementedError

    def is_scoped(self) -> bool:
        """Return whether the filter names an entity with `==` or `in_`, as the service requires.

        `exists()`, `!=` and conditions below `~` do not count.
        """
        return False


@attrs.frozen(slots=True, repr=False)
class Condition(Filter):
    """One field compared with one value: a leaf of the tree."""

    field: str
    operator: str
    value: Any = attrs.field(eq=repr)  # 1 == 1.0 == True in Python, but not in JSON: repr tells them apart
    key: str | None = None
    """The metadata key if the field is `metadata`, otherwise None."""

    def _to_node(self) -> dict[str, Any]:
        value = [*self.value] if isinstance(self.value, tuple) else self.value
        if self.operator == "exists":
            return {self.field: "*"}
        operand = value if self.operator == "eq" else {self.operator: value}
        return {self.field: operand if self.key is None else {self.key: operand}}

    def conditions(self) -> Iterator[Condition]:
        """Yield the condition itself."""
        yield self

    def is_scoped(self) -> bool:
        """Return whether this is an entity field with `==` or `in_`."""
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
    """Two or more filters joined by one operator. No part has the same class, because `_join` flattens such parts."""

    __slots__ = ()
    parts: tuple[Filter, ...]
    _word: ClassVar[str]
    _symbol: ClassVar[str]

    def _to_node(self) -> dict[str, Any]:
        return {self._word: [part._to_node() for part in self.parts]}

    def conditions(self) -> Iterator[Condition]:
        """Iterate over the conditions of all parts."""
        for part in self.parts:
            yield from part.conditions()

    def is_scoped(self) -> bool:
        """Return whether one of the parts names an entity with `==` or `in_`."""
        return any(part.is_scoped() for part in self.parts)

    def __repr__(self) -> str:
        return f" {self._symbol} ".join(
            f"({part!r})" if _needs_parentheses(part) else repr(part) for part in self.parts
        )


@attrs.frozen(slots=True, repr=False)
class AllOf(_Joined):
    """Matches a memory that all of `parts` match."""

    parts: tuple[Filter, ...]
    _word: ClassVar[str] = "AND"
    _symbol: ClassVar[str] = "&"


@attrs.frozen(slots=True, repr=False)
class AnyOf(_Joined):
    """Matches a memory that at least one of `parts` matches."""

    parts: tuple[Filter, ...]
    _word: ClassVar[str] = "OR"
    _symbol: ClassVar[str] = "|"


@attrs.frozen(slots=True, repr=False)
class Not(Filter):
    """Matches a memory that `part` does not match."""

    part: Filter

    def conditions(self) -> Iterator[Condition]:
        """Iterate over the conditions of the part."""
        yield from self.part.conditions()

    def _to_node(self) -> dict[str, Any]:
        return {"NOT": self.part._to_node()}

    def __repr__(self) -> str:
        return f"~({self.part!r})" if _needs_parentheses(self.part) else f"~{self.part!r}"


def _needs_parentheses(part: Filter) -> bool:
    return isinstance(part, _Joined) or (isinstance(part, Condition) and not repr(part).endswith(")"))


def all_of(*filters: Filter) -> Filter:
    """Return a filter for memories that match all of these filters, like `a & b & c`.

    all_of(*filters)  # handy for a list of filters

    Raises FilterError if there are none.
    """
    return _join(AllOf, filters)


def any_of(*filters: Filter) -> Filter:
    """Return a filter for memories that match at least one of these filters, like `a | b | c`.

    any_of(*(F.user_id == name for name in names))

    Raises FilterError if there are none.
    """
    return _join(AnyOf, filters)


def _join(kind: type[AllOf | AnyOf], filters: tuple[Filter, ...]) -> Filter:
    for part in filters:
        if not isinstance(part, Filter):
            raise FilterError(f"expected filters such as F.user_id == 'alex', got {type(part).__name__}")
    if not filters:
        raise FilterError(f"{'all_of' if kind is AllOf else 'any_of'}() needs at least one filter")
    if len(filters) == 1:
        return filters[0]
    flat: list[Filter] = []
    for part in filters:
        flat += part.parts if isinstance(part, kind) else (part,)
    return kind(tuple(flat))


_NODES: Final = Nodes[Filter](Condition, lambda parts: all_of(*parts), lambda parts: any_of(*parts), Not)


def restore(document: Mapping[str, Any]) -> Filter:
    """Return the tree for a dict that `to_dict` wrote. Nothing is checked, and the dict may be nested to any depth.

    `from_dict` cannot be used for this, because it limits the depth. The dict that `to_dict` writes can be nested
    deeper than the dict that was parsed: a list below NOT becomes an OR.
    """
    ((name, value),) = document.items()
    if name in {"AND", "OR"}:
        parts = [restore(node) for node in value]
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
