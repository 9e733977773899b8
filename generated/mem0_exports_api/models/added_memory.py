from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.added_memory_data import AddedMemoryData


T = TypeVar("T", bound="AddedMemory")


@_attrs_define
class AddedMemory:
    """A memory that was stored."""

    id: UUID
    """ The id of the memory. """
    data: AddedMemoryData
    """ The content of a memory that was stored. """
    event: str
    """ What was done, such as ADD. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        data = self.data.to_dict()

        event = self.event

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "data": data,
                "event": event,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.added_memory_data import AddedMemoryData  # noqa: PLC0415

        d = dict(src_dict)
        id = UUID(d.pop("id"))

        data = AddedMemoryData.from_dict(d.pop("data"))

        event = d.pop("event")

        added_memory = cls(
            id=id,
            data=data,
            event=event,
        )

        added_memory.additional_properties = d
        return added_memory

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
