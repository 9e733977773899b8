"""Test with real input: the 1,620 memories of the LoCoMo benchmark (CC BY-NC 4.0), if they are beside the checkout."""

from __future__ import annotations

import json
import os

from pathlib import Path
from typing import Any

import pytest

from pydantic import BaseModel

from mem0_exports import Client, F
from tests.support.timeouts import scaled


MEMORIES = Path(
    os.environ.get("LOCOMO_MEMORIES", Path(__file__).resolve().parents[4] / "shared" / "data" / "memories.jsonl")
)
pytestmark = pytest.mark.skipif(not MEMORIES.exists(), reason="the LoCoMo memories are not part of this project")


class Record(BaseModel):
    memory: str
    run_id: str
    created_at: str
    metadata: dict[str, Any]


def test_the_export_of_a_user_equals_the_rows_of_the_file(tmp_path):
    lines = MEMORIES.read_bytes().splitlines()
    rows = [json.loads(line) for line in lines]
    expected = [Record.model_validate(row) for row in rows if row["user_id"] == "joanna-42"]

    with Client.local(tmp_path / "store.db") as client:
        first = client.engine.import_lines(lines)
        again = client.engine.import_lines(lines)
        exported = client.exports.run(list[Record], F.user_id == "joanna-42", timeout=scaled(60))
        users = {entity.name for entity in client.entities.list() if entity.type == "user"}

    assert (first.added, first.known, first.bad) == (1620, 0, [])
    assert (again.added, again.known, again.bad) == (0, 1620, [])
    assert len(expected) == 146
    assert exported == sorted(expected, key=lambda record: record.created_at)
    assert users == {row["user_id"] for row in rows}
