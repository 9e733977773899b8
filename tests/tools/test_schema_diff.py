"""The comparison of two schemas: each rule reports its difference, stays silent without one, and overlooks no refusal."""

from __future__ import annotations

import copy
import json

import jsonschema_rs
import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema_diff import Comparison
from schema_view import Reader
from tests.support.openapi_documents import B, I, N, S, closed, document, opened, operation, rows


# name: (their schema, our schema, the place and the aspect of each difference, theirs is narrower, theirs is wider)
RULES = {
    "another type": (S, I, {("", "type")}, True, True),
    "one type of two": (S, {"type": ["string", "integer"]}, {("", "type")}, True, False),
    "integer for number": (I, N, {("", "type")}, True, False),
    "a type where there was none": (S, {}, {("", "type")}, True, False),
    "not null": (S, {"type": ["string", "null"]}, {("", "null")}, True, False),
    "fewer values": ({"enum": ["a"]}, {"enum": ["a", "b"]}, {("", "enum")}, True, False),
    "other values": ({"enum": ["a", "c"]}, {"enum": ["a", "b"]}, {("", "enum")}, True, True),
    "values where any were allowed": ({"type": "string", "enum": ["a"]}, S, {("", "enum")}, True, False),
    "a constant": ({"type": "boolean", "const": False}, B, {("", "enum")}, True, False),
    "another default": ({"type": "integer", "default": 1}, {"type": "integer", "default": 2}, {("", "default")}, False, False),
    "a higher minimum": ({"type": "integer", "minimum": 2}, {"type": "integer", "minimum": 1}, {("", "minimum")}, True, False),
    "an exclusive minimum": ({"type": "number", "exclusiveMinimum": 1}, {"type": "number", "minimum": 1}, {("", "minimum")}, True, False),
    "a lower maximum": ({"type": "integer", "maximum": 1}, {"type": "integer", "maximum": 2}, {("", "maximum")}, True, False),
    "a maximum where there was none": ({"type": "integer", "maximum": 1}, I, {("", "maximum")}, True, False),
    "a minLength": ({"type": "string", "minLength": 1}, S, {("", "minLength")}, True, False),
    "a lower maxLength": ({"type": "string", "maxLength": 1}, {"type": "string", "maxLength": 2}, {("", "maxLength")}, True, False),
    "a minItems": ({"type": "array", "items": S, "minItems": 1}, {"type": "array", "items": S}, {("", "minItems")}, True, False),
    "a maxProperties": ({"type": "object", "maxProperties": 1}, {"type": "object"}, {("", "maxProperties")}, True, False),
    "a format": ({"type": "string", "format": "uuid"}, S, {("", "format")}, True, False),
    "another format": ({"type": "string", "format": "uuid"}, {"type": "string", "format": "date"}, {("", "format")}, True, True),
    "a format for a pattern": ({"type": "string", "format": "date"}, {"type": "string", "pattern": "^....-..-..$"}, {("", "format")}, False, False),
    "a pattern": ({"type": "string", "pattern": "a"}, S, {("", "pattern")}, True, False),
    "another pattern": ({"type": "string", "pattern": "a"}, {"type": "string", "pattern": "b"}, {("", "pattern")}, True, True),
    "unique items": ({"type": "array", "uniqueItems": True}, {"type": "array", "uniqueItems": False}, {("", "uniqueItems")}, True, False),
    "a negation": ({"type": "object", "not": {"required": ["a"]}}, {"type": "object"}, {("", "not")}, True, False),
    "items of another type": ({"type": "array", "items": S}, {"type": "array", "items": I}, {("[]", "type")}, True, True),
    "a required property": (opened(["a"], a=S), opened(a=S), {("a", "required")}, True, False),
    "no other properties": (closed(a=S), opened(a=S), {("", "additionalProperties")}, True, False),
    "a forbidden property": (closed(a=S), closed(a=S, b=S), {("b", "missing")}, True, False),
    "a property that is not described": (opened(a=S), opened(a=S, b=S), {("b", "missing")}, False, False),
    "a required property that is not described": (opened(a=S), opened(["b"], a=S, b=S), {("b", "missing")}, False, True),
    "a further property": (opened(a=S, b=S), opened(a=S), {("b", "extra")}, False, False),
    "a further property that is required": (opened(["b"], a=S, b=S), opened(a=S), {("b", "extra")}, True, False),
    "any properties": ({"type": "object"}, opened(a=S), {("", "properties")}, False, False),
    "any properties but a required one": ({"type": "object"}, opened(["a"], a=S), {("a", "missing")}, False, True),
    "other properties of a type": ({"type": "object", "additionalProperties": S}, {"type": "object"}, {("*", "type")}, True, False),
    "a property of another type than all others": ({"type": "object", "additionalProperties": S}, opened(a=I), {("*", "type"), ("a", "type")}, True, True),
    "deep inside": (opened(a=opened(b={"type": "array", "items": S})), opened(a=opened(b={"type": "array", "items": I})), {("a.b[]", "type")}, True, True),
    "one branch less": ({"anyOf": [opened(["a"], a=S), opened(["b"], b=S)]}, {"anyOf": [opened(["a"], a=S), opened(["b"], b=S), opened(["c"], c=S)]}, {("", "alternatives")}, True, False),
    "branches with less": ({"oneOf": [opened(a=S), opened(b=S)]}, {"anyOf": [opened(["a"], a=S), opened(["b"], b=S)]}, {("", "alternatives")}, False, True),
    "a choice of required properties": ({**opened(a=S, b=S), "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, opened(a=S, b=S), {("", "alternatives")}, True, False),
    "a type of several": (S, {"anyOf": [closed(a=S), S]}, {("", "type")}, True, False),
    "branches with another default": ({"anyOf": [S, {**I, "default": 1}]}, {"anyOf": [S, I]}, {("", "alternatives")}, False, False),
    "an allOf of a closed object and more": ({"allOf": [closed(a=S), opened(b=S)]}, opened(a=S, b=S), {("", "additionalProperties"), ("b", "missing")}, True, False),
    "a reference to nothing": ({"$ref": "#/components/schemas/None"}, S, {("", "$ref")}, True, True),
    "a reference to another file": ({"$ref": "other.yaml#/S"}, S, {("", "$ref")}, True, True),
}  # fmt: skip


def below(where, places):
    return {(f"{where}: {path}" if path else where, aspect) for path, aspect in places}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("where", ["request body", "response 200"])
def test_a_difference_of_schemas_is_a_refusal_in_one_direction(name, where):
    theirs, ours, places, narrower, wider = RULES[name]
    in_request = where == "request body"
    left, right = (document(get=operation(each, S) if in_request else operation(S, each)) for each in (theirs, ours))

    there, back = rows(left, right), rows(right, left)

    assert {row[:2] for row in there} == below(where, places)
    assert any(refuses for _, _, refuses in there) == (narrower if in_request else wider)
    if "$ref" not in json.dumps(theirs):
        assert any(refuses for _, _, refuses in back) == (wider if in_request else narrower)
        assert rows(left, copy.deepcopy(left)) == rows(right, copy.deepcopy(right)) == set()


THE_SAME = {
    "nullable and a list of types": ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
    "nullable and anyOf": ({"type": "string", "nullable": True}, {"anyOf": [S, {"type": "null"}]}),
    "nullable beside a reference": ({"nullable": True, "allOf": [{"$ref": "#/components/schemas/Pet"}]}, {"oneOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "null"}]}),
    "a nullable enum": ({"type": "string", "nullable": True, "enum": ["a", None]}, {"anyOf": [{"const": "a"}, {"type": "null"}]}),
    "a reference and what it refers to": ({"$ref": "#/components/schemas/Pet"}, opened(["name"], name=S)),
    "allOf and one object": ({"allOf": [opened(["name"], name=S), opened(age=I)]}, opened(["name"], name=S, age=I)),
    "one branch and none": ({"oneOf": [S]}, S),
    "constants and an enum": ({"oneOf": [{"const": "a"}, {"const": "b"}]}, {"type": "string", "enum": ["b", "a"]}),
    "both forms of an exclusive bound": ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, {"type": "integer", "exclusiveMinimum": 1}),
    "both values of a boolean and none": ({"type": "boolean", "enum": [True, False]}, B),
    "branches in another order": ({"anyOf": [S, opened(a=S)]}, {"oneOf": [opened(a=S), S]}),
    "types and branches": ({"type": ["string", "integer"]}, {"anyOf": [S, I]}),
    "a type that properties imply": ({"properties": {"a": S}}, opened(a=S)),
    "annotations": ({"type": "string", "title": "t", "description": "d", "example": 1, "format": "password"}, S),
    "a list that contains itself": ({"$ref": "#/components/schemas/Tree"}, opened(children={"type": "array", "items": {"$ref": "#/components/schemas/Tree"}})),
    "two schemas that contain themselves": ({"$ref": "#/components/schemas/Tree"}, {"$ref": "#/components/schemas/Wood"}),
    "what refers to itself and says nothing": ({"$ref": "#/components/schemas/Loop"}, {}),
    "an allOf of itself": ({"$ref": "#/components/schemas/Knot"}, opened(a=S)),
}  # fmt: skip
COMPONENTS = {
    "Pet": opened(["name"], name=S),
    "Tree": opened(children={"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}),
    "Wood": {
        "allOf": [
            {"type": "object"},
            {"properties": {"children": {"type": "array", "items": {"$ref": "#/components/schemas/Wood"}}}},
        ]
    },
    "Loop": {"$ref": "#/components/schemas/Loop"},
    "Knot": {"allOf": [{"$ref": "#/components/schemas/Knot"}, opened(a=S)]},
}


@pytest.mark.parametrize("name", THE_SAME)
@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_two_ways_to_write_the_same_are_no_difference(name, version):
    one, other = (
        document(version, COMPONENTS, get=operation(opened(at=each), opened(at=each))) for each in THE_SAME[name]
    )

    assert rows(one, other) == rows(other, one) == set()


def test_siblings_of_a_reference_count_in_3_1_only():
    shape = {"$ref": "#/components/schemas/Text", "minLength": 5}
    plain = document(get=operation(S))

    assert rows(document("3.0.3", {"Text": S}, get=operation(shape)), plain) == set()
    assert rows(document("3.1.0", {"Text": S}, get=operation(shape)), plain) == {("request body", "minLength", True)}


def test_depth_and_repetition_are_bounded():
    deep, as_deep = S, S
    for _ in range(200):
        deep, as_deep = opened(a=deep), opened(a=as_deep)
    many = {f"D{n}": opened(**{k: {"$ref": f"#/components/schemas/D{n + 1}"} for k in "abcd"}) for n in range(40)}
    ref = {"$ref": "#/components/schemas/D0"}

    assert {row[1:] for row in rows(document(get=operation(deep)), document(get=operation(as_deep)))} == {
        ("depth", True)
    }
    assert (
        rows(
            document(components={**many, "D40": S}, get=operation(ref)),
            document(components={**many, "D40": S}, get=operation(ref)),
        )
        == set()
    )
    found = rows(
        document(components={**many, "D40": S}, get=operation(ref)),
        document(components={**many, "D40": I}, get=operation(ref)),
    )
    assert any(refuses for _, _, refuses in found)
    assert len(found) < 2000


NAMES = st.sampled_from(["a", "b", "c"])
_leaves = st.one_of(
    st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array"]).map(lambda kind: {"type": kind}),
    st.lists(st.sampled_from(["string", "integer", "null", "object"]), min_size=1, max_size=3, unique=True).map(lambda kinds: {"type": kinds}),
    st.lists(st.sampled_from(["a", "bb", 1, 2, True, None]), min_size=1, max_size=3, unique_by=repr).map(lambda values: {"enum": values}),
    st.sampled_from(["a", 1, None, False]).map(lambda value: {"const": value}),
    st.fixed_dictionaries({"type": st.just("string")}, optional={"minLength": st.integers(0, 2), "maxLength": st.integers(0, 2), "pattern": st.sampled_from(["a", "b"])}),
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"])}, optional={key: st.integers(-1, 2) for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")}),
    st.sampled_from([True, False, {}]),
)  # fmt: skip


def _containers(inside):
    objects = st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(NAMES, inside, max_size=2),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": st.one_of(st.booleans(), inside),
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(0, 2),
        },
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array")}, optional={"items": inside, "minItems": st.integers(0, 2), "uniqueItems": st.booleans()}
    )  # fmt: skip
    several = st.lists(inside, min_size=1, max_size=3)
    return st.one_of(
        objects,
        arrays,
        several.map(lambda branches: {"anyOf": branches}),
        several.map(lambda branches: {"allOf": branches}),
        st.tuples(objects, several).map(lambda pair: {**pair[0], "anyOf": pair[1]}),
    )


