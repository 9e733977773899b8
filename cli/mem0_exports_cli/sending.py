"""Send the records of a file to a service, one request per record."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from mem0_exports.errors import BadRequest, FilterError, InputError
from mem0_exports.facts import ENTITY_FIELDS
from mem0_exports_engine import clock
from mem0_exports_engine.importing.importer import Imported
from mem0_exports_engine.importing.records import BadRecord, understood


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mem0_exports.client import Client
    from mem0_exports_engine.importing.found import Found

NOT_KEPT: Final = (
    "a service gives each memory a new id, and keeps created_at to the second; updated_at and categories are not sent"
)


class Sending:
    """Records on their way to a service."""

    def __init__(self, client: Client | None, owners: Mapping[str, str], unit: str) -> None:
        """Create it. Without a client, the records are checked and counted, but nothing is sent."""
        self.result = Imported()
        self.number = 1
        """The record that is being sent. If sending stops, it can go on here."""
        self._client = client
        self._owners = owners
        self._unit = unit

    def send(self, found: Iterable[Found], start_at: int, on_sent: Callable[[], None]) -> None:
        """Send the records from number `start_at` on.

        A record that cannot be sent, or that the service refuses, is counted and does not stop the others. Any other
        error does, such as that of a key that is refused.
        """
        for each in found:
            if each.number < start_at:
                continue
            self.number = each.number
            try:
                self._send(each)
            except (BadRecord, FilterError, InputError, BadRequest) as error:
                self.result.reject(each.number, str(error))
            on_sent()

    def _send(self, found: Found) -> None:
        if found.problem is not None:
            raise BadRecord(found.problem)
        arguments = _arguments(understood(found.record, self._owners, unit=self._unit))
        # A text that is stored for the same user, agent, app and run already is not stored again; the answer is empty.
        is_new = self._client is None or bool(self._client.memories.add(**arguments))
        self.result.added += is_new
        self.result.known += not is_new


def _arguments(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `memories.add` for a record."""
    arguments: dict[str, Any] = {"messages": record["memory"]}
    arguments |= {name: record[name] for name in (*ENTITY_FIELDS, "metadata") if record.get(name) is not None}
    if record.get("created_at") is not None:
        created_us = clock.stamp(record["created_at"], "created_at").us
        arguments["timestamp"] = datetime.fromtimestamp(created_us // 1_000_000, UTC)
    if record.get("expiration_date") is not None:
        arguments["expiration_date"] = date.fromisoformat(record["expiration_date"])
    return arguments
