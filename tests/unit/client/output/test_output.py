"""Test records and models as files and data frames, read back with the readers that people use."""

from __future__ import annotations

import csv
import enum
import io
import json
import subprocess
import sys

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from mem0_exports import (
    Client,
    ConfigurationError,
    Entity,
    F,
    InputError,
    Memory,
    SchemaError,
    save,
    to_arrow,
    to_pandas,
    to_polars,
)
from mem0_exports.output.kinds import kinds_of_schema
from mem0_exports.output.text import cell
from tests.support.examples import examples


NOON = datetime(2025, 3, 4, 12, 30, 15, 123456, tzinfo=UTC)


class Place(BaseModel):
    city: str
    since: date | None = None


class Color(enum.Enum):
    RED = "red"


class Person(BaseModel):
    name: str = Field(alias="fullName")
    age: int | None = None
    height: float | None = None
    is_member: bool | None = None
    born: datetime | None = None
    home: Place | None = None
    past: list[Place] = []
    tags: list[str] = []
    price: Decimal = Decimal("1.10")
    color: Color = Color.RED
    free: dict[str, int] = {}
    either: int | str = 1
    pair: tuple[int, str] = (1, "a")


PEOPLE = [
    Person(
        fullName="Zoë",
        age=7,
        height=1.5,
        is_member=True,
        born=NOON,
        home=Place(city="Lisbon", since=date(2020, 1, 2)),
        past=[Place(city="Porto")],
        tags=["a", "b"],
        free={"x": 1},
        either="two",
    ),
    Person(fullName="Bo"),
]


def a_memory(**changes: Any) -> Memory:
    fields = dict.fromkeys(("user_id", "agent_id", "app_id", "run_id", "metadata", "categories", "expiration_date"))
    fields |= {"id": "1", "memory": "Lives in Lisbon", "created_at": NOON, "updated_at": None, "user_id": "alex"}
    return Memory(**{**fields, **changes})


def test_arrow_has_a_type_for_everything_that_the_model_types():
    table = to_arrow(PEOPLE)

    place = pa.struct([("city", pa.string()), ("since", pa.date32())])
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "fullName": pa.string(),
        "age": pa.int64(),
        "height": pa.float64(),
        "is_member": pa.bool_(),
        "born": pa.timestamp("us", tz="UTC"),
        "home": place,
        "past": pa.list_(place),
        "tags": pa.list_(pa.string()),
        "price": pa.string(),
        "color": pa.string(),
        "free": pa.string(),
        "either": pa.string(),
        "pair": pa.list_(pa.string()),
    }
    first, second = table.to_pylist()
    assert first["born"] == NOON
    assert first["home"] == {"city": "Lisbon", "since": date(2020, 1, 2)}
    assert (first["price"], first["free"], first["either"], second["either"]) == ("1.10", '{"x": 1}', '"two"', "1")
    assert second["home"] is None


def test_parquet_is_read_back_as_it_was(tmp_path):
    save(PEOPLE, tmp_path / "people.parquet")

    assert pq.read_table(tmp_path / "people.parquet").to_pylist() == to_arrow(PEOPLE).to_pylist()


def test_data_frames_have_a_column_for_each_field():
    pandas, polars = to_pandas(PEOPLE), to_polars(PEOPLE)

    assert [*pandas.columns] == polars.columns == [*to_arrow(PEOPLE).schema.names]
    assert (pandas["age"].dtype, pandas["is_member"].dtype) == ("Int64", "boolean"), "a gap must not make them floats"
    assert pandas["born"][0] == pd.Timestamp(NOON)
    assert pandas["past"][0] == [{"city": "Porto", "since": None}]
    assert polars.schema["born"] == pl.Datetime("us", "UTC")
    assert polars.to_dicts() == to_arrow(PEOPLE).to_pylist()


@pytest.mark.parametrize(
    "record", [a_memory(metadata={"a": [1]}, categories=["food"]), Entity("alex", "user", "1", NOON, None)]
)
def test_records_are_right_in_a_data_frame_of_pandas_and_polars_themselves(record):
    assert [*pd.DataFrame([record, record]).columns] == [*record.to_dict()]
    assert pl.DataFrame([record, record]).columns == [*record.to_dict()]
    assert pd.DataFrame([record]).iloc[0]["created_at"] == pd.Timestamp(NOON)


