"""Hold the CPU time and the memory of the most expensive requests that are accepted to a multiple of a baseline.

`tests.support.worst_cases` has a schema and a memory for each way in which a request can be expensive. The largest one
that is accepted is measured in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys

from time import process_time
from typing import Any

import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mem0_exports.schemas.validate import Unusable
from mem0_exports_engine.ports import Unfillable
from mem0_exports_engine.schema_cost import admit
from tests.support.stores import extracted, memory
from tests.support.worst_cases import CASES, baseline


_MOST = 120
"""The most CPU time, as a multiple of the baseline, which is some 0.05 s. The worst case takes about 40."""

_MEGABYTES = 300


@pytest.mark.parametrize("name", CASES)
def test_the_largest_accepted_request_is_cheap(name):
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.worst_cases", name], check=True, capture_output=True, text=True
    )
    cost = json.loads(result.stdout)

    assert cost["admission"] + cost["extraction"] < _MOST * cost["baseline"], cost
    assert cost["megabytes"] < _MEGABYTES, cost


def _scalars() -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(
        [
            {},
            {"type": "string"},
            {"type": "integer"},
            {"type": "string", "pattern": "^(a|b)+[a-z]{3,40}$"},
            {"type": "string", "format": "date-time"},
            {"enum": ["some", "Other", "more_words"]},
            {"anyOf": [{"type": "integer"}, {"type": "string", "format": "date"}, {"type": "null"}]},
            {"type": "string", "contentMediaType": "application/json", "contentSchema": {"type": "object"}},
        ]
    )


def _around(parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return schemas around others: many properties, lists, alternatives."""
    many = st.sampled_from([2, 30, 1000])
    return st.one_of(
        st.builds(lambda part, n: {"type": "object", "properties": {f"p{i}": part for i in range(n)}}, parts, many),
        st.builds(lambda part: {"type": "array", "items": part}, parts),
        st.builds(lambda part: {"type": "object", "additionalProperties": part}, parts),
        st.builds(lambda part, n: {"anyOf": [{**part, "title": f"t{i}"} for i in range(n)]}, parts, many),
        st.builds(
            lambda part, n: {
                "oneOf": [{"type": "object", "properties": {f"p{i}": part}, "required": [f"p{i}"]} for i in range(n)]
            },
            parts,
            many,
        ),
    )


_VALUES = st.recursive(
    st.sampled_from([1, "1", "bad", "2025-01-02", "ab" * 2000, '{"a": [1]}', True]),
    lambda parts: st.one_of(
        st.builds(lambda part, n: {f"P_{i}": part for i in range(n)}, parts, st.sampled_from([1, 40, 1000])),
        st.builds(lambda part, n: [part] * n, parts, st.sampled_from([1, 40, 1000])),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(parts=st.recursive(_scalars(), _around, max_leaves=4), uses=st.sampled_from([1, 20, 300]), value=_VALUES)
def test_the_work_on_a_drawn_schema_and_memory_is_bounded(parts, uses, value):
    reference = {"$ref": "#/$defs/part"}
    schema = {
        "type": "object",
        "properties": {
            f"x{number}": {**reference, "x-mem0-source": {"metadata": "x"}} if number % 2 else reference
            for number in range(uses)
        },
        "$defs": {"part": parts},
    }
    records = [memory(metadata={"x": value, "x0": value, "x2": value})]
    if len(json.dumps(value)) > 5_000_000:
        return  # too large for a request
    unit = baseline()
    started = process_time()
    try:
        admit(schema)
        extracted(schema, records)
    except (Unusable, Unfillable):
        pass

    assert process_time() - started < _MOST * unit
