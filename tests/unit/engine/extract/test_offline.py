"""Test the offline extractor: which values it fills from where, and what it reports about the rest."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import pytest

from pydantic import BaseModel, Field

from mem0_exports import From, Schema
from mem0_exports.schemas.validate import Unusable
from mem0_exports_engine.extraction import Unfillable
from mem0_exports_engine.report import Gap
from mem0_exports_engine.schema_cost import admit
from tests.support.stores import extracted, memory


def export(model: Any, *memories: dict[str, Any], **named: Any):
    return extracted(model if isinstance(model, dict) else model.model_json_schema(), memories, **named)


def field(kind: dict[str, Any], *values: Any, name: str = "x") -> Any:
    """Export a root property of this schema from memories with these metadata values; "absent" if it has no value."""
    memories = [memory(number=number, metadata={"x": value}) for number, value in enumerate(values, 1)]
    return export({"type": "object", "properties": {name: kind}}, *memories)[0].get(name, "absent")


def test_uses_the_newest_value_that_fits():
    assert field({"type": "string"}, "a", "b") == "b"
    assert field({"type": "integer"}, 1, "about 2") == 1
    assert field({"type": "integer"}, "about 2") == "absent"
    assert field({"type": "string"}, "a", None) == "a", "null is not a value"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ({"type": "integer"}, "79", 79),
        ({"type": "integer"}, " -5 ", -5),
        ({"type": "integer"}, "079", "absent"),
        ({"type": "integer"}, "79.5", "absent"),
        ({"type": "integer"}, 79.5, "absent"),
        ({"type": "integer"}, "1" * 30, "absent"),
        ({"type": "integer", "minimum": 100}, "79", "absent"),
        ({"type": "number"}, "7.5", 7.5),
        ({"type": "number"}, "1e999", "absent"),
        ({"type": "number"}, "nan", "absent"),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, 1, "absent"),
        ({"type": "string"}, 79, "79"),
        ({"type": "string"}, True, "true"),
        ({"type": "string"}, ["a"], "absent"),
        ({"type": "string", "format": "date"}, "2025-01-02", "2025-01-02"),
        ({"type": "string", "format": "date"}, "2 January", "absent"),
        ({"enum": ["Full Time", "part_time"]}, "full-time", "Full Time"),
        ({"enum": ["a", "A"]}, "a", "a"),
        ({"enum": ["ab", "a b"]}, "AB", "absent"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "79", 79),
        ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, "true", True),
        ({"type": ["integer", "null"]}, "79", 79),
        ({"type": "object", "properties": {"zipCode": {"type": "string"}}}, {"zip_code": 4000}, {"zipCode": "4000"}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": 1}),
        ({}, {"anything": [1]}, {"anything": [1]}),
    ],
    ids=str,
)
def test_converts_a_value_without_loss_or_leaves_it_out(kind, value, expected):
    found = field(kind, value)

    assert found == expected
    assert type(found) is type(expected)


def test_an_array_of_values_has_the_distinct_ones_oldest_first():
    kind = {"type": "array", "items": {"type": "string"}}

    assert field(kind, "b", ["a", "b"], "c", 5, {"no": 1}) == ["b", "a", "c", "5"]


def test_matches_names_regardless_of_case_and_separators_but_prefers_an_exact_match():
    schema = {"type": "object", "properties": {"full_name": {"type": "string"}}}

    assert export(schema, memory(metadata={"fullName": "a"}))[0] == {"full_name": "a"}
    assert export(schema, memory(metadata={"Full Name": "a", "full_name": "b"}))[0] == {"full_name": "b"}
    assert export(schema, memory(metadata={"Full Name": "a", "FULL-NAME": "b"}))[0] == {}, "two equal matches: no guess"
    assert export(schema, memory(metadata={"name": "a"}))[0] == {}


class Event(BaseModel):
    text: str
    created_at: str
    run: str | None = None
    session_id: str | None = None
    tags: list[str] = []
    place: str | None = None


class Timeline(BaseModel):
    events: list[Event]


def test_an_array_of_objects_has_one_record_per_memory():
    memories = [
        memory("a", 1, run_id="r", categories=["work"], metadata={"place": "Graz"}),
        memory("b", 2, metadata={"text": "metadata has priority over an alternative name", "run": 5}),
    ]

    data, report = export(Timeline, *memories)

    assert data == {
        "events": [
            {"text": "a", "created_at": "2025-01-01T00:00:00Z", "session_id": "r", "tags": ["work"], "place": "Graz"},
            {
                "text": "metadata has priority over an alternative name",
                "created_at": "2025-01-02T00:00:00Z",
                "run": "5",
            },
        ]
    }
    assert report.filled == {"events": ["id-1", "id-2"]}
    assert Gap("events[].place", "no memory field or metadata key with this name has a value", 1) in report.gaps


def test_leaves_out_and_counts_records_without_a_required_field():
    class Visit(BaseModel):
        city: str

    class Visits(BaseModel):
        visits: list[Visit] = []

    data, report = export(Visits, memory("a", 1, metadata={"city": "Graz"}), memory("b", 2), memory("c", 3))

    assert data == {"visits": [{"city": "Graz"}]}
    assert Gap("visits[]", "the memory has no value for the required field city", 2) in report.gaps


def test_fails_for_missing_required_fields_unless_null_or_an_empty_list_is_allowed():
    class Loose(BaseModel):
        name: str | None
        hobbies: list[str]

    class Needs(BaseModel):
        name: str
        age: int

    assert export(Loose, memory())[0] == {"name": None, "hobbies": []}
    with pytest.raises(Unfillable, match="required fields: name, age") as failed:
        export(Needs, memory())
    assert [gap.path for gap in failed.value.report.gaps] == ["name", "age"]


def test_report_gives_the_reason_and_suggests_a_similar_name_without_using_it():
    class Profile(BaseModel):
        employer: str | None = None
        birth_year: int | None = None
        shoe: str | None = None

    data, report = export(Profile, memory(metadata={"employers": "ACME", "birth_year": "early forties"}))

    assert data == {}
    gaps = {gap.path: gap for gap in report.gaps}
    assert gaps["employer"].did_you_mean == "employers"
    assert gaps["birth_year"].reason == '"early forties" was left out: it is not of type "integer"'
    assert gaps["shoe"] == Gap("shoe", "no memory field or metadata key with this name has a value")
    assert report.memories == 1


def test_report_names_the_keys_that_all_match_and_how_to_choose_one():
    two = memory(metadata={"messageId": "a", "message_id": "b"})
    schema = {"type": "object", "properties": {"messageid": {"type": "string"}}}

    data, report = export(schema, two)

    why = "several metadata keys match: 'messageId', 'message_id'; choose one with From.metadata('messageId')"
    assert (data, report.gaps) == ({}, [Gap("messageid", why)])


def test_report_names_the_keys_that_all_match_in_a_list_of_records():
    rows = {"type": "array", "items": {"type": "object", "properties": {"messageid": {"type": "string"}, "n": {}}}}

    _, report = export(
        {"type": "object", "properties": {"rows": rows}}, memory(metadata={"messageId": "a", "message-id": "b", "n": 1})
    )

    (gap,) = report.gaps
    assert (gap.path, gap.count) == ("rows[].messageid", 1)
    assert gap.reason.startswith("several metadata keys match: 'message-id', 'messageId'; choose one")


def test_keys_that_all_match_do_not_matter_where_the_exact_one_is_there():
    schema = {"type": "object", "properties": {"message_id": {"type": "string"}}}

    data, report = export(schema, memory(metadata={"messageId": "a", "message_id": "b"}))

    assert (data, report.gaps) == ({"message_id": "b"}, [])


def test_report_notes_that_instructions_were_not_followed():
    _, report = export({"type": "object"}, instructions="be brief")

    assert "were not followed" in report.notes[0]


def test_extracts_nothing_from_the_text_of_a_memory():
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}

    assert export(schema, memory("city: Lisbon. Lives in Lisbon."))[0] == {}


def test_a_source_annotation_is_the_only_source():
    class Sourced(BaseModel):
        city: Annotated[str | None, From.metadata("home town")] = None
        texts: list[Annotated[str, From.category("WORK")]] = []
        since: Annotated[str | None, From.memory("created_at")] = None
        many: Annotated[int, From.count()] = 0

    class Rows(BaseModel):
        rows: list[Row] = []

    class Row(BaseModel):
        what: Annotated[str, From.memory("memory")]
        where: Annotated[str | None, From.metadata("place")] = None

    Rows.model_rebuild()
    memories = [
        memory("a", 1, categories=["work", "x"], metadata={"home town": "Graz", "city": "Wien", "Home Town": "Linz"}),
        memory("b", 2, categories=["play"], metadata={"where": "here", "place": "there"}),
    ]

    assert export(Sourced, *memories)[0] == {"city": "Graz", "texts": ["a"], "since": "2025-01-02T00:00:00Z", "many": 2}
    assert export(Rows, *memories)[0] == {"rows": [{"what": "a"}, {"what": "b", "where": "there"}]}
    empty, report = export(Sourced, memory(metadata={"city": "Wien"}))
    assert "city" not in empty
    assert Gap("city", "the metadata key 'home town' has no value") in report.gaps
    assert Gap("texts", "no memory is in the category 'WORK'") in report.gaps


def test_report_names_the_source_of_an_annotated_field_without_a_value():
    class Row(BaseModel):
        run: Annotated[str | None, From.memory("run_id")] = None
        many: Annotated[int | None, From.count()] = None
        text: str | None = None

    class Rows(BaseModel):
        rows: list[Row] = []

    _, report = export(Rows, memory("a"))

    assert report.gaps == [
        Gap("rows[].run", "the memory field 'run_id' has no value"),
        Gap("rows[].many", "a count can fill only a property of the root"),
    ]


def test_report_names_the_value_that_does_not_fit_inside_an_object():
    kind = {"type": "object", "properties": {"zip": {"type": "integer"}}}
    _, report = export({"type": "object", "properties": {"x": kind}}, memory(metadata={"x": {"zip": "W1"}}))

    assert report.gaps == [Gap("x", '{"zip": "W1"} was left out: zip is not of type "integer"')]


def test_fills_the_first_possible_member_of_a_union():
    class Cat(BaseModel):
        cat: str

    class Dog(BaseModel):
        dog: str

    schema = dict(Schema.of(Cat | Dog).json)

    assert export(schema, memory(metadata={"dog": "Rex"}))[0] == {"dog": "Rex"}
    assert export(schema, memory(metadata={"dog": "Rex", "cat": "Tom"}))[0] == {"cat": "Tom"}
    with pytest.raises(Unfillable, match="required fields: dog"):
        export(schema, memory())


def test_fills_references_enums_and_nested_models():
    class Pet(Enum):
        CAT = "cat"

    class Home(BaseModel):
        city: str
        pet: Pet | None = None

    class Person(BaseModel):
        home: Home | None = None
        pet: Pet | None = None
        alias: str | None = Field(default=None, alias="nick name")

    data, _ = export(Person, memory(metadata={"home": {"city": "Graz", "pet": "Cat"}, "pet": "CAT", "nickname": "P"}))

    assert data == {"home": {"city": "Graz", "pet": "cat"}, "pet": "cat", "nick name": "P"}


def test_fails_if_the_whole_result_does_not_match_the_schema():
    with pytest.raises(Unfillable, match="does not match the schema"):
        export({"type": "object", "properties": {"a": {"type": "string"}}, "minProperties": 1}, memory())


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"type": "array"},
        {"properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}},
        {"properties": {"a": {"$ref": "file:///etc/hostname"}}},
        {"properties": {"a": {"$ref": "#/$defs/none"}}},
        {"$schema": "http://127.0.0.1:9/draft"},
        {"properties": {"a": {"pattern": "(?=a)"}}},
        {"properties": {"a": {"pattern": "("}}},
    ],
    ids=str,
)
def test_rejects_an_unusable_schema(schema):
    with pytest.raises(Unusable):
        admit(schema)


def test_does_not_open_a_file_that_a_schema_refers_to(tmp_path):
    (tmp_path / "schema.json").write_text('{"type": "string"}')

    with pytest.raises(Unusable, match="never opened"):
        admit({"properties": {"a": {"$ref": f"file://{tmp_path}/schema.json"}}})


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": ["object", "null"]}, Timeline.model_json_schema()])
def test_accepts_a_usable_schema(schema):
    admit(schema)
    assert export(schema, memory())[0] is not None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12345678901234567890", 12345678901234567890),
        ("0.1", 0.1),
        ("1e3", 1000.0),
        ("9007199254740993.5", "absent"),
        ("0.1234567890123456789", "absent"),
        ("1e-999", "absent"),
    ],
)
def test_never_rounds_a_number(text, number):
    assert field({"type": "number"}, text) == number


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "definitions": {"City": {"type": "string"}},
                "properties": {"x": {"$ref": "#/definitions/City"}},
            },
            {"x": "5"},
        ),
        ({"properties": {"x": {"$ref": "#/properties/y"}, "y": {"type": "string"}}}, {"x": "5"}),
        (
            {
                "$schema": "http://json-schema.org/draft-04/schema#",
                "properties": {"x": {"type": "number", "minimum": 5, "exclusiveMinimum": True}},
            },
            {},
        ),
        ({"properties": {"x": {"$ref": "#"}}}, {}),
        ({"properties": {"x": {"type": ["null"]}}}, {}),
    ],
    ids=str,
)
def test_validates_each_part_in_the_context_of_the_whole_schema(schema, expected):
    admit(schema)

    assert export({"type": "object", **schema}, memory(metadata={"x": 5}))[0] == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [{"type": "object", "properties": {"x": {}}}, {"type": "object", "properties": {"y": {}}}]},
        {"type": "object", "required": ["z"], "anyOf": [{"type": "object", "properties": {"x": {}}}]},
        {"type": "object", "maxProperties": 0, "anyOf": [{"type": "object", "properties": {"x": {}}}]},
    ],
    ids=str,
)
def test_fails_if_a_value_matches_a_branch_but_not_the_whole_schema(schema):
    with pytest.raises(Unfillable):
        export(schema, memory(metadata={"x": 1}))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (
            {"type": "array", "prefixItems": [{"type": "number"}] * 2, "minItems": 2, "maxItems": 2},
            ([1, 2], [3, 4]),
            [3, 4],
        ),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 2}, ("a", "b", "c"), "absent"),
        ({"type": "array", "items": {"type": "number"}, "uniqueItems": True}, (1, 1.0), [1]),
    ],
    ids=str,
)
def test_leaves_out_an_optional_field_that_does_not_fit_as_a_whole(kind, values, expected):
    assert field(kind, *values) == expected


def test_lists_in_metadata_replace_one_record_per_memory():
    class Pet(BaseModel):
        name: str

    class Owner(BaseModel):
        name: str | None = None
        pets: list[Pet] = []

    class Sourced(BaseModel):
        animals: Annotated[list[Pet], From.metadata("pets")] = []

    memories = [
        memory("a", 1, metadata={"name": "Alex"}),
        memory("b", 2, metadata={"pets": [{"name": "Rex"}, {"nam": "?"}, {"Name": "Tom"}]}),
    ]

    data, report = export(Owner, *memories)

    assert data == {"name": "Alex", "pets": [{"name": "Rex"}, {"name": "Tom"}]}
    assert report.filled["pets"] == ["id-2"]
    assert export(Sourced, *memories)[0] == {"animals": [{"name": "Rex"}, {"name": "Tom"}]}


def test_uses_the_next_source_if_a_value_does_not_fit():
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}

    assert export(schema, memory(metadata={"id": 7}))[0] == {"id": 7}


def test_fills_null_wherever_the_schema_allows_it():
    schema = {"type": "object", "properties": {"x": {}, "y": {"enum": ["a", None]}}, "required": ["x", "y"]}

    assert export(schema, memory())[0] == {"x": None, "y": None}
    with pytest.raises(Unfillable, match="required fields: z"):
        export(
            {"type": "object", "properties": {"z": {"type": ["string", "null"], "enum": ["a"]}}, "required": ["z"]},
            memory(),
        )


def test_fills_a_schema_that_refers_to_itself():
    schema = {
        "$defs": {"Nested": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Nested"}}, {"type": "integer"}]}},
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/Nested"}},
    }

    assert export(schema, memory(metadata={"x": [1, [2]]}))[0] == {"x": [1, [2]]}
    assert export(schema, memory(metadata={"x": "abc"}))[0] == {}
    assert field({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}, [1, 2]) == "absent"


def exponential_schema(keyword, levels):
    named = {f"A{n}": {keyword: [{"$ref": f"#/$defs/A{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**named, f"A{levels}": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/A0"}}}


@pytest.mark.parametrize(
    "schema",
    [
        *(exponential_schema(keyword, 30) for keyword in ("allOf", "anyOf", "oneOf")),
        {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}, "properties": {"x": {"$ref": "#/$defs/A"}}},
        {"properties": {"x": {"$ref": "#/properties/x"}}},
        {"allOf": [{"$ref": "#"}]},
    ],
    ids=lambda schema: str(schema)[:40],
)
@pytest.mark.timeout(20)
def test_rejects_a_schema_that_is_too_expensive_to_validate(schema):
    with pytest.raises(Unusable, match=r"sub-schemas|leads back"):
        admit(schema)


@pytest.mark.timeout(20)
def test_fills_recursive_unions_within_bounded_time():
    def branch(kind):
        return {
            "type": "object",
            "properties": {"kind": {"const": kind}, "left": {"$ref": "#/$defs/E"}},
            "required": ["kind"],
        }

    schema = {
        "$defs": {"E": {"anyOf": [branch("a"), branch("b")]}},
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/E"}},
    }
    admit(schema)

    def nested(depth):
        value = {"kind": "b"}
        for _ in range(depth):
            value = {"kind": "b", "left": value}
        return value

    assert export(schema, memory(metadata={"x": nested(5)}))[0] == {"x": nested(5)}
    data, report = export(schema, memory(metadata={"x": {**nested(40), "kind": "?"}}))
    assert data == {}
    assert "nested more than 8 levels deep" in report.gaps[0].reason
    assert export(schema, memory(metadata={"x": {"kind": "?", "left": nested(6)}}))[0] == {}


def test_fills_deeply_nested_values_of_a_recursive_model():
    class Node(BaseModel):
        children: list[Node] = []

    schema = {
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/Node"}},
        "$defs": Node.model_json_schema()["$defs"],
    }
    value = {}
    for _ in range(30):
        value = {"children": [value]}

    admit(schema)
    assert export(schema, memory(metadata={"x": value}))[0] == {"x": value}
