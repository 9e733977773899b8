"""Test exports of random memories into random types: valid, of the right type, and traceable to memories."""

from __future__ import annotations

import json

from decimal import Decimal
from itertools import count
from typing import Annotated, Any

import jsonschema_rs
import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from mem0_exports import Client, ExportFailed, F, From, Schema
from tests.support.examples import examples
from tests.support.timeouts import scaled


NAMES = ["city", "age", "tags", "note", "flag", "home", "text", "run_id", "created_at", "memory"]
KEYS = ["city", "City", "age", "tags", "note", "flag", "home", "ci ty", "other", "größe"]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**9), 10**9),
        st.sampled_from(["79", "true", "1.5", "about 80", ""]),
        texts,
    ),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.sampled_from(KEYS), children, max_size=3)
    ),
    max_leaves=5,
)
memories = st.lists(
    st.fixed_dictionaries(
        {"memory": texts.filter(bool), "metadata": st.dictionaries(st.sampled_from(KEYS), values, max_size=6)},
        optional={
            "run_id": texts.filter(lambda text: text not in {"", "*"}),  # '*' means any run_id and is rejected
            "categories": st.lists(st.sampled_from(["work", "Home"]), max_size=2),
        },
    ),
    max_size=5,
)
numbers = count()

scalars: st.SearchStrategy[Any] = st.sampled_from(
    [
        str,
        int,
        float,
        bool,
        Decimal,
        Annotated[int, Field(ge=0, le=120)],
        Annotated[str, Field(min_length=2)],
        Annotated[str, From.metadata("other")],
        Annotated[str, From.category("work")],
        Annotated[str, From.memory("memory")],
        dict[str, Any],
        Any,
    ]
)


@st.composite
def fields(draw, types):
    """Draw a field: its type and its Pydantic FieldInfo."""
    kind = draw(types)
    alias = draw(st.sampled_from([None, None, "city", "größe"]))
    named = {} if alias is None else {"alias": alias}
    match draw(st.sampled_from(["default", "nullable", "list", "required list"])):
        case "default":
            return kind | None if isinstance(kind, type) else kind, Field(default=None, **named)
        case "nullable":
            return (kind | None if isinstance(kind, type) else Any), Field(**named)
        case "list":
            return list[kind], Field(default=[], **named)
        case _:
            return list[kind], Field(**named)


def models(types):
    @st.composite
    def draw_model(draw):
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
        drawn = {name: draw(fields(types)) for name in names}
        aliases = [info.alias for _, info in drawn.values() if info.alias]
        if len(set(aliases)) < len(aliases) or set(aliases) & set(names):
            drawn = {name: (kind, Field(default=None)) for name, (kind, _) in drawn.items()}
        return create_model(f"Drawn{next(numbers)}", **drawn)

    return draw_model()


types = st.recursive(
    scalars,
    lambda children: st.one_of(
        models(children),
        st.tuples(children, scalars).map(
            lambda pair: pair[0] | pair[1] if all(isinstance(each, type) for each in pair) else pair[0]
        ),
    ),
    max_leaves=4,
)
roots = st.one_of(models(types), models(types).map(lambda model: list[model]))


@pytest.fixture(scope="module")
def client():
    with Client.local() as opened:
        yield opened


def atoms(value):
    """Return every scalar in a JSON value as text, so that 79 equals "79"."""
    if isinstance(value, dict):
        return {atom for each in value.values() for atom in atoms(each)}
    if isinstance(value, list):
        return {atom for each in value for atom in atoms(each)}
    if value is None:
        return set()
    return {value.casefold().strip() if isinstance(value, str) else json.dumps(value)}


seen: dict[str, int] = {"types": 0, "filled": 0, "empty": 0, "failed": 0}


@settings(
    max_examples=examples(600), deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(root=roots, drawn=memories)
def test_an_export_is_valid_typed_and_traceable(client, root, drawn):
    user = f"user-{next(numbers)}"
    lines = [
        json.dumps({**each, "user_id": user, "created_at": f"2025-01-0{day}T00:00:00Z"}).encode()
        for day, each in enumerate(drawn, 1)
    ]
    assert client.engine.import_lines(lines).bad == []
    schema = Schema.of(root)
    seen["types"] += 1

    job = client.exports.create(dict(schema.json), F.user_id == user)
    try:
        data = job.result(timeout=scaled(30))
    except ExportFailed as error:
        failed = error
    else:
        failed = None
    if failed is not None:
        # An export may fail only for a required field that cannot be empty; a list and null can.
        seen["failed"] += 1
        assert "required fields: " in failed.reason or "does not match the schema" in failed.reason
        return

    jsonschema_rs.validator_for(dict(schema.json), validate_formats=True).validate(data)
    value = client.exports.get(job.id, schema).result(timeout=scaled(30))
    assert isinstance(value, list | BaseModel)
    given_atoms = {
        atom
        for memory in client.memories.list(F.user_id == user)
        for atom in atoms([memory.memory, memory.metadata, memory.run_id, memory.categories, user])
    }
    given_atoms |= {line_time.casefold() for day in range(1, 9) for line_time in [f"2025-01-0{day}T00:00:00Z"]}
    ids = {memory.id for memory in client.memories.list(F.user_id == user)}
    assert atoms(data) <= given_atoms | ids, "every exported value must come from a memory"
    report = client.engine.report(job.id)
    assert {memory_id for filled in report.filled.values() for memory_id in filled} <= ids
    seen["filled" if atoms(data) else "empty"] += 1


def test_enough_exports_had_values_and_enough_had_none():
    assert seen["types"] >= examples(500)
    assert seen["filled"] >= examples(100)
    assert seen["empty"] >= examples(20)
