"""Hold the CPU time and the memory of the most expensive requests that are accepted to a multiple of a baseline.

`tests.support.worst_cases` has a schema and a memory for each way in which a request can be expensive. The largest one
that is accepted is measured in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys

from collections.abc import Callable, Iterable
from math import prod
from time import process_time
from typing import Any

import pytest

from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from mem0_exports_engine import json_text
from mem0_exports_engine.extraction import Unfillable
from mem0_exports_engine.limits import MAX_BYTES
from mem0_exports_engine.schema_cost import admit
from tests.support.examples import examples
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


_SCALARS: list[dict[str, Any]] = [
    {},
    {"type": "string"},
    {"type": "integer"},
    {"type": "string", "pattern": "^(a|b)+[a-z]{3,40}$"},
    {"type": "string", "format": "date-time"},
    {"enum": ["some", "Other", "more_words"]},
    {"anyOf": [{"type": "integer"}, {"type": "string", "format": "date"}, {"type": "null"}]},
    {"type": "string", "contentMediaType": "application/json", "contentSchema": {"type": "object"}},
]

_AROUND: dict[str, Callable[[dict[str, Any], int], dict[str, Any]]] = {
    "object": lambda part, n: {"type": "object", "properties": {f"p{i}": part for i in range(n)}},
    "list": lambda part, _: {"type": "array", "items": part},
    "free": lambda part, _: {"type": "object", "additionalProperties": part},
    "anyOf": lambda part, n: {"anyOf": [{**part, "title": f"t{i}"} for i in range(n)]},
    "oneOf": lambda part, n: {
        "oneOf": [{"type": "object", "properties": {f"p{i}": part}, "required": [f"p{i}"]} for i in range(n)]
    },
}
"""What can be around a schema: many properties, lists, alternatives."""

_MOST_PARTS = 100_000


def _layers(kinds: Iterable[str]) -> st.SearchStrategy[list[tuple[str, int]]]:
    """Return kinds and numbers to build something from, from the inside out.

    What is built is not drawn itself: Hypothesis would print it, which takes longer than the test.
    """
    layers = st.lists(st.tuples(st.sampled_from([*kinds]), st.sampled_from([2, 30, 1000])), max_size=3)
    return layers.filter(lambda drawn: prod(number for _, number in drawn) <= _MOST_PARTS)


# A failure is not shrunk: each attempt could take as long as what has failed.
@settings(
    max_examples=examples(60), deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)
@given(
    scalar=st.sampled_from(range(len(_SCALARS))),
    around=_layers(_AROUND),
    uses=st.sampled_from([1, 300, 6000]),
    leaf=st.sampled_from([1, "1", "bad", "2025-01-02", "ab" * 50, '{"a": [1]}', True]),
    inside=_layers(["dict", "list"]),
)
def test_the_work_on_a_drawn_schema_and_memory_is_bounded(scalar, around, uses, leaf, inside):
    part = _SCALARS[scalar]
    for kind, number in around:
        part = _AROUND[kind](part, number)
    value: Any = leaf
    for kind, number in inside:
        value = {f"P_{i}": value for i in range(number)} if kind == "dict" else [value] * number
    reference = {"$ref": "#/$defs/part"}
    schema = {
        "type": "object",
        "properties": {
            f"x{number}": {**reference, "x-mem0-source": {"metadata": "x"}} if number % 2 else reference
            for number in range(uses)
        },
        "$defs": {"part": part},
    }
    metadata = json.dumps({"x": value, "x0": value, "x2": value}).encode()
    assume(len(metadata) <= MAX_BYTES)
    unit = baseline()
    started = process_time()
    try:
        # As they come in requests: no two parts are one object.
        given_schema, given_metadata = json_text.read(json.dumps(schema).encode()), json_text.read(metadata)
        admit(given_schema)
        extracted(given_schema, [memory(metadata=given_metadata)])
    except (ValueError, Unfillable):  # too much of something
        pass

    assert process_time() - started < _MOST * unit
