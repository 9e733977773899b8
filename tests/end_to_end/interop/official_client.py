"""The official mem0ai client against a server: every call that exports need, sync and async, with its answer checked.

    python tests/end_to_end/interop/official_client.py http://127.0.0.1:8765 KEY

Runs where mem0ai is installed, which the project itself never needs: `make interop` makes that environment. The server
has to be fresh, since counts and listings are compared exactly. Prints a table; exit 1 if anything in it is not ok, or
if anything but the server was contacted.
"""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import logging
import os
import sys
import time
import uuid

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mem0 import AsyncMemoryClient, MemoryClient
from mem0.exceptions import MemoryNotFoundError
from pydantic import BaseModel


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

READY_WITHIN = 10.0
"""Seconds that an export may take."""

HUNG_AFTER = 120.0
"""Seconds until this gives up: the client itself would wait five minutes for each answer."""

TEXTS = {
    "Lives in Lisbon": {"city": "Lisbon"},
    "Works for Nortelume since 2019": {"employer": "Nortelume", "since": 2019},
    "Sails, and plays chess": {"hobbies": ["sailing", "chess"]},
}
"""What is stored: texts with their metadata."""


class Fact(BaseModel):
    """One memory of an export."""

    memory: str
    city: str | None = None


class Profile(BaseModel):
    """What is exported: Pydantic makes `$defs`, nulls and defaults of it, as in the service's documentation."""

    city: str | None = None
    employer: str | None = None
    since: int | None = None
    hobbies: list[str] = []
    facts: list[Fact] = []
    nickname: str | None = None


EXPORTED = {
    "city": "Lisbon",
    "employer": "Nortelume",
    "since": 2019,
    "hobbies": ["sailing", "chess"],
    "facts": [
        {"memory": "Lives in Lisbon", "city": "Lisbon"},
        {"memory": "Works for Nortelume since 2019"},
        {"memory": "Sails, and plays chess"},
    ],
}
"""The whole export. No memory says a nickname, so that the key is not there."""


def confine(server: str) -> None:
    """End the process with 1 as soon as anything in it looks up or connects to anything but `server`, even at exit."""

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            address = given[1]
        elif event == "socket.getaddrinfo":
            address = given
        else:
            return
        where = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
        if where != server:
            sys.stdout.flush()
            print(f"the client wanted to contact {where}", file=sys.stderr, flush=True)
            os._exit(1)

    sys.addaudithook(hook)


class Wrong(Exception):
    """An answer is not what is documented."""


def same(what: str, got: object, wanted: object) -> None:
    """Wrong where the two differ; a bool is no integer here, as in JSON."""
    if got != wanted or type(got) is not type(wanted):
        raise Wrong(f"{what} is {got!r} instead of {wanted!r}")


def has(what: str, got: dict[str, Any], *keys: str) -> None:
    """Wrong where a documented key is missing."""
    missing = [key for key in keys if key not in got]
    if missing:
        raise Wrong(f"{what} lacks {', '.join(missing)}: {got!r}")


def recent(what: str, text: str) -> None:
    """Wrong where `text` is no time with an offset, or not about now."""
    if abs(datetime.now(UTC) - datetime.fromisoformat(text)) > timedelta(minutes=5):
        raise Wrong(f"{what} is {text!r}, which is not now")


