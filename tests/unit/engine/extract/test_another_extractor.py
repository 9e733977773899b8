"""An extractor that is not the offline one: a few lines that fulfil the port, and one argument where it is chosen."""

from __future__ import annotations

import json

from contextlib import closing

from mem0_exports import F
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.ports import Extraction, Extractor
from mem0_exports_engine.report import Report


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
