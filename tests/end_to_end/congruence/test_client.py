"""Test the clients' whole API, with the same results on every backend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from pydantic import BaseModel
from typing_extensions import TypedDict

from mem0_exports import (
    Account,
    BadRequest,
    ExportFailed,
    ExportInvalid,
    ExportRequest,
    ExportTimeout,
    F,
    FilterError,
    InputError,
    Ledger,
    Retry,
)
from tests.support.timeouts import longer_and_longer, scaled


class Profile(BaseModel):
    full_name: str | None = None
    city: str | None = None
    birth_year: int | None = None
    hobby: list[str] = []


@dataclass
class Visit:
    memory: str
    created_at: datetime
    city: str | None = None


class Facts(TypedDict, total=False):
    city: str


def test_ping_returns_the_account_of_the_key(client):
    assert client.ping() == Account(status="ok", org_id="local", project_id="local", user_email=None)


def test_list_returns_a_memory_exactly_as_it_was_added(client, user):
    moment = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    added = client.memories.add(
        "Lives in Lisbon",
        user_id=user,
        agent_id="planner",
        app_id="app",
        run_id="run-1",
        metadata={"city": "Lisbon", "n": 1, "nested": {"a": [1, None, "ä"]}},
        timestamp=moment,
        expiration_date=date(2999, 1, 1),
    )

    (memory,) = client.memories.list(F.user_id == user)

    assert [each.memory for each in added] == ["Lives in Lisbon"]
    assert (memory.id, memory.memory, memory.user_id, memory.agent_id, memory.app_id, memory.run_id) == (
        added[0].id,
        "Lives in Lisbon",
        user,
        "planner",
        "app",
        "run-1",
    )
    assert memory.metadata == {"city": "Lisbon", "n": 1, "nested": {"a": [1, None, "ä"]}}
    assert (memory.created_at, memory.updated_at, memory.expiration_date) == (moment, moment, "2999-01-01")


def test_add_skips_duplicates_of_the_same_owner_and_system_messages(client, user):
    messages = [{"role": "system", "content": "Be nice"}, {"role": "user", "content": "Likes tea"}]

    first = client.memories.add(messages, user_id=user)
    again = client.memories.add(messages, user_id=user)
    other = client.memories.add(messages, user_id=user, run_id="another")

    assert [each.memory for each in first] == ["Likes tea"]
    assert again == []
    assert [each.memory for each in other] == ["Likes tea"]


def test_list_iterates_over_all_pages_oldest_first(client, user):
    for number in (3, 1, 2, 5, 4):
        client.memories.add(f"n{number}", user_id=user, timestamp=datetime(2024, 1, number, tzinfo=UTC))

    found = [memory.memory for memory in client.memories.list(F.user_id == user, page_size=2)]

    assert found == ["n1", "n2", "n3", "n4", "n5"]


def test_list_has_expired_memories_only_with_show_expired(client, user):
    client.memories.add("old", user_id=user, expiration_date=date(2020, 1, 1))
    client.memories.add("new", user_id=user, expiration_date=datetime.now(UTC).date())

    assert [memory.memory for memory in client.memories.list(F.user_id == user)] == ["new"]
    assert {memory.memory for memory in client.memories.list(F.user_id == user, show_expired=True)} == {"old", "new"}


def test_entities_are_listed(client, user):
    client.memories.add("x", user_id=user, agent_id=f"agent of {user}")

    found = {(entity.type, entity.name) for entity in client.entities.list(page_size=1)}

    assert {("user", user), ("agent", f"agent of {user}")} <= found


def test_run_returns_an_instance_of_the_model(client, user):
    client.memories.add("a", user_id=user, metadata={"full_name": "Zoë", "city": "Porto", "hobby": "chess"})
    client.memories.add(
        "b", user_id=user, metadata={"city": "Lisbon", "birth_year": "1990", "hobby": ["sailing", "chess"]}
    )

    profile = client.exports.run(Profile, F.user_id == user, timeout=scaled(30))

    assert profile == Profile(full_name="Zoë", city="Lisbon", birth_year=1990, hobby=["chess", "sailing"])


def test_export_can_be_polled_and_fetched_again_by_id(client, user):
    client.memories.add("a", user_id=user, metadata={"city": "Lisbon"})
    job = client.exports.create(Profile, F.user_id == user, instructions="newest wins")

    again = client.exports.get(job.id, Profile)

    assert again.result(timeout=scaled(30)) == job.result(timeout=scaled(30)) == Profile(city="Lisbon")
    assert job.poll() == Profile(city="Lisbon")
    assert again.id == job.id


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (Facts, {"city": "Lisbon"}),
        ({"type": "object", "properties": {"city": {"type": "string"}}}, {"city": "Lisbon"}),
        (list[Visit], [Visit("a", datetime(2024, 1, 1, tzinfo=UTC), "Lisbon")]),
    ],
    ids=["TypedDict", "dict", "list"],
)
def test_result_has_the_type_of_the_schema(client, user, schema, expected):
    client.memories.add("a", user_id=user, metadata={"city": "Lisbon"}, timestamp=datetime(2024, 1, 1, tzinfo=UTC))

    assert client.exports.run(schema, F.user_id == user, timeout=scaled(30)) == expected


def test_export_has_only_the_memories_that_filters_select(client, user):
    for month, city in ((1, "Porto"), (2, "Lisbon"), (3, "Braga")):
        client.memories.add(city, user_id=user, run_id=f"r{month}", timestamp=datetime(2024, month, 1, tzinfo=UTC))

    def texts(where):
        return [
            visit.memory for visit in client.exports.run(list[Visit], (F.user_id == user) & where, timeout=scaled(30))
        ]

    assert texts(F.created_at.between("2024-02-01", "2024-03-01")) == ["Lisbon"]
    assert texts((F.run_id == "r1") | (F.run_id == "r3")) == ["Porto", "Braga"]
    assert texts(~(F.run_id == "r1")) == ["Lisbon", "Braga"]
    assert texts(F.keywords.icontains("BRA")) == ["Braga"]
    assert client.exports.run(list[Visit], {"user_id": user, "run_id": {"in": ["r2"]}})[0].memory == "Lisbon"


def test_failed_export_raises_the_reason_and_the_id(client, user):
    class Needs(BaseModel):
        shoe_size: int

    with pytest.raises(ExportFailed, match="required fields: shoe_size") as failed:
        client.exports.run(Needs, F.user_id == user, timeout=scaled(30))

    assert failed.value.export_id in str(failed.value)


def test_unknown_id_is_polled_until_the_timeout(client):
    polls = []
    job = client.exports.get("no such export", Profile)

    assert job.poll() is None
    for seconds in longer_and_longer(0.6):
        polls.clear()
        with pytest.raises(ExportTimeout, match="no such export") as timeout:
            job.result(timeout=seconds, on_poll=lambda number, seconds: polls.append((number, seconds)))
        if len(polls) >= 2:
            break

    assert timeout.value.polls == len(polls) >= 2
    assert [number for number, _ in polls] == [*range(1, len(polls) + 1)]


def test_result_that_does_not_fit_the_type_is_in_the_error(client, user):
    client.memories.add("a", user_id=user, metadata={"city": "Lisbon"})

    class Strange(BaseModel):
        city: int

    job = client.exports.create({"type": "object", "properties": {"city": {"type": "string"}}}, F.user_id == user)
    job.result(timeout=scaled(30))

    with pytest.raises(ExportInvalid, match="/city") as invalid:
        client.exports.get(job.id, Strange).result(timeout=scaled(30))

    assert invalid.value.data == {"city": "Lisbon"}
    assert invalid.value.errors[0]["path"] == "/city"


def test_client_refuses_invalid_arguments(client, user):
    with pytest.raises(FilterError, match="at least one user_id"):
        client.exports.create(Profile, F.user_id.exists())
    with pytest.raises(InputError, match="at least one of user_id"):
        client.memories.add("x")
    with pytest.raises(InputError, match="JSON"):
        client.memories.add("x", user_id=user, metadata={"when": datetime(2024, 1, 1, tzinfo=UTC)})


def test_refusal_of_the_service_raises_its_message(client, user):
    with pytest.raises(BadRequest, match="look-around") as refused:
        client.exports.create({"type": "object", "properties": {"a": {"pattern": "(?=a)"}}}, F.user_id == user)

    assert refused.value.status == 400
    assert refused.value.operation == "exports_create"


def test_run_many_with_a_ledger_creates_each_export_once(client, user, tmp_path):
    people = [f"{user}-{number}" for number in range(12)]
    for number, person in enumerate(people):
        client.memories.add(f"Lives in city {number}", user_id=person, metadata={"city": f"City {number}"})
    requests = [ExportRequest(Profile, F.user_id == person, tag=person) for person in people]

    with Ledger(tmp_path / "ledger.db") as ledger:
        first = list(client.exports.run_many(requests, concurrency=4, ordered=True, ledger=ledger))
        again = list(client.exports.run_many(requests, concurrency=4, ordered=True, ledger=ledger))

    assert [outcome.result().city for outcome in first] == [f"City {number}" for number in range(12)]
    assert [outcome.export_id for outcome in again] == [outcome.export_id for outcome in first]
    assert [outcome.value for outcome in again] == [outcome.value for outcome in first]


def test_options_can_be_set_per_client_and_per_call(client, user):
    other = client.with_options(timeout=scaled(20), retry=Retry(attempts=1))

    other.memories.add("x", user_id=user, timeout=scaled(20), retry=Retry(attempts=2))
    assert [memory.memory for memory in client.memories.list(F.user_id == user, timeout=scaled(20))] == ["x"]
    job = other.exports.create(Profile, F.user_id == user, timeout=scaled(20))
    assert job.result(timeout=scaled(20), retry=Retry(attempts=2)) == Profile()
    other.close()
    assert client.ping(timeout=scaled(20)).status == "ok"
