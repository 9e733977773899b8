"""Test filters: as expressions, as dicts, and what is rejected in both."""

from __future__ import annotations

import pickle
import time

from collections import deque
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum

import pytest

from mem0_exports import Client, F, Filter, FilterError, FilterRules, FilterWarning, all_of, any_of
from mem0_exports.filters.check import check_where
from mem0_exports_api.models import Filters
from mem0_exports_engine.read_spec import contract


REQUEST = contract().paths["/v1/exports/"]["POST"].request


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (F.user_id == "alex", [{"user_id": "alex"}]),
        (F.user_id != "alex", [{"user_id": {"ne": "alex"}}]),
        (F.agent_id.in_("a", "b"), [{"agent_id": {"in": ["a", "b"]}}]),
        (F.run_id.exists(), [{"run_id": "*"}]),
        (F.created_at >= date(2025, 1, 2), [{"created_at": {"gte": "2025-01-02T00:00:00Z"}}]),
        (F.created_at < datetime(2025, 1, 2, 3, tzinfo=UTC), [{"created_at": {"lt": "2025-01-02T03:00:00Z"}}]),
        (F.updated_at == "2025-01-02T03:04:05.678Z", [{"updated_at": "2025-01-02T03:04:05.678000Z"}]),
        (F.timestamp != "2025-01-02", [{"timestamp": {"ne": "2025-01-02T00:00:00Z"}}]),
        (F.created_at.in_("2025-01-02"), [{"created_at": {"in": ["2025-01-02T00:00:00Z"]}}]),
        (
            F.created_at.between("2025-01-01", "2025-02-01"),
            [{"created_at": {"gte": "2025-01-01T00:00:00Z"}}, {"created_at": {"lt": "2025-02-01T00:00:00Z"}}],
        ),
        (F.categories.in_("work"), [{"categories": {"in": ["work"]}}]),
        (F.categories.contains("work"), [{"categories": {"contains": "work"}}]),
        (F.keywords.icontains("x"), [{"keywords": {"icontains": "x"}}]),
        (F.memory_ids.in_("i"), [{"memory_ids": {"in": ["i"]}}]),
        (F.metadata["k"] == "v", [{"metadata": {"k": "v"}}]),
        (F.metadata["k"] != 3, [{"metadata": {"k": {"ne": 3}}}]),
        (F.metadata["k"].contains("v"), [{"metadata": {"k": {"contains": "v"}}}]),
        (
            (F.user_id == "a") & (F.run_id == "b") & (F.app_id == "c"),
            [{"user_id": "a"}, {"run_id": "b"}, {"app_id": "c"}],
        ),
        ((F.user_id == "a") | (F.run_id == "b"), [{"OR": [{"user_id": "a"}, {"run_id": "b"}]}]),
        (~(F.user_id == "a"), [{"NOT": {"user_id": "a"}}]),
        (~~(F.user_id == "a"), [{"user_id": "a"}]),
        (
            (F.user_id == "a") & ((F.run_id == "b") | (F.run_id == "c")),
            [{"user_id": "a"}, {"OR": [{"run_id": "b"}, {"run_id": "c"}]}],
        ),
        (
            ((F.user_id == "a") & (F.run_id == "b")) | (F.run_id == "c"),
            [{"OR": [{"AND": [{"user_id": "a"}, {"run_id": "b"}]}, {"run_id": "c"}]}],
        ),
        (any_of(F.user_id == "a"), [{"user_id": "a"}]),
        (all_of(F.user_id == "a", F.run_id == "b"), [{"user_id": "a"}, {"run_id": "b"}]),
    ],
    ids=repr,
)
def test_a_filter_becomes_a_valid_dict_that_parses_back_to_an_equal_filter(written, expected):
    document = written.to_dict()

    assert document == {"AND": expected}
    assert REQUEST.is_valid({"schema": {}, "filters": document})
    assert Filters.from_dict(document).to_dict() == document, "the generated model must send the same"
    assert Filter.from_dict(document) == written
    assert eval(repr(written), {"F": F}) == written
    assert pickle.loads(pickle.dumps(written)) == written
    assert hash(Filter.from_dict(document)) == hash(written)


