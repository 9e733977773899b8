"""Checks that write nothing: valid queries, and requests that must be refused.

The requests that must be refused name a user that does not exist, or none, so that a deployment that accepts them
nevertheless has nothing to store.
"""

from __future__ import annotations

import random
import uuid

from typing import Any

from tests.contract.deployment.errors import CouldNotRun
from tests.contract.deployment.session import CONFIGURED, Answer, Session


REPORT_PATH = "/v1/exports/{export_id}/report/"
EXPORTS_PATH = "/v1/exports/"


MOST = 44
"""The most requests of this part: one for each check, and some to repeat after a 429."""

FIELDS = {"user": "user_id", "agent": "agent_id", "app": "app_id", "run": "run_id"}
LISTED = {**{field: field for field in FIELDS.values()}, "run_id": "session_id"}
"""The field of a listed memory that holds what a filter field selects by."""


def unknown_name(source: random.Random) -> str:
    """Return the name of an entity that no deployment has."""
    return f"mem0-exports-contract-unknown-{source.getrandbits(48):012x}"


def unknown_id(source: random.Random) -> str:
    """Return a UUID that no deployment has given to anything."""
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def paging(session: Session, check: str, operation: str, page: dict[str, Any], *, number: int, size: int) -> None:
    """Record differences in `count`, `next` and `previous` of a page that exists."""
    expected = max(0, min(size, page["count"] - (number - 1) * size))
    following, preceding = page["count"] > number * size, number > 1
    for kind, wrong, promised, received in (
        ("results", len(page["results"]) != expected, f"{expected} results", f"{len(page['results'])} results"),
        ("next", (page["next"] is not None) != following, _link(following), _link(page["next"] is not None)),
        (
            "previous",
            (page["previous"] is not None) != preceding,
            _link(preceding),
            _link(page["previous"] is not None),
        ),
    ):
        if wrong:
            sent = f"page={number}&page_size={size}, where count is {page['count']}"
            session.note(check, kind, operation, sent=sent, promised=f"/{kind}: {promised}", received=received)


def _link(present: bool) -> str:
    return "an address" if present else "null"


