from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.entity import Entity


T = TypeVar("T", bound="EntityPage")


@_attrs_define
class EntityPage:
    """A page of entities."""

    count: int
    """ The number of entities, on all pages. """
    next_: None | str
    """ The URL of the next page, or null on the last one. Increment `page` instead of following it. """
    previous: None | str
    """ The URL of the previous page, or null on the first one. """
    results: list[Entity]
    """ The entities of this page. """
    total_users: int | None | Unset = UNSET
    """ The number of users. """
    total_agents: int | None | Unset = UNSET
    """ The number of agents. """
    total_apps: int | None | Unset = UNSET
    """ The number of apps. """
    total_runs: int | None | Unset = UNSET
    """ The number of runs. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        count = self.count

        next_: None | str
        next_ = self.next_

        previous: None | str
        previous = self.previous

        results = []
        for results_item_data in self.results:
            results_item = results_item_data.to_dict()
            results.append(results_item)

        total_users: int | None | Unset
        if isinstance(self.total_users, Unset):
            total_users = UNSET
        else:
            total_users = self.total_users

        total_agents: int | None | Unset
        if isinstance(self.total_agents, Unset):
            total_agents = UNSET
        else:
            total_agents = self.total_agents

        total_apps: int | None | Unset
        if isinstance(self.total_apps, Unset):
            total_apps = UNSET
        else:
            total_apps = self.total_apps

        total_runs: int | None | Unset
        if isinstance(self.total_runs, Unset):
            total_runs = UNSET
        else:
            total_runs = self.total_runs

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "count": count,
                "next": next_,
                "previous": previous,
                "results": results,
            }
        )
        if total_users is not UNSET:
            field_dict["total_users"] = total_users
        if total_agents is not UNSET:
            field_dict["total_agents"] = total_agents
        if total_apps is not UNSET:
            field_dict["total_apps"] = total_apps
        if total_runs is not UNSET:
            field_dict["total_runs"] = total_runs

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.entity import Entity  # noqa: PLC0415

        d = dict(src_dict)
        count = d.pop("count")

        def _parse_next_(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        next_ = _parse_next_(d.pop("next"))

        def _parse_previous(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        previous = _parse_previous(d.pop("previous"))

        results = []
        _results = d.pop("results")
        for results_item_data in _results:
            results_item = Entity.from_dict(results_item_data)

            results.append(results_item)

        def _parse_total_users(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        total_users = _parse_total_users(d.pop("total_users", UNSET))

        def _parse_total_agents(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        total_agents = _parse_total_agents(d.pop("total_agents", UNSET))

        def _parse_total_apps(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        total_apps = _parse_total_apps(d.pop("total_apps", UNSET))

        def _parse_total_runs(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        total_runs = _parse_total_runs(d.pop("total_runs", UNSET))

        entity_page = cls(
            count=count,
            next_=next_,
            previous=previous,
            results=results,
            total_users=total_users,
            total_agents=total_agents,
            total_apps=total_apps,
            total_runs=total_runs,
        )

        entity_page.additional_properties = d
        return entity_page

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
