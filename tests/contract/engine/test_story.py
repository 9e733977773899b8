"""Long stories of one server: memories are added and listed, exports made and fetched, days go by, strangers knock.

A model says what each answer has to be; the spec, to which every answer is held, says what it has to look like.
"""

from __future__ import annotations

import json
import uuid

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.contract.engine.budget import SEED, limits
from tests.contract.engine.model import FAILED, KEPT, OWNERS, PENDING, RICH, SCHEMAS, Export, Project
from tests.contract.engine.service import KEYS, call, fresh
from tests.support.patience import until


# Few names and texts, so that they meet again; among them are those that look equal and are not.
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
narrowings = st.fixed_dictionaries(
    {},
    optional={
        "run_id": names.map(lambda name: {"ne": name}) | st.just("*"),
        "metadata": st.sampled_from([{"city": "Lisbon"}, {"city": {"ne": "Porto"}}, {"größe": 1}]),
        "created_at": st.sampled_from([{"gte": "2025-03-04T18:20:00Z"}, {"lt": "2025-03-04T19:20:00.123456+01:00"}]),
        "NOT": st.sampled_from([{"agent_id": "*"}, {"metadata": {"city": "Lisbon"}}]),
    },
)
wheres = st.builds(
    lambda name, value, rest: {**rest, name: value},
    st.sampled_from(["user_id", "user_id", "agent_id"]),
    names | st.lists(names, min_size=1, max_size=2, unique=True).map(lambda listed: {"in": listed}),
    st.just({}) | narrowings,
)
"""Filters as parts that all have to hold."""

leaps = st.sampled_from(
    [
        timedelta(seconds=1),
        timedelta(seconds=61),
        timedelta(hours=3),
        timedelta(days=1, seconds=1),
        timedelta(days=6, hours=23),
        timedelta(days=7, seconds=1),
    ]
)


def written(where: dict[str, Any], order: list[str], *, rooted: bool) -> dict[str, Any]:
    """One of the ways to write the same filters."""
    return {"AND": [{name: where[name]} for name in order]} if rooted else {name: where[name] for name in order}


def identity(where: dict[str, Any]) -> frozenset[str]:
    """What is the same of filters in whatever order they are written."""
    return frozenset(
        json.dumps([name, sorted(each["in"]) if isinstance(each, dict) and "in" in each else each])
        for name, each in where.items()
    )


