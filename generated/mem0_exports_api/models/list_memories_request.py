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
    """Which memories to list. Other properties are refused, so that a misspelled name is not ignored."""

    filters: Filters
    """ Selects memories. All properties of the object must match. `AND` and `OR` in the same object are refused,
    because Mem0's documentation says that the `OR` would be ignored: put the `OR` inside the `AND`. The embedded
    engine accepts up to 16 levels of nesting, 400 conditions, and 100,000 values in all lists.

    An object with `AND` or `OR` at its root is the structured form of the filters. Any other object is the flat
    form. Both select the same memories. Mem0's OpenAPI document says that an export must be created with the
    structured form. For the list of memories, it shows the flat form.
     """
    show_expired: bool | Unset = False
    """ Whether to include memories whose expiration date has passed. """
    source: str | Unset = UNSET
    """ The program that sends the request, such as `CLI`. The official `mem0` command sends it; Mem0's OpenAPI
    document does not mention it. The embedded engine accepts and ignores it.
     """

    def to_dict(self) -> dict[str, Any]:
        filters = self.filters.to_dict()

        show_expired = self.show_expired

        source = self.source

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "filters": filters,
            }
        )
        if show_expired is not UNSET:
            field_dict["show_expired"] = show_expired
        if source is not UNSET:
            field_dict["source"] = source

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.filters import Filters  # noqa: PLC0415

        d = dict(src_dict)
        filters = Filters.from_dict(d.pop("filters"))

        show_expired = d.pop("show_expired", UNSET)

        source = d.pop("source", UNSET)

        list_memories_request = cls(
            filters=filters,
            show_expired=show_expired,
            source=source,
        )

        return list_memories_request
