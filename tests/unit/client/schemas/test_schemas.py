"""Test schemas: the JSON Schema that is sent for a type, and the values that results become."""

from __future__ import annotations

import copy
import json

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import pytest

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from mem0_exports import ContractViolation, ExportInvalid, From, Schema, SchemaError


class Address(BaseModel):
    city: str


class Profile(BaseModel):
    full_name: str | None = Field(default=None, alias="name")
    address: Address | None = None


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    at: datetime


@dataclass
class Row:
    memory: str


class Facts(TypedDict, total=False):
    city: str


class Point(NamedTuple):
    x: int
    y: str = "b"


class Hidden(BaseModel):
    city: str = Field(validation_alias=AliasPath("address", "city"))


class Several(BaseModel):
    city: str = Field(validation_alias=AliasChoices(AliasPath("address", "city"), "town"))


Item = TypeVar("Item")


class Box(BaseModel, Generic[Item]):
    item: Item


class Unknown:
    """A class that Pydantic cannot describe."""


class Node(BaseModel):
    children: list[Node] = []


def load(source: Any, data: Any) -> Any:
    return Schema.of(source).load(json.dumps(data).encode(), export_id="id-1")


def test_a_model_is_sent_as_its_pydantic_schema_without_generated_titles():
    assert Schema.of(Profile).json == {
        "type": "object",
        "properties": {
            "name": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "address": {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}], "default": None},
        },
        "$defs": {"Address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
    }


def test_keeps_titles_and_descriptions_written_by_the_author():
    class Written(BaseModel):
        """A description."""

        model_config = ConfigDict(title="A title")
        city: str = Field(title="Where", description="The city", examples=["Porto"], min_length=1)

    assert Schema.of(Written).json == {
        "type": "object",
        "title": "A title",
        "description": "A description.",
        "properties": {
            "city": {
                "type": "string",
                "title": "Where",
                "description": "The city",
                "examples": ["Porto"],
                "minLength": 1,
            }
        },
        "required": ["city"],
    }


def test_source_annotations_are_part_of_the_schema():
    class Sourced(BaseModel):
        city: Annotated[str | None, From.metadata("home town")] = None
        texts: list[Annotated[str, From.category("work")]] = []
        since: Annotated[datetime, From.memory("created_at")]
        many: Annotated[int, From.count()] = 0

    properties = Schema.of(Sourced).json["properties"]

    assert properties["city"]["x-mem0-source"] == {"metadata": "home town"}
    assert properties["texts"]["items"]["x-mem0-source"] == {"category": "work"}
    assert properties["since"]["x-mem0-source"] == {"memory": "created_at"}
    assert properties["many"]["x-mem0-source"] == {"count": True}
    Schema.of(dict(Schema.of(Sourced).json))


def test_validate_decides_how_a_result_is_validated():
    class Age(BaseModel):
        age: int

    raw = b'{"age": "79", "mem0_notice": "x"}'

    assert Schema.of(Age).load(raw) == Age(age=79)
    assert Schema.of(Age, validate="off").load(raw) == {"age": "79"}
    assert Schema.of(list[Age], validate="off").load(b'{"items": [1]}') == [1]
    with pytest.raises(ExportInvalid, match="/age"):
        Schema.of(Age, validate="strict").load(raw)
    assert Schema.of(Strict, validate="strict").load(b'{"at": "2025-01-01T00:00:00Z"}').at.year == 2025
    with pytest.raises(SchemaError, match="validate"):
        Schema.of(Age, validate="loose")
    strict = Schema.of(Age, validate="strict")
    assert Schema.of(strict) is strict


def test_validates_a_result_against_a_dict_schema():
    schema = {"type": "object", "properties": {"a/b": {"type": "integer"}}}

    with pytest.raises(ExportInvalid, match="/a~1b") as invalid:
        load(schema, {"a/b": "79"})
    assert invalid.value.data == {"a/b": "79"}
    assert Schema.of(schema, validate="off").load(b'{"a/b": "79"}') == {"a/b": "79"}


def test_caches_the_schema_of_a_type():
    assert Schema.of(Profile) is Schema.of(Profile)
    assert Schema.of(list[Row]) is Schema.of(list[Row])
    assert Schema.of(Schema.of(Row)) is Schema.of(Row)