def test_to_dict_returns_a_new_dict_each_time():
    where = F.user_id.in_("a")
    where.to_dict()["AND"][0]["user_id"]["in"].append("b")

    assert where.to_dict() == {"AND": [{"user_id": {"in": ["a"]}}]}


def test_equal_times_in_different_zones_make_equal_filters():
    lisbon = datetime(2025, 7, 1, 12, 30, tzinfo=timezone(timedelta(hours=1)))

    assert (F.created_at == lisbon) == (F.created_at == "2025-07-01T11:30:00Z")


def test_numbers_booleans_and_strings_make_different_filters():
    assert len({F.metadata["k"] == value for value in (1, 1.0, True, "1")}) == 4


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda: (F.user_id == "a") and (F.run_id == "b"), "a & b"),
        (lambda: not (F.user_id == "a"), "~a"),
        (lambda: date(2025, 1, 1) < F.created_at < date(2025, 2, 1), "between"),
        (lambda: bool(F.user_id), "compare it"),
        (lambda: F.user_id == None, r"~F.user_id.exists\(\)"),  # noqa: E711
        (lambda: F.user_id == "", "non-empty"),
        (lambda: F.user_id == 5, "string"),
        (lambda: F.user_id == "*", r"exists\(\)"),
        (lambda: F.user_id.in_(), "at least one"),
        (lambda: F.user_id.in_([]), "at least one"),
        (lambda: F.user_id.in_([1]), "string"),
        (lambda: F.user_id.in_(["a"], "b"), "string"),
        (lambda: F.user_id.in_({"a": 1}), "string"),
        (lambda: F.user_id.in_(b"ab"), "string"),
        (lambda: F.user_id.in_(["*"]), r"exists\(\), joined by & with a condition that names an entity"),
        (lambda: F.created_at.in_(), "at least one"),
        (lambda: F.created_at >= datetime(2025, 1, 1), "astimezone"),  # noqa: DTZ001
        (lambda: F.created_at >= "yesterday", "ISO 8601"),
        (lambda: F.created_at >= 5, "ISO 8601"),
        (lambda: F.metadata["k"] == None, "no test for a missing key"),  # noqa: E711
        (lambda: F.metadata["k"] == ["v"], "string, number or boolean"),
        (lambda: F.metadata[""], "non-empty"),
        (lambda: F.user_id == F.agent_id, "compared with a non-empty string"),
        (lambda: all_of(), "at least one"),
        (lambda: any_of("user_id"), "F.user_id =="),
        (lambda: F.user_id == "a" & F.run_id == "b", "put parentheses around each comparison"),
        (lambda: F.user_id == "a" | F.run_id == "b", "put parentheses around each comparison"),
        (lambda: F.created_at > date(2025, 1, 1) & F.user_id == "b", "put parentheses around each comparison"),
        (lambda: F.user_id == "a" & F.metadata["k"] == "b", "put parentheses around each comparison"),
        (lambda: (F.user_id == "a") & F.run_id == "b", "put parentheses around each comparison"),
        (lambda: (F.user_id == "a") | F.metadata, "put parentheses around each comparison"),
        (lambda: ~F.user_id == "a", "put parentheses around each comparison"),
        (lambda: ~F.metadata, "put parentheses around each comparison"),
    ],
)
def test_rejects_an_ambiguous_expression_and_says_what_to_write(wrong, hint):
    with pytest.raises(FilterError, match=hint):
        wrong()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("memory", "F.keywords.icontains"),
        ("text", "F.keywords.icontains"),
        ("id", "F.memory_ids.in_"),
        ("session_id", "F.run_id =="),
        ("user", "F.user_id =="),
        ("category", "F.categories.in_"),
    ],
)
def test_a_name_that_people_try_raises_an_error_with_the_field_that_they_mean(name, hint):
    with pytest.raises(AttributeError) as error:
        getattr(F, name)
    assert hint in str(error.value)


