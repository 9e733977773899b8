"""What can be asked of a deployment without writing anything: good questions, and requests that have to be refused.

The requests that have to be refused name a user that nobody has, or nobody at all, so that a deployment that takes
them all the same has nothing to store.
"""

from __future__ import annotations

import secrets
import uuid

from typing import Any

from tests.contract.deployment.session import CouldNotRun, Session


MOST = 40
"""Requests of this part."""

FIELDS = {"user": "user_id", "agent": "agent_id", "app": "app_id", "run": "run_id"}
LISTED = {**{field: field for field in FIELDS.values()}, "run_id": "session_id"}
"""What a memory in a list calls the entities that filters name."""


def run(session: Session) -> None:
    """All of it."""
    _account(session)
    entity = _entities(session)
    _memories(session, entity)
    _exports(session)
    _adding(session)


def _account(session: Session) -> None:
    answer = session.ask("ping.ok", "ping", expect={200}, sent="with the key")
    if answer.status == 401:
        raise CouldNotRun("the deployment refuses the key in MEM0_API_KEY")
    session.ask("ping.wrong-key", "ping", expect={401}, sent="with a key that is wrong", key=_wrong())
    session.ask("ping.no-key", "ping", expect={401}, sent="without a key", key=None)


def _wrong() -> str:
    return f"m0-wrong-{secrets.token_hex(8)}"


def _nobody() -> str:
    return f"mem0-exports-contract-nobody-{secrets.token_hex(6)}"


def _entities(session: Session) -> dict[str, Any] | None:
    """Some entity that has memories, if there is one."""

    def ask(name: str, expect: set[int], **query: str) -> Any:
        shown = "&".join(f"{key}={value}" for key, value in query.items()) or "nothing"
        return session.ask(f"entities.{name}", "entities_list", expect=expect, query=query, sent=f"asking for {shown}")

    first = ask("first-page", {200})
    small = ask("page-size-1", {200}, page="1", page_size="1")
    ask("page-beyond", {404}, page="1000000")
    ask("page-zero", {400}, page="0")
    ask("page-no-number", {400}, page="two")
    ask("page-size-too-large", {400}, page_size="201")
    ask("unknown-parameter", {200, 400}, no_such_parameter="1")
    session.ask("entities.wrong-key", "entities_list", expect={401}, sent="with a key that is wrong", key=_wrong())
    if small.status == 200 and small.fits:
        paging(session, "entities.page-size-1", "entities_list", small.body, number=1, size=1)
    if first.status == 200 and first.fits:
        found = [each for each in first.body["results"] if each["type"] in FIELDS]
        return found[0] if found else None
    return None


def paging(session: Session, name: str, operation: str, page: dict[str, Any], *, number: int, size: int) -> None:
    """What count, next and previous have to say on a page that there is."""
    expected = max(0, min(size, page["count"] - (number - 1) * size))
    following, preceding = page["count"] > number * size, number > 1
    for what, wrong, promised, came in (
        ("results", len(page["results"]) != expected, f"{expected} results", f"{len(page['results'])} results"),
        ("next", (page["next"] is not None) != following, _set(following), _set(page["next"] is not None)),
        ("previous", (page["previous"] is not None) != preceding, _set(preceding), _set(page["previous"] is not None)),
    ):
        if wrong:
            sent = f"page={number}&page_size={size}, where count is {page['count']}"
            session.note(f"{name}:{what}", operation, sent=sent, promised=f"/{what}: {promised}", came=came)


def _set(present: bool) -> str:
    return "an address" if present else "null"


