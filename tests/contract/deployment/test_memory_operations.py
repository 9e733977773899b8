"""The operations on a single memory are checked as soon as the spec has them."""

from __future__ import annotations

import json
import re

import pytest

from tests.contract.deployment import command, writes
from tests.contract.deployment.altered import Answer, altered
from tests.contract.deployment.running import KEY, differences
from tests.support.spec import load


def specified():
    """Return openapi.yaml with operations to get and to delete a memory."""
    document = load()
    responses = document["paths"]["/v3/memories/"]["post"]["responses"]
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/MessageError"}}}
    refused = {"401": responses["401"], "404": responses["404"]}
    memory = {"application/json": {"schema": {"$ref": "#/components/schemas/Memory"}}}
    common = {
        "security": [{"ApiKeyAuth": []}],
        "parameters": [{"name": "memory_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}],
    }  # fmt: skip
    document["paths"][writes.MEMORY_PATH] = {
        "get": {**common, "operationId": "one_get", "responses": {"200": {"content": memory}, **refused}},
        "delete": {**common, "operationId": "one_delete", "responses": {"200": {"content": body}, **refused}},
    }
    return document


class Deletable:
    """A deployment that can get and delete single memories; `keeps` makes it only say that it deleted them."""

    def __init__(self, *, keeps=False, text=None):
        self.deleted = set()
        self.listed = {}
        self._keeps = keeps
        self._text = text

    def __call__(self, request, answer):
        single = re.fullmatch(r"/v1/memories/([^/]+)/", request.path)
        if single is None:
            return self._list(answer) if request.path == "/v3/memories/" and answer.status == 200 else answer
        if request.key != f"Token {KEY}":
            return Answer(401, {"detail": "Invalid API key."})
        memory_id = single[1]
        if memory_id not in self.listed or memory_id in self.deleted:
            return Answer(404, {"detail": "Not found."})
        if request.method == "GET":
            memory = self.listed[memory_id]
            return Answer(200, {**memory, "memory": self._text or memory["memory"]})
        if not self._keeps:
            self.deleted.add(memory_id)
        return Answer(200, {"message": "Memory deleted"})

    def _list(self, answer):
        left = [each for each in answer.body["results"] if each["id"] not in self.deleted]
        self.listed |= {each["id"]: each for each in left}
        gone = len(answer.body["results"]) - len(left)
        return Answer(200, {**answer.body, "count": answer.body["count"] - gone, "results": left})


@pytest.mark.parametrize(
    ("deployment", "names"),
    [
        (Deletable(), []),
        (Deletable(keeps=True), ["write.get-deleted:status", "write.list-deleted:results"]),
        (Deletable(text="x"), ["write.get:memory"]),
    ],
    ids=["as specified", "deletes nothing", "gets another memory"],
)
def test_the_memories_of_a_run_are_fetched_and_deleted(store, monkeypatch, capsys, deployment, names):
    document = specified()
    monkeypatch.setattr(command, "load", lambda: json.loads(json.dumps(document)))
    with altered(store, KEY, deployment) as (url, app):
        code, found, printed = differences(url, capsys, "--write")

    assert (code, found) == (int(bool(names)), names), printed
    assert "2 memories of" in printed
    assert "not checked" not in printed
    assert {request.method for request in app.requests if request.path.startswith("/v1/memories/")} == {"GET", "DELETE"}