LISTS = {
    "user_id": ["a", "b"],
    "created_at": ["2025-01-02", date(2025, 1, 3)],
    "categories": ["a", "b"],
    "memory_ids": ["a", "b"],
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("form", [list, tuple, iter, deque])
def test_in_takes_its_values_one_by_one_or_as_one_iterable(name, form):
    field, values = getattr(F, name), LISTS[name]

    assert field.in_(form(values)) == field.in_(*values)


def test_in_of_a_set_has_the_same_order_in_every_process():
    names = [f"user-{number}" for number in range(20)]

    assert F.user_id.in_(set(names)) == F.user_id.in_(frozenset(names)) == F.user_id.in_(sorted(names))


def test_an_unknown_field_raises_an_error_with_the_known_ones():
    with pytest.raises(AttributeError, match=r"user_id.*F.metadata\['city'\]"):
        F.city


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda: F.user_id < "a", "== id"),
        (lambda: F.categories == "work", r"in_\(name, ...\)"),
        (lambda: F.categories != "work", r"in_\(name, ...\)"),
        (lambda: F.keywords == "x", "icontains"),
        (lambda: F.memory_ids == "id", r"in_\(id, ...\)"),
        (lambda: F.metadata["k"] > 3, "== value"),
        (lambda: F.metadata == {"city": "x"}, r"F.metadata\['city'\]"),
        (lambda: F.created_at == None, "no test for a missing time"),  # noqa: E711
        (lambda: F.created_at.last(), r"last\(days=30\)"),
        (lambda: F.created_at.last(days=-1), r"last\(days=30\)"),
        (lambda: F.created_at.last(days=10**6), r"last\(days=1000000\) reaches further than the calendar"),
        (lambda: F.created_at.last(weeks=10**400), "reaches further than the calendar"),
        (lambda: F.created_at.last(hours=float("inf")), "reaches further than the calendar"),
        (lambda: F.created_at.last(minutes=float("nan")), "number of minutes"),
        (lambda: F.created_at.last(days="30"), "number of days, such as days=30, got '30'"),
    ],
)
def test_rejects_an_unsupported_operator_and_says_what_to_write(wrong, hint):
    with pytest.raises(FilterError, match=hint):
        wrong()


def test_last_counts_back_from_now():
    before = datetime.now(UTC)
    where = F.created_at.last(days=30, hours=1)

    since = datetime.fromisoformat(where.value)
    assert timedelta(0) <= since - (before - timedelta(days=30, hours=1)) < timedelta(seconds=10)
    assert where.operator == "gte"


BOTH = {"user_id": "a", "agent_id": "b"}


def test_warns_of_user_and_agent_together_unless_the_rules_say_otherwise():
    with pytest.warns(FilterWarning, match=r"\(F.user_id == ...\) \| \(F.agent_id"):
        check_where(BOTH)
    with pytest.raises(FilterError, match="two_entities"):
        check_where((F.user_id == "a") & (F.agent_id == "b"), FilterRules(two_entities="refuse"))
    check_where(BOTH, FilterRules(two_entities="allow"))
    check_where((F.user_id == "a") | (F.agent_id == "b"))
    check_where((F.user_id == "a") & F.agent_id.exists())


