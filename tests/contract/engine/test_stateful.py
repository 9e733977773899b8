"""Test long random sequences of requests to one server, with a clock that is advanced by days.

A model predicts the content of each answer; openapi.yaml defines its shape.
"""

from __future__ import annotations

import json
import uuid

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.contract.engine.budget import SEED, run_settings
from tests.contract.engine.model import FAILED, OWNERS, PENDING, RETENTION, RICH, SCHEMAS, Export, Project
from tests.contract.engine.service import KEYS, call, fresh_engine
from tests.support.timeouts import wait_until


# Few names and texts, so that they recur. Some look equal but are not.
NAMES = ("alex", "Alex", "名前", "z\u00fc", "zu\u0308", "😀\x00", "' OR 1=1 --")
TEXTS = ("Lives in Lisbon", "Lives in lisbon", "\u00e9", "e\u0301", "\U0001d518\x00x", " ")
CITIES = ("Lisbon", "Porto", "São\u0301", "")
START = datetime(2025, 3, 4, 18, 20, 0, 123456, UTC)

keys = st.sampled_from(KEYS)
names = st.sampled_from([*["alex"] * 4, *NAMES])
owners = st.one_of(
    st.fixed_dictionaries({"user_id": names}, optional={"run_id": names}),
    st.dictionaries(st.sampled_from(OWNERS), names, min_size=1, max_size=3),
)
metadata = st.fixed_dictionaries({}, optional={"city": st.sampled_from(CITIES), "größe": st.integers(0, 2)})
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.sampled_from(TEXTS)}
    ),
    min_size=1,
    max_size=3,
)
seconds = st.sampled_from([0, 1741112399, 1741112400, 1741112401, 253402300799])
days = st.sampled_from([-1, 0, 0, 1, 3])
extra_conditions = st.fixed_dictionaries(
    {},
    optional={
        "run_id": names.map(lambda name: {"ne": name}) | st.just("*"),
        "metadata": st.sampled_from([{"city": "Lisbon"}, {"city": {"ne": "Porto"}}, {"größe": 1}]),
        "created_at": st.sampled_from([{"gte": "2025-03-04T18:20:00Z"}, {"lt": "2025-03-04T19:20:00.123456+01:00"}]),
        "NOT": st.sampled_from([{"agent_id": "*"}, {"metadata": {"city": "Lisbon"}}]),
    },
)
filter_parts = st.builds(
    lambda name, value, rest: {**rest, name: value},
    st.sampled_from(["user_id", "user_id", "agent_id"]),
    names | st.lists(names, min_size=1, max_size=2, unique=True).map(lambda listed: {"in": listed}),
    st.just({}) | extra_conditions,
)
"""Filters: conditions that must all be true, by key."""

time_steps = st.sampled_from(
    [
        timedelta(seconds=1),
        timedelta(seconds=61),
        timedelta(hours=3),
        timedelta(days=1, seconds=1),
        timedelta(days=6, hours=23),
        timedelta(days=7, seconds=1),
    ]
)


def in_notation(where: dict[str, Any], order: list[str], *, under_and: bool) -> dict[str, Any]:
    """Return the same filters in another notation: with or without AND, and in this order of the keys."""
    return {"AND": [{name: where[name]} for name in order]} if under_and else {name: where[name] for name in order}


def identity(where: dict[str, Any]) -> frozenset[str]:
    """Return a value that is equal for filters that differ only in notation."""
    return frozenset(
        json.dumps([name, sorted(each["in"]) if isinstance(each, dict) and "in" in each else each])
        for name, each in where.items()
    )


