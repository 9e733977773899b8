"""Test what is refused before a schema is compiled: too much of anything, and references that are not JSON pointers."""

from __future__ import annotations

import json
import re

import pytest

from mem0_exports.schemas.validate import Unusable
from mem0_exports_engine import limits
from mem0_exports_engine.json_text import read
from mem0_exports_engine.schema_cost import admit, measure
from mem0_exports_engine.schema_graph import Graph


def parsed(schema):
    """Return a schema as it comes in a request, in which no two parts are one object."""
    return json.loads(json.dumps(schema))


def an_object(properties, **more):
    return {"type": "object", "properties": properties, **more}


def named(count, schema, prefix="p"):
    return {f"{prefix}{number}": schema for number in range(count)}


def test_a_target_is_one_sub_schema_however_often_and_however_it_is_referred_to():
    spellings = [f"#/$defs/{'%61' if number & 1 else 'a'}{'%62' if number & 2 else 'b'}" for number in range(4)]
    schema = an_object(
        {f"p{number}": {"$ref": reference} for number, reference in enumerate(spellings * 500)},
        **{"$defs": {"ab": an_object(named(500, {"type": "string"}, "q"))}},
    )

    graph = Graph(parsed(schema))

    assert len(graph.nodes) == 1 + 2000 + 1 + 500, "each is there once"
    assert sum(len(node.in_place) for node in graph.nodes) == 2000, "each reference leads to the one object"
    admit(schema)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (an_object(named(20_001, {})), "more than 20000 sub-schemas"),
        (
            an_object(
                named(400, {"$ref": "#/$defs/b", "description": "d"}), **{"$defs": {"b": an_object(named(400, {}))}}
            ),
            "more than 100000 properties once their references are written out",
        ),
        (
            an_object(
                named(400, {"type": "array", "items": {"$ref": "#/$defs/b"}}),
                **{"$defs": {"b": an_object(named(400, {}))}},
            ),
            "more than 100000 properties once their references are written out",
        ),
        (
            an_object(
                named(400, {"$ref": "#/$defs/l"}),
                **{"$defs": {"l": {"type": "array", "items": an_object(named(400, {}))}}},
            ),
            "more than 100000 properties once their references are written out",
        ),
        (
            {
                "anyOf": [{"$ref": "#/$defs/o"}] * 50,
                "$defs": {
                    "o": an_object(named(50, {"$ref": "#/$defs/l"})),
                    "l": {"type": "array", "items": {"anyOf": [an_object(named(10, {}, f"{n}")) for n in range(5)]}},
                },
            },
            "more than 100000 properties once their references are written out",
        ),
        (an_object({"x" * 30_000: an_object(named(1000, {}))}), "the names of its properties are too long"),
        (an_object({"x": {"anyOf": [{"const": [n]} for n in range(5001)]}}), "against more than 5000 sub-schemas"),
        (an_object({"x": {"enum": [*range(5001)]}}), "against more than 5000 sub-schemas"),
        (an_object({"x": {"pattern": r"\p{L}{1000}"}}), "takes at most 1 MB once it is compiled"),
        (
            an_object({f"p{n}": {"pattern": f"^[a-z]{n}$"} for n in range(1000)}),
            "patterns need more than 64 MB once they are compiled",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_refuses_too_much_of_anything(schema, message):
    with pytest.raises(Unusable, match=re.escape(message)):
        admit(parsed(schema))


def test_accepts_large_schemas_that_cost_little():
    admit(parsed(an_object(named(19_000, {"type": "string"}))))
    admit(an_object({"x": {"enum": [f"choice {number}" for number in range(20_000)]}}))
    admit(an_object({"x": {"type": "string", "pattern": r"^[\w .-]{1,20}$"}}))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"$ref": "https://example.com/schema"}, "the reference 'https://example.com/schema' leads nowhere"),
        ({"$ref": "#Address"}, "the reference '#Address' leads nowhere"),
        ({"$ref": "#/$defs/Missing"}, "the reference '#/$defs/Missing' leads nowhere"),
        ({"$ref": "#/title"}, "the reference '#/title' leads nowhere"),
        ({"$anchor": "here"}, "/properties/x: $anchor is not supported"),
        ({"$dynamicRef": "#here"}, "/properties/x: $dynamicRef is not supported"),
        ({"$id": "https://example.com/x"}, "/properties/x: only the root can have an $id"),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)
def test_refuses_references_that_are_not_json_pointers(part, message):
    with pytest.raises(Unusable, match=re.escape(message)):
        admit(an_object({"x": part}, title="t"))


def test_properties_named_like_keywords_are_no_keywords():
    admit(an_object({"$ref": {"type": "string"}, "$anchor": {}, "$id": {"type": "integer"}, "properties": {}}))


def test_a_recursive_union_decides_how_deep_a_value_can_be():
    def branch(number):
        return an_object({"a": {"$ref": "#/$defs/r"}}, required=[f"k{number}"])

    def depth(branches):
        definitions = {"r": {"anyOf": [branch(number) for number in range(branches)]}}
        return measure(Graph(an_object({"x": {"$ref": "#/$defs/r"}}, **{"$defs": definitions}))).max_depth

    assert depth(1) == limits.MAX_NESTING
    assert depth(2) > depth(3) > depth(4)


@pytest.mark.parametrize("piece", ["{}", "[]", "1", '"a"', '"\\",["'])
def test_values_are_counted_before_they_are_parsed(piece):
    inside = ",".join([piece] * (limits.MAX_VALUES + 1))
    with pytest.raises(ValueError, match=f"more than {limits.MAX_VALUES} values"):
        read(f"[{inside}]".encode())


def test_marks_inside_strings_are_no_values():
    text = ",[{" * limits.MAX_VALUES

    assert read(f'["{text}", "\\"{text}"]'.encode()) == [text, f'"{text}']