class Session:
    """The calls of one client, in order. What a call answers, later ones compare with."""

    def __init__(self, kind: type[MemoryClient | AsyncMemoryClient], url: str, key: str, user: str) -> None:
        self.kind = kind
        self.url = url
        self.key = key
        self.user = user
        self.filters = {"AND": [{"user_id": user}]}
        self.client: Any = None
        self.memory_ids: list[str] = []
        self.export_id = ""

    async def call(self, name: str, *positional: Any, **named: Any) -> Any:
        """The answer to a call of the client, whichever kind of client it is."""
        if self.client is None:
            raise Wrong("there is no client")
        answer = getattr(self.client, name)(*positional, **named)
        return await answer if inspect.isawaitable(answer) else answer

    async def construct(self) -> None:
        # Pings, also in the async client, which therefore is not awaited here.
        self.client = self.kind(api_key=self.key, host=self.url)
        same("org_id", bool(self.client.org_id), True)
        same("project_id", bool(self.client.project_id), True)

    async def refuse(self) -> None:
        try:
            self.kind(api_key=f"{self.key}-wrong", host=self.url)
        except ValueError as error:
            # The client makes a ValueError of any status: only the text tells that it was the key.
            if "Invalid API key" not in str(error):
                raise
        else:
            raise Wrong("a wrong key was let in")

    async def add(self) -> None:
        for text, metadata in TEXTS.items():
            answer = await self.call("add", text, user_id=self.user, infer=False, metadata=metadata)
            has("the answer", answer, "message", "status", "event_id", "results")
            same("message", answer["message"], "Memories stored successfully")
            same("status", answer["status"], "SUCCEEDED")
            uuid.UUID(answer["event_id"])
            same("the number of results", len(answer["results"]), 1)
            stored = answer["results"][0]
            has("results[0]", stored, "id", "event", "data")
            same("event", stored["event"], "ADD")
            same("data", stored["data"], {"memory": text})
            self.memory_ids.append(str(uuid.UUID(stored["id"])))
        same("the number of different ids", len(set(self.memory_ids)), len(TEXTS))

    async def get_all(self) -> None:
        answer = await self.call("get_all", filters=self.filters)
        has("the answer", answer, "count", "next", "previous", "results")
        same("count", answer["count"], len(TEXTS))
        same("next", answer["next"], None)
        same("previous", answer["previous"], None)
        same("the ids", [each["id"] for each in answer["results"]], self.memory_ids)
        for each, (text, metadata) in zip(answer["results"], TEXTS.items(), strict=True):
            has("a result", each, "id", "memory", "user_id", "agent_id", "app_id", "session_id", "metadata")
            has("a result", each, "categories", "expiration_date", "created_at", "updated_at")
            same("memory", each["memory"], text)
            same("user_id", each["user_id"], self.user)
            for name in ("agent_id", "app_id", "session_id", "expiration_date"):
                same(name, each[name], None)
            same("metadata", each["metadata"], metadata)
            recent("created_at", each["created_at"])
            recent("updated_at", each["updated_at"])

    async def get_pages(self) -> None:
        listed: list[str] = []
        for page, held, more in ((1, 2, True), (2, 1, False)):
            answer = await self.call("get_all", filters=self.filters, page=page, page_size=2)
            same(f"count of page {page}", answer["count"], len(TEXTS))
            same(f"the length of page {page}", len(answer["results"]), held)
            same(f"whether page {page} has a next one", isinstance(answer["next"], str), more)
            same(f"whether page {page} has a previous one", isinstance(answer["previous"], str), not more)
            listed += [each["id"] for each in answer["results"]]
        same("the ids of both pages", listed, self.memory_ids)

    async def get_past_the_end(self) -> None:
        try:
            answer = await self.call("get_all", filters=self.filters, page=9)
        except MemoryNotFoundError as error:
            has("the error", error.details, "detail")
        else:
            raise Wrong(f"a page past the end was answered with {answer!r}")

    async def create(self) -> None:
        # The Python example of the documentation, word for word but for the schema, which is a placeholder there.
        json_schema = Profile.model_json_schema()
        response = await self.call("create_memory_export", schema=json_schema, filters=self.filters)
        same("the keys", sorted(response), ["id", "message"])
        same(
            "message",
            response["message"],
            "Memory export request received. The export will be ready in a few seconds.",
        )
        self.export_id = str(uuid.UUID(response["id"]))

    async def ready(self, **which: Any) -> Any:
        """An export, as soon as it is there."""
        deadline = time.monotonic() + READY_WITHIN
        while True:
            try:
                return await self.call("get_memory_export", **which)
            except MemoryNotFoundError:  # also means: not yet
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    async def get_by_id(self) -> None:
        answer = await self.ready(memory_export_id=self.export_id)
        same("the export", answer, EXPORTED)
        same("the nickname of the profile", Profile.model_validate(answer).nickname, None)

    async def get_by_filters(self) -> None:
        # The newest of two with the same filters.
        schema = {"type": "object", "properties": {"city": {"type": "string"}}}
        instructions = "The newer memory wins."
        await self.call("create_memory_export", schema=schema, filters=self.filters, export_instructions=instructions)
        same("the export", await self.ready(filters=self.filters), {"city": "Lisbon"})

    async def get_unknown(self) -> None:
        try:
            answer = await self.call("get_memory_export", memory_export_id=str(uuid.uuid4()))
        except MemoryNotFoundError as error:
            same("the error", error.details.get("error"), "No memory export request found")
        else:
            raise Wrong(f"an unknown id was answered with {answer!r}")

    async def users(self) -> None:
        answer = await self.call("users")
        has("the answer", answer, "count", "next", "previous", "results")
        has("the answer", answer, "total_users", "total_agents", "total_apps", "total_runs")
        same("count", answer["count"], len(answer["results"]))
        same("total_users", answer["total_users"], len(answer["results"]))
        for each in answer["results"]:
            has("a result", each, "id", "name", "type", "created_at", "updated_at", "owner", "metadata")
            same("type", each["type"], "user")
            recent("created_at", each["created_at"])
        same("how often the user is listed", [each["name"] for each in answer["results"]].count(self.user), 1)


