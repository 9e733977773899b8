"""Random requests that keep the rules which OpenAPI cannot say: JSON Schemas of exports, and filters that name somebody."""

from __future__ import annotations

from hypothesis import strategies as st


names = st.one_of(
    st.sampled_from(
        ["city", "full_name", "age", "memory", "created_at", "tags", "größe", "名前", "a b", "$x", "a/b", "~"]
    ),
    st.text(min_size=1, max_size=12).filter(lambda name: name != "mem0_notice"),
)
"""Property names and metadata keys."""

texts = st.text(max_size=20)
ids = st.text(min_size=1, max_size=20).filter(lambda text: text != "*")

_leaves = st.one_of(
    st.just({"type": "string"}),
    st.just({"type": "integer"}),
    st.just({"type": "number"}),
    st.just({"type": "boolean"}),
    st.just({"type": "string", "format": "date-time"}),
    st.just({}),
    st.lists(texts, min_size=1, max_size=4, unique=True).map(lambda values: {"enum": values}),
    st.integers(0, 30).map(lambda length: {"type": "string", "minLength": length}),
)


def _objects(children: st.SearchStrategy[dict]) -> st.SearchStrategy[dict]:
    return st.dictionaries(names, children, max_size=4).map(lambda named: {"type": "object", "properties": named})


_nodes = st.recursive(
    _leaves,
    lambda children: st.one_of(
        _objects(children),
        children.map(lambda child: {"type": "array", "items": child}),
        st.just({"type": "array"}),
        children.map(lambda child: {"anyOf": [child, {"type": "null"}], "default": None}),
    ),
    max_leaves=6,
)

schemas = _objects(_nodes)
"""JSON Schemas of exports in which every property is optional, so that they can always be filled."""

times = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
_entities = st.sampled_from(["user_id", "agent_id", "app_id", "run_id"])
_conditions = st.one_of(
    st.tuples(_entities, ids).map(lambda pair: {pair[0]: pair[1]}),
    st.tuples(_entities, st.sampled_from(["eq", "ne"]), ids).map(lambda parts: {parts[0]: {parts[1]: parts[2]}}),
    _entities.map(lambda name: {name: "*"}),
    st.lists(ids, min_size=1, max_size=3).map(lambda listed: {"user_id": {"in": listed}}),
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte", "ne"]), times).map(
        lambda pair: {"created_at": {pair[0]: pair[1]}}
    ),
    st.tuples(times, times).map(lambda pair: {"updated_at": {"gte": min(pair), "lt": max(pair)}}),
    st.tuples(names, st.one_of(texts, st.integers(), st.booleans())).map(lambda pair: {"metadata": {pair[0]: pair[1]}}),
    st.tuples(names, texts).map(lambda pair: {"metadata": {pair[0]: {"contains": pair[1]}}}),
    texts.map(lambda text: {"keywords": {"icontains": text}}),
    st.lists(texts, min_size=1, max_size=3).map(lambda listed: {"categories": {"in": listed}}),
)
_trees = st.recursive(
    _conditions,
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=3).map(lambda parts: {"AND": parts}),
        st.lists(children, min_size=1, max_size=3).map(lambda parts: {"OR": parts}),
        children.map(lambda part: {"NOT": part}),
    ),
    max_leaves=6,
)


def scoped(user_id: str) -> st.SearchStrategy[dict]:
    """Filters that select memories of this user, and may ask for more."""
    return st.one_of(
        st.just({"user_id": user_id}),
        st.just({"AND": [{"user_id": user_id}]}),
        _trees.map(lambda tree: {"AND": [{"user_id": user_id}, {"OR": [tree, {"user_id": {"in": [user_id]}}]}]}),
    )


unscoped = st.one_of(
    _entities.map(lambda name: {name: "*"}),
    st.tuples(_entities, ids).map(lambda pair: {"NOT": {pair[0]: pair[1]}}),
    times.map(lambda moment: {"created_at": {"gte": moment}}),
)
"""Filters that fit the spec but name nobody."""

json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), texts
    ),
    lambda children: st.one_of(st.lists(children, max_size=3), st.dictionaries(names, children, max_size=3)),
    max_leaves=5,
)
metadata = st.dictionaries(names, json_values, max_size=4)