@pytest.mark.parametrize(
    ("document", "rules", "expected"),
    [
        ({"NOT": [{"user_id": "a"}, {"run_id": "b"}]}, FilterRules(), ~((F.user_id == "a") | (F.run_id == "b"))),
        (
            {"NOT": [{"user_id": "a"}, {"run_id": "b"}]},
            FilterRules(not_list="not_all_of"),
            ~((F.user_id == "a") & (F.run_id == "b")),
        ),
        ({"NOT": [{"user_id": "a"}]}, FilterRules(not_list="refused"), None),
        ({"created_at": {"lte": "2025-07-31"}}, FilterRules(), F.created_at <= "2025-07-31"),
        ({"created_at": {"lte": "2025-07-31"}}, FilterRules(date_bound="whole_day"), F.created_at < "2025-08-01"),
        ({"created_at": {"gt": "2025-07-31"}}, FilterRules(date_bound="whole_day"), F.created_at >= "2025-08-01"),
        ({"created_at": {"lte": "9999-12-31"}}, FilterRules(date_bound="whole_day"), F.created_at < "9999-12-31"),
        (
            {"created_at": {"lte": "2025-07-31T00:00:00Z", "gte": "2025-07-01"}},
            FilterRules(date_bound="whole_day"),
            (F.created_at <= "2025-07-31") & (F.created_at >= "2025-07-01"),
        ),
        ({"metadata": {"k": {"ne": 1}}}, FilterRules(), F.metadata["k"] != 1),
        ({"metadata": {"k": {"ne": 1}}}, FilterRules(metadata_operators="refused"), None),
    ],
    ids=str,
)
def test_filter_rules_decide_what_the_service_does_not_document(document, rules, expected):
    if expected is None:
        with pytest.raises(FilterError):
            Filter.from_dict(document, rules)
    else:
        assert Filter.from_dict(document, rules) == expected


def test_filter_rules_apply_to_the_client_and_its_engine():
    since_2020 = F.created_at >= "2020-01-01"
    rules = FilterRules(scope="optional", date_bound="whole_day")
    with Client.local(filter_rules=rules) as client:
        client.memories.add("x", user_id="a", timestamp=datetime(2025, 7, 31, 12, tzinfo=UTC))
        assert len(list(client.memories.list(since_2020))) == 1
        assert len(list(client.memories.list({"created_at": {"lte": "2025-07-31"}}))) == 1
        assert client.exports.run(list[str], since_2020) == []
    with Client.local() as client, pytest.raises(FilterError, match="at least one user_id"):
        client.memories.list(since_2020)


def test_accepts_a_member_of_a_string_enum():
    class User(StrEnum):
        ALEX = "alex"

    assert (F.user_id == User.ALEX) == (F.user_id == "alex")
    assert repr(F.user_id == User.ALEX) == "F.user_id == 'alex'"


def test_metadata_does_not_support_the_in_operator():
    with pytest.raises(TypeError):
        "city" in F.metadata


def test_a_time_without_an_offset_is_utc_in_every_time_zone(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert (F.created_at >= "2025-07-01T10:00:00") == (F.created_at >= "2025-07-01T10:00:00Z")
        assert (F.created_at >= date(2025, 7, 1)) == (F.created_at >= "2025-07-01T00:00:00Z")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_rejects_a_filter_that_is_nested_too_deep():
    where = F.user_id.exists()
    for _ in range(2000):
        where = (where & (F.run_id != "b")) | (F.run_id != "c")

    with pytest.raises(FilterError, match="deep"):
        check_where(where)


def test_a_filter_is_immutable():
    where = F.user_id == "a"

    with pytest.raises(AttributeError):
        where.value = "b"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"user_id": "a"}, F.user_id == "a"),
        ({"user_id": "a", "run_id": "b"}, (F.user_id == "a") & (F.run_id == "b")),
        ({"user_id": {"eq": "a"}}, F.user_id == "a"),
        ({"user_id": {"eq": "*"}}, F.user_id.exists()),
        ({"OR": [{"user_id": "a"}, {"user_id": "b"}]}, (F.user_id == "a") | (F.user_id == "b")),
        ({"AND": [{"user_id": "a"}, {"AND": [{"run_id": "b"}]}]}, (F.user_id == "a") & (F.run_id == "b")),
        ({"NOT": {"user_id": "a"}}, ~(F.user_id == "a")),
        ({"NOT": [{"user_id": "a"}, {"user_id": "b"}]}, ~((F.user_id == "a") | (F.user_id == "b"))),
        (
            {"created_at": {"gte": "2025-01-01", "lt": "2025-02-01"}},
            F.created_at.between("2025-01-01", "2025-02-01"),
        ),
        ({"created_at": "2025-01-01T00:00:00"}, F.created_at == "2025-01-01T00:00:00Z"),
        ({"memory_ids": ["i"]}, F.memory_ids.in_("i")),
        ({"metadata": {"k": "v", "l": {"ne": 1}}}, (F.metadata["k"] == "v") & (F.metadata["l"] != 1)),
        ({"NOT": {"OR": [{"user_id": "a"}]}}, ~(F.user_id == "a")),
    ],
    ids=str,
)
def test_parses_every_documented_form(document, expected):
    assert Filter.from_dict(document) == expected