def test_memories_of_a_client_become_a_table_although_no_memory_has_metadata():
    with Client.local() as client:
        client.memories.add("Lives in Lisbon", user_id="alex")
        table = to_arrow(client.memories.list(F.user_id == "alex"))

    assert table.schema.field("metadata").type == pa.string()
    assert table.schema.field("categories").type == pa.list_(pa.string())
    assert table.schema.field("updated_at").type == pa.timestamp("us", tz="UTC")
    assert table["memory"].to_pylist() == ["Lives in Lisbon"]


def test_rows_of_different_keys_have_all_columns(tmp_path):
    rows = [{"a": 1}, {"b": "x", "a": None}, {"a": 2.5, "c": [1, None]}]
    save(iter(rows), tmp_path / "rows.csv")

    assert (tmp_path / "rows.csv").read_bytes() == b'a,b,c\r\n1,,\r\n,x,\r\n2.5,,"[1, null]"\r\n'
    assert to_arrow(rows).to_pylist() == [
        {"a": 1.0, "b": None, "c": None},
        {"a": None, "b": "x", "c": None},
        {"a": 2.5, "b": None, "c": [1, None]},
    ]


def test_a_schema_says_the_types_of_dicts():
    schema = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/row"}}},
        "$defs": {"row": {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}, "n": {}}}},
    }
    rows = [{"at": "2025-03-04T12:30:15.123456Z"}, {"at": "2025-03-04T12:30:15", "more": 1}]

    table = to_arrow(rows, schema=schema)

    assert table.schema.names == ["at", "n", "more"]
    assert table["at"].to_pylist() == [NOON, NOON.replace(microsecond=0)], "without an offset, a time is in UTC"
    assert to_arrow(rows).schema.field("at").type == pa.string(), "a text that looks like a time is a text"
    assert to_arrow([], schema=list[Person]).schema == to_arrow(PEOPLE).schema


def test_an_object_with_free_keys_beside_its_own_becomes_json_text_but_a_row_keeps_its_columns():
    class Loose(BaseModel):
        model_config = ConfigDict(extra="allow")
        born: date
        __pydantic_extra__: dict[str, int]

    class Holder(BaseModel):
        inner: Loose

    loose = Loose(born=date(2020, 1, 2), more=5)

    assert to_arrow([loose]).to_pylist() == [{"born": date(2020, 1, 2), "more": 5}]
    assert json.loads(to_arrow([Holder(inner=loose)]).to_pylist()[0]["inner"]) == {"born": "2020-01-02", "more": 5}


def test_a_recursive_model_becomes_json_text():
    class Node(BaseModel):
        name: str
        children: list[Node] = []

    rows = to_arrow([Node(name="a", children=[Node(name="b", children=[Node(name="c")])])]).to_pylist()

    assert "c" in json.dumps(rows)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_that_does_not_fit_names_its_column(tmp_path, value):
    (tmp_path / "old.parquet").write_text("old")

    with pytest.raises(InputError, match="column 'age': a value is not of the type int64"):
        save([Person(fullName="a", age=value)], tmp_path / "old.parquet")

    assert (tmp_path / "old.parquet").read_text() == "old", "a failure must leave the earlier file"
    assert len([*tmp_path.iterdir()]) == 1
    assert to_arrow([{"n": value}])["n"].to_pylist() == [str(value)]
    for frame in (to_pandas, to_polars):
        with pytest.raises(InputError, match="column 'age': a value is not of its type"):
            frame([Person(fullName="a", age=value)])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_has_no_formulas(tmp_path, start):
    text = f"{start}cmd|' /C calc'!A0"
    save([{"note": text, start: -1}], tmp_path / "rows.csv")

    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        header, row = csv.reader(file)
    assert header == ["note", f"'{start}"]
    assert row == [f"'{text}", "-1"], "a number is no formula"


def test_json_of_a_single_object_is_an_object_and_of_a_list_an_array(tmp_path):
    save(PEOPLE[0], tmp_path / "one.json")
    save(PEOPLE, tmp_path / "all.json")
    save([], tmp_path / "none.json")
    save(PEOPLE, tmp_path / "all.ndjson")

    one, both, none = (json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in ("one", "all", "none"))
    assert (one["fullName"], len(both), none) == ("Zoë", 2, [])
    assert [json.loads(line) for line in (tmp_path / "all.ndjson").read_text("utf-8").splitlines()] == both
    assert Person.model_validate(one) == PEOPLE[0]


