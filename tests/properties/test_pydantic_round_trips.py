"""Test that what Pydantic writes, stored as metadata, comes back as an equal model, for each of Pydantic's types."""

from __future__ import annotations

import datetime as dt
import json
import re

from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ByteSize,
    Field,
    HttpUrl,
    ImportString,
    Json,
    NaiveDatetime,
    NonNegativeFloat,
    PositiveInt,
    StringConstraints,
    create_model,
)
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from mem0_exports import Client, F, Schema
from tests.support.examples import examples
from tests.support.timeouts import scaled


class Colour(Enum):
    RED = "red"
    DARK_RED = "dark red"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Access(IntFlag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: float


class Named(TypedDict):
    name: str


@dataclass
class Span:
    start: dt.datetime
    length: dt.timedelta


class Address(BaseModel):
    city: str
    since: dt.date | None = None


class Aliased(BaseModel):
    full_name: str = Field(alias="fullName")


CENTURY = dt.datetime(1900, 1, 1)  # noqa: DTZ001 -- hypothesis wants a bound without a time zone
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
whole = st.integers(-(2**53), 2**53)
real = st.floats(allow_nan=False, allow_infinity=False)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
naive = st.datetimes(min_value=CENTURY)
aware = st.datetimes(min_value=CENTURY, timezones=offsets)
urls = st.sampled_from(["https://mem0.ai/", "http://localhost:8000/a?b=c#d", "https://exämple.org/ü"])

TYPES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "str": (str, text),
    "int": (int, whole),
    "float": (float, real),
    "bool": (bool, st.booleans()),
    "datetime": (dt.datetime, st.one_of(naive, aware)),
    "NaiveDatetime": (NaiveDatetime, naive),
    "AwareDatetime": (AwareDatetime, aware),
    "date": (dt.date, st.dates()),
    "time": (dt.time, st.one_of(st.times(), st.times(timezones=offsets))),
    "timedelta": (dt.timedelta, st.timedeltas(dt.timedelta(days=-9999), dt.timedelta(days=9999))),
    "Decimal": (Decimal, st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9)),
    "UUID": (UUID, st.uuids()),
    "bytes": (bytes, text.map(str.encode)),
    "Base64Bytes": (Base64Bytes, st.sampled_from(["aGFsbG8=", "TGlzYm9u"])),
    "Path": (Path, st.sampled_from([Path("a/b"), Path("/tmp/ü x")])),
    "ImportString": (ImportString, st.sampled_from(["math.cos", "json"])),
    "Pattern": (re.Pattern[str], st.sampled_from([re.compile("^a+$"), re.compile(r"(?P<name>\d)")])),
    "IPv4Address": (IPv4Address, st.ip_addresses(v=4)),
    "IPv6Address": (IPv6Address, st.ip_addresses(v=6)),
    "IPv4Network": (IPv4Network, st.just(IPv4Network("10.0.0.0/8"))),
    "IPv6Network": (IPv6Network, st.just(IPv6Network("2001:db8::/32"))),
    "IPv4Interface": (IPv4Interface, st.just(IPv4Interface("10.1.2.3/8"))),
    "IPv6Interface": (IPv6Interface, st.just(IPv6Interface("2001:db8::1/32"))),
    "AnyUrl": (AnyUrl, urls),
    "HttpUrl": (HttpUrl, urls),
    "ByteSize": (ByteSize, st.integers(0, 2**53)),
    "PositiveInt": (PositiveInt, st.integers(1, 2**53)),
    "NonNegativeFloat": (NonNegativeFloat, st.floats(0, 1e300)),
    "constrained str": (Annotated[str, StringConstraints(min_length=2, pattern="^[a-z]+$")], st.sampled_from(["ab", "xyz"])),
    "Enum": (Colour, st.sampled_from(Colour)),
    "IntEnum": (Level, st.sampled_from(Level)),
    "Literal": (Literal["a", "B b", 3, True], st.sampled_from(["a", "B b", 3, True])),
    "list": (list[int], st.lists(whole, max_size=4)),
    "list of lists": (list[list[str]], st.lists(st.lists(text, max_size=2), max_size=3)),
    "set": (set[int], st.sets(whole, max_size=4)),
    "frozenset": (frozenset[str], st.frozensets(text, max_size=4)),
    "tuple": (tuple[int, str], st.tuples(whole, text)),
    "long tuple": (tuple[dt.date, ...], st.lists(st.dates(), max_size=3).map(tuple)),
    "dict": (dict[str, int], st.dictionaries(text, whole, max_size=3)),
    "dict of dates": (dict[dt.date, dt.timedelta], st.dictionaries(st.dates(), st.timedeltas(dt.timedelta(0), dt.timedelta(9)), max_size=3)),
    "dict of int": (dict[int, str], st.dictionaries(whole, text, max_size=3)),
    "Any": (Any, st.one_of(text, whole, st.booleans(), st.lists(whole, max_size=2))),
    "optional": (dt.datetime | None, st.one_of(st.none(), naive)),
    "union": (int | str, st.one_of(whole, text)),
    "union of times": (dt.date | dt.timedelta, st.one_of(st.dates(), st.timedeltas(dt.timedelta(0), dt.timedelta(9)))),
    "model": (Address, st.builds(Address, city=text, since=st.one_of(st.none(), st.dates()))),
    "model with an alias": (Aliased, st.builds(Aliased, fullName=text)),
    "optional model": (Address | None, st.one_of(st.none(), st.builds(Address, city=text, since=st.none()))),
    "list of models": (list[Address], st.lists(st.builds(Address, city=text, since=st.dates()), max_size=3)),
    "union of models": (Address | Aliased, st.one_of(st.builds(Address, city=text, since=st.none()), st.builds(Aliased, fullName=text))),
    "dataclass": (Span, st.builds(Span, start=naive, length=st.timedeltas(dt.timedelta(0), dt.timedelta(9)))),
    "TypedDict": (Named, st.fixed_dictionaries({"name": text})),
    "NamedTuple": (Point, st.builds(Point, x=whole, y=real)),
}  # fmt: skip

