"""Test what the offline extractor makes of unions, free keys, merged schemas, dates and aliases, and empty results."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pytest

from pydantic import AliasChoices, AliasPath, BaseModel, Field, StringConstraints, create_model

from mem0_exports import Schema
from mem0_exports_engine.extract.offline.hints import MAX_COMPARISONS, Hints
from mem0_exports_engine.extraction import Unfillable
from mem0_exports_engine.report import Gap
from tests.support.stores import extracted, memory


def export(root: Any, *memories: dict[str, Any]):
    return extracted(root if isinstance(root, dict) else dict(Schema.of(root).json), memories)


class Meows(BaseModel):
    name: str
    meows: bool


class Barks(BaseModel):
    name: str
    barks: bool


class TaggedCat(BaseModel):
    kind: Literal["cat"] = "cat"
    name: str


class TaggedDog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str


PETS = (
    memory(metadata={"name": "Tom", "meows": True, "kind": "cat"}),
    memory(metadata={"name": "Rex", "barks": True, "kind": "dog"}),
)


@pytest.mark.parametrize(
    "kind",
    [
        Meows | Barks,
        Meows | Barks | None,
        Annotated[TaggedCat | TaggedDog, Field(discriminator="kind")],
        Annotated[TaggedCat | TaggedDog, Field(discriminator="kind")] | None,
        dict,
        dict[str, Any],
    ],
    ids=str,
)
def test_a_list_of_a_union_or_of_dicts_has_a_record_for_each_memory(kind):
    data, report = export(list[kind], *PETS)

    assert [each["name"] for each in data["items"]] == ["Tom", "Rex"]
    assert [("meows" in each or each.get("kind") == "cat") for each in data["items"]] == [True, False]
    assert report.gaps == []


def test_items_that_are_an_all_of_are_records():
    rows = {"type": "array", "items": {"allOf": [{"$ref": "#/$defs/pet"}]}}
    pet = {"type": "object", "properties": {"name": {"type": "string"}}}

    data, _ = export({"type": "object", "properties": {"rows": rows}, "$defs": {"pet": pet}}, *PETS)

    assert data == {"rows": [{"name": "Tom"}, {"name": "Rex"}]}


def test_a_memory_that_fits_no_alternative_is_reported():
    _, report = export(list[Meows | Barks], memory(metadata={"name": "Nemo"}))

    assert [(gap.path, gap.reason) for gap in report.gaps if gap.path == "items[]"] == [
        ("items[]", "the memory has no value for the required field meows")
    ]
    assert report.left_out == 1


TWO = memory(metadata={"city": "Lisbon", "age": 79})


@pytest.mark.parametrize(
    ("schema", "filled"),
    [
        ({"allOf": [{"properties": {"city": {}}}, {"properties": {"age": {}}}]}, {"city": "Lisbon", "age": 79}),
        ({"allOf": [{"$ref": "#/$defs/c"}], "$defs": {"c": {"properties": {"city": {}}}}}, {"city": "Lisbon"}),
        ({"properties": {"age": {}}, "allOf": [{"allOf": [{"properties": {"city": {}}}]}]}, {"city": "Lisbon", "age": 79}),
        ({"type": "object", "additionalProperties": True}, {"city": "Lisbon", "age": 79}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"age": 79}),
        (dict[Literal["city"], Any], {"city": "Lisbon"}),
        ({"type": "object", "propertyNames": {"maxLength": 3}}, {"age": 79}),
        ({"type": "object", "additionalProperties": True, "maxProperties": 1}, {"city": "Lisbon"}),
        (dict[Annotated[str, StringConstraints(pattern="^a")], int], {"age": 79}),
        ({"type": "object", "patternProperties": {"^a": {"type": "string"}}, "additionalProperties": {}}, {"city": "Lisbon", "age": "79"}),
        ({"anyOf": [{"oneOf": [{"type": "object", "properties": {"city": {}}, "required": ["city"]}]}, {"type": "null"}]}, {"city": "Lisbon"}),
        ({"type": "object", "properties": {"age": {"type": "integer"}, "city": {}}, "allOf": [{"properties": {"age": {"maximum": 50}}}]}, {"city": "Lisbon"}),
    ],
)  # fmt: skip
def test_fills_what_the_parts_of_a_schema_name(schema, filled):
    data, report = export(schema, TWO)

    assert data == filled
    assert set(report.filled) == set(filled)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({}, "names no properties"),
        ({"type": "object"}, "names no properties"),
        ({"type": "object", "city": "string"}, "no keywords of JSON Schema: 'city'"),
        ({"type": "object", "patternProperties": {"^x": {}}}, "no memory has a metadata key that the schema allows"),
        (dict[Literal["town"], Any], "no memory has a metadata key that the schema allows"),
        ({"type": "object", "if": {}, "then": {"properties": {"city": {}}}}, "not in if, then"),
        ({"type": "object", "additionalProperties": {"type": "null"}}, "was left out"),
        ({"type": "object", "properties": {"town": {}}}, "no memory field or metadata key with this name"),
    ],
)
def test_an_empty_result_has_a_gap(schema, reason):
    data, report = export(schema, TWO)

    assert data == {}
    assert any(reason in gap.reason for gap in report.gaps), report.gaps


def test_properties_that_stand_only_in_an_alternative_are_reported():
    schema = {"allOf": [{"anyOf": [{"properties": {"city": {}}}]}, {"properties": {"age": {}}}]}

    data, report = export(schema, TWO)

    assert (data, [gap.path for gap in report.gaps]) == ({"age": 79}, ["city"])


def test_only_as_many_free_keys_are_filled_as_the_schema_allows():
    _, report = export({"type": "object", "additionalProperties": True, "maxProperties": 1}, TWO)

    assert report.gaps == [Gap("(root)", "only the first 1 metadata keys were filled")]


def test_a_record_of_free_keys_has_those_that_the_schema_allows():
    data, report = export(list[dict[Literal["name"], str]], *PETS, memory(metadata={"barks": True}))

    assert data == {"items": [{"name": "Tom"}, {"name": "Rex"}]}
    assert report.left_out == 0


def test_a_list_of_records_or_texts_takes_both():
    lists = memory(metadata={"pets": ["Nemo", {"name": "Tom", "meows": "true"}]}), memory(metadata={"pets": "Dory"})
    schema = {"type": "object", "properties": {"pets": Schema.of(list[Meows | str]).json["properties"]["items"]}}
    schema["$defs"] = Schema.of(Meows | str).json["$defs"]

    assert export(schema, *lists)[0] == {"pets": ["Nemo", {"name": "Tom", "meows": True}, "Dory"]}
    assert export(list[Meows | str], *PETS)[0] == {"items": [{"name": "Tom", "meows": True}]}


@pytest.mark.parametrize("root", [list[Barks] | Meows, Meows | list[Barks], list[Barks] | Meows | None], ids=str)
def test_a_union_of_a_list_and_an_object_is_the_first_that_a_memory_fills(root):
    assert export(root, PETS[0])[0] == {"name": "Tom", "meows": True}
    assert export(root, PETS[1])[0] == {"items": [{"name": "Rex", "barks": True}]}


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (int | date, "about 40", 'it fits no alternative: it is not of type "integer"; or it is not a "date"'),
        (TaggedCat | TaggedDog, {"kind": "cat", "name": [1]}, 'it fits no alternative: name is not of type "string"'),
        (Meows | int, {"name": "Tom"}, 'it fits no alternative: "meows" is a required property'),
    ],
)
def test_a_value_that_fits_no_alternative_says_why(kind, value, reason):
    """The alternatives that the value resembles most say it: those of its type, and of its tag."""
    schema = create_model("Holder", value=(kind | None, None))

    _, report = export(schema, memory(metadata={"value": value}))

    assert report.gaps[0].reason.endswith(f"was left out: {reason}")


@pytest.mark.parametrize("root", [Meows, list[Meows], dict[str, Any]])
def test_says_that_no_memory_was_selected(root):
    try:
        _, report = export(root)
    except Unfillable as error:
        report = error.report

    assert report.memories == 0
    assert all("no memory" in gap.reason for gap in report.gaps)


def test_values_of_one_cause_make_one_gap_with_their_number():
    many = [memory(metadata={"age": f"about {number}"}) for number in range(150)]

    _, report = export({"type": "object", "properties": {"age": {"type": "integer"}}}, *many)

    assert report.gaps == [
        Gap("age", '"about 0" was left out, and 149 other values too: it is not of type "integer"', 150)
    ]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-03-04T18:20:00Z", "2025-03-04"),
        ("2025-03-04T23:59:59-11:00", "2025-03-04"),
        ("2025-03-04 18:20:00.5", "2025-03-04"),
        ("2025-03-04", "2025-03-04"),
        ("2025-03-04T99:99", None),
        ("2025-03-04T18:20 and more", None),
        ("2025-03-04T18:20:00 to 2025-03-09", None),
    ],
)
def test_a_date_takes_the_calendar_day_of_a_date_and_time(text, day):
    data, _ = export(
        {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}}, memory(metadata={"day": text})
    )

    assert data.get("day") == day


def test_looks_up_each_name_of_alias_choices():
    class Named(BaseModel):
        name: str = Field(validation_alias=AliasChoices("full_name", "name", AliasPath("names", 0)))

    data, report = export(
        list[Named], memory(metadata={"name": "Ana"}), memory(metadata={"fullName": "Bob", "name": "B"})
    )

    assert (data, report.gaps) == ({"items": [{"full_name": "Ana"}, {"full_name": "Bob"}]}, [])


def test_hints_have_a_budget(monkeypatch):
    hints = Hints(f"key {number:04}" for number in range(2000))
    compared: list[int] = []

    def counting(name, others, *limits):
        compared.append(len(others))
        return []

    monkeypatch.setattr("difflib.get_close_matches", counting)
    for number in range(100):
        assert hints.nearest(f"field {number}") is None
        assert hints.nearest("x" * 50) is None

    assert sum(compared) == MAX_COMPARISONS


def test_long_keys_are_no_hints():
    hints = Hints(["citty", "c" + "i" * 60 + "ty"])

    assert hints.nearest("city") == "citty"
    assert hints.nearest("c" + "i" * 59 + "ty") is None
