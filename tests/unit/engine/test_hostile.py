"""Test hostile request bodies: each row of the table in docs/local.md is refused with 400, and nothing is stored."""

from __future__ import annotations

import json
import time

import pytest

from mem0_exports import BadRequest, Client, F
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.limits import MAX_BYTES, MAX_DEPTH
from tests.support.timeouts import wait_until


FILTERS = {"user_id": "a"}
MESSAGE = b'{"messages": [{"role": "user", "content": "x"}], "user_id": "a", "infer": false'


@pytest.fixture
def engine():
    opened = Engine()
    yield opened
    opened.close()


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


def exponential_schema(levels):
    definitions = {"a0": {"type": "object"}}
    for level in range(1, levels + 1):
        definitions[f"a{level}"] = {"allOf": [{"$ref": f"#/$defs/a{level - 1}"}] * 2}
    return {"type": "object", "$defs": definitions, "allOf": [{"$ref": f"#/$defs/a{levels}"}]}


def with_property(schema, **more):
    return {"type": "object", "properties": {"x": schema}, **more}


LOOP = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}

SCHEMAS = {
    "a reference cycle": (with_property({"$ref": "#/$defs/a"}, **{"$defs": LOOP}), "leads back"),
    "a root that refers to itself": ({"$ref": "#"}, "leads back"),
    "an exponential allOf": (exponential_schema(30), "sub-schemas"),
    "a reference to another machine": (with_property({"$ref": "http://127.0.0.1:9/x"}), "127.0.0.1:9"),
    "a reference to a file": (with_property({"$ref": "file:///etc/passwd"}), "/etc/passwd"),
    "a pattern with huge repetitions": (with_property({"pattern": "(a{1,1000}){1,1000}"}), "pattern"),
    "a pattern with a lookahead": (with_property({"pattern": "(?=a)b"}), "pattern"),
    "a root that is not an object": ({"type": "array"}, "object"),
    "an invalid schema": ({"type": 5}, "type"),
}

DOCUMENTS = {
    "nested too deep": (MESSAGE + b', "metadata": ' + nested(20_000) + b"}", "deep"),
    "nested a little too deep": (MESSAGE + b', "metadata": ' + nested(MAX_DEPTH) + b"}", "deep"),
    "a million open brackets": (b"[" * 1_000_000, "deep"),
    "NaN": (MESSAGE + b', "metadata": {"n": NaN}}', "NaN"),
    "Infinity": (MESSAGE + b', "metadata": {"n": -Infinity}}', "Infinity"),
    "a number too large for a float": (MESSAGE + b', "metadata": {"n": 1e999}}', "too large"),
    "an integer of 100,000 digits": (MESSAGE + b', "metadata": {"n": ' + b"9" * 100_000 + b"}}", "digits"),
    "a lone surrogate": (MESSAGE.replace(b'"x"', b'"\\ud800"') + b"}", "surrogate"),
    "a duplicate key": (MESSAGE + b', "user_id": "b"}', "'user_id' appears twice"),
    "a nested duplicate key": (MESSAGE + b', "metadata": {"k": 1, "k": 2}}', "'k' appears twice"),
    "400,000 keys, the last one duplicated": (
        b"{" + b",".join(b'"%d":1' % number for number in range(400_000)) + b',"399999":1}',
        "'399999' appears twice",
    ),
    "invalid UTF-8": (MESSAGE.replace(b'"x"', b'"\xff"') + b"}", "not valid JSON"),
    "an empty body": (b"", "empty"),
    "a body above the size limit": (b" " * (MAX_BYTES + 1), "must be at most 10 MB"),
    "ten thousand and one messages": (
        json.dumps({"messages": [{"role": "user", "content": "x"}] * 10_001, "user_id": "a", "infer": False}).encode(),
        "messages must have at most 10000 items, got 10001",
    ),
    "large metadata for many messages": (
        json.dumps(
            {
                "messages": [{"role": "user", "content": f"x{number}"} for number in range(5000)],
                "user_id": "a",
                "infer": False,
                "metadata": {"k": "x" * 5000},
            }
        ).encode(),
        "would have the metadata, which would take more than 20 MB",
    ),
    "an unknown property": (MESSAGE + b', "admin": true}', "admin"),
}


def row_counts(engine):
    with engine.store.database.read() as connection:
        return [connection.value(f"SELECT count(*) FROM {table}") for table in ("memories", "exports")]


def refuse(engine, path, body):
    begun = time.process_time()
    answer = engine.respond("POST", path, "", {}, body)
    assert answer.status == 400
    assert row_counts(engine) == [0, 0]
    assert time.process_time() - begun < 5, "refusing must be cheap; without limits, some of these bodies take hours"
    assert engine.respond("GET", "/v1/ping/", "", {}, b"").status == 200
    return answer.body.decode()


@pytest.mark.parametrize("name", SCHEMAS)
def test_refuses_a_hostile_schema(engine, name):
    schema, message = SCHEMAS[name]

    body = json.dumps({"schema": schema, "filters": FILTERS}).encode()

    assert message in refuse(engine, "/v1/exports/", body)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_refuses_a_hostile_document(engine, name):
    body, message = DOCUMENTS[name]

    assert message in refuse(engine, "/v3/memories/add/", body)


@pytest.mark.parametrize("query", ["x=1", "page=1&page=2", "page=0", "page=1e3", "page_size=201", "page=" + "9" * 5000])
def test_refuses_a_hostile_query(engine, query):
    body = json.dumps({"filters": FILTERS}).encode()

    assert engine.respond("POST", "/v3/memories/", query, {}, body).status == 400


def test_matches_a_pattern_in_linear_time(engine):
    """A backtracking engine would take practically forever on this pattern."""
    engine.respond("POST", "/v3/memories/add/", "", {}, MESSAGE + b', "metadata": {"x": "' + b"a" * 5000 + b'!"}}')
    schema = with_property({"type": "string", "pattern": "^(a+)+$"})
    body = json.dumps({"schema": schema, "filters": FILTERS}).encode()
    export_id = json.loads(engine.respond("POST", "/v1/exports/", "", {}, body).body)["id"]

    get = json.dumps({"memory_export_id": export_id}).encode()
    wait_until(lambda: engine.respond("POST", "/v1/exports/get/", "", {}, get).status == 200, "the export is ready")
    assert json.loads(engine.respond("POST", "/v1/exports/get/", "", {}, get).body) == {}


@pytest.mark.parametrize(
    "use",
    [
        lambda client, where: client.exports.create({"type": "object"}, where),
        lambda client, where: list(client.memories.list(where)),
    ],
    ids=["create", "list"],
)
def test_rejects_more_values_than_the_lists_of_a_filter_may_have(use):
    where = F.user_id.in_([f"u{number}" for number in range(60_000)]) & F.run_id.in_(
        [f"r{number}" for number in range(40_001)]
    )
    with Client.local() as client, pytest.raises(BadRequest, match="at most 100000 values in their lists, got 100001"):
        use(client, where)
