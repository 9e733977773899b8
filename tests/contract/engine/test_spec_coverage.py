"""Test that the run covered every documented answer.

Runs last, and only if all other tests of this folder run, too.
"""

from __future__ import annotations

from tests.contract.engine.service import documented_pairs, tally


def test_every_documented_status_of_every_operation_was_seen():
    missing = tally.missing(documented_pairs())

    assert missing == [], f"never seen: {missing}; seen: {dict(tally.seen)}"


def test_no_undocumented_status_was_seen():
    assert tally.undocumented(documented_pairs()) == []


def test_calls_in_process_and_over_a_socket_were_counted():
    assert tally.in_process.total() > 1000
    assert tally.over_socket.total() > 100
    assert tally.checks > tally.seen.total()
