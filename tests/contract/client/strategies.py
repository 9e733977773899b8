"""Strategies for the arguments that users can pass to the clients: filters, schemas, memories and times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import count
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from mem0_exports import F, Filter, all_of, any_of


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Texts that can be encoded as UTF-8."""

nonempty_texts = st.one_of(
    texts.filter(bool), st.sampled_from(["a", "名前", "größe", "a/b", "~", '"', "\\", "\x00", "\u2028"])
)
ids = nonempty_texts.filter(lambda text: text != "*")
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones)  # noqa: DTZ001 -- bounds are naive
times = st.one_of(
    moments,
    st.dates(),
    st.dates().map(date.isoformat),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds") + "Z"),
)
numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
json_values = st.recursive(
    st.one_of(st.none(), numbers, texts),
    lambda children: st.one_of(st.lists(children, max_size=3), st.dictionaries(texts, children, max_size=3)),
    max_leaves=6,
)
metadata = st.dictionaries(texts, json_values, max_size=4)

entity_fields = st.sampled_from([F.user_id, F.agent_id, F.app_id, F.run_id])
time_fields = st.sampled_from([F.created_at, F.updated_at, F.timestamp, F.expiration_date])


@st.composite
def conditions(draw: st.DrawFn) -> Filter:
    """Draw one condition, of any kind that `F` offers."""
    match draw(st.sampled_from(["entity", "time", "categories", "keywords", "ids", "metadata"])):
        case "entity":
            field, value, several = draw(entity_fields), draw(ids), draw(st.lists(ids, min_size=1, max_size=3))
            return draw(st.sampled_from([field == value, field != value, field.in_(*several), field.exists()]))
        case "time":
            field, first, second = draw(time_fields), draw(times), draw(times)
            compared = [field < first, field <= first, field > first, field >= first, field == first, field != first]
            ranges = [field.in_(first, second), field.between(first, second), field.last(days=draw(st.integers(1, 99)))]
            return draw(st.sampled_from([*compared, *ranges]))
        case "categories":
            several = draw(st.lists(nonempty_texts, min_size=1, max_size=3))
            return draw(st.sampled_from([F.categories.in_(*several), F.categories.contains(several[0])]))
        case "keywords":
            word = draw(nonempty_texts)
            return draw(st.sampled_from([F.keywords.contains(word), F.keywords.icontains(word)]))
        case "ids":
            return F.memory_ids.in_(*draw(st.lists(nonempty_texts, min_size=1, max_size=3)))
        case _:
            value, known = F.metadata[draw(nonempty_texts)], draw(st.one_of(numbers, texts))
            return draw(st.sampled_from([value == known, value != known, value.contains(draw(nonempty_texts))]))


filter_trees = st.recursive(
    conditions(),
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=3).map(lambda parts: all_of(*parts)),
        st.lists(children, min_size=1, max_size=3).map(lambda parts: any_of(*parts)),
        children.map(lambda part: ~part),
    ),
    max_leaves=6,
)
scoping_filters = st.tuples(entity_fields, st.lists(ids, min_size=1, max_size=3)).flatmap(
    lambda drawn: st.sampled_from([drawn[0] == drawn[1][0], drawn[0].in_(*drawn[1])])
)
filters = st.one_of(
    scoping_filters,
    st.tuples(scoping_filters, filter_trees).map(lambda pair: pair[0] & pair[1]),
    st.tuples(filter_trees, scoping_filters).map(lambda pair: pair[0] | pair[1]),
)
"""Filters that name an entity, as services require, often with further conditions."""

flat_filters = st.fixed_dictionaries(
    {"user_id": ids},
    optional={
        "created_at": st.fixed_dictionaries({"gte": times}, optional={"lt": times}),
        "metadata": st.dictionaries(nonempty_texts, st.one_of(texts, numbers), min_size=1, max_size=2),
        "categories": st.fixed_dictionaries({"in": st.lists(nonempty_texts, min_size=1, max_size=3)}),
        "memory_ids": st.lists(nonempty_texts, min_size=1, max_size=3),
        "NOT": st.one_of(st.just({"run_id": "r"}), st.just([{"run_id": "r"}, {"app_id": "*"}])),
    },
)
wheres = st.one_of(filters, filters.map(Filter.to_dict), flat_filters)

_leaves = st.one_of(
    st.sampled_from([{}, {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}]),
    st.sampled_from([{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}, {"const": None}]),
    st.lists(texts, min_size=1, max_size=4, unique=True).map(lambda values: {"enum": values}),
    texts.map(lambda text: {"type": "string", "description": text, "default": text}),
)


def _objects(children: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(texts, children, max_size=4).flatmap(
        lambda named: st.sampled_from(
            [
                {"type": "object", "properties": named},
                {"type": "object", "properties": named, "required": sorted(named), "additionalProperties": False},
                {"type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"properties": named}}},
            ]
        )
    )


json_schemas = _objects(
    st.recursive(
        _leaves,
        lambda children: st.one_of(
            children.map(lambda child: {"type": "array", "items": child}),
            st.lists(children, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
            st.dictionaries(texts, children, max_size=3).map(lambda named: {"type": "object", "properties": named}),
        ),
        max_leaves=6,
    )
)
"""JSON Schemas as dicts."""

_types = st.sampled_from([str, int, float, bool, datetime, date, list[str], dict[str, int], str | None, Any])
_model_numbers = count()


@st.composite
def models(draw: st.DrawFn) -> type[BaseModel]:
    """Draw a Pydantic model: with aliases, descriptions and defaults, and some with nested models."""
    fields: dict[str, Any] = {}
    for index in range(draw(st.integers(1, 4))):
        kind = draw(_types)
        alias = {"alias": f"{draw(nonempty_texts)}{index}"} if draw(st.booleans()) else {}
        default = ... if draw(st.booleans()) else None
        fields[f"field{index}"] = (kind, Field(default, description=draw(texts), **alias))
    inner = create_model(f"Inner{next(_model_numbers)}", **fields)
    if draw(st.booleans()):
        return inner
    return create_model(
        f"Outer{next(_model_numbers)}", one=(inner, ...), many=(list[inner], []), maybe=(inner | None, None)
    )


schemas = st.one_of(json_schemas, models(), models().map(lambda model: list[model]))  # type: ignore[valid-type]

messages = st.one_of(
    nonempty_texts,
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": nonempty_texts}),
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": nonempty_texts}),
        min_size=1,
        max_size=3,
    ),
)
_owner_names = ("user_id", "agent_id", "app_id", "run_id")
owners = st.one_of(
    st.lists(st.tuples(st.sampled_from(_owner_names), nonempty_texts), min_size=1, max_size=4).map(dict),
    st.fixed_dictionaries(
        {}, optional={name: st.one_of(nonempty_texts, st.just(""), st.none()) for name in _owner_names}
    ),
)
"""The entities that memories belong to. Some have empty names or no name at all, which the client must refuse."""

creation_times = st.one_of(
    st.none(),
    st.datetimes(datetime(1971, 1, 1), timezones=zones).map(lambda moment: moment.replace(microsecond=0)),  # noqa: DTZ001 -- bounds are naive
    st.datetimes(datetime(1900, 1, 1), datetime(9998, 1, 1), timezones=zones).map(  # noqa: DTZ001 -- bounds are naive
        lambda moment: moment.replace(microsecond=0)
    ),
)
"""Creation times of memories. Some lie before 1970, which the spec does not allow."""
