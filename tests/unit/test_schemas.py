"""Schemas: what is sent, and what comes back."""

from __future__ import annotations

import copy
import json

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mem0_exports import ContractViolation, ExportInvalid, Schema, SchemaError


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


class Unknown:
    """A class that Pydantic knows nothing of."""


class Node(BaseModel):
    children: list[Node] = []


def load(source: Any, data: Any) -> Any:
    return Schema.of(source).load(json.dumps(data).encode(), export_id="id-1")


def test_a_model_is_sent_as_pydantic_describes_it():
    assert Schema.of(Profile).json == Profile.model_json_schema()


def test_a_schema_is_made_once_for_a_type():
    assert Schema.of(Profile) is Schema.of(Profile)
    assert Schema.of(list[Row]) is Schema.of(list[Row])
    assert Schema.of(Schema.of(Row)) is Schema.of(Row)


def test_a_dict_is_sent_verbatim_and_not_changed():
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
    ],
    ids=["model", "empty", "dataclass", "TypedDict", "strict", "recursive", "records", "list", "scalar", "map"],
)
def test_every_kind_of_type_comes_back(source, data, expected):
    assert load(source, data) == expected


def test_a_wrapped_root_needs_its_items_and_nothing_else():
    assert load(list[int], {"items": [1], "count": 1}) == [1]
    with pytest.raises(ExportInvalid, match="/items"):
        load(list[int], {})


def test_types_that_python_calls_equal_are_kept_apart():
    class A(BaseModel):
        x: int

    class B(BaseModel):
        x: int

    assert load(list[A | B], {"items": [{"x": 1}]}) == [A(x=1)]
    assert load(list[B | A], {"items": [{"x": 1}]}) == [B(x=1)]


def test_a_schema_that_declares_the_notice_gets_it():
    class Noticed(BaseModel):
        mem0_notice: str

    assert load(Noticed, {"mem0_notice": "mine"}).mem0_notice == "mine"


def test_a_root_that_is_no_object_is_wrapped_with_its_definitions():
    schema = Schema.of(list[Profile]).json

    assert schema["type"] == "object"
    assert schema["required"] == ["items"]
    assert schema["properties"]["items"] == {"type": "array", "items": {"$ref": "#/$defs/Profile"}}
    assert schema["$defs"].keys() == {"Profile", "Address"}


@pytest.mark.parametrize("source", [Profile, {"type": "object"}, list[Row]])
def test_a_notice_of_the_service_never_reaches_the_user(source):
    class Closed(BaseModel):
        model_config = ConfigDict(extra="forbid")

    assert load(Closed, {"mem0_notice": "claim your account"}) == Closed()
    data = {"items": [], "mem0_notice": "x"}
    assert "mem0_notice" not in str(load(source, data))


def test_an_answer_that_does_not_fit_keeps_its_data_and_names_every_place():
    data = {"name": 5, "address": {"city": None}}

    with pytest.raises(ExportInvalid) as invalid:
        load(Profile, data)

    assert invalid.value.data == data
    assert invalid.value.export_id == "id-1"
    assert [(each["path"], each["input"]) for each in invalid.value.errors] == [("/name", 5), ("/address/city", None)]


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"null", b'{"a": ', b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("source", [Profile, {"type": "object"}])
def test_an_answer_that_is_no_object_breaks_the_contract(source, raw):
    with pytest.raises(ContractViolation, match="exports_get"):
        Schema.of(source).load(raw)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (5, "expected a Pydantic model"),
        ("Profile", "expected a Pydantic model"),
        ([Profile], "expected a Pydantic model"),
        (None, "expected a Pydantic model"),
        ({"type": "array"}, "the root of an export is an object"),
        ({"type": "object", "default": float("nan")}, "not JSON"),
        ({"type": "object", "default": {1, 2}}, "not JSON"),
        (Unknown, "cannot be described"),
    ],
    ids=str,
)
def test_what_describes_no_export_is_refused(source, hint):
    with pytest.raises(SchemaError, match=hint) as refused:
        Schema.of(source)

    assert refused.value.field == "schema"