class Reads:
    """The checks of one run; names, ids and keys that do not exist are drawn from the seed."""

    def __init__(self, session: Session, seed: int) -> None:
        self._session = session
        self._random = random.Random(f"reads {seed}")

    def run(self) -> None:
        """Run all checks of this part."""
        self._account()
        entity = self._entities()
        self._memories(entity)
        self._by_id("memory", "/v1/memories/{memory_id}/", "{memory_id}")
        self._exports()
        self._by_id("report", REPORT_PATH, "{export_id}")
        self._exports_list()
        self._adding()

    def _wrong_key(self) -> str:
        return f"m0-wrong-{self._random.getrandbits(64):016x}"

    def _unknown(self) -> str:
        return unknown_name(self._random)

    def _account(self) -> None:
        session = self._session
        answer = session.ask("ping.ok", "ping", expected={200}, sent="with the key")
        if answer.status == 401:
            raise CouldNotRun("the deployment refuses the key in MEM0_API_KEY: set it to a key of this deployment")
        session.ask("ping.wrong-key", "ping", expected={401}, sent="with a wrong key", key=self._wrong_key())
        session.ask("ping.no-key", "ping", expected={401}, sent="without a key", key=None)

    def _entities(self) -> dict[str, Any] | None:
        """Check the list of entities, and return one that has memories, if there is one."""

        def ask(name: str, expected: set[int], **query: str) -> Answer:
            sent = "&".join(f"{key}={value}" for key, value in query.items()) or "without parameters"
            return self._session.ask(f"entities.{name}", "entities_list", expected=expected, query=query, sent=sent)

        first = ask("first-page", {200})
        small = ask("page-size-1", {200}, page="1", page_size="1")
        ask("page-beyond", {404}, page="1000000")
        ask("page-zero", {400}, page="0")
        ask("page-not-a-number", {400}, page="two")
        ask("page-size-too-large", {400}, page_size="201")
        ask("unknown-parameter", {200, 400}, no_such_parameter="1")
        self._session.ask(
            "entities.wrong-key", "entities_list", expected={401}, sent="with a wrong key", key=self._wrong_key()
        )
        if small.status == 200 and small.valid:
            paging(self._session, "entities.page-size-1", "entities_list", small.body, number=1, size=1)
        if first.status == 200 and first.valid:
            found = [each for each in first.body["results"] if each["type"] in FIELDS]
            return found[0] if found else None
        return None

    def _exports_list(self) -> None:
        """Check the list of exports, if the spec has it."""
        operation = self._session.find("GET", EXPORTS_PATH)
        if operation is None:
            return
        query, sent = {"page": "1", "page_size": "1"}, "page=1&page_size=1"
        answer = self._session.ask("exports.list", operation.id, expected={200}, query=query, sent=sent)
        if answer.status == 200 and answer.valid:
            paging(self._session, "exports.list", operation.id, answer.body, number=1, size=1)

    def _memories(self, entity: dict[str, Any] | None) -> None:
        if entity is not None:
            self._memories_of(entity)
        filters = {"AND": [{"user_id": self._unknown()}]}
        unknown = {"filters": filters}
        page = self._list("unknown-user", {200}, unknown, "filters by an unknown user")
        if page.status == 200 and page.valid and (page.body["count"] or page.body["results"]):
            self._session.note(
                "memories.unknown-user",
                "results",
                "memories_list",
                sent="filters by an unknown user",
                promised="count 0, and no results",
                received=f"/count is {page.body['count']}, with {len(page.body['results'])} results",
            )
        both = {**filters, "OR": [{"app_id": "x"}]}
        colour = {"AND": [{"user_id": self._unknown()}, {"colour": "x"}]}
        self._list("no-filters", {400}, {}, "the body {}")
        self._list("empty-filters", {400}, {"filters": {}}, "empty filters")
        self._list("only-a-wildcard", {400}, {"filters": {"user_id": "*"}}, "the filter user_id *, which names no user")
        self._list("and-beside-or", {400}, {"filters": both}, "AND and OR side by side")
        self._list("unknown-filter", {400}, {"filters": colour}, "a filter by an unknown field")
        self._list("unknown-key", {400}, {**unknown, "colour": "x"}, "an unknown key in the body")
        self._list("not-json", {400}, "{", "a body that is not JSON")
        self._list("page-zero", {400}, unknown, "page=0", page="0")
        self._session.ask(
            "memories.wrong-key",
            "memories_list",
            unknown,
            expected={401},
            sent="with a wrong key",
            key=self._wrong_key(),
        )

    def _list(self, name: str, expected: set[int], body: Any, sent: str, **query: str) -> Answer:
        return self._session.ask(f"memories.{name}", "memories_list", body, expected=expected, query=query, sent=sent)

    def _memories_of(self, entity: dict[str, Any]) -> None:
        field = FIELDS[entity["type"]]
        sent = f"filters by the {field} of an entity"
        filters = {"filters": {"AND": [{field: entity["name"]}]}}
        page = self._list("of-an-entity", {200}, filters, sent, page="1", page_size="5")
        if page.status == 200 and page.valid:
            paging(self._session, "memories.of-an-entity", "memories_list", page.body, number=1, size=5)
            others = [each["id"] for each in page.body["results"] if each.get(LISTED[field]) != entity["name"]]
            if others:
                self._session.note(
                    "memories.of-an-entity",
                    "others",
                    "memories_list",
                    sent=sent,
                    promised=f"only memories with this {field}",
                    received=f"memory {others[0]} has another {LISTED[field]}",
                )
        self._list("page-beyond", {404}, filters, "page=1000000", page="1000000")

    def _by_id(self, checks: str, path: str, parameter: str) -> None:
        """Check a GET with an id in its path, if the spec has it. `checks` is the first part of the checks' names."""
        operation = self._session.find("GET", path)
        if operation is None:
            return

        def get(name: str, expected: set[int], given: str, sent: str, key: str = CONFIGURED) -> None:
            filled = path.replace(parameter, given)
            self._session.ask(f"{checks}.{name}", operation.id, expected=expected, sent=sent, key=key, path=filled)

        get("unknown-id", {404}, unknown_id(self._random), "an unknown id")
        get("not-an-id", {400}, "x", "an id that is not a UUID")
        get("wrong-key", {401}, unknown_id(self._random), "with a wrong key", key=self._wrong_key())

    def _exports(self) -> None:
        def get(name: str, expected: set[int], body: Any, sent: str, key: str = CONFIGURED) -> None:
            self._session.ask(f"exports.{name}", "exports_get", body, expected=expected, sent=sent, key=key)

        def create(name: str, expected: set[int], body: Any, sent: str, key: str = CONFIGURED) -> None:
            self._session.ask(f"exports.{name}", "exports_create", body, expected=expected, sent=sent, key=key)

        unknown = {"memory_export_id": unknown_id(self._random)}
        get("unknown-id", {404}, unknown, "an unknown id")
        get("unknown-filters", {404}, {"filters": {"AND": [{"user_id": self._unknown()}]}}, "filters of no export")
        get("get-nothing", {400}, {}, "the body {}")
        get("get-a-number", {400}, {"memory_export_id": 5}, "a number as the id")
        elsewhere = {**unknown, "org_id": self._unknown(), "project_id": self._unknown()}
        # A spec without a 403 has to say that such an export is not found.
        refused = {403} if 403 in self._session.operations["exports_get"].responses else {404}
        get("get-elsewhere", refused, elsewhere, "an unknown organization and project")
        get("get-wrong-key", {401}, unknown, "with a wrong key", key=self._wrong_key())
        filters = {"AND": [{"user_id": self._unknown()}]}
        create("create-no-schema", {400}, {"filters": filters}, "no schema")
        create("create-schema-is-a-list", {400}, {"schema": [], "filters": filters}, "a list as the schema")
        create("create-not-json", {400}, "{", "a body that is not JSON")
        body = {"schema": {"type": "object"}, "filters": filters}
        create("create-wrong-key", {401}, body, "with a wrong key", key=self._wrong_key())

    def _adding(self) -> None:
        def add(name: str, expected: set[int], body: Any, sent: str, key: str = CONFIGURED) -> None:
            self._session.ask(f"add.{name}", "memories_add", body, expected=expected, sent=sent, key=key)

        message = {"role": "user", "content": "mem0-exports contract check: must be refused"}
        nothing = {"messages": [], "user_id": self._unknown(), "infer": False}
        add("no-entity", {400}, {"messages": [message], "infer": False}, "no user, agent, app or run")
        add("no-messages", {400}, nothing, "no messages")
        add("wrong-key", {401}, nothing, "with a wrong key", key=self._wrong_key())
