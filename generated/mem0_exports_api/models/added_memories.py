from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.added_memory import AddedMemory


T = TypeVar("T", bound="AddedMemories")


@_attrs_define
class AddedMemories:
    """The result of storing messages."""

    message: str
    """ A message for people to read. """
    status: str
    """ SUCCEEDED, even if nothing was stored because all texts were already in the store. """
    event_id: UUID
    """ The id of this request. """
    results: list[AddedMemory]
    """ The memories that were stored. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        message = self.message

        status = self.status

        event_id = str(self.event_id)

        results = []
        for results_item_data in self.results:
            results_item = results_item_data.to_dict()
            results.append(results_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "message": message,
                "status": status,
                "event_id": event_id,
                "results": results,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.added_memory import AddedMemory  # noqa: PLC0415

        d = dict(src_dict)
        message = d.pop("message")

        status = d.pop("status")

        event_id = UUID(d.pop("event_id"))

        results = []
        _results = d.pop("results")
        for results_item_data in _results:
            results_item = AddedMemory.from_dict(results_item_data)

            results.append(results_item)

        added_memories = cls(
            message=message,
            status=status,
            event_id=event_id,
            results=results,
        )

        added_memories.additional_properties = d
        return added_memories

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
