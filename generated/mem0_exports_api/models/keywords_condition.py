from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="KeywordsCondition")


@_attrs_define
class KeywordsCondition:
    """Operators on the text of a memory."""

    contains: str | Unset = UNSET
    """ The text contains this. Case-sensitive. """
    icontains: str | Unset = UNSET
    """ The text contains this. Ignores case. """

    def to_dict(self) -> dict[str, Any]:
        contains = self.contains

        icontains = self.icontains

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if contains is not UNSET:
            field_dict["contains"] = contains
        if icontains is not UNSET:
            field_dict["icontains"] = icontains

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        contains = d.pop("contains", UNSET)

        icontains = d.pop("icontains", UNSET)

        keywords_condition = cls(
            contains=contains,
            icontains=icontains,
        )

        return keywords_condition