SCHEMAS = st.recursive(_leaves, _containers, max_leaves=6)
_simple = [None, True, False, -1, 0, 1, 2, 3, 0.5, 1.5, "", "a", "b", "bb", "aaa"]
VALUES = [
    *_simple,
    *([], ["a"], [1, 1], [1, 2, 3], [None], [{}]),
    *({}, *({name: value} for name in "abcd" for value in [*_simple, {}, [], {"a": 1}, ["a"]])),
    *({"a": one, "b": other} for one in ("a", 1, None) for other in ("bb", 2, {})),
    {"a": 1, "b": 2, "c": 3},
]


def _valid(schema):
    validator = jsonschema_rs.Draft202012Validator(schema)
    return [validator.is_valid(value) for value in VALUES]


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(theirs=SCHEMAS, ours=SCHEMAS)
def test_no_refusal_is_overlooked(theirs, ours):
    reader = Reader({"openapi": "3.1.0"})
    found = Comparison(reader, reader).differences((theirs,), (ours,))
    verdicts = list(zip(_valid(theirs), _valid(ours), strict=True))

    # A property that one side does not describe is reported, but is a refusal only if it is required or forbidden.
    undescribed = any(each.aspect in {"missing", "extra", "properties", "alternatives"} for each in found)
    if (False, True) in verdicts:
        assert undescribed or any(each.narrower for each in found), VALUES[verdicts.index((False, True))]
    if (True, False) in verdicts:
        assert undescribed or any(each.wider for each in found), VALUES[verdicts.index((True, False))]


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(schema=SCHEMAS)
def test_a_schema_does_not_differ_from_itself(schema):
    reader = Reader({"openapi": "3.1.0"})

    assert Comparison(reader, reader).differences((schema,), (copy.deepcopy(schema),)) == ()
