"""Test that every memory that an import or an add accepts can be listed, read and exported afterwards.

The engine checks its answers against openapi.yaml, so a stored value that the spec does not allow makes the whole list
of its user a 500, for ever.
"""

from __future__ import annotations

import contextlib
import json

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mem0_exports import BadRequest, Client, F, InputError
from tests.support.examples import examples
from tests.support.timeouts import scaled


two_digits = st.sampled_from(["00", "05", "12", "23", "24", "29", "31", "59", "60", "61", "99", "5", ""])
years = st.sampled_from(["2025", "0001", "0000", "9999", "10000", "25"])
fractions = st.sampled_from(["", ".5", ".123456", ".1234567", ".123456789012", ".", ",5"])
offsets = st.one_of(
    st.sampled_from(["", "Z", "z", "+05", "+0530", "-00:00", "+14:00", "+23:59", "Z+01:00"]),
    st.builds("{}{}:{}".format, st.sampled_from("+-"), two_digits, two_digits),
)
times = st.one_of(
    st.builds(
        "{}-{}-{}{}{}:{}:{}{}{}".format,
        *(years, two_digits, two_digits, st.sampled_from(["T", " ", "t", ""])),
        *(two_digits, two_digits, two_digits, fractions, offsets),
    ),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.builds("2025-03-04T18:20:{}{}{}".format, two_digits, fractions, offsets),
    st.builds("2025-03-04T18:20:00{}".format, offsets),
    st.sampled_from(["2025-03-04", "2025-W10-2", "20250304T182000Z", "now", " 2025-03-04"]),
)
texts = st.one_of(st.text(max_size=5), st.sampled_from(["", "*", "\x00", "\ud800", "é", "a" * 300]))
scalars = st.one_of(
    st.none(), st.booleans(), texts, st.integers(), st.sampled_from([2**64, -(2**70), 1e308, 0.1, -0.0]), st.floats()
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
nested = st.integers(0, 110).map(lambda depth: json.loads("[" * depth + "]" * depth) if depth else [])
anything = st.one_of(values, nested)
ids = st.one_of(
    st.uuids().map(str), st.uuids().map(lambda known: str(known).upper()), st.uuids().map(lambda k: k.hex), texts
)
records = st.fixed_dictionaries(
    {"memory": texts, "user_id": st.just("alex")},
    optional={
        "id": ids,
        "agent_id": anything,
        "run_id": texts,
        "session_id": texts,
        "metadata": st.one_of(anything, st.dictionaries(texts, anything, max_size=3)),
        "categories": st.one_of(anything, st.lists(texts, max_size=3)),
        "created_at": st.one_of(times, anything),
        "updated_at": st.one_of(times, anything),
        "expiration_date": st.one_of(times, st.dates().map(str), anything),
    },
)
ALL = {"type": "object", "properties": {"memories": {"type": "array", "items": {"type": "object"}}}}


def read_everything(client: Client) -> list[Any]:
    """List, get and export the memories of the user; every answer must match the spec."""
    listed = list(client.memories.list(F.user_id == "alex", show_expired=True))
    assert [client.memories.get(memory.id) for memory in listed] == listed
    job = client.exports.create(
        {"type": "object", "properties": {"metadata": {}, "created_at": {}}}, F.user_id == "alex"
    )
    job.result(timeout=scaled(30))
    rows = client.exports.run(ALL, F.user_id == "alex", timeout=scaled(30)).get("memories", [])
    assert len(rows) <= len(listed), "expired memories are listed, but not exported"
    return listed


@settings(max_examples=examples(150), deadline=None)
@example([{"memory": "m", "user_id": "alex", "created_at": "2025-03-04T18:20:00+05:99"}])
@given(st.lists(records, min_size=1, max_size=4))
def test_whatever_an_import_accepts_can_be_listed_read_and_exported(batch):
    lines = [json.dumps(record).encode("utf-8", "surrogatepass") for record in batch]
    with Client.local() as client:
        done = client.engine.import_lines(lines)

        assert len(read_everything(client)) == done.added


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(records, min_size=1, max_size=3))
def test_whatever_an_add_accepts_can_be_listed_read_and_exported(batch):
    with Client.local() as client:
        added = 0
        for record in batch:
            known = {name: record[name] for name in ("user_id", "agent_id", "run_id", "metadata") if name in record}
            with contextlib.suppress(InputError, BadRequest):
                added += len(client.memories.add(record["memory"], **known))

        assert len(read_everything(client)) == added
