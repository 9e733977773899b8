from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.message import Message
    from ..models.metadata import Metadata


T = TypeVar("T", bound="AddMemoriesRequest")


@_attrs_define
class AddMemoriesRequest:
    """Memories to store, and what they belong to. Other properties are refused, so that a misspelled name is not
    ignored. Mem0's OpenAPI document has more properties. Most of them guide its language model, which
    does not run with `infer: false`.

    """

    messages: list[Message]
    """ The messages, each of which becomes one memory. """
    infer: bool
    """ Must be false: the messages are stored word for word. Mem0's OpenAPI document makes it optional and true by
    default, which lets a language model extract the memories. It is required here so that a request never
    depends on that default. The embedded engine has no language model, and this client stores exact texts.
     """
    user_id: str | Unset = UNSET
    """ The id of a user, agent, app or run. """
    agent_id: str | Unset = UNSET
    """ The id of a user, agent, app or run. """
    app_id: str | Unset = UNSET
    """ The id of a user, agent, app or run. """
    run_id: str | Unset = UNSET
    """ The id of a user, agent, app or run. """
    metadata: Metadata | Unset = UNSET
    """ Any data about a memory, as a JSON object. """
    timestamp: int | Unset = UNSET
    """ The `created_at` of the memories, in seconds since 1970-01-01 UTC. The default is now. """
    expiration_date: str | Unset = UNSET
    """ A date, written YYYY-MM-DD. """
    source: str | Unset = UNSET
    """ The program that sends the request, such as `CLI`. The official `mem0` command sends it; Mem0's OpenAPI
    document does not mention it. The embedded engine accepts and ignores it.
     """

    def to_dict(self) -> dict[str, Any]:
        messages = []
        for messages_item_data in self.messages:
            messages_item = messages_item_data.to_dict()
            messages.append(messages_item)

        infer = self.infer

        user_id = self.user_id

        agent_id = self.agent_id

        app_id = self.app_id

        run_id = self.run_id

        metadata: dict[str, Any] | Unset = UNSET
        if not isinstance(self.metadata, Unset):
            metadata = self.metadata.to_dict()

        timestamp = self.timestamp

        expiration_date = self.expiration_date

        source = self.source

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "messages": messages,
                "infer": infer,
            }
        )
        if user_id is not UNSET:
            field_dict["user_id"] = user_id
        if agent_id is not UNSET:
            field_dict["agent_id"] = agent_id
        if app_id is not UNSET:
            field_dict["app_id"] = app_id
        if run_id is not UNSET:
            field_dict["run_id"] = run_id
        if metadata is not UNSET:
            field_dict["metadata"] = metadata
        if timestamp is not UNSET:
            field_dict["timestamp"] = timestamp
        if expiration_date is not UNSET:
            field_dict["expiration_date"] = expiration_date
        if source is not UNSET:
            field_dict["source"] = source

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.message import Message  # noqa: PLC0415
        from ..models.metadata import Metadata  # noqa: PLC0415

        d = dict(src_dict)
        messages = []
        _messages = d.pop("messages")
        for messages_item_data in _messages:
            messages_item = Message.from_dict(messages_item_data)

            messages.append(messages_item)

        infer = d.pop("infer")

        user_id = d.pop("user_id", UNSET)

        agent_id = d.pop("agent_id", UNSET)

        app_id = d.pop("app_id", UNSET)

        run_id = d.pop("run_id", UNSET)

        _metadata = d.pop("metadata", UNSET)
        metadata: Metadata | Unset
        if isinstance(_metadata, Unset):
            metadata = UNSET
        else:
            metadata = Metadata.from_dict(_metadata)

        timestamp = d.pop("timestamp", UNSET)

        expiration_date = d.pop("expiration_date", UNSET)

        source = d.pop("source", UNSET)

        add_memories_request = cls(
            messages=messages,
            infer=infer,
            user_id=user_id,
            agent_id=agent_id,
            app_id=app_id,
            run_id=run_id,
            metadata=metadata,
            timestamp=timestamp,
            expiration_date=expiration_date,
            source=source,
        )

        return add_memories_request
