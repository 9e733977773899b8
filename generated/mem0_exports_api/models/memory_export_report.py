from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.memory_export_gap import MemoryExportGap
    from ..models.memory_export_sources import MemoryExportSources


T = TypeVar("T", bound="MemoryExportReport")


@_attrs_define
class MemoryExportReport:
    """Which memories filled which properties of an export, which properties stayed empty, and why."""

    memories: int
    """ How many memories were read. """
    left_out: int
    """ How many records were left out of the lists of the export, because a required property had no value or a
    value did not fit. `gaps` says why.
     """
    filled: MemoryExportSources
    """ For each filled property of the root, the ids of the memories that its value comes from; at most the first
    100.
     """
    gaps: list[MemoryExportGap]
    """ What stayed empty or was left out. """
    notes: list[str]
    """ Remarks about the whole export, such as that `export_instructions` were not followed. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        memories = self.memories

        left_out = self.left_out

        filled = self.filled.to_dict()

        gaps = []
        for gaps_item_data in self.gaps:
            gaps_item = gaps_item_data.to_dict()
            gaps.append(gaps_item)

        notes = self.notes

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "memories": memories,
                "left_out": left_out,
                "filled": filled,
                "gaps": gaps,
                "notes": notes,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.memory_export_gap import MemoryExportGap  # noqa: PLC0415
        from ..models.memory_export_sources import MemoryExportSources  # noqa: PLC0415

        d = dict(src_dict)
        memories = d.pop("memories")

        left_out = d.pop("left_out")

        filled = MemoryExportSources.from_dict(d.pop("filled"))

        gaps = []
        _gaps = d.pop("gaps")
        for gaps_item_data in _gaps:
            gaps_item = MemoryExportGap.from_dict(gaps_item_data)

            gaps.append(gaps_item)

        notes = cast(list[str], d.pop("notes"))

        memory_export_report = cls(
            memories=memories,
            left_out=left_out,
            filled=filled,
            gaps=gaps,
            notes=notes,
        )

        memory_export_report.additional_properties = d
        return memory_export_report

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