@seed(SEED)
class ServerMachine(RuleBasedStateMachine):
    """A server and the model of its projects; both begin empty."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self._engine = fresh_engine(lambda: self.now)
        self._engine.__enter__()
        self.projects = {key: Project() for key in KEYS}
        self.exports: list[tuple[str, Export]] = []
        self.filter_parts: list[dict[str, Any]] = []
        self.added_bodies: list[dict[str, Any]] = []

    def teardown(self) -> None:
        try:
            for key, project in self.projects.items():
                for export in project.exports:
                    self.wait_and_check(key, export)
                for name in ("user_id", "agent_id"):
                    self.check_pages(key, {name: {"in": list(NAMES)}}, 100, show_expired=True)
        finally:
            self._engine.__exit__(None, None, None)

    # ---- memories ----------------------------------------------------------------------------------------------------

    @rule(
        key=keys,
        owners=owners,
        messages=messages,
        metadata=st.none() | metadata,
        stamp=st.none() | seconds,
        expires=st.none() | days,
    )
    def add(self, key, owners, messages, metadata, stamp, expires):
        body: dict[str, Any] = {"messages": messages, "infer": False, **owners}
        if metadata is not None:
            body["metadata"] = metadata
        if stamp is not None:
            body["timestamp"] = stamp
        if expires is not None:
            body["expiration_date"] = (self.now + timedelta(days=expires)).date().isoformat()
        self.added_bodies.append(body)
        self.send(key, body)

    @precondition(lambda self: self.added_bodies)
    @rule(
        key=keys,
        change=st.sampled_from(["nothing", "nothing", "owner", "metadata", "expires", "stamp"]),
        data=st.data(),
    )
    def add_again(self, key, change, data):
        """Send an earlier request again, unchanged or with one change."""
        body = dict(data.draw(st.sampled_from(self.added_bodies)))
        if change == "owner":
            body[data.draw(st.sampled_from(OWNERS))] = data.draw(names)
        elif change == "metadata":
            body["metadata"] = data.draw(metadata)
        elif change == "expires":
            body["expiration_date"] = self.now.date().isoformat()
        elif change == "stamp":
            body["timestamp"] = data.draw(seconds)
        self.added_bodies.append(body)
        self.send(key, body)

    def send(self, key: str, body: dict[str, Any]) -> None:
        stamp = body.get("timestamp")
        created_at = self.now if stamp is None else datetime.fromtimestamp(stamp, UTC)
        answer = call("memories_add", body, key=key)
        added = self.projects[key].add(body, created_at, self.now)

        assert answer.status_code == 200, answer.json()
        results = answer.json()["results"]
        assert [each["data"]["memory"] for each in results] == [each.memory for each in added]
        for memory, result in zip(added, results, strict=True):
            memory.id = result["id"]
        self.projects[key].memories_changed(self.now)

    @rule(
        key=keys, where=filter_parts, show_expired=st.booleans(), size=st.sampled_from([1, 2, 3, 200]), data=st.data()
    )
    def list_all(self, key, where, show_expired, size, data):
        order = data.draw(st.permutations(sorted(where)))
        self.check_pages(
            key, in_notation(where, order, under_and=data.draw(st.booleans())), size, show_expired=show_expired
        )

    def check_pages(self, key: str, filters: dict[str, Any], size: int, *, show_expired: bool) -> None:
        """Read all pages, and check that they have the memories that the model selects, each once and in order."""
        expected = [
            each.as_listed() for each in self.projects[key].selected(filters, self.now, show_expired=show_expired)
        ]
        last = max(1, -(-len(expected) // size))
        found = []
        for number in range(1, last + 1):
            answer = call(
                "memories_list",
                {"filters": filters, "show_expired": show_expired},
                query={"page": number, "page_size": size},
                key=key,
            )
            assert answer.status_code == 200, answer.json()
            page = answer.json()
            assert page["count"] == len(expected)
            assert (page["next"] is None, page["previous"] is None) == (number == last, number == 1)
            found += page["results"]
        times = ("created_at", "updated_at")
        found = [{**each, **{name: datetime.fromisoformat(each[name]) for name in times}} for each in found]
        assert found == expected
        beyond = call("memories_list", {"filters": filters}, query={"page": last + 1, "page_size": size}, key=key)
        assert beyond.status_code == 404

    @precondition(lambda self: any(project.memories for project in self.projects.values()))
    @rule(data=st.data())
    def get_memory(self, data):
        key, memory = data.draw(st.sampled_from(self.all_memories()))
        answer = call("memories_get", path={"memory_id": memory.id}, key=key)

        assert answer.status_code == 200
        times = ("created_at", "updated_at")
        found = answer.json()
        assert {**found, **{name: datetime.fromisoformat(found[name]) for name in times}} == memory.as_listed()
        for other in KEYS:
            if other != key:
                hidden = call("memories_get", path={"memory_id": memory.id}, key=other)
                assert hidden.status_code == 404, "another project can see the memory"
                assert call("memories_delete", path={"memory_id": memory.id}, key=other).status_code == 404

    @precondition(lambda self: any(project.memories for project in self.projects.values()))
    @rule(data=st.data())
    def delete_memory(self, data):
        key, memory = data.draw(st.sampled_from(self.all_memories()))
        for export in self.projects[key].exports:
            if (
                export.outcome == PENDING
            ):  # it may have chosen its memories, but not read them: too many possible results
                self.wait_and_check(key, export)
        answer = call("memories_delete", path={"memory_id": memory.id}, key=key)

        assert (answer.status_code, answer.json()) == (200, {"message": "Memory deleted successfully!"})
        self.projects[key].memories.remove(memory)
        for operation in ("memories_get", "memories_delete"):
            assert call(operation, path={"memory_id": memory.id}, key=key).status_code == 404

    def all_memories(self):
        return [(key, memory) for key, project in self.projects.items() for memory in project.memories]

    @rule(key=keys, unknown=st.uuids().map(str))
    def get_unknown_memory(self, key, unknown):
        for operation in ("memories_get", "memories_delete"):
            assert call(operation, path={"memory_id": unknown}, key=key).status_code == 404
            assert call(operation, path={"memory_id": "not-a-uuid"}, key=key).status_code == 400

    @rule(key=keys, size=st.sampled_from([1, 2, 3, 200]))
    def list_entities(self, key, size):
        memories = self.projects[key].memories
        spans: dict[tuple[str, str], list[datetime]] = {}
        for memory in memories:
            for name, value in memory.owners.items():
                spans.setdefault((name.removesuffix("_id"), value), []).append(memory.created_at)
        last = max(1, -(-len(spans) // size))
        found = []
        for number in range(1, last + 1):
            page = call("entities_list", query={"page": number, "page_size": size}, key=key).json()
            assert page["count"] == len(spans)
            for kind in ("user", "agent", "app", "run"):
                assert page[f"total_{kind}s"] == sum(each[0] == kind for each in spans)
            found += page["results"]
        assert {(each["type"], each["name"]): each["created_at"] for each in found}.keys() == spans.keys()
        assert len(found) == len(spans), "an entity is listed twice"
        for each in found:
            made = spans[each["type"], each["name"]]
            assert datetime.fromisoformat(each["created_at"]) == min(made)
            assert datetime.fromisoformat(each["updated_at"]) == max(made)

    # ---- exports -----------------------------------------------------------------------------------------------------

    @rule(key=keys, where=filter_parts, schema=st.sampled_from(SCHEMAS), data=st.data())
    def create(self, key, where, schema, data):
        self.filter_parts.append(where)
        self.create_again(key, schema, data)

    @precondition(lambda self: self.filter_parts)
    @rule(key=keys, schema=st.sampled_from(SCHEMAS), data=st.data())
    def create_again(self, key, schema, data):
        where = data.draw(st.sampled_from(self.filter_parts))
        filters = in_notation(where, data.draw(st.permutations(sorted(where))), under_and=data.draw(st.booleans()))

        self.create_export(key, where, filters, schema)

    def create_export(self, key: str, where: dict[str, Any], filters: dict[str, Any], schema: dict[str, Any]) -> Export:
        answer = call("exports_create", {"schema": schema, "filters": filters}, key=key)

        assert answer.status_code == 201, answer.json()
        project = self.projects[key]
        made = Export(
            answer.json()["id"],
            schema,
            identity(where),
            filters,
            self.now,
            [project.result(schema, filters, self.now)],
        )
        assert made.id not in {export.id for _, export in self.exports}
        project.exports.append(made)
        self.exports.append((key, made))
        return made

    @precondition(lambda self: self.exports)
    @rule(data=st.data())
    def get_by_id(self, data):
        key, export = data.draw(st.sampled_from(self.exports))
        self.check_answer(call("exports_get", {"memory_export_id": export.id}, key=key), export)
        for other in KEYS:
            if other != key:
                hidden = call("exports_get", {"memory_export_id": export.id}, key=other)
                assert hidden.status_code == 404, "another project can see the export"
                hidden = call("exports_report", path={"export_id": export.id}, key=other)
                assert hidden.status_code == 404, "another project can see the report"

    @precondition(lambda self: self.exports)
    @rule(data=st.data())
    def get_report(self, data):
        key, export = data.draw(st.sampled_from(self.exports))
        self.wait_and_check(key, export)
        report = call("exports_report", path={"export_id": export.id}, key=key)
        if not export.is_kept(self.now):
            assert report.status_code == 404
            return
        assert report.status_code == 200
        assert report.json()["memories"] >= 0
        if export.outcome != FAILED:
            result = call("exports_get", {"memory_export_id": export.id}, key=key)
            assert result.headers["mem0-exports-left-out"] == [str(report.json()["left_out"])]
            filled = {name for name, value in export.outcome.items() if value not in (None, [])}
            assert report.json()["filled"].keys() <= export.outcome.keys()
            assert filled <= report.json()["filled"].keys() | {"count"}

    @rule(key=keys, size=st.sampled_from([1, 3, 200]))
    def list_exports(self, key, size):
        kept = [export for export in self.projects[key].exports if export.is_kept(self.now)]
        found = []
        for number in range(1, max(1, -(-len(kept) // size)) + 1):
            page = call("exports_list", query={"page": number, "page_size": size}, key=key).json()
            assert page["count"] == len(kept)
            found += page["results"]
        assert [each["id"] for each in found] == [export.id for export in reversed(kept)], "the newest first"
        assert all(each["state"] in {"pending", "running", "done", "failed"} for each in found)

    @precondition(lambda self: self.exports)
    @rule(data=st.data())
    def cancel_a_finished_export(self, data):
        """Cancelling it changes nothing. test_cancel.py cancels exports that are not finished."""
        key, export = data.draw(st.sampled_from(self.exports))
        self.wait_and_check(key, export)
        for other in KEYS:
            if other != key:
                assert call("exports_cancel", path={"export_id": export.id}, key=other).status_code == 404
        answer = call("exports_cancel", path={"export_id": export.id}, key=key)
        if export.is_kept(self.now):
            assert answer.json()["state"] == ("failed" if export.outcome == FAILED else "done")
        else:
            assert answer.status_code == 404
        self.check_answer(call("exports_get", {"memory_export_id": export.id}, key=key), export)

    @precondition(lambda self: self.exports)
    @rule(data=st.data())
    def delete_export(self, data):
        key, export = data.draw(st.sampled_from(self.exports))
        for other in KEYS:
            if other != key:
                assert call("exports_delete", path={"export_id": export.id}, key=other).status_code == 404
        kept = export.is_kept(self.now)
        answer = call("exports_delete", path={"export_id": export.id}, key=key)
        assert answer.status_code == (200 if kept else 404)
        assert call("exports_delete", path={"export_id": export.id}, key=key).status_code == 404
        assert call("exports_get", {"memory_export_id": export.id}, key=key).status_code == 404
        self.exports.remove((key, export))
        self.projects[key].exports.remove(export)

    @rule(key=keys, unknown=st.uuids().map(str))
    def change_unknown_export(self, key, unknown):
        for operation in ("exports_cancel", "exports_delete"):
            assert call(operation, path={"export_id": unknown}, key=key).status_code == 404
            assert call(operation, path={"export_id": "not-a-uuid"}, key=key).status_code == 400

    @rule(key=keys, unknown=st.uuids().map(str))
    def get_unknown_report(self, key, unknown):
        assert call("exports_report", path={"export_id": unknown}, key=key).status_code == 404
        assert call("exports_report", path={"export_id": "not-a-uuid"}, key=key).status_code == 400

    @precondition(lambda self: self.exports)
    @rule(data=st.data())
    def wait_for_export(self, data):
        self.wait_and_check(*data.draw(st.sampled_from(self.exports)))

    @precondition(lambda self: self.filter_parts)
    @rule(key=keys, data=st.data())
    def get_by_filters(self, key, data):
        where = data.draw(st.sampled_from(self.filter_parts))
        filters = in_notation(where, data.draw(st.permutations(sorted(where))), under_and=data.draw(st.booleans()))
        answer = call("exports_get", {"filters": filters}, key=key)
        newest = self.projects[key].newest(identity(where), self.now)
        if newest is None:
            assert answer.status_code == 404
            assert "reason" not in answer.json()
        else:
            self.check_answer(answer, newest)

    def wait_and_check(self, key: str, export: Export) -> None:
        """Wait until a job is done, and check each answer against the model."""

        def is_done() -> bool:
            self.check_answer(call("exports_get", {"memory_export_id": export.id}, key=key), export)
            return export.outcome != PENDING or not export.is_kept(self.now)

        wait_until(is_done, f"export {export.id} is ready")

    def check_answer(self, answer: Any, export: Export) -> None:
        """Check that the model allows this answer. After its first result, an export must always have the same."""
        document = answer.json()
        found = FAILED if "reason" in document and answer.status_code == 404 else document
        if not export.is_kept(self.now):
            assert (answer.status_code, found) == (404, {"error": "No memory export request found"})
        elif found != FAILED and answer.status_code == 404:
            assert export.outcome == PENDING, "the export was ready, and is not any more"
        elif export.outcome == PENDING:
            assert found in export.possible_results
            export.outcome = found
        else:
            assert found == export.outcome, "the export had another result before"

    # ---- everything else ---------------------------------------------------------------------------------------------

    @rule(step=time_steps)
    def advance_time(self, step):
        for key, export in self.exports:
            if export.outcome == PENDING:  # a job that runs while the time changes has too many possible results
                self.wait_and_check(key, export)
        self.now += step

    @precondition(lambda self: any("expiration_date" in body for body in self.added_bodies))
    @rule(key=keys, data=st.data())
    def expire_a_memory(self, key, data):
        """Check that lists and exports have a memory on its expiration date, and do not have it on the next day."""
        body = data.draw(st.sampled_from([each for each in self.added_bodies if "expiration_date" in each]))
        where = {name: body[name] for name in OWNERS if name in body}
        midnight = datetime.fromisoformat(body["expiration_date"]).replace(tzinfo=UTC) + timedelta(days=1)
        for moment in (midnight - timedelta(microseconds=1), midnight):
            self.advance_time(max(timedelta(0), moment - self.now))
            self.check_pages(key, where, 200, show_expired=False)
            self.wait_and_check(key, self.create_export(key, where, where, RICH))

    @precondition(lambda self: self.exports)
    @rule(data=st.data())
    def expire_an_export(self, data):
        key, export = data.draw(st.sampled_from(self.exports))
        for moment in (
            export.created + RETENTION - timedelta(seconds=1),
            export.created + RETENTION + timedelta(seconds=1),
        ):
            self.advance_time(max(timedelta(0), moment - self.now))
            self.check_answer(call("exports_get", {"memory_export_id": export.id}, key=key), export)

    @rule(key=keys, unknown=st.uuids().map(str) | st.text())
    def get_unknown_id(self, key, unknown):
        assert call("exports_get", {"memory_export_id": unknown}, key=key).status_code == 404

    @rule(key=keys, owners=owners, messages=messages)
    def refused_adds_store_nothing(self, key, owners, messages):
        # teardown() lists all memories, and would find one that was stored anyway.
        for wrong in ({"infer": True}, {"infer": False, "metadata": []}, {"infer": False, "timestamp": -1}):
            assert call("memories_add", {"messages": messages, **owners, **wrong}, key=key).status_code == 400

    @rule(owners=owners, messages=messages, wrong=st.none() | st.just("another-key") | st.just(KEYS[0][:-1]))
    def refuse_invalid_keys(self, owners, messages, wrong):
        body = {"messages": messages, "infer": False, **owners}
        assert call("memories_add", body, key=wrong).status_code == 401
        assert call("memories_list", {"filters": {"user_id": "alex"}}, key=wrong).status_code == 401
        assert call("entities_list", key=wrong).status_code == 401
        body = {"memory_export_id": self.exports[-1][1].id if self.exports else str(uuid.UUID(int=1))}
        assert call("exports_get", body, key=wrong).status_code == 401


def test_server_agrees_with_the_model():
    run_state_machine_as_test(ServerMachine, settings=run_settings(70, steps=30))
