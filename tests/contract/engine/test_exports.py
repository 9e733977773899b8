"""Test exports and filters with random schemas, memories and filters.

The result of every accepted export matches its schema, and each of its values comes from a memory.
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
from tests.contract.engine.budget import seeded_examples
from tests.contract.engine.model import RICH, Project
from tests.contract.engine.service import application, call, fresh_engine
from tests.support.timeouts import wait_until


def wait_for_result(export_id: str) -> Any:
    """Wait until an export is finished, and return the answer."""
    answers = []

    def is_finished() -> bool:
        answers.append(call("exports_get", {"memory_export_id": export_id}))
        return answers[-1].status_code == 200 or "reason" in answers[-1].json()

    wait_until(is_finished, f"export {export_id} is finished")
    return answers[-1]


@seeded_examples(150)
@given(data=st.data())
def test_result_of_every_accepted_export_matches_its_schema(data):
    user = data.draw(strategies.ids)
    memories = data.draw(st.lists(st.tuples(st.text(min_size=1, max_size=30), strategies.metadata), max_size=4))
    schema = data.draw(strategies.schemas)
    filters = data.draw(strategies.scoped(user))
    for text, metadata in memories:
        body = {"messages": [{"role": "user", "content": text}], "user_id": user, "metadata": metadata, "infer": False}
        assert call("memories_add", body).status_code == 200

    accepted = call("exports_create", {"schema": schema, "filters": filters, "export_instructions": "größer als 名前"})
    assert accepted.status_code == 201, accepted.json()
    answer = wait_for_result(accepted.json()["id"])

    assert answer.status_code == 200, answer.json()
    problems = [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(answer.json())]
    assert problems == []
    assert call("exports_get", {"filters": filters}).json() == answer.json(), (
        "the filters did not find the newest export"
    )


# Fields that many of the drawn memories have, with types that their values match or do not match.
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
_traced_fields = _fields | _fields.map(
    lambda fields: {"rows": {"type": "array", "items": {"type": "object", "properties": fields}}, **fields}
)


@seeded_examples(120)
@given(drawn=st.lists(strategies.memories, max_size=5), fields=_traced_fields)
def test_every_value_of_a_result_comes_from_a_memory(drawn, fields):
    schema = {"type": "object", "properties": fields}
    with fresh_engine(clock.now):
        for memory in drawn:
            rest = {name: value for name, value in memory.items() if name != "content"}
            message = {"role": "user", "content": memory["content"]}
            body = {"messages": [message], "infer": False, **rest, "user_id": "alex"}
            assert call("memories_add", body).status_code == 200
        memories = call("memories_list", {"filters": {"user_id": "alex"}}).json()["results"]

        accepted = call("exports_create", {"schema": schema, "filters": {"user_id": "alex"}})
        answer = wait_for_result(accepted.json()["id"])

    assert answer.status_code == 200, answer.json()
    known = {normalized(value) for memory in memories for value in scalars(memory)}
    invented = [value for value in scalars(answer.json()) if value is not None and normalized(value) not in known]
    assert invented == [], f"not in any of {memories}"
    for name, field in fields.items():
        if field == {"type": "array", "items": {"type": "string"}} and name == "memory":
            texts = list(dict.fromkeys(memory["memory"] for memory in memories))
            assert answer.json().get("memory", []) == texts, "not each text once, oldest first"


def scalars(value: Any) -> Iterator[Any]:
    """Yield all scalars in a JSON value, at any depth."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from scalars(each)
    else:
        yield value


def normalized(value: Any) -> Any:
    """Return a scalar without its type and case: the same for 1, 1.0 and "1", for true and "true", for "A" and "a"."""
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if number.is_finite():
        return number.normalize()
    return re.sub(r"[_\-\s]", "", text).casefold()


_drawn_memories = st.lists(
    st.builds(
        lambda memory, city: {**memory, "metadata": {**memory.get("metadata", {}), "city": city}},
        strategies.memories,
        st.sampled_from(["Lisbon", "lisbon", "Porto", "S\u00e3o", ""]),
    ),
    max_size=6,
)


@seeded_examples(100)
@given(drawn=_drawn_memories, tree=st.none() | strategies.matching_filters)
def test_export_reads_the_selected_memories_oldest_first(drawn, tree):
    filters = {"user_id": "alex"} if tree is None else {"AND": [{"user_id": "alex"}, tree]}
    project = Project()
    with fresh_engine(lambda: strategies.NEAR):
        for memory in drawn:
            rest = {name: value for name, value in memory.items() if name != "content"}
            message = {"role": "user", "content": memory["content"]}
            body = {"messages": [message], "infer": False, "user_id": "alex", **rest}
            stamp = body.get("timestamp")
            created_at = strategies.NEAR if stamp is None else datetime.fromtimestamp(stamp, UTC)
            results = call("memories_add", body).json()["results"]
            for added, result in zip(project.add(body, created_at, strategies.NEAR), results, strict=True):
                added.id = result["id"]
        accepted = call("exports_create", {"schema": RICH, "filters": filters})
        answer = wait_for_result(accepted.json()["id"])

    assert answer.json() == project.result(RICH, filters, strategies.NEAR)


@seeded_examples(100)
@given(data=st.data())
def test_list_with_filters_that_name_a_user_returns_only_that_users_memories(data):
    user = data.draw(strategies.ids)
    body = {"messages": [{"role": "user", "content": "x"}], "user_id": user, "infer": False}
    call("memories_add", body)

    page = call("memories_list", {"filters": data.draw(strategies.scoped(user))})

    assert page.status_code == 200
    assert page.json()["count"] == len(page.json()["results"]) >= 1
    assert {memory["user_id"] for memory in page.json()["results"]} == {user}


@seeded_examples(60)
@given(filters=strategies.unscoped)
def test_refuses_filters_without_an_entity_and_stores_no_job(filters):
    before = job_count()

    answer = call("exports_create", {"schema": {"type": "object"}, "filters": filters})

    assert answer.status_code == 400
    assert "at least one positively-scoped" in answer.json()["error"]
    assert job_count() == before


def job_count() -> int:
    with application.engine.store.database.read() as connection:
        return int(connection.value("SELECT count(*) FROM exports"))
