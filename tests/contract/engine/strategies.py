"""Strategies for valid requests: JSON Schemas, memories, and filters that name an entity.

They keep the rules that OpenAPI cannot express.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

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

OWNERS = ("user_id", "agent_id", "app_id", "run_id")
NEAR = datetime(2025, 3, 4, 18, 20, tzinfo=UTC)
_OFFSETS = ("Z", "+00:00", "-00:00", "+01:00", "-0730", "+14:00", "-12:00")


def _local_time(moment: datetime, offset: str) -> datetime | None:
    """Return the local time at this UTC offset, or None outside the years 1 to 9999."""
    minutes = 0 if offset == "Z" else int(offset[1:3]) * 60 + int(offset[-2:])
    try:
        return moment + timedelta(minutes=-minutes if offset[0] == "-" else minutes)
    except OverflowError:
        return None


@st.composite
def spellings(draw: st.DrawFn, moment: datetime) -> str:
    """Draw an ISO 8601 text of this moment, in some time zone and with more or fewer digits."""
    offset = draw(st.sampled_from([each for each in _OFFSETS if _local_time(moment, each) is not None]))
    local = _local_time(moment, offset)
    assert local is not None
    digits = f"{local.microsecond:06}".rstrip("0")
    fraction = digits + "0" * draw(st.integers(0, 9 - len(digits)))
    clock = f"{local:%H:%M:%S}" + (f".{fraction}" if fraction else "")
    return f"{local.year:04}-{local:%m-%d}{draw(st.sampled_from('T '))}{clock}{offset}"


moments = st.one_of(
    st.sampled_from([-3600, -1, 0, 1, 3600]).map(lambda seconds: NEAR + timedelta(seconds=seconds)),
    st.integers(-62135424000, 253402041600).map(lambda seconds: datetime.fromtimestamp(0, UTC) + timedelta(0, seconds)),
)
times = st.one_of(moments.flatmap(spellings), st.sampled_from(["2025-03-04", "2025-03-05", "2025-03-04T18:20"]))

_entities = st.sampled_from(OWNERS)


def conditions(some_ids: st.SearchStrategy[str], some_texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict]:
    """Return a strategy for filters with one condition."""
    operands = st.one_of(some_texts, st.integers(-1, 2), st.booleans(), st.sampled_from([1.0, 0.5, 2**63, 2**63 + 1]))
    keys = st.one_of(st.sampled_from(METADATA_KEYS), names)
    return st.one_of(
        st.tuples(_entities, some_ids).map(lambda pair: {pair[0]: pair[1]}),
        st.tuples(_entities, st.sampled_from(["eq", "ne"]), some_ids).map(
            lambda parts: {parts[0]: {parts[1]: parts[2]}}
        ),
        st.tuples(_entities, st.lists(some_ids, min_size=1, max_size=3)).map(lambda pair: {pair[0]: {"in": pair[1]}}),
        _entities.map(lambda name: {name: "*"}),
        st.tuples(
            st.sampled_from(["created_at", "updated_at", "timestamp", "expiration_date"]),
            st.sampled_from(["gt", "gte", "lt", "lte", "ne"]),
            times,
        ).map(lambda parts: {parts[0]: {parts[1]: parts[2]}}),
        st.tuples(times, times).map(lambda pair: {"created_at": {"gte": pair[0], "lt": pair[1]}}),
        times.map(lambda time: {"created_at": time}),
        st.lists(times, min_size=1, max_size=2).map(lambda listed: {"timestamp": {"in": listed}}),
        st.tuples(keys, operands).map(lambda pair: {"metadata": {pair[0]: pair[1]}}),
        st.tuples(keys, st.sampled_from(["eq", "ne"]), operands).map(
            lambda parts: {"metadata": {parts[0]: {parts[1]: parts[2]}}}
        ),
        st.tuples(keys, some_texts).map(lambda pair: {"metadata": {pair[0]: {"contains": pair[1]}}}),
        some_texts.map(lambda text: {"keywords": {"contains": text}}),
        some_texts.map(lambda text: {"keywords": {"icontains": text.swapcase()}}),
        st.lists(some_texts, min_size=1, max_size=3).map(lambda listed: {"categories": {"in": listed}}),
        some_texts.map(lambda text: {"categories": {"contains": text}}),
        st.tuples(_entities, some_ids, times).map(lambda parts: {parts[0]: parts[1], "created_at": {"lt": parts[2]}}),
    )


def filter_trees(leaves: st.SearchStrategy[dict]) -> st.SearchStrategy[dict]:
    """Return a strategy for filters that combine conditions with AND, OR and NOT."""
    return st.recursive(
        leaves,
        lambda children: st.one_of(
            st.lists(children, min_size=1, max_size=3).map(lambda parts: {"AND": parts}),
            st.lists(children, min_size=1, max_size=3).map(lambda parts: {"OR": parts}),
            children.map(lambda part: {"NOT": part}),
            st.lists(children, min_size=1, max_size=2).map(lambda parts: {"NOT": parts}),
        ),
        max_leaves=6,
    )


METADATA_KEYS = ("city", "größe", "a.b", "k\x00")
COMMON_IDS = ("alex", "Alex", "名前", "z\u00fc", "zu\u0308", "😀\x00", "%")
COMMON_TEXTS = ("Lisbon", "lisbon", "Straße", "STRASSE", "\u00e9", "e\u0301", "\U0001d518\x00x", "1", "true", "%", "_")
common_ids = st.sampled_from(COMMON_IDS[:3]) | st.sampled_from(COMMON_IDS)
common_texts = st.sampled_from(COMMON_TEXTS)

matching_filters = filter_trees(conditions(common_ids, common_texts))
"""Filters with the ids, texts and keys of `memories`, so that they often match some."""

cased_texts = st.text(
    "aAzZ\u00df\u1e9e\u03a3\u03c3\u03c2\u0130i\u0131\ufb01\u00e9e\u0301\U00010400", min_size=1, max_size=3
)
"""Texts with letters whose upper or lower case is more than one letter, among others."""

_values = st.one_of(
    common_texts, st.integers(-1, 2), st.booleans(), st.none(), st.sampled_from([1.0, 0.5, 2**63, 2**63 + 1])
)
memories = st.fixed_dictionaries(
    {"content": common_texts | st.text(min_size=1, max_size=20)},
    optional={
        **dict.fromkeys(OWNERS, common_ids),
        "metadata": st.dictionaries(
            st.sampled_from(METADATA_KEYS), _values | st.lists(_values, max_size=3), max_size=3
        ),
        "timestamp": st.integers(-2, 2).map(lambda seconds: int(NEAR.timestamp()) + seconds)
        | st.integers(0, 253402300799),
    },
)
"""Memories to add, some without a user. They have few different values, so that filters match some but not all."""

METADATA_OPERANDS = ("1", "true", "", 0, 1, True, False, 1.0, 2**63, 2**63 + 1)
"""Values that some languages consider equal but JSON does not, except 1 and 1.0."""

metadata_values = (
    st.sampled_from(METADATA_OPERANDS) | st.none() | st.lists(st.sampled_from(METADATA_OPERANDS), max_size=2)
)

_filter_trees = filter_trees(conditions(ids, texts))


def scoped(user_id: str) -> st.SearchStrategy[dict]:
    """Return a strategy for filters that select memories of this user, often with further conditions."""
    return st.one_of(
        st.just({"user_id": user_id}),
        st.just({"AND": [{"user_id": user_id}]}),
        _filter_trees.map(lambda tree: {"AND": [{"user_id": user_id}, {"OR": [tree, {"user_id": {"in": [user_id]}}]}]}),
    )


unscoped = st.one_of(
    _entities.map(lambda name: {name: "*"}),
    st.tuples(_entities, ids).map(lambda pair: {"NOT": {pair[0]: pair[1]}}),
    st.tuples(_entities, ids).map(lambda pair: {pair[0]: {"ne": pair[1]}}),
    times.map(lambda moment: {"created_at": {"gte": moment}}),
)
"""Filters that match the spec but do not name an entity."""

json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), texts
    ),
    lambda children: st.one_of(st.lists(children, max_size=3), st.dictionaries(names, children, max_size=3)),
    max_leaves=5,
)
metadata = st.dictionaries(names, json_values, max_size=4)
