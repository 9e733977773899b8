from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.filters import Filters


T = TypeVar("T", bound="ListMemoriesRequest")


@_attrs_define
class ListMemoriesRequest:
    """Which memories to list."""

    filters: Filters
    """ Which memories. Keys side by side are all to hold. AND and OR side by side are refused: the hosted service
    drops the OR without a word, so put the OR inside the AND. The embedded engine reads up to 16 levels and up to
    400 conditions.
     """
    show_expired: bool | Unset = False
    """ Also memories whose expiration date has passed. """

    def to_dict(self) -> dict[str, Any]:
        filters = self.filters.to_dict()

        show_expired = self.show_expired

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "filters": filters,
            }
        )
        if show_expired is not UNSET:
            field_dict["show_expired"] = show_expired

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.filters import Filters  # noqa: PLC0415

        d = dict(src_dict)
        filters = Filters.from_dict(d.pop("filters"))

        show_expired = d.pop("show_expired", UNSET)

        list_memories_request = cls(
            filters=filters,
            show_expired=show_expired,
        )

        return list_memories_request
