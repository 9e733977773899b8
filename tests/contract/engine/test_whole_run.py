"""What the run as a whole has to have seen. Runs last, and only where every other test of this folder runs too."""

from __future__ import annotations

from tests.contract.engine.service import documented, tally


def test_every_documented_pair_of_operation_and_status_was_seen():
    missing = tally.missing(documented())

    assert missing == [], f"never seen: {missing}; seen: {dict(tally.seen)}"


def test_no_undocumented_status_was_seen():
    assert tally.undocumented(documented()) == []


def test_both_ways_to_the_engine_were_counted():
    assert tally.in_process.total() > 1000
    assert tally.over_socket.total() > 100
    assert tally.checks > tally.seen.total()
