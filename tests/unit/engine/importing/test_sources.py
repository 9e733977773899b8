"""Test that the records of every file that people have are found, and that a damaged file is said."""

from __future__ import annotations

import gzip
import io
import json

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from mem0_exports import InputError
from mem0_exports_engine.importing import files, sources
from mem0_exports_engine.importing.sources import open_source
from tests.support.examples import examples


ONE = {"memory": 'Likes tea; "quoted" [x], {y}: \\ ', "user_id": "alex", "metadata": {"results": [1, {"a": "]"}]}}
TWO = {"memory": "Zoë 🍵", "user_id": "zoë"}
BOTH = [ONE, TWO]


def text(value, indent=None):
    return json.dumps(value, ensure_ascii=False, indent=indent).encode()


def lines(*values):
    return b"".join(text(value) + b"\n" for value in values)


def found(data: bytes):
    source = open_source(io.BytesIO(data))
    return source.format, [*source.found]


PAGE = {"count": 2, "next": None, "previous": None, "results": BOTH}
BOM = b"\xef\xbb\xbf"

FILES = {
    "lines": (lines(*BOTH), "JSON Lines"),
    "one line without an end": (text(ONE) + b"\n" + text(TWO), "JSON Lines"),
    "windows line ends": (text(ONE) + b"\r\n\r\n" + text(TWO) + b"\r\n", "JSON Lines"),
    "a byte order mark": (BOM + lines(*BOTH), "JSON Lines"),
    "joined files with byte order marks": (BOM + lines(ONE) + BOM + lines(TWO), "JSON Lines"),
    "an array": (text(BOTH), "a JSON document"),
    "an array of several lines": (text(BOTH, 2), "a JSON document"),
    "an array after a byte order mark": (BOM + text(BOTH, 2), "a JSON document"),
    "a page": (text(PAGE, 2), "a JSON document"),
    "a page in one line": (text(PAGE), "JSON Lines"),
    "pages, one per line": (lines({"results": [ONE]}, {"results": [TWO]}), "JSON Lines"),
    "pages after each other": (text({"results": [ONE]}, 2) + text({"results": [TWO]}, 2), "a JSON document"),
    "arrays after each other": (text([ONE], 1) + b"\n" + BOM + text([TWO]), "a JSON document"),
    "an array of pages": (text([{"results": [ONE]}, {"results": [TWO]}], 2), "a JSON document"),
    "the dashboard": (text({"memories": BOTH, "total": 2}, 1), "a JSON document"),
    "the migration script": (
        text({"version": 1, "kind": "mem0_oss_qdrant_export", "records": BOTH}, 1),
        "a JSON document",
    ),
    "records of several lines": (text(ONE, 2) + b"\n" + text(TWO, 2), "a JSON document"),
    "gzip": (gzip.compress(lines(*BOTH)), "JSON Lines, compressed with gzip"),
    "gzip twice": (
        gzip.compress(gzip.compress(lines(*BOTH))),
        "JSON Lines, compressed with gzip, compressed with gzip",
    ),
    "gzip in members": (gzip.compress(lines(ONE)) + gzip.compress(lines(TWO)), "JSON Lines, compressed with gzip"),
    "gzip of an array": (gzip.compress(text(BOTH)), "a JSON document, compressed with gzip"),
    "UTF-16": (lines(*BOTH).decode().encode("utf-16"), "JSON Lines in UTF-16"),
    "UTF-16, big end first": (b"\xfe\xff" + text(BOTH, 1).decode().encode("utf-16-be"), "a JSON document in UTF-16"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_format_is_recognized_and_every_record_is_found(name):
    data, wanted = FILES[name]

    kind, records = found(data)

    assert kind == wanted
    assert [(each.record, each.problem) for each in records] == [(ONE, None), (TWO, None)]


def test_an_empty_file_and_empty_lists_have_no_records():
    assert [found(data)[1] for data in (b"", b"\n \n", BOM, b"[]", b'{"results": []}', gzip.compress(b""))] == [[]] * 6


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_with_a_header(delimiter):
    rows = [
        ["memory", "user_id", "metadata", "categories", "mood", ""],
        ["'=1+1", "alex", '"{""a"": [1]}"', "work", "good", "x"],
        ['"two\nlines"', "alex", "", '"[""a"", ""b,c""]"', "", ""],
    ]
    data = BOM + "\r\n".join(delimiter.join(row) for row in rows).encode()

    kind, records = found(data)

    assert kind == "CSV"
    assert [each.record for each in records] == [
        {"memory": "=1+1", "user_id": "alex", "metadata": {"a": [1]}, "categories": ["work"], "mood": "good"},
        {"memory": "two\nlines", "user_id": "alex", "categories": ["a", "b,c"]},
    ]
    assert [each.number for each in records] == [2, 4], "the numbers of the lines in the file"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"a,b,c", "the line has 3 cells, but the header has 2"),
        (b"a,{bad", "metadata is not valid JSON"),
        (b"\xff,", "not valid UTF-8"),
        (b'a,"b"c', "not valid CSV"),
    ],
)
def test_a_bad_row_of_csv_does_not_stop_the_others(row, problem):
    _, records = found(b"memory,metadata\n" + row + b"\nfine,\n")

    assert problem in (records[0].problem or "")
    assert records[0].number == 2
    assert records[-1].record == {"memory": "fine"}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (text(BOTH)[:-5], "ends in the middle"),
        (b"[" + text(ONE) + b", {bad}]", "not valid JSON"),
        (text(BOTH) + b" and more", "not valid JSON"),
        (text(ONE, 1) + b" ,, " + text(TWO, 1), "not valid JSON"),
        (lines(ONE) + b"{bad\n", "not valid JSON"),
        (b"{bad\n" + lines(ONE), "not valid JSON"),
        (b'[{"a": ' + b"[" * 500 + b"]" * 500 + b"}]", "deep"),
    ],
    ids=["cut off", "a bad record", "text after it", "text between", "a bad last line", "a bad first line", "too deep"],
)
def test_what_is_damaged_is_said_in_its_place(data, problem):
    _, records = found(data)

    assert [each for each in records if problem in (each.problem or "")]
    assert all(each.record in BOTH for each in records if each.problem is None)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"hello\nworld\n", "neither JSON Lines, JSON, CSV"),
        (b"name,age\nx,1\n", "CSV with a column memory, text, content"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"\xff\xfe\x00\xd8", "not valid UTF-16"),
    ],
)
def test_an_unknown_file_is_refused(data, problem):
    with pytest.raises(InputError, match=problem):
        found(data)


