"""Lists select what the filters mean: by a naive reader of filters, and by laws that hold for any filters at all."""

from __future__ import annotations

import contextlib

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.contract.engine import strategies
from tests.contract.engine.budget import drawn
from tests.contract.engine.service import call, fresh
from tests.support.naive_filters import holds


USER = "alex"
NOW = strategies.NEAR + timedelta(microseconds=123456)


@contextlib.contextmanager
def filled(told: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """A service with these memories, all of USER where they name no other: what it lists of each, in their order."""
    with fresh(lambda: NOW):
        ids = [added for memory in told for added in add(memory)]
        everything = pages({"user_id": {"in": list(strategies.COMMON_IDS)}}, 200)
        assert sorted(each["id"] for each in everything) == sorted(ids), "what was added is listed, and nothing else"
        yield [{**each, "run_id": each["session_id"]} for each in everything]


def add(told: dict[str, Any]) -> list[str]:
    message = {"role": "user", "content": told["content"]}
    rest = {name: value for name, value in told.items() if name != "content"}
    answer = call("memories_add", {"messages": [message], "infer": False, "user_id": USER, **rest})
    assert answer.status_code == 200, answer.json()
    return [each["id"] for each in answer.json()["results"]]


def pages(filters: dict[str, Any], size: int) -> list[dict[str, Any]]:
    """All that filters select, in pages of some size; every page but the last is full."""
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


@drawn(120)
@given(told=memories, trees=st.lists(strategies.meeting, min_size=1, max_size=4))
def test_a_list_holds_what_a_naive_reader_of_the_filters_selects(told, trees):
    with filled(told) as listed:
        for tree in trees:
            assert selected(scoped(tree)) == [each["id"] for each in listed if holds(scoped(tree), each)], tree


@drawn(60)
@given(told=memories, one=strategies.meeting, other=strategies.meeting, size=st.integers(1, 3))
def test_filters_keep_the_laws_of_logic_and_pages_cut_lists_into_pieces(told, one, other, size):
    with filled(told):
        whole = selected({"user_id": USER})
        inside, outside = selected(scoped(one)), selected(scoped({"NOT": one}))
        assert sorted(inside + outside) == sorted(whole), "a filter and its negation share everything out"
        assert set(selected(scoped({"OR": [one, other]}))) == {*inside, *selected(scoped(other))}
        assert selected(scoped({"NOT": [one, other]})) == selected(scoped({"AND": [{"NOT": one}, {"NOT": other}]}))
        assert [each for each in whole if each in inside] == inside, "in the order of the whole"
        assert [each["id"] for each in pages(scoped(one), size)] == inside, "whatever the size of the pages"


@drawn(60)
@given(told=memories, data=st.data())
def test_a_moment_is_the_same_in_every_time_zone(told, data):
    with filled(told) as listed:
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


@drawn(30)
@given(
    values=st.lists(strategies.metadata_values, min_size=3, max_size=5),
    key=st.sampled_from(strategies.METADATA_KEYS),
)
def test_metadata_are_equal_where_json_is(values, key):
    told = [{"content": f"memory {number}", "metadata": {key: value}} for number, value in enumerate(values)]
    with filled([*told, {"content": "without"}, {"content": "with another", "metadata": {f"{key}_": 1}}]) as listed:
        for operand in strategies.METADATA_OPERANDS:
            contains = [{"contains": operand}] if isinstance(operand, str) else []
            for condition in (operand, {"ne": operand}, *contains):
                filters = scoped({"metadata": {key: condition}})
                assert selected(filters) == [each["id"] for each in listed if holds(filters, each)], condition


@drawn(60)
@given(before=st.text(max_size=3), piece=strategies.cased | st.text(min_size=1, max_size=4), after=st.text(max_size=3))
def test_keywords_ignore_case_in_every_alphabet_and_no_other_difference(before, piece, after):
    spellings = {piece, piece.upper(), piece.lower(), piece.swapcase(), piece.title(), piece.casefold()}
    with filled([{"content": before + piece + after}]) as (memory,):
        for spelling in spellings:
            alike = spelling.casefold() in memory["memory"].casefold()
            assert selected(scoped({"keywords": {"icontains": spelling}})) == [memory["id"]] * alike
            equal = spelling in memory["memory"]
            assert selected(scoped({"keywords": {"contains": spelling}})) == [memory["id"]] * equal


@drawn(60)
@given(stamp=st.integers(0, 253402300799), data=st.data())
def test_a_timestamp_comes_back_as_the_moment_it_names(stamp, data):
    moment = datetime.fromtimestamp(stamp, UTC)
    with filled([{"content": "x", "timestamp": stamp}]) as (memory,):
        assert datetime.fromisoformat(memory["created_at"]) == moment
        assert datetime.fromisoformat(memory["updated_at"]) == moment
        assert selected(scoped({"created_at": memory["created_at"]})) == [memory["id"]]
        if datetime(1, 1, 3, tzinfo=UTC) < moment < datetime(9999, 12, 29, tzinfo=UTC):
            before, after = (data.draw(strategies.spellings(moment + timedelta(microseconds=step))) for step in (-1, 1))
            assert selected(scoped({"created_at": {"gt": before, "lt": after}})) == [memory["id"]]
            assert selected(scoped({"created_at": {"lte": before}})) == []
            assert selected(scoped({"timestamp": {"gte": after}})) == []


@drawn(100)
@given(
    content=st.text(min_size=1),
    owners=st.fixed_dictionaries(
        {"user_id": strategies.ids}, optional=dict.fromkeys(strategies.OWNERS[1:], strategies.ids)
    ),
    metadata=strategies.metadata,
)
def test_whatever_is_stored_comes_back_as_it_was(content, owners, metadata):
    told = {"messages": [{"role": "assistant", "content": content}], "infer": False, "metadata": metadata, **owners}
    with fresh(lambda: NOW):
        added = call("memories_add", told).json()["results"]
        (memory,) = pages({"user_id": owners["user_id"]}, 100)
        by_others = [pages({name: value}, 100) for name, value in owners.items()]

        assert added == [{"id": memory["id"], "data": {"memory": content}, "event": "ADD"}]
        assert memory["memory"] == content
        assert memory["metadata"] == metadata
        found = {**memory, "run_id": memory["session_id"]}
        assert {name: found[name] for name in strategies.OWNERS} == {**dict.fromkeys(strategies.OWNERS), **owners}
        assert all(listed == [memory] for listed in by_others)
        assert {each["name"] for each in call("entities_list").json()["results"]} == {*owners.values()}
        assert call("memories_add", told).json()["results"] == [], "it is there already"
