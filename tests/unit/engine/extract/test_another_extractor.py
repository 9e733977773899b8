"""An extractor that is not the offline one: a few lines that fulfil the port, and one argument where it is chosen."""

from __future__ import annotations

import json

from contextlib import closing

import pytest

from mem0_exports import F
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.ports import Extraction, Extractor, Unfillable
from mem0_exports_engine.report import Report
from tests.support.patience import until


class Counting:
    """Fills every property with the number of memories, and puts their texts into a list of its own."""

    def extract(self, schema, batches, sink, *, instructions=None):
        texts = [each["memory"] for batch in batches for each in batch.records(["memory"])]
        sink.put(0, json.dumps(texts)[1:-1].encode())
        numbers = ", ".join(f'"{name}": {len(texts)}' for name in schema["properties"])
        report = Report(memories=len(texts), filled={}, gaps=[], notes=[instructions or ""])
        return Extraction([f'{{{numbers}, "texts": [', 0, "]}"], report)


def ask(engine, path, body):
    answer = engine.respond("POST", path, "", {}, json.dumps(body).encode())
    content = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    return answer.status, json.loads(content)


def test_the_engine_makes_exports_with_whatever_extractor_it_is_given():
    extractor: Extractor = Counting()
    with closing(Engine(extractor=extractor)) as engine:
        engine.import_lines(json.dumps({"memory": text, "user_id": "alex"}).encode() for text in ("a", "b", "c"))
        asked = {"schema": {"type": "object", "properties": {"n": {}}}, "filters": (F.user_id == "alex").to_dict()}
        _, created = ask(engine, "/v1/exports/", {**asked, "export_instructions": "be brief"})
        while (answer := ask(engine, "/v1/exports/get/", {"memory_export_id": created["id"]}))[0] == 404:
            assert "reason" not in answer[1]
        report = engine.report(created["id"])

    assert answer == (200, {"n": 3, "texts": ["a", "b", "c"]})
    assert (report.memories, report.notes) == (3, ["be brief"])


class Wrong:
    """An extractor that breaks its promise: what it returns or raises comes from `outcome`."""

    def __init__(self, outcome):
        self.outcome = outcome

    def extract(self, schema, batches, sink, *, instructions=None):
        return self.outcome(sink)


def unfillable(reason, report):
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
        lambda _sink: unfillable("why", None),
        lambda _sink: unfillable("", REPORT),
        lambda _sink: {}["nothing"],
    ],
)
def test_an_extractor_that_breaks_its_promise_fails_the_job_at_once(outcome):
    """It would fail the same way again: nobody has to wait for a lease to end, and no reader gets half a result."""
    with closing(Engine(extractor=Wrong(outcome))) as engine:
        _, created = ask(engine, "/v1/exports/", {"schema": {"type": "object"}, "filters": {"user_id": "alex"}})
        wanted = {"memory_export_id": created["id"]}
        until(lambda: "reason" in ask(engine, "/v1/exports/get/", wanted)[1], "the export has failed")
        answer = ask(engine, "/v1/exports/get/", wanted)

    assert answer[0] == 404
    assert answer[1]["reason"]