@pytest.mark.parametrize(
    ("document", "pointer", "hint"),
    [
        ({}, "/", "empty"),
        ([], None, "object"),
        ({"AND": [], "user_id": "a"}, "/AND", "at least one"),
        ({"AND": [{"user_id": "a"}], "OR": [{"user_id": "b"}]}, "/", "drops the OR"),
        ({"AND": [{"user_id": "a"}, {"OR": [{}]}]}, "/AND/1/OR/0", "empty"),
        ({"userId": "a"}, "/userId", "'user_id'"),
        ({"and": [{"user_id": "a"}]}, "/and", "'AND'"),
        ({"metadata.city": "x"}, "/metadata.city", "'metadata'"),
        ({"user_id": {"nin": ["a"]}}, "/user_id", "eq, ne, in"),
        ({"user_id": 5}, "/user_id", "string"),
        ({"user_id": {"ne": "*"}}, "/user_id/ne", "any user_id"),
        ({"user_id": {"in": []}}, "/user_id/in", "at least one"),
        ({"created_at": {"eq": "2025-01-01"}}, "/created_at", "For equality"),
        ({"created_at": {"gte": "soon"}}, "/created_at/gte", "ISO 8601"),
        ({"categories": "work"}, "/categories", "in or contains"),
        ({"metadata": {"k": {"gt": 3}}}, "/metadata/k", "eq, ne or contains"),
        ({"metadata": {}}, "/metadata", "object"),
        ({"NOT": []}, "/NOT", "one filter object"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown key"),
        ({"session_id": "s"}, "/session_id", "'run_id'"),
        ({"text": "x"}, "/text", "'keywords'"),
    ],
    ids=str,
)
def test_rejects_an_invalid_dict_with_its_pointer_and_a_hint(document, pointer, hint):
    with pytest.raises(FilterError, match=hint) as refused:
        Filter.from_dict(document)

    assert refused.value.pointer == pointer or (pointer is None and not refused.value.pointer)


def test_rejects_a_dict_that_is_nested_too_deep():
    document = {"user_id": "a"}
    for _ in range(500):
        document = {"AND": [document]}

    with pytest.raises(FilterError, match="deep"):
        Filter.from_dict(document)


@pytest.mark.parametrize(
    ("where", "scoped"),
    [
        (F.user_id == "a", True),
        (F.app_id.in_("a"), True),
        ((F.user_id == "a") & ~(F.run_id == "b"), True),
        ((F.user_id == "a") | F.agent_id.exists(), True),
        (F.user_id.exists(), False),
        (F.user_id != "a", False),
        (~(F.user_id == "a"), False),
        (F.created_at >= "2025-01-01", False),
    ],
    ids=repr,
)
def test_is_scoped_only_if_an_entity_is_named(where, scoped):
    assert where.is_scoped() is scoped


def test_the_spec_does_not_allow_and_with_or_in_one_object():
    both = {"AND": [{"user_id": "a"}], "OR": [{"user_id": "b"}]}

    assert REQUEST is not None
    assert not REQUEST.is_valid({"schema": {}, "filters": both})