CALLS: dict[str, Callable[[Session], Awaitable[None]]] = {
    "constructor (ping)": Session.construct,
    "constructor, wrong key": Session.refuse,
    "add, three times": Session.add,
    "get_all(filters)": Session.get_all,
    "get_all(filters, page, page_size)": Session.get_pages,
    "get_all(page past the end)": Session.get_past_the_end,
    "create_memory_export(schema, filters)": Session.create,
    "get_memory_export(memory_export_id)": Session.get_by_id,
    "get_memory_export(filters)": Session.get_by_filters,
    "get_memory_export(unknown id)": Session.get_unknown,
    "users()": Session.users,
}


async def outcomes(session: Session) -> list[str]:
    """`ok` or the exception, for each of CALLS; one that fails does not stop the rest."""
    found: list[str] = []
    async with AsyncExitStack() as stack:
        for call in CALLS.values():
            try:
                await call(session)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it belongs into the table
                found.append(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
            else:
                found.append("ok")
            if call is Session.construct and isinstance(session.client, AsyncMemoryClient):
                await stack.enter_async_context(session.client)
    return found


def main() -> int:
    if len(sys.argv) != 3:
        print(f"usage: {sys.argv[0]} URL KEY", file=sys.stderr)
        return 2
    url, key = sys.argv[1:]
    confine(urlsplit(url).netloc)
    faulthandler.dump_traceback_later(HUNG_AFTER, exit=True)
    # It logs each 404 as an error, and here a 404 mostly means: not yet.
    logging.getLogger("mem0.client.utils").disabled = True

    # Two users, because a text that its owner has already is not stored again.
    by_sync = asyncio.run(outcomes(Session(MemoryClient, url, key, "alex")))
    by_async = asyncio.run(outcomes(Session(AsyncMemoryClient, url, key, "alex-async")))
    rows = [("call", "sync", "async"), *zip(CALLS, by_sync, by_async, strict=True)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for call, first, second in rows:
        print(f"{call:{widths[0]}} | {first:{widths[1]}} | {second}")
    return 0 if {*by_sync, *by_async} == {"ok"} else 1


if __name__ == "__main__":
    sys.exit(main())
