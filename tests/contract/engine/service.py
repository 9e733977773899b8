"""The spec, loaded by schemathesis and pointed at an embedded engine in this process, and how to call it.

Every answer that comes through here is held to the spec and counted in `tally`. The keys, the engine and the application
are made here and nowhere else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import uuid

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import schemathesis
import sqlalchemy as sa

from schemathesis.specs.openapi.checks import ignored_auth

from mem0_exports_engine import clock
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.server.app import build
from mem0_exports_engine.store.sqlite import tables
from tests.contract.engine.budget import SEED
from tests.contract.engine.tally import Pair, Tally


ROOT = Path(__file__).resolve().parents[3]
SETTINGS = Path(__file__).with_name("schemathesis.toml")
KEYS = ("contract-key", "mx-00000002-" + 43 * "x")
"""One key for each project of the engine: what the owner of one does is not to be seen by another."""

# schemathesis.toml takes the key from here, in this process and in the schemathesis command.
os.environ["MEM0_CONTRACT_KEY"] = KEYS[0]


def opened(now: Callable[[], datetime] = clock.now) -> Engine:
    """A new engine, empty, with the keys. Its ids are those of every engine that begins with this seed."""
    source = random.Random(SEED)

    def new_id() -> uuid.UUID:
        return uuid.UUID(int=source.getrandbits(128), version=4)

    engine = Engine(":memory:", api_key=KEYS[0], now=now, new_id=new_id)
    digest = hashlib.sha256(KEYS[1].encode()).digest()
    other = {"id": "00000002", "project": "other", "name": "", "digest": digest, "created_us": 0}
    with engine.store.database.write() as connection:
        connection.execute(sa.insert(tables.keys), other)
    return engine


class _Application:
    """The application in front of whichever engine is in use."""

    def __init__(self, engine: Engine) -> None:
        self.use(engine)

    def use(self, engine: Engine) -> None:
        self.engine = engine
        self._app = build(engine)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


# schemathesis keeps each application that it has seen for ever, so there is one, and its engine changes.
application = _Application(opened())

schema = schemathesis.openapi.from_path(ROOT / "openapi.yaml", config=schemathesis.Config.from_path(SETTINGS))
schema.config.seed = SEED
schema.app = application

tally = Tally()


@contextlib.contextmanager
def fresh(now: Callable[[], datetime]) -> Iterator[Engine]:
    """An empty engine with a clock of its own, which answers as long as the context lasts."""
    before, engine = application.engine, opened(now)
    application.use(engine)
    try:
        yield engine
    finally:
        application.use(before)
        engine.close()


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    tally.in_process[Pair(case.operation.definition.raw["operationId"], response.status_code)] += 1


@schemathesis.hook
def after_validate(context: Any, case: Any, response: Any, results: list[Any]) -> None:
    tally.checks += len(results)


def documented() -> set[Pair]:
    """Every operation with every status that the spec gives it."""
    return {
        Pair(operation["operationId"], int(status))
        for path in schema.raw_schema["paths"].values()
        for operation in path.values()
        for status in operation["responses"]
    }


_operations = {each.ok().definition.raw["operationId"]: each.ok() for each in schema.get_all_operations()}


def operations() -> dict[tuple[str, str], str]:
    """The id of each operation by path and method."""
    return {(each.path, each.method.upper()): name for name, each in _operations.items()}


def call(operation_id: str, body: Any = None, *, query: dict[str, Any] | None = None, key: str | None = KEYS[0]) -> Any:
    """Send a request with a key, or with none; hold the answer to the contract, and return it."""
    sent = {} if body is None else {"body": body, "media_type": "application/json"}
    headers = {} if key is None else {"Authorization": f"Token {key}"}
    case = _operations[operation_id].Case(**sent, query=query or {}, headers=headers)
    answer = case.call()
    # Whether keys are asked for at all is looked at in test_operations; here it would send everything three times.
    case.validate_response(answer, excluded_checks=[ignored_auth])
    return answer