@seed(SEED)
class Story(RuleBasedStateMachine):
    """One server from its first request on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self._engine = fresh(lambda: self.now)
        self._engine.__enter__()
        self.projects = {key: Project() for key in KEYS}
        self.exports: list[tuple[str, Export]] = []
        self.wheres: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []

    def teardown(self) -> None:
        try:
            for key, project in self.projects.items():
                for export in project.exports:
                    self.fetch(key, export)
                for name in ("user_id", "agent_id"):
                    self.pages(key, {name: {"in": list(NAMES)}}, 100, show_expired=True)
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
        self.told.append(body)
        self.send(key, body)

    @precondition(lambda self: self.told)
    @rule(
        key=keys,
        change=st.sampled_from(["nothing", "nothing", "owner", "metadata", "expires", "stamp"]),
        data=st.data(),
    )
    def add_again(self, key, change, data):
        """Something that was said before, or almost."""
        body = dict(data.draw(st.sampled_from(self.told)))
        if change == "owner":
            body[data.draw(st.sampled_from(OWNERS))] = data.draw(names)
        elif change == "metadata":
            body["metadata"] = data.draw(metadata)
        elif change == "expires":
            body["expiration_date"] = self.now.date().isoformat()
        elif change == "stamp":
            body["timestamp"] = data.draw(seconds)
        self.told.append(body)
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

    @rule(key=keys, where=wheres, show_expired=st.booleans(), size=st.sampled_from([1, 2, 3, 200]), data=st.data())
    def list_all(self, key, where, show_expired, size, data):
        order = data.draw(st.permutations(sorted(where)))
        self.pages(key, written(where, order, rooted=data.draw(st.booleans())), size, show_expired=show_expired)

    def pages(self, key: str, filters: dict[str, Any], size: int, *, show_expired: bool) -> None:
        """Go through all pages, which are the memories that the model selects, each of them once and in order."""
        wanted = [each.listed() for each in self.projects[key].selected(filters, self.now, show_expired=show_expired)]
        last = max(1, -(-len(wanted) // size))
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
            assert page["count"] == len(wanted)
            assert (page["next"] is None, page["previous"] is None) == (number == last, number == 1)
            found += page["results"]
        times = ("created_at", "updated_at")
        found = [{**each, **{name: datetime.fromisoformat(each[name]) for name in times}} for each in found]
        assert found == wanted
        beyond = call("memories_list", {"filters": filters}, query={"page": last + 1, "page_size": size}, key=key)
        assert beyond.status_code == 404

    @rule(key=keys, size=st.sampled_from([1, 2, 3, 200]))
    def entities(self, key, size):
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
        assert len(found) == len(spans), "each of them once"
        for each in found:
            made = spans[each["type"], each["name"]]
            assert datetime.fromisoformat(each["created_at"]) == min(made)
            assert datetime.fromisoformat(each["updated_at"]) == max(made)

    # ---- exports -----------------------------------------------------------------------------------------------------

    @rule(key=keys, where=wheres, schema=st.sampled_from(SCHEMAS), data=st.data())
    def create(self, key, where, schema, data):
        self.wheres.append(where)
        self.create_again(key, schema, data)

    @precondition(lambda self: self.wheres)
    @rule(key=keys, schema=st.sampled_from(SCHEMAS), data=st.data())
    def create_again(self, key, schema, data):
        where = data.draw(st.sampled_from(self.wheres))
        filters = written(where, data.draw(st.permutations(sorted(where))), rooted=data.draw(st.booleans()))

        self.make(key, where, filters, schema)

    def make(self, key: str, where: dict[str, Any], filters: dict[str, Any], schema: dict[str, Any]) -> Export:
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
    def look(self, data):
        key, export = data.draw(st.sampled_from(self.exports))
        self.judge(call("exports_get", {"memory_export_id": export.id}, key=key), export)
        for other in KEYS:
            if other != key:
                hidden = call("exports_get", {"memory_export_id": export.id}, key=other)
                assert hidden.status_code == 404, "of another project"

    @precondition(lambda self: self.exports)
    @rule(data=st.data())
    def wait(self, data):
        self.fetch(*data.draw(st.sampled_from(self.exports)))

    @precondition(lambda self: self.wheres)
    @rule(key=keys, data=st.data())
    def get_by_filters(self, key, data):
        where = data.draw(st.sampled_from(self.wheres))
        filters = written(where, data.draw(st.permutations(sorted(where))), rooted=data.draw(st.booleans()))
        answer = call("exports_get", {"filters": filters}, key=key)
        newest = self.projects[key].newest(identity(where), self.now)
        if newest is None:
            assert answer.status_code == 404
            assert "reason" not in answer.json()
        else:
            self.judge(answer, newest)

    def fetch(self, key: str, export: Export) -> None:
        """Wait until a job is done, and hold the result to the model."""

        def settled() -> bool:
            self.judge(call("exports_get", {"memory_export_id": export.id}, key=key), export)
            return export.outcome != PENDING or not export.alive(self.now)

        until(settled, f"export {export.id} is ready")

    def judge(self, answer: Any, export: Export) -> None:
        """Whether this is what an export may answer, which from its first result on is always the same."""
        document = answer.json()
        found = FAILED if "reason" in document and answer.status_code == 404 else document
        if not export.alive(self.now):
            assert (answer.status_code, found) == (404, {"error": "No memory export request found"})
        elif found != FAILED and answer.status_code == 404:
            assert export.outcome == PENDING, "it was ready before"
        elif export.outcome == PENDING:
            assert found in export.possible
            export.outcome = found
        else:
            assert found == export.outcome, "it was another result before"

    # ---- everything else ---------------------------------------------------------------------------------------------

    @rule(leap=leaps)
    def time_goes_by(self, leap):
        for key, export in self.exports:
            if export.outcome == PENDING:  # with two clocks in a job there would be too many results to foresee
                self.fetch(key, export)
        self.now += leap

    @precondition(lambda self: any("expiration_date" in body for body in self.told))
    @rule(key=keys, data=st.data())
    def a_memory_expires(self, key, data):
        """Its last day still counts, and the next one does not: for lists as for exports."""
        body = data.draw(st.sampled_from([each for each in self.told if "expiration_date" in each]))
        where = {name: body[name] for name in OWNERS if name in body}
        midnight = datetime.fromisoformat(body["expiration_date"]).replace(tzinfo=UTC) + timedelta(days=1)
        for moment in (midnight - timedelta(microseconds=1), midnight):
            self.time_goes_by(max(timedelta(0), moment - self.now))
            self.pages(key, where, 200, show_expired=False)
            self.fetch(key, self.make(key, where, where, RICH))

    @precondition(lambda self: self.exports)
    @rule(data=st.data())
    def an_export_expires(self, data):
        key, export = data.draw(st.sampled_from(self.exports))
        for moment in (export.created + KEPT - timedelta(seconds=1), export.created + KEPT + timedelta(seconds=1)):
            self.time_goes_by(max(timedelta(0), moment - self.now))
            self.judge(call("exports_get", {"memory_export_id": export.id}, key=key), export)

    @rule(key=keys, unknown=st.uuids().map(str) | st.text())
    def unknown_ids_are_not_found(self, key, unknown):
        assert call("exports_get", {"memory_export_id": unknown}, key=key).status_code == 404

    @rule(key=keys, owners=owners, messages=messages)
    def what_is_refused_leaves_no_trace(self, key, owners, messages):
        # The end of the story looks at all memories and entities, where a trace would show.
        for wrong in ({"infer": True}, {"infer": False, "metadata": []}, {"infer": False, "timestamp": -1}):
            assert call("memories_add", {"messages": messages, **owners, **wrong}, key=key).status_code == 400

    @rule(owners=owners, messages=messages, wrong=st.none() | st.just("another-key") | st.just(KEYS[0][:-1]))
    def strangers_stay_outside(self, owners, messages, wrong):
        body = {"messages": messages, "infer": False, **owners}
        assert call("memories_add", body, key=wrong).status_code == 401
        assert call("memories_list", {"filters": {"user_id": "alex"}}, key=wrong).status_code == 401
        assert call("entities_list", key=wrong).status_code == 401
        asked = {"memory_export_id": self.exports[-1][1].id if self.exports else str(uuid.UUID(int=1))}
        assert call("exports_get", asked, key=wrong).status_code == 401


def test_a_server_does_what_the_model_says():
    run_state_machine_as_test(Story, settings=limits(70, steps=30))