def test_a_dict_schema_is_sent_unchanged():
    source = {"type": "object", "properties": {"b": {}, "a": {}}, "x-own": {"default": None}}
    before = copy.deepcopy(source)

    schema = Schema.of(source)

    assert schema.json is source
    assert schema.load(b'{"a": [1], "more": null}') == {"a": [1], "more": None}
    assert source == before


@pytest.mark.parametrize(
    ("source", "data", "expected"),
    [
        (Profile, {"name": "Zoë", "address": {"city": "Porto"}}, Profile(name="Zoë", address=Address(city="Porto"))),
        (Profile, {}, Profile()),
        (Row, {"memory": "x"}, Row("x")),
        (Facts, {"city": "Porto"}, {"city": "Porto"}),
        (Strict, {"at": "2025-01-01T00:00:00Z"}, Strict.model_validate_json('{"at": "2025-01-01T00:00:00Z"}')),
        (Node, {"children": [{"children": []}]}, Node(children=[Node()])),
        (list[Row], {"items": [{"memory": "x"}, {"memory": "y"}]}, [Row("x"), Row("y")]),
        (list[str], {"items": ["a"]}, ["a"]),
        (int, {"items": 5}, 5),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Point, {"x": 1}, Point(1)),
        (list[Point], {"items": [{"x": 1, "y": "c"}]}, [Point(1, "c")]),
        (Several, {"town": "Porto"}, Several.model_validate({"town": "Porto"})),
        (Box[int], {"item": 1}, Box[int](item=1)),
        (TypeAdapter(list[Row]), {"items": [{"memory": "x"}]}, [Row("x")]),
        (Row | Address, {"city": "Porto"}, Address(city="Porto")),
        (Row | None, {}, None),
        (Row | Address | None, {"city": "Porto"}, Address(city="Porto")),
        (Decimal, {"items": "1.10"}, Decimal("1.10")),
        (tuple[int, str], {"items": [1, "a"]}, (1, "a")),
    ],
    ids=[
        "model",
        "empty",
        "dataclass",
        "TypedDict",
        "strict",
        "recursive",
        "records",
        "list",
        "scalar",
        "map",
        "NamedTuple",
        "points",
        "alias",
        "generic",
        "adapter",
        "union",
        "optional",
        "optional union",
        "decimal",
        "tuple",
    ],
)
def test_loads_a_result_into_every_kind_of_type(source, data, expected):
    assert load(source, data) == expected


def test_a_wrapped_root_requires_only_its_items():
    assert load(list[int], {"items": [1], "count": 1}) == [1]
    with pytest.raises(ExportInvalid, match="/items"):
        load(list[int], {})


@pytest.mark.parametrize(
    ("data", "value"), [({"items": [{"x": 1}]}, [{"x": 1}]), ({"name": "a"}, {"name": "a"}), ({}, None)], ids=str
)
def test_in_a_union_with_objects_only_the_other_members_are_wrapped(data, value):
    class Named(BaseModel):
        name: str

    class Row(BaseModel):
        x: int

    union = list[Row] | Named | None

    assert TypeAdapter(union).dump_python(load(union, data)) == value
    with pytest.raises(ExportInvalid):
        load(union, {"items": [{"x": "one"}]})


def test_a_union_is_wrapped_whole_if_one_of_its_objects_could_be_taken_for_a_wrapped_member():
    class Basket(BaseModel):
        items: list[int] = []

    assert load(list[int] | Basket, {"items": {"items": [1]}}) == Basket(items=[1])
    assert load(list[int] | dict[str, list[int]], {"items": {"items": [1]}}) == {"items": [1]}


def test_distinguishes_types_that_compare_equal():
    class A(BaseModel):
        x: int

    class B(BaseModel):
        x: int

    assert load(list[A | B], {"items": [{"x": 1}]}) == [A(x=1)]
    assert load(list[B | A], {"items": [{"x": 1}]}) == [B(x=1)]


def test_keeps_the_notice_if_the_schema_declares_it():
    class Noticed(BaseModel):
        mem0_notice: str

    assert load(Noticed, {"mem0_notice": "mine"}).mem0_notice == "mine"


def test_wraps_a_root_that_is_not_an_object_and_keeps_its_definitions():
    schema = Schema.of(list[Profile]).json

    assert schema["type"] == "object"
    assert schema["required"] == ["items"]
    assert schema["properties"]["items"] == {"type": "array", "items": {"$ref": "#/$defs/Profile"}}
    assert schema["$defs"].keys() == {"Profile", "Address"}


