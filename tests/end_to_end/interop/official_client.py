"""Check the official mem0ai client against a server: every call that exports need, sync and async, and its answer.

    python tests/end_to_end/interop/official_client.py http://127.0.0.1:8765 KEY

It needs mem0ai, which the project itself does not use; `make interop` sets up an environment with it. The store of the
server must be empty, because counts and lists are compared exactly. It prints a table, and exits with 1 if a call is
not ok or if the client tried to contact anything but the server.
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
"""Seconds within which an export must be ready."""

ABORT_AFTER = 120.0
"""Seconds after which this script is aborted; the client itself would wait five minutes for each answer."""

TEXTS = {
    "Lives in Lisbon": {"city": "Lisbon"},
    "Works for Nortelume since 2019": {"employer": "Nortelume", "since": 2019},
    "Sails, and plays chess": {"hobbies": ["sailing", "chess"]},
}
"""The texts to store, with their metadata."""


class Fact(BaseModel):
    """A memory in the export."""

    memory: str
    city: str | None = None


class Profile(BaseModel):
    """The schema of the export, with `$defs`, nulls and defaults like those in the service's documentation."""

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
"""The expected result. It has no nickname, because no memory has one."""


def forbid_other_connections(server: str) -> None:
    """Exit with 1 if the process looks up or connects to anything but `server`, even while it exits."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            address = arguments[1]
        elif event == "socket.getaddrinfo":
            address = arguments
        else:
            return
        address_text = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
        if address_text != server:
            sys.stdout.flush()
            print(f"the client tried to contact {address_text}", file=sys.stderr, flush=True)
            os._exit(1)

    sys.addaudithook(hook)


class Mismatch(Exception):
    """An answer differs from the documentation."""


def check_equal(what: str, actual: object, expected: object) -> None:
    """Raise Mismatch if the values differ. As in JSON, a bool is not a number."""
    if actual != expected or type(actual) is not type(expected):
        raise Mismatch(f"{what} is {actual!r} instead of {expected!r}")


def check_keys(what: str, actual: dict[str, Any], *keys: str) -> None:
    """Raise Mismatch if a documented key is missing."""
    missing = [key for key in keys if key not in actual]
    if missing:
        raise Mismatch(f"{what} lacks {', '.join(missing)}: {actual!r}")


def check_recent(what: str, text: str) -> None:
    """Raise Mismatch unless `text` is a time with an offset within five minutes of now."""
    if abs(datetime.now(UTC) - datetime.fromisoformat(text)) > timedelta(minutes=5):
        raise Mismatch(f"{what} is {text!r}, which is not within five minutes of now")


class Session:
    """The calls of one client, in order. Later calls are compared with the answers of earlier ones."""

    def __init__(self, client_class: type[MemoryClient | AsyncMemoryClient], url: str, key: str, user: str) -> None:
        self.client_class = client_class
        self.url = url
        self.key = key
        self.user = user
        self.filters = {"AND": [{"user_id": user}]}
        self.client: Any = None
        self.memory_ids: list[str] = []
        self.export_id = ""

    async def call(self, name: str, *positional: Any, **named: Any) -> Any:
        """Call a method of the client, sync or async, and return the answer."""
        if self.client is None:
            raise Mismatch("there is no client")
        answer = getattr(self.client, name)(*positional, **named)
        return await answer if inspect.isawaitable(answer) else answer

    async def construct(self) -> None:
        # The constructor of both clients pings, synchronously.
        self.client = self.client_class(api_key=self.key, host=self.url)
        check_equal("org_id", bool(self.client.org_id), True)
        check_equal("project_id", bool(self.client.project_id), True)

    async def construct_with_wrong_key(self) -> None:
        try:
            self.client_class(api_key=f"{self.key}-wrong", host=self.url)
        except ValueError as error:
            # The client raises a ValueError for any status; only the text shows that the key was refused.
            if "Invalid API key" not in str(error):
                raise
        else:
            raise Mismatch("a wrong key was accepted")

    async def add(self) -> None:
        for text, metadata in TEXTS.items():
            answer = await self.call("add", text, user_id=self.user, infer=False, metadata=metadata)
            check_keys("the answer", answer, "message", "status", "event_id", "results")
            check_equal("message", answer["message"], "Memories stored successfully")
            check_equal("status", answer["status"], "SUCCEEDED")
            uuid.UUID(answer["event_id"])
            check_equal("the number of results", len(answer["results"]), 1)
            stored = answer["results"][0]
            check_keys("results[0]", stored, "id", "event", "data")
            check_equal("event", stored["event"], "ADD")
            check_equal("data", stored["data"], {"memory": text})
            self.memory_ids.append(str(uuid.UUID(stored["id"])))
        check_equal("the number of different ids", len(set(self.memory_ids)), len(TEXTS))

    async def get_all(self) -> None:
        answer = await self.call("get_all", filters=self.filters)
        check_keys("the answer", answer, "count", "next", "previous", "results")
        check_equal("count", answer["count"], len(TEXTS))
        check_equal("next", answer["next"], None)
        check_equal("previous", answer["previous"], None)
        check_equal("the ids", [each["id"] for each in answer["results"]], self.memory_ids)
        for each, (text, metadata) in zip(answer["results"], TEXTS.items(), strict=True):
            check_keys("a result", each, "id", "memory", "user_id", "agent_id", "app_id", "session_id", "metadata")
            check_keys("a result", each, "categories", "expiration_date", "created_at", "updated_at")
            check_equal("memory", each["memory"], text)
            check_equal("user_id", each["user_id"], self.user)
            for name in ("agent_id", "app_id", "session_id", "expiration_date"):
                check_equal(name, each[name], None)
            check_equal("metadata", each["metadata"], metadata)
            check_recent("created_at", each["created_at"])
            check_recent("updated_at", each["updated_at"])

    async def get_pages(self) -> None:
        listed: list[str] = []
        for page, held, more in ((1, 2, True), (2, 1, False)):
            answer = await self.call("get_all", filters=self.filters, page=page, page_size=2)
            check_equal(f"count of page {page}", answer["count"], len(TEXTS))
            check_equal(f"the length of page {page}", len(answer["results"]), held)
            check_equal(f"whether page {page} has a next one", isinstance(answer["next"], str), more)
            check_equal(f"whether page {page} has a previous one", isinstance(answer["previous"], str), not more)
            listed += [each["id"] for each in answer["results"]]
        check_equal("the ids of both pages", listed, self.memory_ids)

    async def get_past_the_end(self) -> None:
        try:
            answer = await self.call("get_all", filters=self.filters, page=9)
        except MemoryNotFoundError as error:
            check_keys("the error", error.details, "detail")
        else:
            raise Mismatch(f"a page past the end was answered with {answer!r}")

    async def create(self) -> None:
        # The Python example of the documentation, verbatim except for the schema, which is a placeholder there.
        json_schema = Profile.model_json_schema()
        response = await self.call("create_memory_export", schema=json_schema, filters=self.filters)
        check_equal("the keys", sorted(response), ["id", "message"])
        check_equal(
            "message",
            response["message"],
            "Memory export request received. The export will be ready in a few seconds.",
        )
        self.export_id = str(uuid.UUID(response["id"]))

    async def wait_for_export(self, **which: Any) -> Any:
        """Wait for an export, and return it."""
        deadline = time.monotonic() + READY_WITHIN
        while True:
            try:
                return await self.call("get_memory_export", **which)
            except MemoryNotFoundError:  # or it is not ready yet
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    async def get_by_id(self) -> None:
        answer = await self.wait_for_export(memory_export_id=self.export_id)
        check_equal("the export", answer, EXPORTED)
        check_equal("the nickname of the profile", Profile.model_validate(answer).nickname, None)

    async def get_by_filters(self) -> None:
        # There are two exports with these filters; this must be the newer one.
        schema = {"type": "object", "properties": {"city": {"type": "string"}}}
        instructions = "The newer memory wins."
        await self.call("create_memory_export", schema=schema, filters=self.filters, export_instructions=instructions)
        check_equal("the export", await self.wait_for_export(filters=self.filters), {"city": "Lisbon"})

    async def get_unknown(self) -> None:
        try:
            answer = await self.call("get_memory_export", memory_export_id=str(uuid.uuid4()))
        except MemoryNotFoundError as error:
            check_equal("the error", error.details.get("error"), "No memory export request found")
        else:
            raise Mismatch(f"an unknown id was answered with {answer!r}")

    async def users(self) -> None:
        answer = await self.call("users")
        check_keys("the answer", answer, "count", "next", "previous", "results")
        check_keys("the answer", answer, "total_users", "total_agents", "total_apps", "total_runs")
        check_equal("count", answer["count"], len(answer["results"]))
        check_equal("total_users", answer["total_users"], len(answer["results"]))
        for each in answer["results"]:
            check_keys("a result", each, "id", "name", "type", "created_at", "updated_at", "owner", "metadata")
            check_equal("type", each["type"], "user")
            check_recent("created_at", each["created_at"])
        check_equal("how often the user is listed", [each["name"] for each in answer["results"]].count(self.user), 1)


CALLS: dict[str, Callable[[Session], Awaitable[None]]] = {
    "constructor (ping)": Session.construct,
    "constructor, wrong key": Session.construct_with_wrong_key,
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
    """Make all CALLS, whichever fail, and return `ok` or the exception for each."""
    results: list[str] = []
    async with AsyncExitStack() as stack:
        for call in CALLS.values():
            try:
                await call(session)
            except Exception as error:  # noqa: BLE001 -- every error goes into the table
                results.append(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
            else:
                results.append("ok")
            if call is Session.construct and isinstance(session.client, AsyncMemoryClient):
                await stack.enter_async_context(session.client)
    return results


def main() -> int:
    if len(sys.argv) != 3:
        print(f"usage: {sys.argv[0]} URL KEY", file=sys.stderr)
        return 2
    url, key = sys.argv[1:]
    forbid_other_connections(urlsplit(url).netloc)
    faulthandler.dump_traceback_later(ABORT_AFTER, exit=True)
    # It logs every 404 as an error, but here most of them only say that an export is not ready.
    logging.getLogger("mem0.client.utils").disabled = True

    # Two users, because a text is stored only once for each.
    by_sync = asyncio.run(outcomes(Session(MemoryClient, url, key, "alex")))
    by_async = asyncio.run(outcomes(Session(AsyncMemoryClient, url, key, "alex-async")))
    rows = [("call", "sync", "async"), *zip(CALLS, by_sync, by_async, strict=True)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for call, first, second in rows:
        print(f"{call:{widths[0]}} | {first:{widths[1]}} | {second}")
    return 0 if {*by_sync, *by_async} == {"ok"} else 1


if __name__ == "__main__":
    sys.exit(main())