ONLY_AS_METADATA: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "Json": (Json[list[int]], st.lists(whole, max_size=3).map(str)),
    "Json of a text": (Json[str], text.map(json.dumps)),
    "Json of a model": (Json[Address], text.map(lambda city: json.dumps({"city": city}))),
    "list of Json": (list[Json[int]], st.lists(whole.map(str), max_size=3)),
}
"""Types that Pydantic writes as a JSON value, but reads only from the text of one."""

numbers = count()
LIMITED = settings(
    deadline=None, derandomize=True, database=None, max_examples=examples(25), suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def client():
    with Client.local() as opened:
        yield opened


@pytest.mark.parametrize("name", [*TYPES, *ONLY_AS_METADATA])
def test_a_model_that_was_stored_as_metadata_comes_back_equal(client, name):
    kind, strategy = {**TYPES, **ONLY_AS_METADATA}[name]
    model = create_model(f"Holder{next(numbers)}", value=(kind, ...), other=(str, "x"))

    @LIMITED
    @given(value=strategy)
    def run(value):
        stored = model(value=value)
        user = f"user-{next(numbers)}"
        metadata = stored.model_dump(mode="json", by_alias=True)
        client.memories.add("m", user_id=user, metadata=metadata)

        (found,) = client.exports.run(list[model], F.user_id == user, timeout=scaled(60))
        assert found == stored
        by_dict = client.exports.run(model.model_json_schema(), F.user_id == user, timeout=scaled(60))
        assert model.model_validate(by_dict).other == "x"
        if not isinstance(metadata["value"], list):  # a list at the root has the distinct values of all memories
            assert model.model_validate(by_dict) == stored

    run()


@pytest.mark.parametrize("name", TYPES)
def test_the_json_schema_of_a_model_as_a_dict_accepts_what_the_model_writes(name):
    kind, strategy = TYPES[name]
    model = create_model(f"Holder{next(numbers)}", value=(kind, ...))
    schema = Schema.of(model.model_json_schema())

    @LIMITED
    @given(value=strategy)
    def run(value):
        stored = model(value=value)
        loaded = schema.load(stored.model_dump_json(by_alias=True).encode())
        assert model.model_validate(loaded) == stored

    run()


def test_a_combination_of_flags_comes_back(client):
    """Pydantic's own schema lists only the single flags, so this holds for the type, not for its schema as a dict."""
    model = create_model("HoldsAccess", value=(Access, ...))
    stored = model(value=Access.READ | Access.WRITE)
    client.memories.add("m", user_id="flags", metadata=stored.model_dump(mode="json"))

    assert client.exports.run(list[model], F.user_id == "flags", timeout=scaled(60)) == [stored]
