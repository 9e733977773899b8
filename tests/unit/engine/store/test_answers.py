"""Test the answers that a store keeps: for each project its own, until they have not been used for a while."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from mem0_exports_engine.store import open_store
from mem0_exports_engine.store.sqlite import answers as module


NOW = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def answers(tmp_path):
    with closing(open_store(tmp_path / "store.db")) as store:
        yield store.answers


def test_an_answer_is_kept_under_its_key_and_project(answers):
    answers.keep("one", b"k", b"a", NOW)
    answers.keep("two", b"k", b"b", NOW)
    answers.keep("one", b"k", b"another", NOW)  # two workers may have asked

    assert answers.recall("one", b"k", NOW) == b"a"
    assert answers.recall("two", b"k", NOW) == b"b"
    assert answers.recall("one", b"other", NOW) is None
    assert answers.recall("three", b"k", NOW) is None


def test_answers_that_are_used_stay(answers):
    answers.keep("p", b"used", b"a", NOW)
    answers.keep("p", b"unused", b"b", NOW)
    assert answers.recall("p", b"used", NOW + 5 * DAY) == b"a"

    assert answers.purge(NOW + 3 * DAY) == 1
    assert answers.recall("p", b"used", NOW + 5 * DAY) == b"a"
    assert answers.recall("p", b"unused", NOW + 5 * DAY) is None
    assert answers.purge(NOW + 3 * DAY) == 0


def test_any_number_of_answers_is_deleted(answers, monkeypatch):
    monkeypatch.setattr(module, "MAX_ROWS", 3)
    for number in range(10):
        answers.keep("p", bytes([number]), b"a", NOW)

    assert answers.purge(NOW + DAY) == 10