def test_markdown_is_one_table(tmp_path):
    save([{"a": "x|y\nz", "b": None}, {"a": "1", "b": [1]}], tmp_path / "rows.md")

    assert (tmp_path / "rows.md").read_text() == "| a | b |\n| --- | --- |\n| x\\|y<br>z |  |\n| 1 | [1] |\n"


def test_values_that_are_no_objects_have_one_column(tmp_path):
    save(["a", "b"], tmp_path / "rows.csv")

    assert (tmp_path / "rows.csv").read_text() == "value\na\nb\n"


@pytest.mark.parametrize(("path", "given"), [("out.xlsx", None), ("out", None), ("out.csv", "xml")])
def test_an_unknown_format_is_an_error_before_anything_is_read(tmp_path, path, given):
    def rows():
        pytest.fail("the rows were read")
        yield

    with pytest.raises(InputError, match="format must be one of json, jsonl, csv, parquet, md"):
        save(rows(), tmp_path / path, given)


@pytest.mark.parametrize(
    "schema", [{"properties": True}, {"properties": {"a": {"type": 5}}}, {"properties": {"a": {"type": [[]]}}}]
)
def test_a_schema_that_is_none_is_an_error(schema):
    with pytest.raises(SchemaError, match="not a JSON Schema"):
        to_arrow([{"a": 1}], schema=schema)


def test_what_json_cannot_hold_is_an_error():
    with pytest.raises(InputError, match="cannot be written as JSON"):
        to_arrow([{"what": object()}])


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_an_error(tmp_path, number):
    for rows in ([{"a": number}], [Person(fullName="a", height=number)]):
        with pytest.raises(InputError, match="NaN or infinite"):
            save(rows, tmp_path / "rows.json")
        with pytest.raises(InputError, match="NaN or infinite"):
            to_arrow(rows)


def test_rows_are_written_as_they_come(tmp_path):
    """Memory does not grow: when the last row is made, the file has the first ones already."""
    seen = []

    def rows():
        for number in range(20_000):
            yield a_memory(id=str(number))
        seen.extend(path.stat().st_size for path in tmp_path.iterdir())

    for suffix in ("json", "jsonl", "csv", "parquet"):
        seen.clear()
        save(rows(), tmp_path / f"rows.{suffix}")
        written = (tmp_path / f"rows.{suffix}").stat().st_size
        assert seen[0] > written * 0.4, suffix
        (tmp_path / f"rows.{suffix}").unlink()


@pytest.mark.parametrize(
    ("package", "call"), [("pandas", "to_pandas"), ("polars", "to_polars"), ("pyarrow", "to_arrow")]
)
def test_a_missing_package_is_named(package, call):
    code = f"import sys; sys.modules[{package!r}] = None\nimport mem0_exports\nmem0_exports.{call}([{{'a': 1}}])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert ConfigurationError.__name__ in done.stderr
    assert f"{package}" in done.stderr.splitlines()[-1]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON, max_size=3), max_size=4))
def test_any_json_fits_into_a_table_and_comes_back(rows):
    columns = [name for name in ("a", "b", "c") if any(name in row for row in rows)]
    found = to_arrow(rows).to_pylist()

    assert len(found) == (len(rows) if columns else 0)
    for row, written in zip(rows, found, strict=False):
        for name in columns:
            value, seen = row.get(name), written[name]
            if seen != value and not (isinstance(value, float | int) and float(value) == seen):
                assert same(json.loads(seen) if isinstance(seen, str) else seen, value)


def same(seen: Any, value: Any) -> bool:
    if isinstance(seen, list) and isinstance(value, list):
        return all(
            one == other or same(json.loads(one) if isinstance(one, str) else one, other)
            for one, other in zip(seen, value, strict=True)
        )
    return seen == value


@given(st.text(max_size=20))
def test_a_text_is_the_same_in_csv_but_for_the_guard(text):
    file = io.StringIO(newline="")
    csv.writer(file).writerow([cell(text), "end"])

    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))

    assert row[0].removeprefix("'") == text.removeprefix("'")


def test_columns_of_a_type_that_names_none():
    assert kinds_of_schema(dict[str, int]) is None
