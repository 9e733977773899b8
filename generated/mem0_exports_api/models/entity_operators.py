from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="EntityOperators")


@_attrs_define
class EntityOperators:
    """Operators on an entity id. All that are given must match."""

    eq: str | Unset = UNSET
    """ The id of a user, agent, app or run. """
    ne: str | Unset = UNSET
    """ The id of a user, agent, app or run. """
    in_: list[str] | Unset = UNSET
    """ Ids of users, agents, apps or runs. """

    def to_dict(self) -> dict[str, Any]:
        eq = self.eq

        ne = self.ne

        in_: list[str] | Unset = UNSET
        if not isinstance(self.in_, Unset):
            in_ = self.in_

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if eq is not UNSET:
            field_dict["eq"] = eq
        if ne is not UNSET:
            field_dict["ne"] = ne
        if in_ is not UNSET:
            field_dict["in"] = in_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        eq = d.pop("eq", UNSET)

        ne = d.pop("ne", UNSET)

        in_ = cast(list[str], d.pop("in", UNSET))

        entity_operators = cls(
            eq=eq,
            ne=ne,
            in_=in_,
        )

        return entity_operators
