"""The operations on a single memory: the memories of a run are fetched and deleted as the spec says."""

from __future__ import annotations

import pytest

from tests.contract.deployment.altered import Answer, altered
from tests.contract.deployment.running import KEY, differences


MEMORY = {
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "memory": "x",
    "created_at": "2025-03-04T18:20:00Z",
}


def single(method, status, change):
    """Alter the answers of one operation on a single memory that have this status."""

    def alter(request, answer):
        on_one = request.path.startswith("/v1/memories/")
        return change(answer) if on_one and (request.method, answer.status) == (method, status) else answer

    return alter


def still_listed(request, answer):
    """List a memory of the run again, after it was deleted."""
    of_the_run = b'"mem0-exports-contract-' in request.body and b"contract-unknown-" not in request.body
    if not of_the_run or (request.path, answer.status) != ("/v3/memories/", 200) or answer.body["count"]:
        return answer
    return Answer(200, {**answer.body, "count": 1, "results": [MEMORY]})


CASES = {
    "another text": (single("GET", 200, lambda answer: Answer(200, {**answer.body, "memory": "x"})), ["write.get:memory"]),
    "an unknown memory that exists": (single("GET", 404, lambda answer: Answer(200, MEMORY)), ["memory.unknown-id:status", "write.get-deleted:status"]),
    "no check of the id": (single("GET", 400, lambda answer: Answer(404, {"error": "x"})), ["memory.not-an-id:status"]),
    "no key is required": (single("GET", 401, lambda answer: Answer(404, {"error": "x"})), ["memory.wrong-key:status"]),
    "another success": (single("DELETE", 200, lambda answer: Answer(204, b"")), ["write.delete:status", "write.delete:status"]),
    "a deletion that succeeds twice": (single("DELETE", 404, lambda answer: Answer(200, {"message": "x"})), ["write.delete-again:status"]),
    "a deletion that is not seen in lists": (still_listed, ["write.list-deleted:results"]),
}  # fmt: skip


@pytest.mark.parametrize(("alter", "names"), CASES.values(), ids=CASES)
def test_each_difference_is_found_by_name(store, capsys, alter, names):
    with altered(store, KEY, alter) as (url, _):
        code, found, printed = differences(url, capsys, "--write")

    assert (code, found) == (1, names), printed