@pytest.mark.parametrize("source", [Profile, {"type": "object"}, list[Row]])
def test_removes_the_notice_of_the_service_from_results(source):
    class Closed(BaseModel):
        model_config = ConfigDict(extra="forbid")

    assert load(Closed, {"mem0_notice": "claim your account"}) == Closed()
    data = {"items": [], "mem0_notice": "x"}
    assert "mem0_notice" not in str(load(source, data))


def test_export_invalid_has_the_data_and_the_path_of_every_error():
    data = {"name": 5, "address": {"city": None}}

    with pytest.raises(ExportInvalid) as invalid:
        load(Profile, data)

    assert invalid.value.data == data
    assert invalid.value.export_id == "id-1"
    assert [(each["path"], each["input"]) for each in invalid.value.errors] == [("/name", 5), ("/address/city", None)]


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"null", b'{"a": ', b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("source", [Profile, {"type": "object"}])
def test_raises_contract_violation_for_a_result_that_is_not_an_object(source, raw):
    with pytest.raises(ContractViolation, match="exports_get"):
        Schema.of(source).load(raw)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (5, "expected a Pydantic model"),
        ("Profile", "expected a Pydantic model"),
        ([Profile], "expected a Pydantic model"),
        (None, "expected a Pydantic model"),
        ({"type": "array"}, "the root must have the type 'object'"),
        ({"type": "objekt"}, "/type"),
        ({"properties": {"a": {"minimum": "5"}}}, "/properties/a/minimum"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": 5}, "/definitions"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}, "127.0.0.1:9"),
        ({"properties": {"a": {"$ref": "file:///etc/hostname"}}}, "hostname"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "none"),
        ({"properties": {"a": {"x-mem0-source": {"metdata": "b"}}}}, "/properties/a: x-mem0-source"),
        ({"properties": {"a": {"items": {"x-mem0-source": {"memory": "mood"}}}}}, "/properties/a/items"),
        ({"definitions": {"A": {"x-mem0-source": "mood"}}}, "/definitions/A: x-mem0-source"),
        (Hidden, "AliasPath"),
        ({"type": "object", "default": float("nan")}, "not JSON"),
        ({"type": "object", "default": {1, 2}}, "not JSON"),
        (Unknown, "cannot be described"),
    ],
    ids=str,
)
def test_rejects_what_cannot_be_the_schema_of_an_export(source, hint):
    with pytest.raises(SchemaError, match=hint) as refused:
        Schema.of(source)

    assert refused.value.field == "schema"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "says nothing about an object"),
        ({"title": "Profile"}, "says nothing about an object"),
        ({"$defs": {"A": {"type": "object"}}}, "says nothing about an object"),
        ({"city": "string"}, '"properties": {"city":'),
        ({"city": {"type": "string"}}, '"properties": {"city":'),
        ({"name": "p", "schema": {"type": "object"}, "strict": True}, "which is in ['schema']"),
        ({"type": "json_schema", "json_schema": {"name": "p", "schema": {}}}, "which is in ['json_schema']['schema']"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": {}}}},
            "which is in ['response_format']['json_schema']['schema']",
        ),
        (
            {"type": "function", "function": {"name": "p", "parameters": {"type": "object"}}},
            "which is in ['function']['parameters']",
        ),
        ({"name": "p", "input_schema": {"type": "object"}}, "which is in ['input_schema']"),
    ],
)
def test_says_what_to_write_instead_of_a_dict_that_is_no_schema(source, message):
    with pytest.raises(SchemaError) as refused:
        Schema.of(source)

    assert message in str(refused.value)


def test_a_property_may_be_named_like_the_key_of_a_wrapper():
    named = {"type": "object", "properties": {"schema": {"type": "object"}, "name": {"type": "string"}}}

    assert Schema.of(named).json == named


@pytest.mark.parametrize("kind", [dict[tuple[int, int], int], list[dict[frozenset[str], int]]], ids=str)
def test_rejects_dict_keys_that_no_name_of_a_json_object_can_become(kind):
    with pytest.raises(SchemaError, match="a dict has keys of the type"):
        Schema.of(kind)
