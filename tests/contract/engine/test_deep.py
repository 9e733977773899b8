"""What a schema alone cannot say: a job that was accepted becomes an object of its schema, whatever the schema.

Nothing in that object is made up: each value is one that a memory has, at most written in another type.
"""

from __future__ import annotations

import json
import re

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import jsonschema_rs

from hypothesis import given
from hypothesis import strategies as st

from mem0_exports_engine import clock
from tests.contract.engine import strategies
from tests.contract.engine.budget import drawn
from tests.contract.engine.model import RICH, Project
from tests.contract.engine.service import application, call, fresh
from tests.support.patience import until


def ready(export_id: str) -> Any:
    """The answer to a finished export."""
    answers = []

    def settled() -> bool:
        answers.append(call("exports_get", {"memory_export_id": export_id}))
        return answers[-1].status_code == 200 or "reason" in answers[-1].json()

    until(settled, f"export {export_id} is ready")
    return answers[-1]


@drawn(150)
@given(data=st.data())
def test_every_accepted_export_becomes_an_object_of_its_schema(data):
    user = data.draw(strategies.ids)
    memories = data.draw(st.lists(st.tuples(st.text(min_size=1, max_size=30), strategies.metadata), max_size=4))
    schema = data.draw(strategies.schemas)
    filters = data.draw(strategies.scoped(user))
    for text, metadata in memories:
        body = {"messages": [{"role": "user", "content": text}], "user_id": user, "metadata": metadata, "infer": False}
        assert call("memories_add", body).status_code == 200

    accepted = call("exports_create", {"schema": schema, "filters": filters, "export_instructions": "größer als 名前"})
    assert accepted.status_code == 201, accepted.json()
    answer = ready(accepted.json()["id"])

    assert answer.status_code == 200, answer.json()
    problems = [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(answer.json())]
    assert problems == []
    assert call("exports_get", {"filters": filters}).json() == answer.json(), (
        "by its filters, the newest export is this one"
    )


# Fields that memories often have, in types that fit and in types that do not.
_kinds = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "number"},
        {"type": "boolean"},
        {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        {"type": ["string", "integer"]},
        {"enum": list(strategies.COMMON_TEXTS)},
        {},
    ]
)
_kinds = _kinds | _kinds.map(lambda kind: {"type": "array", "items": kind})
_fields = st.dictionaries(
    st.sampled_from([*strategies.METADATA_KEYS, "City", "memory", "user_id", "created_at", "metadata"]),
    _kinds
    | st.tuples(_kinds, st.sampled_from(strategies.METADATA_KEYS)).map(
        lambda pair: {**pair[0], "x-mem0-source": {"metadata": pair[1]}}
    ),
    min_size=1,
    max_size=5,
)
_traced = _fields | _fields.map(
    lambda fields: {"rows": {"type": "array", "items": {"type": "object", "properties": fields}}, **fields}
)


@drawn(120)
@given(told=st.lists(strategies.memories, max_size=5), fields=_traced)
def test_every_value_of_an_export_is_one_that_a_memory_has(told, fields):
    schema = {"type": "object", "properties": fields}
    with fresh(clock.now):
        for memory in told:
            rest = {name: value for name, value in memory.items() if name != "content"}
            message = {"role": "user", "content": memory["content"]}
            body = {"messages": [message], "infer": False, **rest, "user_id": "alex"}
            assert call("memories_add", body).status_code == 200
        memories = call("memories_list", {"filters": {"user_id": "alex"}}).json()["results"]

        accepted = call("exports_create", {"schema": schema, "filters": {"user_id": "alex"}})
        answer = ready(accepted.json()["id"])

    assert answer.status_code == 200, answer.json()
    had = {said(value) for memory in memories for value in scalars(memory)}
    invented = [value for value in scalars(answer.json()) if value is not None and said(value) not in had]
    assert invented == [], memories
    for name, field in fields.items():
        if field == {"type": "array", "items": {"type": "string"}} and name == "memory":
            texts = list(dict.fromkeys(memory["memory"] for memory in memories))
            assert answer.json().get("memory", []) == texts, "each text once, oldest first"


def scalars(value: Any) -> Iterator[Any]:
    """What stands in a JSON value, however deep."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from scalars(each)
    else:
        yield value


def said(value: Any) -> Any:
    """A scalar without its type: 1, 1.0 and "1" say the same, as do true and "true", and "Lisbon" and "lisbon"."""
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if number.is_finite():
        return number.normalize()
    return re.sub(r"[_\-\s]", "", text).casefold()


_told = st.lists(
    st.builds(
        lambda memory, city: {**memory, "metadata": {**memory.get("metadata", {}), "city": city}},
        strategies.memories,
        st.sampled_from(["Lisbon", "lisbon", "Porto", "S\u00e3o", ""]),
    ),
    max_size=6,
)


@drawn(100)
@given(told=_told, tree=st.none() | strategies.meeting)
def test_an_export_is_made_of_the_memories_that_its_filters_select_oldest_first(told, tree):
    filters = {"user_id": "alex"} if tree is None else {"AND": [{"user_id": "alex"}, tree]}
    project = Project()
    with fresh(lambda: strategies.NEAR):
        for memory in told:
            rest = {name: value for name, value in memory.items() if name != "content"}
            message = {"role": "user", "content": memory["content"]}
            body = {"messages": [message], "infer": False, "user_id": "alex", **rest}
            stamp = body.get("timestamp")
            created_at = strategies.NEAR if stamp is None else datetime.fromtimestamp(stamp, UTC)
            results = call("memories_add", body).json()["results"]
            for kept, result in zip(project.add(body, created_at, strategies.NEAR), results, strict=True):
                kept.id = result["id"]
        accepted = call("exports_create", {"schema": RICH, "filters": filters})
        answer = ready(accepted.json()["id"])

    assert answer.json() == project.result(RICH, filters, strategies.NEAR)


@drawn(100)
@given(data=st.data())
def test_a_list_by_any_filters_that_name_the_user_holds_the_users_memories(data):
    user = data.draw(strategies.ids)
    body = {"messages": [{"role": "user", "content": "x"}], "user_id": user, "infer": False}
    call("memories_add", body)

    page = call("memories_list", {"filters": data.draw(strategies.scoped(user))})

    assert page.status_code == 200
    assert page.json()["count"] == len(page.json()["results"]) >= 1
    assert {memory["user_id"] for memory in page.json()["results"]} == {user}


@drawn(60)
@given(filters=strategies.unscoped)
def test_filters_that_name_nobody_are_refused_and_make_no_job(filters):
    before = jobs()

    answer = call("exports_create", {"schema": {"type": "object"}, "filters": filters})

    assert answer.status_code == 400
    assert "at least one positively-scoped" in answer.json()["error"]
    assert jobs() == before


def jobs() -> int:
    with application.engine.store.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM exports").scalar_one())
