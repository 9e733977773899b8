from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.filters import Filters
    from ..models.json_schema import JsonSchema


T = TypeVar("T", bound="MemoryExportRequest")


@_attrs_define
class MemoryExportRequest:
    """What to export, and in which shape."""

    schema: JsonSchema
    """ The shape of the result: a JSON Schema whose root is an object, such as Pydantic's `model_json_schema()`
    returns it, `$defs` included. The embedded engine never opens a reference to a file or an address, and takes
    only patterns that are matched in linear time (no look-around, no back references).
     """
    filters: Filters | Unset = UNSET
    """ Which memories. Keys side by side are all to hold. AND and OR side by side are refused: the hosted service
    drops the OR without a word, so put the OR inside the AND. The embedded engine reads up to 16 levels and up to
    400 conditions.
     """
    export_instructions: str | Unset = UNSET
    """ Guidance in words for the service's language model, such as which of two conflicting memories wins.
    The offline extractor of the embedded engine cannot follow it and says so in its report.
     """
    org_id: str | Unset = UNSET
    """ The organization of the key, for a check. The embedded engine has one, `local`. """
    project_id: str | Unset = UNSET
    """ The project of the key, for a check. The key decides whose memories are exported. """

    def to_dict(self) -> dict[str, Any]:
        schema = self.schema.to_dict()

        filters: dict[str, Any] | Unset = UNSET
        if not isinstance(self.filters, Unset):
            filters = self.filters.to_dict()

        export_instructions = self.export_instructions

        org_id = self.org_id

        project_id = self.project_id

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "schema": schema,
            }
        )
        if filters is not UNSET:
            field_dict["filters"] = filters
        if export_instructions is not UNSET:
            field_dict["export_instructions"] = export_instructions
        if org_id is not UNSET:
            field_dict["org_id"] = org_id
        if project_id is not UNSET:
            field_dict["project_id"] = project_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.filters import Filters  # noqa: PLC0415
        from ..models.json_schema import JsonSchema  # noqa: PLC0415

        d = dict(src_dict)
        schema = JsonSchema.from_dict(d.pop("schema"))

        _filters = d.pop("filters", UNSET)
        filters: Filters | Unset
        if isinstance(_filters, Unset):
            filters = UNSET
        else:
            filters = Filters.from_dict(_filters)

        export_instructions = d.pop("export_instructions", UNSET)

        org_id = d.pop("org_id", UNSET)

        project_id = d.pop("project_id", UNSET)

        memory_export_request = cls(
            schema=schema,
            filters=filters,
            export_instructions=export_instructions,
            org_id=org_id,
            project_id=project_id,
        )

        return memory_export_request
