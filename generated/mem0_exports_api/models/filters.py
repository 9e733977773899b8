from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.categories_condition import CategoriesCondition
    from ..models.entity_operators import EntityOperators
    from ..models.keywords_condition import KeywordsCondition
    from ..models.memory_ids_operators import MemoryIdsOperators
    from ..models.metadata_condition import MetadataCondition
    from ..models.time_operators import TimeOperators


T = TypeVar("T", bound="Filters")


@_attrs_define
class Filters:
    """Selects memories. All properties of the object must match. `AND` and `OR` in the same object are refused,
    because Mem0's documentation says that the `OR` would be ignored: put the `OR` inside the `AND`. The embedded
    engine accepts up to 16 levels of nesting, 400 conditions, and 100,000 values in all lists.

    An object with `AND` or `OR` at its root is the structured form of the filters. Any other object is the flat
    form. Both select the same memories. Mem0's OpenAPI document says that an export must be created with the
    structured form. For the list of memories, it shows the flat form.

    """

    and_: list[Filters] | Unset = UNSET
    """ All of these match. """
    or_: list[Filters] | Unset = UNSET
    """ At least one of these matches. """
    not_: Filters | list[Filters] | Unset = UNSET
    """ None of these matches. """
    user_id: EntityOperators | str | Unset = UNSET
    """ An id, `*` for any id, or operators. """
    agent_id: EntityOperators | str | Unset = UNSET
    """ An id, `*` for any id, or operators. """
    app_id: EntityOperators | str | Unset = UNSET
    """ An id, `*` for any id, or operators. """
    run_id: EntityOperators | str | Unset = UNSET
    """ An id, `*` for any id, or operators. """
    created_at: str | TimeOperators | Unset = UNSET
    """ The exact time, or operators. """
    updated_at: str | TimeOperators | Unset = UNSET
    """ The exact time, or operators. """
    timestamp: str | TimeOperators | Unset = UNSET
    """ The exact time, or operators. """
    expiration_date: str | TimeOperators | Unset = UNSET
    """ The exact time, or operators. """
    categories: CategoriesCondition | Unset = UNSET
    """ Operators on the categories of a memory. """
    metadata: MetadataCondition | Unset = UNSET
    """ Top-level metadata keys, each with the exact value or with one of the operators `eq`, `ne` and `contains`,
    such
    as `{"city": {"ne": "Porto"}}`. Values are strings, numbers and booleans. A memory without
    the key matches `ne` and no other operator. `contains` looks for a part of a string or an item of a list.
     """
    keywords: KeywordsCondition | Unset = UNSET
    """ Operators on the text of a memory. """
    memory_ids: list[str] | MemoryIdsOperators | Unset = UNSET
    """ The memories with these ids. """

    def to_dict(self) -> dict[str, Any]:
        from ..models.entity_operators import EntityOperators  # noqa: PLC0415
        from ..models.memory_ids_operators import MemoryIdsOperators  # noqa: PLC0415
        from ..models.time_operators import TimeOperators  # noqa: PLC0415

        and_: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.and_, Unset):
            and_ = []
            for and_item_data in self.and_:
                and_item = and_item_data.to_dict()
                and_.append(and_item)

        or_: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.or_, Unset):
            or_ = []
            for or_item_data in self.or_:
                or_item = or_item_data.to_dict()
                or_.append(or_item)

        not_: dict[str, Any] | list[dict[str, Any]] | Unset
        if isinstance(self.not_, Unset):
            not_ = UNSET
        elif isinstance(self.not_, Filters):
            not_ = self.not_.to_dict()
        else:
            not_ = []
            for componentsschemas_filters_list_item_data in self.not_:
                componentsschemas_filters_list_item = (
                    componentsschemas_filters_list_item_data.to_dict()
                )
                not_.append(componentsschemas_filters_list_item)

        user_id: dict[str, Any] | str | Unset
        if isinstance(self.user_id, Unset):
            user_id = UNSET
        elif isinstance(self.user_id, EntityOperators):
            user_id = self.user_id.to_dict()
        else:
            user_id = self.user_id

        agent_id: dict[str, Any] | str | Unset
        if isinstance(self.agent_id, Unset):
            agent_id = UNSET
        elif isinstance(self.agent_id, EntityOperators):
            agent_id = self.agent_id.to_dict()
        else:
            agent_id = self.agent_id

        app_id: dict[str, Any] | str | Unset
        if isinstance(self.app_id, Unset):
            app_id = UNSET
        elif isinstance(self.app_id, EntityOperators):
            app_id = self.app_id.to_dict()
        else:
            app_id = self.app_id

        run_id: dict[str, Any] | str | Unset
        if isinstance(self.run_id, Unset):
            run_id = UNSET
        elif isinstance(self.run_id, EntityOperators):
            run_id = self.run_id.to_dict()
        else:
            run_id = self.run_id

        created_at: dict[str, Any] | str | Unset
        if isinstance(self.created_at, Unset):
            created_at = UNSET
        elif isinstance(self.created_at, TimeOperators):
            created_at = self.created_at.to_dict()
        else:
            created_at = self.created_at

        updated_at: dict[str, Any] | str | Unset
        if isinstance(self.updated_at, Unset):
            updated_at = UNSET
        elif isinstance(self.updated_at, TimeOperators):
            updated_at = self.updated_at.to_dict()
        else:
            updated_at = self.updated_at

        timestamp: dict[str, Any] | str | Unset
        if isinstance(self.timestamp, Unset):
            timestamp = UNSET
        elif isinstance(self.timestamp, TimeOperators):
            timestamp = self.timestamp.to_dict()
        else:
            timestamp = self.timestamp

        expiration_date: dict[str, Any] | str | Unset
        if isinstance(self.expiration_date, Unset):
            expiration_date = UNSET
        elif isinstance(self.expiration_date, TimeOperators):
            expiration_date = self.expiration_date.to_dict()
        else:
            expiration_date = self.expiration_date

        categories: dict[str, Any] | Unset = UNSET
        if not isinstance(self.categories, Unset):
            categories = self.categories.to_dict()

        metadata: dict[str, Any] | Unset = UNSET
        if not isinstance(self.metadata, Unset):
            metadata = self.metadata.to_dict()

        keywords: dict[str, Any] | Unset = UNSET
        if not isinstance(self.keywords, Unset):
            keywords = self.keywords.to_dict()

        memory_ids: dict[str, Any] | list[str] | Unset
        if isinstance(self.memory_ids, Unset):
            memory_ids = UNSET
        elif isinstance(self.memory_ids, MemoryIdsOperators):
            memory_ids = self.memory_ids.to_dict()
        else:
            memory_ids = self.memory_ids

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if and_ is not UNSET:
            field_dict["AND"] = and_
        if or_ is not UNSET:
            field_dict["OR"] = or_
        if not_ is not UNSET:
            field_dict["NOT"] = not_
        if user_id is not UNSET:
            field_dict["user_id"] = user_id
        if agent_id is not UNSET:
            field_dict["agent_id"] = agent_id
        if app_id is not UNSET:
            field_dict["app_id"] = app_id
        if run_id is not UNSET:
            field_dict["run_id"] = run_id
        if created_at is not UNSET:
            field_dict["created_at"] = created_at
        if updated_at is not UNSET:
            field_dict["updated_at"] = updated_at
        if timestamp is not UNSET:
            field_dict["timestamp"] = timestamp
        if expiration_date is not UNSET:
            field_dict["expiration_date"] = expiration_date
        if categories is not UNSET:
            field_dict["categories"] = categories
        if metadata is not UNSET:
            field_dict["metadata"] = metadata
        if keywords is not UNSET:
            field_dict["keywords"] = keywords
        if memory_ids is not UNSET:
            field_dict["memory_ids"] = memory_ids

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.categories_condition import CategoriesCondition  # noqa: PLC0415
        from ..models.entity_operators import EntityOperators  # noqa: PLC0415
        from ..models.keywords_condition import KeywordsCondition  # noqa: PLC0415
        from ..models.memory_ids_operators import MemoryIdsOperators  # noqa: PLC0415
        from ..models.metadata_condition import MetadataCondition  # noqa: PLC0415
        from ..models.time_operators import TimeOperators  # noqa: PLC0415

        d = dict(src_dict)
        _and_ = d.pop("AND", UNSET)
        and_: list[Filters] | Unset = UNSET
        if _and_ is not UNSET:
            and_ = []
            for and_item_data in _and_:
                and_item = Filters.from_dict(and_item_data)

                and_.append(and_item)

        _or_ = d.pop("OR", UNSET)
        or_: list[Filters] | Unset = UNSET
        if _or_ is not UNSET:
            or_ = []
            for or_item_data in _or_:
                or_item = Filters.from_dict(or_item_data)

                or_.append(or_item)

        def _parse_not_(data: object) -> Filters | list[Filters] | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                not_type_0 = Filters.from_dict(data)

                return not_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, list):
                raise TypeError()
            not_type_1 = []
            _not_type_1 = data
            for componentsschemas_filters_list_item_data in _not_type_1:
                componentsschemas_filters_list_item = Filters.from_dict(
                    componentsschemas_filters_list_item_data
                )

                not_type_1.append(componentsschemas_filters_list_item)

            return not_type_1

        not_ = _parse_not_(d.pop("NOT", UNSET))

        def _parse_user_id(data: object) -> EntityOperators | str | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_entity_condition_type_0 = EntityOperators.from_dict(data)

                return componentsschemas_entity_condition_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(EntityOperators | str | Unset, data)

        user_id = _parse_user_id(d.pop("user_id", UNSET))

        def _parse_agent_id(data: object) -> EntityOperators | str | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_entity_condition_type_0 = EntityOperators.from_dict(data)

                return componentsschemas_entity_condition_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(EntityOperators | str | Unset, data)

        agent_id = _parse_agent_id(d.pop("agent_id", UNSET))

        def _parse_app_id(data: object) -> EntityOperators | str | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_entity_condition_type_0 = EntityOperators.from_dict(data)

                return componentsschemas_entity_condition_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(EntityOperators | str | Unset, data)

        app_id = _parse_app_id(d.pop("app_id", UNSET))

        def _parse_run_id(data: object) -> EntityOperators | str | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_entity_condition_type_0 = EntityOperators.from_dict(data)

                return componentsschemas_entity_condition_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(EntityOperators | str | Unset, data)

        run_id = _parse_run_id(d.pop("run_id", UNSET))

        def _parse_created_at(data: object) -> str | TimeOperators | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_time_condition_type_0 = TimeOperators.from_dict(data)

                return componentsschemas_time_condition_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(str | TimeOperators | Unset, data)

        created_at = _parse_created_at(d.pop("created_at", UNSET))

        def _parse_updated_at(data: object) -> str | TimeOperators | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_time_condition_type_0 = TimeOperators.from_dict(data)

                return componentsschemas_time_condition_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(str | TimeOperators | Unset, data)

        updated_at = _parse_updated_at(d.pop("updated_at", UNSET))

        def _parse_timestamp(data: object) -> str | TimeOperators | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_time_condition_type_0 = TimeOperators.from_dict(data)

                return componentsschemas_time_condition_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(str | TimeOperators | Unset, data)

        timestamp = _parse_timestamp(d.pop("timestamp", UNSET))

        def _parse_expiration_date(data: object) -> str | TimeOperators | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_time_condition_type_0 = TimeOperators.from_dict(data)

                return componentsschemas_time_condition_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(str | TimeOperators | Unset, data)

        expiration_date = _parse_expiration_date(d.pop("expiration_date", UNSET))

        _categories = d.pop("categories", UNSET)
        categories: CategoriesCondition | Unset
        if isinstance(_categories, Unset):
            categories = UNSET
        else:
            categories = CategoriesCondition.from_dict(_categories)

        _metadata = d.pop("metadata", UNSET)
        metadata: MetadataCondition | Unset
        if isinstance(_metadata, Unset):
            metadata = UNSET
        else:
            metadata = MetadataCondition.from_dict(_metadata)

        _keywords = d.pop("keywords", UNSET)
        keywords: KeywordsCondition | Unset
        if isinstance(_keywords, Unset):
            keywords = UNSET
        else:
            keywords = KeywordsCondition.from_dict(_keywords)

        def _parse_memory_ids(data: object) -> list[str] | MemoryIdsOperators | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_memory_ids_condition_type_0 = MemoryIdsOperators.from_dict(data)

                return componentsschemas_memory_ids_condition_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, list):
                raise TypeError()
            componentsschemas_memory_ids_condition_type_1 = cast(list[str], data)

            return componentsschemas_memory_ids_condition_type_1

        memory_ids = _parse_memory_ids(d.pop("memory_ids", UNSET))

        filters = cls(
            and_=and_,
            or_=or_,
            not_=not_,
            user_id=user_id,
            agent_id=agent_id,
            app_id=app_id,
            run_id=run_id,
            created_at=created_at,
            updated_at=updated_at,
            timestamp=timestamp,
            expiration_date=expiration_date,
            categories=categories,
            metadata=metadata,
            keywords=keywords,
            memory_ids=memory_ids,
        )

        return filters
