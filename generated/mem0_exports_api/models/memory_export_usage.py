from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="MemoryExportUsage")


@_attrs_define
class MemoryExportUsage:
    """What a language model was asked for an export; null if it was not needed, or there is none."""

    model: str
    """ The name of the model. """
    calls: int
    """ How many requests were sent to it by the attempt that finished the export. """
    cached: int
    """ How many answers were there already, from an earlier export or attempt. """
    tokens_in: int
    """ The tokens of the prompts. """
    tokens_out: int
    """ The tokens of the answers. """
    seconds: float
    """ The time that the calls took, added up. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        model = self.model

        calls = self.calls

        cached = self.cached

        tokens_in = self.tokens_in

        tokens_out = self.tokens_out

        seconds = self.seconds

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "model": model,
                "calls": calls,
                "cached": cached,
                "tokens_in": tokens_in,
                "tokens_out": tokens_out,
                "seconds": seconds,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        model = d.pop("model")

        calls = d.pop("calls")

        cached = d.pop("cached")

        tokens_in = d.pop("tokens_in")

        tokens_out = d.pop("tokens_out")

        seconds = d.pop("seconds")

        memory_export_usage = cls(
            model=model,
            calls=calls,
            cached=cached,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            seconds=seconds,
        )

        memory_export_usage.additional_properties = d
        return memory_export_usage

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
