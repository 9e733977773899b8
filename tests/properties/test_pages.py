"""Test that the pages of both paged operations together are the whole list, in order, for every page size."""

from __future__ import annotations

import json

from urllib.parse import parse_qs, urlsplit

import pytest

from mem0_exports_engine.engine import Engine


PATHS = {"memories_list": ("POST", "/v3/memories/"), "entities_list": ("GET", "/v1/entities/")}


@pytest.fixture(scope="module", params=range(7), ids="{} memories".format)
def engine(request):
    """An engine with some memories of user a, each in its own run, and as many of another entity."""
    opened = Engine()
    for number in range(request.param):
        for owner in ({"user_id": "a", "run_id": f"r{number}"}, {"app_id": "other", "run_id": f"r{number}"}):
            body = {"messages": [{"role": "user", "content": f"n{number}"}], "infer": False, **owner}
            body["timestamp"] = 1_700_000_000 - number  # the newest arrives first
            assert opened.respond("POST", "/v3/memories/add/", "", {}, json.dumps(body).encode()).status == 200
    opened.items = request.param
    yield opened
    opened.close()


def page(engine, operation, number, size):
    method, path = PATHS[operation]
    body = b"" if method == "GET" else json.dumps({"filters": {"user_id": "a"}}).encode()
    answer = engine.respond(method, path, f"page={number}&page_size={size}", {}, body)
    return answer.status, json.loads(answer.body)


def query(address):
    parts = urlsplit(address)
    return parts.path, {name: int(value) for name, (value,) in parse_qs(parts.query).items()}


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("operation", PATHS)
def test_pages_together_are_the_whole_list(engine, operation, size):
    items = page(engine, operation, 1, 200)[1]["results"]
    found, number = [], 0
    while True:
        number += 1
        status, answer = page(engine, operation, number, size)
        assert status == 200
        assert answer["count"] == len(items)
        before = None if number == 1 else (PATHS[operation][1], {"page": number - 1, "page_size": size})
        assert (answer["previous"] and query(answer["previous"])) == before
        found += answer["results"]
        if answer["next"] is None:
            break
        assert len(answer["results"]) == size
        assert query(answer["next"]) == (PATHS[operation][1], {"page": number + 1, "page_size": size})

    assert found == items
    assert number == max(1, -(-len(items) // size))
    assert page(engine, operation, number + 1, size)[0] == 404
    if operation == "memories_list":
        assert [item["memory"] for item in items] == [f"n{number}" for number in reversed(range(engine.items))]
    elif engine.items:
        assert [item["type"] for item in items] == ["user", "app", *["run"] * engine.items]
