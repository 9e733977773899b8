"""Test times in the store: unchanged, in order, and a memory expires at the end of its expiration date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mem0_exports import F
from mem0_exports_engine import clock
from mem0_exports_engine.projects import DEFAULT_PROJECT
from mem0_exports_engine.store.sqlite.store import SqliteStore
from tests.support.examples import examples
from tests.support.stores import put, records_of


LIMITED = settings(deadline=None, derandomize=True, database=None)

offsets = st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes)))
inner_moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=offsets)  # noqa: DTZ001 -- bounds


@settings(LIMITED, max_examples=examples(500))
@given(moment=inner_moments)
@example(moment=datetime(2025, 3, 4, 18, 20, 0, 1, UTC))
@example(moment=datetime(9999, 12, 30, 23, 59, 59, 999999, UTC))
def test_a_time_survives_a_round_trip(moment):
    found = clock.stamp(moment.isoformat(), "created_at")

    assert datetime.fromisoformat(found.text) == moment
    assert datetime.fromisoformat(clock.text_at(found.us)) == moment
    assert clock.text_at(found.us).endswith("Z")


@settings(LIMITED, max_examples=examples(500))
@given(moment=inner_moments, later=st.integers(1, 10), other=offsets)
def test_times_are_exact_to_the_microsecond_in_every_zone(moment, later, other):
    after = (moment + timedelta(microseconds=later)).astimezone(other)

    assert clock.microseconds(after) - clock.microseconds(moment) == later


@pytest.mark.parametrize("hour", ["00:00:00", "12:00:00", "23:59:59.999999"])
def test_lists_and_exports_have_exactly_the_memories_that_have_not_expired(hour):
    today = date(2025, 6, 1)
    now = datetime.fromisoformat(f"{today}T{hour}+00:00")
    days = [None, *(today + timedelta(days=apart) for apart in (-400, -1, 0, 1, 400))]
    store = SqliteStore(":memory:")
    put(store, *({"memory": f"until {day}", "user_id": "a", "expiration_date": day and str(day)} for day in days))

    def texts(records):
        return [each["memory"] for each in records]

    where = F.user_id == "a"
    exported = texts(
        each for batch in store.memories.batches(DEFAULT_PROJECT, where, now) for each in records_of(batch)
    )
    listed, with_expired = (
        store.memories.page(DEFAULT_PROJECT, where, now, show_expired=show_expired, offset=0, limit=100)
        for show_expired in (False, True)
    )
    store.close()

    expected = [f"until {day}" for day in days if day is None or day >= today]
    assert exported == texts(listed[1]) == expected
    assert (listed[0], with_expired[0]) == (len(expected), len(days))
    assert texts(with_expired[1]) == [f"until {day}" for day in days]
