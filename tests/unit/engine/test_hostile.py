"""Bodies that mean no good: each row of the table in docs/local.md gets its 400 at once, and nothing is stored."""

from __future__ import annotations

import json
import time

import pytest

from mem0_exports_engine.engine import Engine
from mem0_exports_engine.json_text import MAX_BYTES, MAX_DEPTH
from tests.support.patience import until


FILTERS = {"user_id": "a"}
MESSAGE = b'{"messages": [{"role": "user", "content": "x"}], "user_id": "a", "infer": false'


@pytest.fixture
def engine():
    made = Engine()
    yield made
    made.close()


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


def doubling(levels):
    definitions = {"a0": {"type": "object"}}
    for level in range(1, levels + 1):
        definitions[f"a{level}"] = {"allOf": [{"$ref": f"#/$defs/a{level - 1}"}] * 2}
    return {"type": "object", "$defs": definitions, "allOf": [{"$ref": f"#/$defs/a{levels}"}]}


def with_property(schema, **more):
    return {"type": "object", "properties": {"x": schema}, **more}


LOOP = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}

SCHEMAS = {
    "a reference that leads back to itself": (with_property({"$ref": "#/$defs/a"}, **{"$defs": LOOP}), "leads back"),
    "the root as its own reference": ({"$ref": "#"}, "leads back"),
    "an allOf that doubles": (doubling(30), "sub-schemas"),
    "a reference to another machine": (with_property({"$ref": "http://127.0.0.1:9/x"}), "127.0.0.1:9"),
    "a reference to a file": (with_property({"$ref": "file:///etc/passwd"}), "/etc/passwd"),
    "a pattern that explodes": (with_property({"pattern": "(a{1,1000}){1,1000}"}), "pattern"),
    "a pattern that looks around": (with_property({"pattern": "(?=a)b"}), "pattern"),
    "no object": ({"type": "array"}, "object"),
    "no schema": ({"type": 5}, "type"),
}

DOCUMENTS = {
    "nested too deep": (MESSAGE + b', "metadata": ' + nested(20_000) + b"}", "deep"),
    "nested a little too deep": (MESSAGE + b', "metadata": ' + nested(MAX_DEPTH) + b"}", "deep"),
    "brackets without end": (b"[" * 1_000_000, "deep"),
    "NaN": (MESSAGE + b', "metadata": {"n": NaN}}', "NaN"),
    "Infinity": (MESSAGE + b', "metadata": {"n": -Infinity}}', "Infinity"),
    "a number beyond every float": (MESSAGE + b', "metadata": {"n": 1e999}}', "too large"),
    "an integer of 100,000 digits": (MESSAGE + b', "metadata": {"n": ' + b"9" * 100_000 + b"}}", "digits"),
    "half of a surrogate pair": (MESSAGE.replace(b'"x"', b'"\\ud800"') + b"}", "surrogate"),
    "a name that stands twice": (MESSAGE + b', "user_id": "b"}', "'user_id' appears twice"),
    "a name that stands twice, inside": (MESSAGE + b', "metadata": {"k": 1, "k": 2}}', "'k' appears twice"),
    "a million names, the last one twice": (
        b"{" + b",".join(b'"%d":1' % number for number in range(600_000)) + b',"599999":1}',
        "'599999' appears twice",
    ),
    "bytes that are no UTF-8": (MESSAGE.replace(b'"x"', b'"\xff"') + b"}", "not valid JSON"),
    "nothing": (b"", "empty"),
    "more than the largest body": (b" " * (MAX_BYTES + 1), "must be at most 10 MB"),
    "another property": (MESSAGE + b', "admin": true}', "admin"),
}


def stored(engine):
    with engine.store.database.read() as connection:
        return [
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in ("memories", "exports")
        ]


def refused(engine, path, body):
    begun = time.process_time()
    answer = engine.respond("POST", path, "", {}, body)
    assert answer.status == 400
    assert stored(engine) == [0, 0]
    assert time.process_time() - begun < 5, "what is meant to be heavy took hours before it was bounded"
    assert engine.respond("GET", "/v1/ping/", "", {}, b"").status == 200
    return answer.body.decode()


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_hostile_schema(engine, name):
    schema, words = SCHEMAS[name]

    said = refused(engine, "/v1/exports/", json.dumps({"schema": schema, "filters": FILTERS}).encode())

    assert words in said


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document(engine, name):
    body, words = DOCUMENTS[name]

    assert words in refused(engine, "/v3/memories/add/", body)


@pytest.mark.parametrize("query", ["x=1", "page=1&page=2", "page=0", "page=1e3", "page_size=201", "page=" + "9" * 5000])
def test_a_hostile_query(engine, query):
    body = json.dumps({"filters": FILTERS}).encode()

    assert engine.respond("POST", "/v3/memories/", query, {}, body).status == 400


def test_a_pattern_is_matched_in_linear_time(engine):
    """Elsewhere this takes longer than anybody waits."""
    engine.respond("POST", "/v3/memories/add/", "", {}, MESSAGE + b', "metadata": {"x": "' + b"a" * 5000 + b'!"}}')
    schema = with_property({"type": "string", "pattern": "^(a+)+$"})
    body = json.dumps({"schema": schema, "filters": FILTERS}).encode()
    export_id = json.loads(engine.respond("POST", "/v1/exports/", "", {}, body).body)["id"]

    asked = json.dumps({"memory_export_id": export_id}).encode()
    until(lambda: engine.respond("POST", "/v1/exports/get/", "", {}, asked).status == 200, "the export is ready")
    assert json.loads(engine.respond("POST", "/v1/exports/get/", "", {}, asked).body) == {}
