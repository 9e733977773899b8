"""Test an engine with an extractor of the user's own: a class with the one method of `extraction.Extractor`."""

from __future__ import annotations

import json

from contextlib import closing

import pytest

from mem0_exports import F
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.extraction import Extraction, Extractor, Unfillable
from mem0_exports_engine.report import Report
from tests.support.timeouts import wait_until


class CountingExtractor:
    """Fill every property with the number of memories, and put their texts into a list in the sink."""

    def extract(self, schema, batches, sink, *, instructions=None):
        texts = [text for batch in batches for text in batch.columns(["memory"])["memory"]]
        sink.put(0, json.dumps(texts)[1:-1].encode())
        numbers = ", ".join(f'"{name}": {len(texts)}' for name in schema["properties"])
        report = Report(memories=len(texts), filled={}, gaps=[], notes=[instructions or ""])
        return Extraction([f'{{{numbers}, "texts": [', 0, "]}"], report)


def ask(engine, path, body):
    answer = engine.respond("POST", path, "", {}, json.dumps(body).encode())
    content = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    return answer.status, json.loads(content)


def test_engine_uses_the_extractor_that_it_is_given():
    extractor: Extractor = CountingExtractor()
    with closing(Engine(extractor=extractor)) as engine:
        engine.import_lines(json.dumps({"memory": text, "user_id": "alex"}).encode() for text in ("a", "b", "c"))
        body = {"schema": {"type": "object", "properties": {"n": {}}}, "filters": (F.user_id == "alex").to_dict()}
        _, created = ask(engine, "/v1/exports/", {**body, "export_instructions": "be brief"})
        while (answer := ask(engine, "/v1/exports/get/", {"memory_export_id": created["id"]}))[0] == 404:
            assert "reason" not in answer[1]
        report = engine.report(created["id"])

    assert answer == (200, {"n": 3, "texts": ["a", "b", "c"]})
    assert (report.memories, report.notes) == (3, ["be brief"])


class BrokenExtractor:
    """An extractor that violates the protocol: it returns or raises what `outcome` does."""

    def __init__(self, outcome):
        self.outcome = outcome

    def extract(self, schema, batches, sink, *, instructions=None):
        return self.outcome(sink)


def raise_unfillable(reason, report):
    raise Unfillable(reason, report)


REPORT = Report(memories=0, filled={}, gaps=[], notes=[])


@pytest.mark.parametrize(
    "outcome",
    [
        lambda _sink: Extraction(["{}"], None),
        lambda _sink: Extraction([b"{}"], REPORT),
        lambda _sink: Extraction(["\ud800"], REPORT),
        lambda _sink: Extraction([], REPORT),
        lambda _sink: Extraction(["[", 0, "]"], REPORT),
        lambda sink: (sink.put(0, b"1"), sink.drop(0), Extraction(["[", 0, "]"], REPORT))[-1],
        lambda _sink: None,
        lambda _sink: raise_unfillable("why", None),
        lambda _sink: raise_unfillable("", REPORT),
        lambda _sink: {}["nothing"],
    ],
)
def test_an_extractor_that_violates_the_protocol_fails_the_job_at_once(outcome):
    """It would fail the same way again, so there must be no wait for the lease to end and no partial result."""
    with closing(Engine(extractor=BrokenExtractor(outcome))) as engine:
        _, created = ask(engine, "/v1/exports/", {"schema": {"type": "object"}, "filters": {"user_id": "alex"}})
        get = {"memory_export_id": created["id"]}
        wait_until(lambda: "reason" in ask(engine, "/v1/exports/get/", get)[1], "the export has failed")
        answer = ask(engine, "/v1/exports/get/", get)

    assert answer[0] == 404
    assert answer[1]["reason"]
