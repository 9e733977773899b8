"""What a schema alone cannot say: a job that was accepted becomes an object of its schema, whatever the schema."""

from __future__ import annotations

import time

from typing import Any

import jsonschema_rs

from hypothesis import given
from hypothesis import strategies as st

from tests.contract import strategies
from tests.contract.budget import drawn
from tests.contract.service import application, call


def ready(export_id: str) -> Any:
    """The answer to a finished export."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = call("exports_get", {"memory_export_id": export_id})
        if answer.status_code == 200 or "reason" in answer.json():
            return answer
        time.sleep(0.002)
    raise AssertionError(f"export {export_id} was never ready")


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
    with application.engine.store.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM exports").scalar_one())
