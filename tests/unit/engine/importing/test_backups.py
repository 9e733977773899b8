"""Test that the backups of Mem0's own tools are read: OpenMemory's archive, and the Markdown of the coding plugin."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from mem0_exports import InputError
from mem0_exports_engine.importing.records import understood
from mem0_exports_engine.importing.sources import open_source
from tests.support.examples import examples


MEMORIES = [
    {
        "id": "8f14e45f-ceea-467f-a1d2-9b0c3a1f0a01",
        "content": "Has a dog",
        "metadata": {"k": 1},
        "created_at": "2025-01-02T03:04:05+00:00",
        "updated_at": None,
        "state": "active",
        "app": "cursor",
        "categories": ["pets"],
    },
    {"id": "8f14e45f-ceea-467f-a1d2-9b0c3a1f0a02", "content": "active", "state": "archived", "app": None},
    {"id": "8f14e45f-ceea-467f-a1d2-9b0c3a1f0a03", "content": "Is gone", "state": "deleted", "app": "cursor"},
]


def archive(memories=MEMORIES, user='{"user": {"id": "1", "user_id": "alex"}, "memories": []}', **more: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        if user is not None:
            made.writestr("memories.json", user)
        lines = b"".join(json.dumps(each).encode() + b"\n" for each in memories)
        made.writestr("memories.jsonl.gz", gzip.compress(lines, mtime=0))
        for name, content in more.items():
            made.writestr(name, content)
    return file.getvalue()


class Pipe(io.BytesIO):
    """A file that cannot go back."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_a_backup_of_openmemory(kind):
    source = open_source(kind(archive()))
    found = [*source.found]

    assert source.format == "a backup of OpenMemory"
    assert understood(found[0].record, {}) == {
        "id": MEMORIES[0]["id"],
        "memory": "Has a dog",
        "user_id": "alex",
        "app_id": "cursor",
        "metadata": {"k": 1},
        "categories": ["pets"],
        "created_at": "2025-01-02T03:04:05+00:00",
        "updated_at": None,
    }
    archived = understood(found[1].record, {})
    assert (archived["memory"], archived["metadata"]) == ("active", {"mem0_raw": {"state": "archived"}})
    assert (found[2].number, found[2].problem) == (3, "it was deleted in OpenMemory")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (archive()[:400], "cannot be read"),
        (archive(user=None), "must be a backup of OpenMemory"),
        (archive(user="[]"), "names no user"),
        (archive(user='{"user": {}}'), "names no user"),
        (archive(user='{"user": {"user_id": null}}'), "names no user"),
        (archive(user="{"), "names no user"),
    ],
    ids=["cut off", "no user file", "no object", "no id", "a null", "no JSON"],
)
def test_another_archive_is_refused(data, problem):
    with pytest.raises(InputError, match=problem):
        open_source(io.BytesIO(data))


def test_a_damaged_archive_is_said():
    data = bytearray(archive([{"content": f"memory {number}"} for number in range(5000)]))
    data[len(data) // 2] ^= 0xFF

    with pytest.raises(InputError, match="damaged or cut off"):
        [*open_source(io.BytesIO(data)).found]


def test_a_file_that_is_packed_in_itself_is_refused():
    data = b"{}"
    for _ in range(4):
        data = gzip.compress(data)

    with pytest.raises(InputError, match="packed too many times"):
        open_source(io.BytesIO(data))


MARKDOWN = """\
---
id: mem-1
created_at: 2024-01-01T00:00:00Z
type: task_learnings
confidence: 0.9
branch:
files: src/a.py, src/b.py
categories: coding, learnings
---
Run the tests first.

---
A line of its own: ---
---
id: mem-2
---
Second
"""


@pytest.mark.parametrize("data", [MARKDOWN, MARKDOWN.replace("\n", "\r\n"), f"\ufeff\n{MARKDOWN}"])
def test_markdown_of_the_coding_plugin(data):
    source = open_source(io.BytesIO(data.encode()))
    first, second = source.found

    assert source.format == "Markdown of Mem0's coding plugin"
    assert first.record == {
        "id": "mem-1",
        "created_at": "2024-01-01T00:00:00Z",
        "categories": ["coding", "learnings"],
        "metadata": {"type": "task_learnings", "confidence": "0.9", "files": ["src/a.py", "src/b.py"]},
        "memory": "Run the tests first.\n\n---\nA line of its own: ---",
    }
    assert second.record == {"id": "mem-2", "memory": "Second", "metadata": None}


def test_markdown_with_a_damaged_record():
    bad, good = open_source(io.BytesIO(b"---\nid: 1\nno end\n---\nid: 2\n---\ntext\n")).found

    assert bad.problem is not None
    assert "no line ---" in bad.problem
    assert good.record["memory"] == "text"


def test_markdown_that_is_not_utf_8_says_so():
    (found,) = open_source(io.BytesIO(b"---\nid: 1\n---\n\xff\n")).found

    assert found.problem is not None
    assert "not valid UTF-8" in found.problem


_TEXTS = st.lists(st.text(st.sampled_from("ab:-\n é"), min_size=1).map(str.strip).filter(bool), max_size=4)


@given(_TEXTS)
@settings(max_examples=examples(100))
def test_every_text_comes_back(texts):
    """A text may have any lines, but not the two that begin the next memory."""
    blocks = "".join(f"---\nid: {number}\n---\n{text}\n\n" for number, text in enumerate(texts))

    if blocks:
        assert [each.record["memory"] for each in open_source(io.BytesIO(blocks.encode())).found] == texts
