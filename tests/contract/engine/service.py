"""Call an embedded engine in this process through schemathesis, which checks each answer against openapi.yaml.

All answers are counted in `tally`. This is the only place that makes the keys, the engine and the application.
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

from schemathesis.specs.openapi.checks import ignored_auth

from mem0_exports_engine import clock
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.server.app import build
from tests.contract.engine.budget import SEED
from tests.contract.engine.tally import Pair, Tally
from tests.support.spec import raw_operations


ROOT = Path(__file__).resolve().parents[3]
SETTINGS = Path(__file__).with_name("schemathesis.toml")
KEYS = ("contract-key", "mx-00000002-" + 43 * "x")
"""One key for each project of the engine. No project may see the data of another."""

# schemathesis.toml takes the key from here, in this process and in the schemathesis command.
os.environ["MEM0_CONTRACT_KEY"] = KEYS[0]


def new_engine(now: Callable[[], datetime] = clock.now) -> Engine:
    """Return a new, empty engine that accepts `KEYS`. With the same seed it assigns the same ids."""
    source = random.Random(SEED)

    def new_id() -> uuid.UUID:
        return uuid.UUID(int=source.getrandbits(128), version=4)

    engine = Engine(":memory:", api_key=KEYS[0], now=now, new_id=new_id)
    digest = hashlib.sha256(KEYS[1].encode()).digest()
    other = {"id": "00000002", "project": "other", "name": "", "digest": digest, "created_us": 0}
    with engine.store.database.write() as connection:
        connection.execute("INSERT INTO keys VALUES (:id, :project, :name, :digest, :created_us, NULL)", other)
    return engine


class _Application:
    """An ASGI application that passes requests to a replaceable engine."""

    def __init__(self, engine: Engine) -> None:
        self.use(engine)

    def use(self, engine: Engine) -> None:
        self.engine = engine
        self._app = build(engine)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


# Only one, because schemathesis never releases an application; tests replace its engine.
application = _Application(new_engine())

schema = schemathesis.openapi.from_path(ROOT / "openapi.yaml", config=schemathesis.Config.from_path(SETTINGS))
schema.config.seed = SEED
schema.app = application

tally = Tally()


@contextlib.contextmanager
def fresh_engine(now: Callable[[], datetime]) -> Iterator[Engine]:
    """Let a new, empty engine with this clock answer all calls for as long as the context lasts."""
    before, engine = application.engine, new_engine(now)
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


def documented_pairs() -> set[Pair]:
    """Return every pair of operation and status that the spec documents."""
    return {
        Pair(operation["operationId"], int(status))
        for _, _, operation in raw_operations(schema.raw_schema)
        for status in operation["responses"]
    }


_operations = {each.ok().definition.raw["operationId"]: each.ok() for each in schema.get_all_operations()}


def operation_ids() -> dict[tuple[str, str], str]:
    """Return the id of each operation, by path and method."""
    return {(each.path, each.method.upper()): name for name, each in _operations.items()}


def call(
    operation_id: str,
    body: Any = None,
    *,
    path: dict[str, str] | None = None,
    query: dict[str, Any] | None = None,
    key: str | None = KEYS[0],
) -> Any:
    """Send a request, check the answer against the spec, and return it. With `key=None` the request has no key."""
    payload = {} if body is None else {"body": body, "media_type": "application/json"}
    headers = {} if key is None else {"Authorization": f"Token {key}"}
    case = _operations[operation_id].Case(**payload, path_parameters=path or {}, query=query or {}, headers=headers)
    answer = case.call()
    # test_operations.py checks that keys are required; here that check would send each request three times.
    case.validate_response(answer, excluded_checks=[ignored_auth])
    return answer
