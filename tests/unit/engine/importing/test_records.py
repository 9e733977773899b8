"""Test that records of every tool of Mem0 are understood, and that nothing of them is lost."""

from __future__ import annotations

import uuid

import pytest

from mem0_exports_engine.importing.records import KEPT, BadRecord, understood


TIME = "2025-03-04T18:20:00Z"
ID = str(uuid.uuid4())


@pytest.mark.parametrize("name", ["memory", "text", "content"])
def test_the_text_has_several_names(name):
    assert understood({name: "x", "user_id": "a"}, {}) == {"memory": "x", "user_id": "a"}


def test_camel_case_and_session_id():
    record = {"memory": "x", "userId": "a", "agentId": "b", "session_id": "r", "createdAt": TIME, "updatedAt": TIME}

    assert understood(record, {}) == {
        "memory": "x",
        "user_id": "a",
        "agent_id": "b",
        "run_id": "r",
        "created_at": TIME,
        "updated_at": TIME,
    }


def test_unknown_fields_are_kept_beside_the_metadata():
    record = {"memory": "x", "user_id": "a", "metadata": {"city": "Lisbon"}, "lifecycle_state": "active", "empty": None}

    assert understood(record, {})["metadata"] == {"city": "Lisbon", KEPT: {"lifecycle_state": "active"}}


def test_what_is_computed_from_the_rest_is_dropped():
    record = {"memory": "x", "user_id": "a", "hash": "h", "score": 0.5, "text_lemmatized": "x"}

    assert understood(record, {}) == {"memory": "x", "user_id": "a"}


def test_both_spellings_of_a_field_are_kept():
    record = {"memory": "x", "user_id": "a", "userId": "b", "text": "more"}

    assert understood(record, {}) == {
        "memory": "x",
        "user_id": "a",
        "metadata": {KEPT: {"userId": "b", "text": "more"}},
    }


def test_an_id_of_another_kind_becomes_a_uuid_that_is_always_the_same():
    first, second = (understood({"memory": "x", "user_id": "a", "id": "mem_17"}, {}) for _ in range(2))

    assert first == second
    assert uuid.UUID(first["id"])
    assert first["metadata"] == {KEPT: {"id": "mem_17"}}


def test_the_payload_of_open_source_mem0_is_the_truth():
    payload = {
        "data": "Lives in Lisbon",
        "hash": "h",
        "text_lemmatized": "live lisbon",
        "user_id": "alex",
        "created_at": TIME,
        "updated_at": TIME,
        "role": "user",
        "city": "Lisbon",
        "expiration_date": "2030-01-01",
    }
    record = {
        "id": ID,
        "memory": "Lives in Lisbon",
        "hash": "h",
        "user_id": "alex",
        "source": "qdrant",
        "metadata": {"city": "Lisbon", "expiration_date": "2030-01-01"},
        "source_payload": payload,
    }

    assert understood(record, {}) == {
        "id": ID,
        "memory": "Lives in Lisbon",
        "user_id": "alex",
        "created_at": TIME,
        "updated_at": TIME,
        "expiration_date": "2030-01-01",
        "metadata": {"role": "user", "city": "Lisbon"},
    }


def test_an_expiration_date_of_open_source_mem0_that_is_no_date_stays_metadata():
    payload = {"data": "x", "user_id": "a", "expiration_date": "soon"}

    assert understood({"id": ID, "source_payload": payload}, {}) == {
        "id": ID,
        "memory": "x",
        "user_id": "a",
        "metadata": {"expiration_date": "soon"},
    }


def test_owners_are_for_records_that_name_nobody():
    assert understood({"memory": "x"}, {"user_id": "alex"}) == {"memory": "x", "user_id": "alex"}
    assert understood({"memory": "x", "agent_id": "b"}, {"user_id": "alex"}) == {"memory": "x", "agent_id": "b"}
    with pytest.raises(BadRecord, match="--user-id"):
        understood({"memory": "x"}, {})


def test_a_record_is_not_changed():
    record = {"memory": "x", "user_id": "a", "metadata": {"a": 1}, "mood": "good"}
    before = {**record, "metadata": {**record["metadata"]}}

    understood(record, {})

    assert record == before


def test_a_dumped_record_is_understood_as_it_is():
    record = understood({"memory": "x", "user_id": "a", "mood": "good", "id": "mem_1"}, {})

    assert understood(record, {}) == record
