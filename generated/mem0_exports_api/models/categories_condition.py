from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="CategoriesCondition")


@_attrs_define
class CategoriesCondition:
    """Operators on the categories of a memory."""

    in_: list[str] | Unset = UNSET
    """ Has one of these categories. Case-sensitive. """
    contains: str | Unset = UNSET
    """ Has this category. Ignores case. """

    def to_dict(self) -> dict[str, Any]:
        in_: list[str] | Unset = UNSET
        if not isinstance(self.in_, Unset):
            in_ = self.in_

        contains = self.contains

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if in_ is not UNSET:
            field_dict["in"] = in_
        if contains is not UNSET:
            field_dict["contains"] = contains

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        in_ = cast(list[str], d.pop("in", UNSET))

        contains = d.pop("contains", UNSET)

        categories_condition = cls(
            in_=in_,
            contains=contains,
        )

        return categories_condition
