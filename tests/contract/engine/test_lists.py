"""Test lists of memories against a naive evaluator of filters, and against laws that hold for all filters."""

from __future__ import annotations

import contextlib

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.contract.engine import strategies
from tests.contract.engine.budget import seeded_examples
from tests.contract.engine.service import call, fresh_engine
from tests.support.naive_filters import holds


USER = "alex"
NOW = strategies.NEAR + timedelta(microseconds=123456)


@contextlib.contextmanager
def engine_with(drawn: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Add these memories to a new engine, by default as those of USER, and yield them as listed, oldest first."""
    with fresh_engine(lambda: NOW):
        ids = [memory_id for memory in drawn for memory_id in add(memory)]
        everything = pages({"user_id": {"in": list(strategies.COMMON_IDS)}}, 200)
        assert sorted(each["id"] for each in everything) == sorted(ids), (
            "the list does not have exactly the memories that were added"
        )
        yield [{**each, "run_id": each["session_id"]} for each in everything]


def add(memory: dict[str, Any]) -> list[str]:
    message = {"role": "user", "content": memory["content"]}
    rest = {name: value for name, value in memory.items() if name != "content"}
    answer = call("memories_add", {"messages": [message], "infer": False, "user_id": USER, **rest})
    assert answer.status_code == 200, answer.json()
    return [each["id"] for each in answer.json()["results"]]


def pages(filters: dict[str, Any], size: int) -> list[dict[str, Any]]:
    """Return all memories that filters select, read in pages of this size; check that all but the last are full."""
    found: list[dict[str, Any]] = []
    number = 1
    while True:
        page = call("memories_list", {"filters": filters}, query={"page": number, "page_size": size}).json()
        found += page["results"]
        if page["next"] is None:
            assert page["count"] == len(found)
            return found
        assert len(page["results"]) == size
        number += 1


def selected(filters: dict[str, Any]) -> list[str]:
    return [each["id"] for each in pages(filters, 200)]


def scoped(tree: dict[str, Any]) -> dict[str, Any]:
    return {"AND": [{"user_id": USER}, tree]}


memories = st.lists(strategies.memories, min_size=1, max_size=6)


@seeded_examples(120)
@given(drawn=memories, trees=st.lists(strategies.matching_filters, min_size=1, max_size=4))
def test_list_has_the_memories_that_a_naive_evaluator_selects(drawn, trees):
    with engine_with(drawn) as listed:
        for tree in trees:
            assert selected(scoped(tree)) == [each["id"] for each in listed if holds(scoped(tree), each)], tree


@seeded_examples(60)
@given(drawn=memories, one=strategies.matching_filters, other=strategies.matching_filters, size=st.integers(1, 3))
def test_filters_obey_boolean_algebra_in_pages_of_any_size(drawn, one, other, size):
    with engine_with(drawn):
        whole = selected({"user_id": USER})
        inside, outside = selected(scoped(one)), selected(scoped({"NOT": one}))
        assert sorted(inside + outside) == sorted(whole), (
            "a filter and its negation must select each memory exactly once"
        )
        assert set(selected(scoped({"OR": [one, other]}))) == {*inside, *selected(scoped(other))}
        assert selected(scoped({"NOT": [one, other]})) == selected(scoped({"AND": [{"NOT": one}, {"NOT": other}]}))
        assert [each for each in whole if each in inside] == inside, "the order differs from that of the whole list"
        assert [each["id"] for each in pages(scoped(one), size)] == inside, f"pages of {size} give another list"


@seeded_examples(60)
@given(drawn=memories, data=st.data())
def test_time_zone_of_a_filter_does_not_matter(drawn, data):
    with engine_with(drawn) as listed:
        moment = data.draw(
            st.sampled_from([datetime.fromisoformat(each["created_at"]) for each in listed]) | strategies.moments
        )
        operator = data.draw(st.sampled_from(["gt", "gte", "lt", "lte", "ne"]))
        several = data.draw(st.lists(strategies.spellings(moment), min_size=2, max_size=3))
        field = data.draw(st.sampled_from(["created_at", "updated_at", "timestamp"]))

        answers = [selected(scoped({field: {operator: spelling}})) for spelling in several]
        equal = selected(scoped({field: several[0]}))

        assert all(answer == answers[0] for answer in answers), several
        assert equal == selected(scoped({field: {"in": several}}))
        assert equal == selected(scoped({"AND": [{field: {"gte": several[0]}}, {field: {"lte": several[1]}}]}))


@seeded_examples(30)
@given(
    values=st.lists(strategies.metadata_values, min_size=3, max_size=5),
    key=st.sampled_from(strategies.METADATA_KEYS),
)
def test_metadata_are_compared_as_json_values(values, key):
    drawn = [{"content": f"memory {number}", "metadata": {key: value}} for number, value in enumerate(values)]
    with engine_with(
        [*drawn, {"content": "without"}, {"content": "with another", "metadata": {f"{key}_": 1}}]
    ) as listed:
        for operand in strategies.METADATA_OPERANDS:
            contains = [{"contains": operand}] if isinstance(operand, str) else []
            for condition in (operand, {"ne": operand}, *contains):
                filters = scoped({"metadata": {key: condition}})
                assert selected(filters) == [each["id"] for each in listed if holds(filters, each)], condition


@seeded_examples(60)
@given(
    before=st.text(max_size=3),
    piece=strategies.cased_texts | st.text(min_size=1, max_size=4),
    after=st.text(max_size=3),
)
def test_icontains_ignores_case_in_every_alphabet_but_nothing_else(before, piece, after):
    spellings = {piece, piece.upper(), piece.lower(), piece.swapcase(), piece.title(), piece.casefold()}
    with engine_with([{"content": before + piece + after}]) as (memory,):
        for spelling in spellings:
            alike = spelling.casefold() in memory["memory"].casefold()
            assert selected(scoped({"keywords": {"icontains": spelling}})) == [memory["id"]] * alike
            equal = spelling in memory["memory"]
            assert selected(scoped({"keywords": {"contains": spelling}})) == [memory["id"]] * equal


@seeded_examples(60)
@given(stamp=st.integers(0, 253402300799), data=st.data())
def test_timestamp_becomes_the_creation_time(stamp, data):
    moment = datetime.fromtimestamp(stamp, UTC)
    with engine_with([{"content": "x", "timestamp": stamp}]) as (memory,):
        assert datetime.fromisoformat(memory["created_at"]) == moment
        assert datetime.fromisoformat(memory["updated_at"]) == moment
        assert selected(scoped({"created_at": memory["created_at"]})) == [memory["id"]]
        if datetime(1, 1, 3, tzinfo=UTC) < moment < datetime(9999, 12, 29, tzinfo=UTC):
            before, after = (data.draw(strategies.spellings(moment + timedelta(microseconds=step))) for step in (-1, 1))
            assert selected(scoped({"created_at": {"gt": before, "lt": after}})) == [memory["id"]]
            assert selected(scoped({"created_at": {"lte": before}})) == []
            assert selected(scoped({"timestamp": {"gte": after}})) == []


@seeded_examples(100)
@given(
    content=st.text(min_size=1),
    owners=st.fixed_dictionaries(
        {"user_id": strategies.ids}, optional=dict.fromkeys(strategies.OWNERS[1:], strategies.ids)
    ),
    metadata=strategies.metadata,
)
def test_memory_is_listed_exactly_as_it_was_added(content, owners, metadata):
    body = {"messages": [{"role": "assistant", "content": content}], "infer": False, "metadata": metadata, **owners}
    with fresh_engine(lambda: NOW):
        added = call("memories_add", body).json()["results"]
        (memory,) = pages({"user_id": owners["user_id"]}, 100)
        by_others = [pages({name: value}, 100) for name, value in owners.items()]

        assert added == [{"id": memory["id"], "data": {"memory": content}, "event": "ADD"}]
        assert memory["memory"] == content
        assert memory["metadata"] == metadata
        found = {**memory, "run_id": memory["session_id"]}
        assert {name: found[name] for name in strategies.OWNERS} == {**dict.fromkeys(strategies.OWNERS), **owners}
        assert all(listed == [memory] for listed in by_others)
        assert {each["name"] for each in call("entities_list").json()["results"]} == {*owners.values()}
        assert call("memories_add", body).json()["results"] == [], "the same memory was added twice"
