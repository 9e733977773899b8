"""Requests that grow until the engine refuses them, each in another direction, and what the largest accepted one costs.

    python -m tests.support.worst_cases "references to one large object"

prints the size of the largest accepted schema, and the CPU time and the memory that admission and extraction took.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time

from typing import TYPE_CHECKING, Any, NamedTuple

from mem0_exports.schemas.validate import Unusable
from mem0_exports_engine import json_text
from mem0_exports_engine.extraction import Unfillable
from mem0_exports_engine.schema_cost import admit
from tests.support.stores import extracted, memory


if TYPE_CHECKING:
    from collections.abc import Callable


class Case(NamedTuple):
    """A schema and the metadata of a memory, both for a number."""

    schema: Callable[[int], dict[str, Any]]
    metadata: Callable[[int], dict[str, Any]] = lambda _: {}


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


def _many(count: int, schema: Any, prefix: str = "p") -> dict[str, Any]:
    return {f"{prefix}{number}": schema for number in range(count)}


def _spelled(name: str, number: int) -> str:
    """Return one of many percent-encoded spellings of a name."""
    return "".join(f"%{ord(letter):02x}" if number >> index & 1 else letter for index, letter in enumerate(name))


def _nested(count: int, value: Any) -> Any:
    for _ in range(count):
        value = {"a": value}
    return value


def _unions(levels: int) -> dict[str, Any]:
    """Return unions inside unions, of which each checks the inner one twice."""
    definitions: dict[str, Any] = {"u0": {"type": "integer"}}
    for level in range(1, levels + 1):
        inner = {"a": {"$ref": f"#/$defs/u{level - 1}"}}
        definitions[f"u{level}"] = {"anyOf": [_object(inner), _object(inner, required=["b"])]}
    return _object({"x": {"$ref": f"#/$defs/u{levels}"}}, **{"$defs": definitions})


_LARGE: dict[str, Any] = {"$defs": {}}
_UNION = {"anyOf": [{"type": "integer"}, {"type": "null"}, {"type": "boolean"}]}

CASES: dict[str, Case] = {
    "properties": Case(lambda n: _object(_many(n, {"type": "string"})), lambda n: _many(n, 1)),
    "references to one large object": Case(
        lambda n: _object(_many(n, {"$ref": "#/$defs/b"}), **{"$defs": {"b": _object(_many(n, {"type": "string"}, "q"))}}),
        lambda n: _many(min(n, 2000), _many(50, 1, "q")),
    ),
    "references to one list of records": Case(
        lambda n: _object(
            _many(n, {"$ref": "#/$defs/l"}),
            **{"$defs": {"l": {"type": "array", "items": _object(_many(n, {"type": "string"}, "q"))}}},
        ),
        lambda n: _many(min(n, 50), 1, "q"),
    ),
    "references to one list of a union": Case(
        lambda n: _object(
            _many(n, {"$ref": "#/$defs/l"}),
            **{"$defs": {"l": {"type": "array", "items": {"oneOf": [_object({f"q{i}": {}}) for i in range(n)]}}}},
        ),
        lambda n: _many(min(n, 50), 1, "q"),
    ),
    "a root union of references to lists": Case(
        lambda n: {
            "anyOf": [{"$ref": "#/$defs/o"}] * n,
            "$defs": {
                "o": _object(_many(n, {"$ref": "#/$defs/l"})),
                "l": {"type": "array", "items": _object(_many(n, {}, "q"))},
            },
        },
        lambda n: _many(min(n, 50), 1, "q"),
    ),
    "references with a description": Case(
        lambda n: _object(
            _many(n, {"$ref": "#/$defs/b", "description": "d"}), **{"$defs": {"b": _object(_many(n, {"type": "string"}, "q"))}}
        ),
        lambda n: _many(n, _many(50, 1, "q")),
    ),
    "lists of one large object": Case(
        lambda n: _object(
            _many(n, {"type": "array", "items": {"$ref": "#/$defs/b"}}),
            **{"$defs": {"b": _object(_many(n, {"type": "string"}, "q"))}},
        ),
        lambda n: _many(min(n, 500), [_many(20, 1, "q")]),
    ),
    "spellings of one reference": Case(
        lambda n: _object(
            {f"p{number}": {"$ref": f"#/$defs/{_spelled('abcdefghijklmnop', number)}"} for number in range(n)},
            **{"$defs": {"abcdefghijklmnop": _object(_many(n, {"type": "string"}, "q"))}},
        ),
        lambda n: _many(min(n, 2000), _many(50, 1, "q")),
    ),
    "a wide object, nested deep": Case(
        lambda n: _nested_schema(40, _object(_many(n, {"type": "string"}))), lambda n: {"a": _nested(39, _many(n, 1))}
    ),
    "unions inside unions": Case(_unions, lambda n: {"x": _nested(min(n, 90), "bad")}),
    "a union of objects with one property": Case(
        lambda n: _object({"x": {"anyOf": [_object({f"p{i}": {"type": "integer"}}, required=[f"p{i}"]) for i in range(n)]}}),
        lambda n: {"x": [{"p": "bad"}] * n},
    ),
    "a root union": Case(
        lambda n: {"anyOf": [_object({f"p{i}": {"type": "integer"}}, required=[f"p{i}"]) for i in range(n)]},
        lambda n: _many(n, "bad"),
    ),
    "an allOf": Case(lambda n: {"allOf": [_object({f"p{i}": {}}, required=["x"]) for i in range(n)]}, lambda n: _many(n, 1)),
    "a list of wrong values": Case(
        lambda n: _object({"x": {"anyOf": [{"type": "array", "items": _UNION}, {"type": "array", "items": _UNION}]}}),
        lambda n: {"x": ["bad"] * min(n, 490_000)},
    ),
    "a list of wrong objects": Case(
        lambda n: _object({"x": {"type": "array", "items": _object({"a": _UNION, "b": _UNION}, required=["a"])}}),
        lambda n: {"x": [{"b": "bad", "A": "bad"}] * min(n, 120_000)},
    ),
    "a mixed enum": Case(lambda n: _object({"x": {"type": "array", "items": {"enum": [*range(n)]}}}), lambda n: {"x": [-1] * n}),
    "required names": Case(
        lambda n: _object({"x": {"type": "array", "items": {"type": "object", "required": [*_many(n, 0)]}}}),
        lambda n: {"x": [_many(10, 1)] * min(n, 40_000)},
    ),
    "patterns": Case(
        lambda n: _object({f"p{i}": {"type": "string", "pattern": f"^[a-z]{{1,{i % 30 + 2}}}{i}$"} for i in range(n)}),
        lambda n: _many(n, "x" * 5000),
    ),
    "large patterns": Case(
        lambda n: _object({f"p{i}": {"pattern": f"(a|b|c).{{100}}(x.{{50}}y){i}"} for i in range(n)}),
        lambda n: _many(min(n, 400), "abc xyz" * 3000),
    ),
    "a repeated pattern": Case(lambda n: _object({"p": {"pattern": f"(?i)\\p{{L}}{{{n}}}"}}), lambda _: {"p": "é" * 5_000_000}),
    "pattern properties": Case(
        lambda n: {"type": "object", "patternProperties": {f"^a{i}": {} for i in range(n)}}, lambda _: _many(100_000, 1)
    ),
    "long names, nested": Case(
        lambda n: _object({"x" * n: _object({"y" * n: _object(_many(1000, {}))})}), lambda n: {"x" * n: {"y" * n: {}}}
    ),
    "similar names": Case(
        lambda n: _object({f"{'aB_' * 20}{i}": {} for i in range(n)}), lambda _: {f"{'A-b' * 20}{i}x": 1 for i in range(100_000)}
    ),
    "names that differ in case": Case(
        lambda n: _object({"x": _object(_many(n, {"type": "string"}, "Name_"))}), lambda _: {"x": _many(100_000, 1, "nAME")}
    ),
    "columns": Case(
        lambda n: _object({"rows": {"type": "array", "items": _object(_many(n, {"type": ["null", "string"]}), required=[*_many(n, 0)])}}),
        lambda _: {"p0": "x"},
    ),
    "recursive unions": Case(
        lambda n: _object(
            {"x": {"$ref": "#/$defs/r"}},
            **{"$defs": {"r": {"anyOf": [_object({"a": {"$ref": "#/$defs/r"}}, required=[f"k{i}"]) for i in range(n)]}}},
        ),
        lambda _: {"x": _nested(60, 1)},
    ),
    "many properties of one large list": Case(
        lambda n: _object(_many(n, {"type": "array", "x-mem0-source": {"metadata": "x"}})),
        lambda _: {"x": [*range(400_000)]},
    ),
    "many properties of one large value": Case(
        lambda n: _object(_many(n, {"type": ["array", "object"], "x-mem0-source": {"metadata": "x"}})),
        lambda _: {"x": [{"a": "b"}] * 200_000},
    ),
    "many lists of one large list": Case(
        lambda n: _object(
            _many(
                n,
                {
                    "type": "array",
                    "items": _object({"a": {"type": "string"}}),
                    "x-mem0-source": {"metadata": "x"},
                },
            )
        ),
        lambda _: {"x": [{"A": 1}] * 100_000},
    ),
    "many patterns for one large text": Case(
        lambda n: _object(
            {
                f"p{i}": {"type": "string", "pattern": f"(a|b|c).{{50}}y{i}", "x-mem0-source": {"metadata": "x"}}
                for i in range(n)
            }
        ),
        lambda _: {"x": "abc xyz" * 1_000_000},
    ),
    "a list of many distinct wrong texts": Case(
        lambda n: _object(_many(n, {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}})),
        lambda n: _many(n, [f"bad{i}" for i in range(400_000 // n)]),
    ),
    "lists and many keys": Case(
        lambda n: _object(_many(n, {"type": "array", "items": _object({"q1": {}})})), lambda _: _many(400_000, 1, "q")
    ),
    "a root union that is never right": Case(
        lambda n: {"anyOf": [_object({f"p{i}": {"type": "integer"}}) for i in range(n)], "maxProperties": 0},
        lambda n: _many(n, 1),
    ),
    "names checked against a union": Case(
        lambda n: {
            "type": "object",
            "additionalProperties": {},
            "propertyNames": {"anyOf": [{"minLength": i + 1, "maxLength": i + 1} for i in range(n)]},
        },
        lambda n: _many(400_000, 1, "q"),
    ),
    "one large text in many properties": Case(
        lambda n: _object(_many(n, {"type": "string", "x-mem0-source": {"metadata": "x"}})), lambda _: {"x": "y" * 9_000_000}
    ),
    "one large text in many columns": Case(
        lambda n: _object(
            {"all": {"type": "array", "items": _object(_many(n, {"type": "string", "x-mem0-source": {"metadata": "x"}}))}}
        ),
        lambda _: {"x": "y" * 9_000_000},
    ),
    "one large text in fifty columns": Case(
        lambda _: _object(
            {"all": {"type": "array", "items": _object(_many(50, {"type": "string", "x-mem0-source": {"metadata": "x"}}))}}
        ),
        lambda _: {"x": "y" * 9_000_000},
    ),
    "texts with JSON inside": Case(
        lambda n: _object(
            _many(
                n,
                {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {},
                    "x-mem0-source": {"metadata": "x"},
                },
            )
        ),
        lambda _: {"x": json.dumps([{}] * 2_000_000)},
    ),
    "a deep value that is wrong at the bottom": Case(
        lambda n: _object(
            {"x": {"$ref": "#/$defs/r"}},
            **{"$defs": {"r": {"anyOf": [_object({"a": {"$ref": "#/$defs/r"}}), {"type": "array", "items": {"type": "integer"}}]}}},
        ),
        lambda n: {"x": _nested(60, ["bad"] * 400_000)},
    ),
    "unevaluated properties": Case(
        lambda n: _object(
            {"x": {"type": "object", "allOf": [_object({f"p{i}": {}}) for i in range(n)], "unevaluatedProperties": {"type": "integer"}}}
        ),
        lambda _: {"x": _many(50_000, "bad", "q")},
    ),
}  # fmt: skip


def _nested_schema(levels: int, schema: dict[str, Any]) -> dict[str, Any]:
    for _ in range(levels):
        schema = _object({"a": schema})
    return schema


def is_accepted(schema: dict[str, Any]) -> bool:
    """Return whether the engine accepts a request with this schema."""
    try:
        admit(json_text.read(json.dumps(schema).encode()))
    except (Unusable, ValueError):
        return False
    return True


def largest(case: Case) -> int:
    """Return about the largest number for which the schema is accepted, at most 2 ** 17."""
    number = 1
    while number < 2**17 and is_accepted(case.schema(2 * number)):
        number *= 2
    for step in (number // 2, number // 4, number // 8):
        if is_accepted(case.schema(number + step)):
            number += step
    return number


def cost(case: Case, number: int) -> dict[str, float]:
    """Return the CPU time in seconds and the memory in MB that admission and extraction take."""
    text = json.dumps(case.schema(number)).encode()
    metadata = json.dumps(case.metadata(number)).encode()
    records = [memory(metadata=json.loads(metadata))]
    admit({"type": "object", "properties": {}})  # what is imported or cached once does not count
    before = _megabytes()
    started = time.process_time()
    schema = json_text.read(text)
    admit(schema)
    admitted = time.process_time()
    with contextlib.suppress(Unfillable):
        extracted(schema, records)
    done = time.process_time()
    return {
        "number": number,
        "bytes": len(text) + len(metadata),
        "admission": admitted - started,
        "extraction": done - admitted,
        "megabytes": _megabytes() - before,
    }


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def baseline() -> float:
    """Return the CPU time of work that takes about a tenth of a second on a machine of 2024."""
    started = time.process_time()
    for _ in range(25):
        json.loads(json.dumps([{"a": "b", "c": 1}] * 5000))
    return time.process_time() - started


if __name__ == "__main__":
    chosen = CASES[sys.argv[1]]
    found = cost(chosen, int(sys.argv[2]) if len(sys.argv) > 2 else largest(chosen))
    print(json.dumps({**found, "baseline": baseline()}))