def _memories(session: Session, entity: dict[str, Any] | None) -> None:
    def ask(name: str, expect: set[int], body: Any, sent: str, **query: str) -> Any:
        return session.ask(f"memories.{name}", "memories_list", body, expect=expect, query=query, sent=sent)

    if entity is not None:
        field = FIELDS[entity["type"]]
        filters = {"filters": {"AND": [{field: entity["name"]}]}}
        page = ask("of-an-entity", {200}, filters, f"filters by the {field} of an entity", page="1", page_size="5")
        if page.status == 200 and page.fits:
            paging(session, "memories.of-an-entity", "memories_list", page.body, number=1, size=5)
            others = [each["id"] for each in page.body["results"] if each.get(LISTED[field]) != entity["name"]]
            if others:
                came = f"memory {others[0]} has another {LISTED[field]}"
                session.note(
                    "memories.of-an-entity:others",
                    "memories_list",
                    sent=f"filters by the {field} of an entity",
                    promised=f"only memories with this {field}",
                    came=came,
                )
        ask("page-beyond", {404}, filters, "page=1000000", page="1000000")
    nobody = {"filters": {"AND": [{"user_id": _nobody()}]}}
    page = ask("of-nobody", {200}, nobody, "filters by a user that nobody has")
    if page.status == 200 and page.fits and (page.body["count"] or page.body["results"]):
        session.note(
            "memories.of-nobody:results",
            "memories_list",
            sent="filters by a user that nobody has",
            promised="count 0, and no results",
            came=f"/count is {page.body['count']}, with {len(page.body['results'])} results",
        )
    ask("no-filters", {400}, {}, "the body {}")
    ask("empty-filters", {400}, {"filters": {}}, "empty filters")
    ask("only-a-wildcard", {400}, {"filters": {"user_id": "*"}}, "filters that name nobody: user_id *")
    ask("and-beside-or", {400}, {"filters": {**nobody["filters"], "OR": [{"app_id": "x"}]}}, "AND and OR side by side")
    ask("unknown-filter", {400}, {"filters": {"AND": [{"user_id": _nobody()}, {"colour": "x"}]}}, "an unknown field")
    ask("unknown-key", {400}, {**nobody, "colour": "x"}, "an unknown key in the body")
    ask("no-json", {400}, "{", "a body that is no JSON")
    ask("page-zero", {400}, nobody, "page=0", page="0")
    session.ask(
        "memories.wrong-key", "memories_list", nobody, expect={401}, sent="with a key that is wrong", key=_wrong()
    )


def _exports(session: Session) -> None:
    def get(name: str, expect: set[int], body: Any, sent: str, **more: Any) -> None:
        session.ask(f"exports.{name}", "exports_get", body, expect=expect, sent=sent, **more)

    def create(name: str, expect: set[int], body: Any, sent: str, **more: Any) -> None:
        session.ask(f"exports.{name}", "exports_create", body, expect=expect, sent=sent, **more)

    get("unknown-id", {404}, {"memory_export_id": str(uuid.uuid4())}, "an id that nobody has")
    get("unknown-filters", {404}, {"filters": {"AND": [{"user_id": _nobody()}]}}, "filters of no export")
    get("get-nothing", {400}, {}, "the body {}")
    get("get-a-number", {400}, {"memory_export_id": 5}, "a number for an id")
    elsewhere = {"memory_export_id": str(uuid.uuid4()), "org_id": _nobody(), "project_id": _nobody()}
    refused = {403} if 403 in session.known["exports_get"].responses else {404}  # as this version of the spec has it
    get("get-elsewhere", refused, elsewhere, "an organization and a project that nobody has")
    get("get-wrong-key", {401}, {"memory_export_id": str(uuid.uuid4())}, "with a key that is wrong", key=_wrong())
    filters = {"AND": [{"user_id": _nobody()}]}
    create("create-no-schema", {400}, {"filters": filters}, "no schema")
    create("create-schema-a-list", {400}, {"schema": [], "filters": filters}, "a list for a schema")
    create("create-no-json", {400}, "{", "a body that is no JSON")
    schema = {"type": "object"}
    body = {"schema": schema, "filters": filters}
    create("create-wrong-key", {401}, body, "with a key that is wrong", key=_wrong())


def _adding(session: Session) -> None:
    def add(name: str, expect: set[int], body: Any, sent: str, **more: Any) -> None:
        session.ask(f"add.{name}", "memories_add", body, expect=expect, sent=sent, **more)

    message = {"role": "user", "content": "mem0-exports contract check: to be refused"}
    add("nobody", {400}, {"messages": [message], "infer": False}, "no user, agent, app or run")
    add("no-messages", {400}, {"messages": [], "user_id": _nobody(), "infer": False}, "no messages")
    add("wrong-key", {401}, {"messages": [], "user_id": _nobody(), "infer": False}, "a wrong key", key=_wrong())