@pytest.mark.parametrize("size", [-9, 40])
def test_a_damaged_gzip_file_is_said(size):
    with pytest.raises(InputError, match="damaged or cut off"):
        found(gzip.compress(lines(*BOTH) * 100)[:size])


def test_a_line_that_is_too_long_is_rejected_and_the_next_is_read(monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 1000)

    _, records = found(lines(ONE) + b'{"memory": "' + b"x" * 5000 + b'"}\n' + lines(TWO))

    assert [each.record for each in records] == [ONE, None, TWO]
    assert records[1].problem is not None
    assert "at most" in records[1].problem


def test_a_document_that_is_too_large_says_what_to_do(monkeypatch):
    monkeypatch.setattr(files, "MAX_DOCUMENT", 2_000_000)
    monkeypatch.setattr(sources, "_HEAD", 100)

    with pytest.raises(InputError, match="write it as JSON Lines"):
        found(text([ONE] * 30_000))


def test_lines_are_read_as_they_are_used():
    """A file of any size takes little memory: only the first part is read before the first record is returned."""

    class Endless(io.RawIOBase):
        given = 0

        def readable(self):
            return True

        def read(self, size=-1):
            assert self.given < 20_000_000, "the file is read ahead"
            part = (lines(ONE) * 20_000)[self.given % len(lines(ONE)) :][:size]
            self.given += len(part)
            return part

    source = open_source(Endless())

    assert [next(source.found).record for _ in range(3000)] == [ONE] * 3000


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet=st.sampled_from([*'ab"\\[]{}:, \n\u00e9']), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.fixed_dictionaries({"memory": st.text(max_size=8), "metadata": VALUES})


@settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
@given(
    st.lists(RECORDS, min_size=1, max_size=5), st.sampled_from([None, 1]), st.sampled_from(["list", "page", "lines"])
)
def test_records_are_cut_out_of_documents_exactly(records, indent, shape):
    if shape == "lines":
        data = b"\n".join(text(record) for record in records)
    else:
        data = text(records if shape == "list" else {"count": 3, "results": records, "next": "a]"}, indent)

    assert [(each.record, each.problem) for each in found(data)[1]] == [(record, None) for record in records]


@given(
    st.binary(max_size=60) | st.text(alphabet=st.sampled_from([*'{}[],:"\\ab1\n\ufeff']), max_size=40).map(str.encode)
)
def test_any_file_is_read_or_refused(data):
    try:
        _, records = found(data)
    except InputError:
        return
    assert all((each.record is None) or each.problem is None for each in records)
