from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.memory_export_evidence import MemoryExportEvidence
    from ..models.memory_export_gap import MemoryExportGap
    from ..models.memory_export_sources import MemoryExportSources
    from ..models.memory_export_usage import MemoryExportUsage


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
    evidence: list[MemoryExportEvidence]
    """ Where the values come from; at most 5,000 of them. """
    unread: int
    """ How many memories a language model should have read, and did not. `gaps` says why. """
    unread_ids: list[str]
    """ The ids of these memories; at most the first 1,000. """
    usage: MemoryExportUsage | None | Unset = UNSET
    """ What a language model was asked; null if it was not needed, or there is none. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.memory_export_usage import MemoryExportUsage  # noqa: PLC0415

        memories = self.memories

        left_out = self.left_out

        filled = self.filled.to_dict()

        gaps = []
        for gaps_item_data in self.gaps:
            gaps_item = gaps_item_data.to_dict()
            gaps.append(gaps_item)

        notes = self.notes

        evidence = []
        for evidence_item_data in self.evidence:
            evidence_item = evidence_item_data.to_dict()
            evidence.append(evidence_item)

        unread = self.unread

        unread_ids = self.unread_ids

        usage: dict[str, Any] | None | Unset
        if isinstance(self.usage, Unset):
            usage = UNSET
        elif isinstance(self.usage, MemoryExportUsage):
            usage = self.usage.to_dict()
        else:
            usage = self.usage

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "memories": memories,
                "left_out": left_out,
                "filled": filled,
                "gaps": gaps,
                "notes": notes,
                "evidence": evidence,
                "unread": unread,
                "unread_ids": unread_ids,
            }
        )
        if usage is not UNSET:
            field_dict["usage"] = usage

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.memory_export_evidence import MemoryExportEvidence  # noqa: PLC0415
        from ..models.memory_export_gap import MemoryExportGap  # noqa: PLC0415
        from ..models.memory_export_sources import MemoryExportSources  # noqa: PLC0415
        from ..models.memory_export_usage import MemoryExportUsage  # noqa: PLC0415

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

        evidence = []
        _evidence = d.pop("evidence")
        for evidence_item_data in _evidence:
            evidence_item = MemoryExportEvidence.from_dict(evidence_item_data)

            evidence.append(evidence_item)

        unread = d.pop("unread")

        unread_ids = cast(list[str], d.pop("unread_ids"))

        def _parse_usage(data: object) -> MemoryExportUsage | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                usage_type_0 = MemoryExportUsage.from_dict(data)

                return usage_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(MemoryExportUsage | None | Unset, data)

        usage = _parse_usage(d.pop("usage", UNSET))

        memory_export_report = cls(
            memories=memories,
            left_out=left_out,
            filled=filled,
            gaps=gaps,
            notes=notes,
            evidence=evidence,
            unread=unread,
            unread_ids=unread_ids,
            usage=usage,
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
