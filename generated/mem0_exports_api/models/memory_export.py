from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar, cast
from uuid import UUID

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.memory_export_state import MemoryExportState, check_memory_export_state
from ..types import UNSET, Unset

T = TypeVar("T", bound="MemoryExport")


@_attrs_define
class MemoryExport:
    """An export, without its result."""

    id: UUID
    """ The id of the export, as `exports_create` returns it. """
    state: MemoryExportState
    """ `pending` until work on an export begins. One that was cancelled is `failed`. """
    created_at: datetime.datetime
    """ When the export was created. """
    expires_at: datetime.datetime
    """ When it is deleted. """
    reason: None | str | Unset = UNSET
    """ Why it failed, if it did. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = str(self.id)

        state: str = self.state

        created_at = self.created_at.isoformat()

        expires_at = self.expires_at.isoformat()

        reason: None | str | Unset
        if isinstance(self.reason, Unset):
            reason = UNSET
        else:
            reason = self.reason

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "state": state,
                "created_at": created_at,
                "expires_at": expires_at,
            }
        )
        if reason is not UNSET:
            field_dict["reason"] = reason

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        id = UUID(d.pop("id"))

        state = check_memory_export_state(d.pop("state"))

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        expires_at = datetime.datetime.fromisoformat(d.pop("expires_at"))

        def _parse_reason(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        reason = _parse_reason(d.pop("reason", UNSET))

        memory_export = cls(
            id=id,
            state=state,
            created_at=created_at,
            expires_at=expires_at,
            reason=reason,
        )

        memory_export.additional_properties = d
        return memory_export

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
