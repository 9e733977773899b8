from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="MemoryExportEvidence")


@_attrs_define
class MemoryExportEvidence:
    """Where a value of an export comes from."""

    path: str
    """ The value, such as `city`, `hobbies[0]` or `visits[2].place`. `visits[]` stands for the items of a list from
    metadata.
     """
    how: str
    """ `metadata`: a field or the metadata of the memory has the value. `text`: it stands literally in the text of
    the memory, from `start` to `end`. `judged`: a language model says that the memory says so.
     """
    memory_id: str
    """ The id of the memory. """
    start: int | None | Unset = UNSET
    """ The index of the first character in the text of the memory, in code points. """
    end: int | None | Unset = UNSET
    """ The index after the last character. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        path = self.path

        how = self.how

        memory_id = self.memory_id

        start: int | None | Unset
        if isinstance(self.start, Unset):
            start = UNSET
        else:
            start = self.start

        end: int | None | Unset
        if isinstance(self.end, Unset):
            end = UNSET
        else:
            end = self.end

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "path": path,
                "how": how,
                "memory_id": memory_id,
            }
        )
        if start is not UNSET:
            field_dict["start"] = start
        if end is not UNSET:
            field_dict["end"] = end

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        path = d.pop("path")

        how = d.pop("how")

        memory_id = d.pop("memory_id")

        def _parse_start(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        start = _parse_start(d.pop("start", UNSET))

        def _parse_end(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        end = _parse_end(d.pop("end", UNSET))

        memory_export_evidence = cls(
            path=path,
            how=how,
            memory_id=memory_id,
            start=start,
            end=end,
        )

        memory_export_evidence.additional_properties = d
        return memory_export_evidence

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
