from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.filters import Filters


T = TypeVar("T", bound="GetMemoryExportRequest")


@_attrs_define
class GetMemoryExportRequest:
    """Which export to fetch, by its id or by the filters that it was created with. At least one of the two is
    required. In Mem0's OpenAPI document both are optional, but one of its examples is the 400 for a request
    that has neither.

    """

    memory_export_id: str | Unset = UNSET
    """ The `id` that `exports_create` returned. If filters are given too, they are ignored. """
    filters: Filters | Unset = UNSET
    """ Selects memories. All properties of the object must match. `AND` and `OR` in the same object are refused,
    because Mem0's documentation says that the `OR` would be ignored: put the `OR` inside the `AND`. The embedded
    engine accepts up to 16 levels of nesting, 400 conditions, and 100,000 values in all lists.

    An object with `AND` or `OR` at its root is the structured form of the filters. Any other object is the flat
    form. Both select the same memories. Mem0's OpenAPI document says that an export must be created with the
    structured form. For the list of memories, it shows the flat form.
     """
    org_id: str | Unset = UNSET
    """ The organization. The embedded engine has only one, `local`, and refuses any other with 403. """
    project_id: str | Unset = UNSET
    """ The project. The embedded engine refuses any but the key's own with 403. """

    def to_dict(self) -> dict[str, Any]:
        memory_export_id = self.memory_export_id

        filters: dict[str, Any] | Unset = UNSET
        if not isinstance(self.filters, Unset):
            filters = self.filters.to_dict()

        org_id = self.org_id

        project_id = self.project_id

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if memory_export_id is not UNSET:
            field_dict["memory_export_id"] = memory_export_id
        if filters is not UNSET:
            field_dict["filters"] = filters
        if org_id is not UNSET:
            field_dict["org_id"] = org_id
        if project_id is not UNSET:
            field_dict["project_id"] = project_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.filters import Filters  # noqa: PLC0415

        d = dict(src_dict)
        memory_export_id = d.pop("memory_export_id", UNSET)

        _filters = d.pop("filters", UNSET)
        filters: Filters | Unset
        if isinstance(_filters, Unset):
            filters = UNSET
        else:
            filters = Filters.from_dict(_filters)

        org_id = d.pop("org_id", UNSET)

        project_id = d.pop("project_id", UNSET)

        get_memory_export_request = cls(
            memory_export_id=memory_export_id,
            filters=filters,
            org_id=org_id,
            project_id=project_id,
        )

        return get_memory_export_request
