from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

T = TypeVar("T", bound="MemoryIdsOperators")


@_attrs_define
class MemoryIdsOperators:
    """A list of memory ids, as an operator."""

    in_: list[str]
    """ Ids of memories. """

    def to_dict(self) -> dict[str, Any]:
        in_ = self.in_

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "in": in_,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        in_ = cast(list[str], d.pop("in"))

        memory_ids_operators = cls(
            in_=in_,
        )

        return memory_ids_operators
