"""Memories, schemas and exports for the tests of reading."""

from __future__ import annotations

import json

from mem0_exports import F


LONG = " ".join(["Nothing of note happened."] * 20)
"""With a context of 1,000 tokens, two texts with this do not fit into one chunk."""


def records(*texts, user="alex", **more):
    return [
        {
            "memory": text,
            "user_id": user,
            "created_at": f"2024-01-{day:02}T09:00:00Z",
            "updated_at": f"2024-01-{day:02}T09:00:00Z",
            **more,
        }
        for day, text in enumerate(texts, 1)
    ]


def imported(client, records):
    result = client.engine.import_lines(json.dumps(record).encode() for record in records)
    assert result.bad == []


def export(client, schema, user="alex", **more):
    """Return the result, the report, and the texts of the memories by their ids."""
    job = client.exports.create(schema, F.user_id == user, **more)
    value = job.result(timeout=60)
    texts = {memory.id: memory.memory for memory in client.memories.list(F.user_id == user)}
    return value, client.engine.report(job.id), texts


def text(description, **more):
    return {"anyOf": [{"type": "string", **more}, {"type": "null"}], "default": None, "description": description}


CITY = {"type": "object", "properties": {"city": text("The city where the person lives now")}}
