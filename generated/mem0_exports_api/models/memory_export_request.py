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
    """What to export, and in what shape. Other properties are refused, so that a misspelled name is not ignored."""

    schema: JsonSchema
    """ The JSON Schema of the result. Its root must be an object, as in the output of Pydantic's
    `model_json_schema()`, `$defs` included. The embedded engine never follows a reference to a file or a URL, and
    accepts only patterns that can be matched in linear time (no look-around, no backreferences).
     """
    filters: Filters | Unset = UNSET
    """ Selects memories. All properties of the object must match. `AND` and `OR` in the same object are refused,
    because Mem0's documentation says that the `OR` would be ignored: put the `OR` inside the `AND`. The embedded
    engine accepts up to 16 levels of nesting, 400 conditions, and 100,000 values in all lists.

    An object with `AND` or `OR` at its root is the structured form of the filters. Any other object is the flat
    form. Both select the same memories. Mem0's OpenAPI document says that an export must be created with the
    structured form. For the list of memories, it shows the flat form.
     """
    export_instructions: str | Unset = UNSET
    """ Instructions for the service's language model, such as which of two contradicting memories to use. Mem0's
    guide to memory exports describes the property, but its OpenAPI document does not list it. The embedded
    engine has no language model. It ignores the instructions and notes this in its report.
     """
    org_id: str | Unset = UNSET
    """ The organization. The embedded engine has only one, `local`, and refuses any other with 403. """
    project_id: str | Unset = UNSET
    """ The project. The embedded engine refuses any but the key's own with 403. """

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
