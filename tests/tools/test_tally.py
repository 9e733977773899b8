"""Test the tally of the contract suite: which documented responses it has not seen, and which were undocumented."""

from __future__ import annotations

import json

from tests.contract.engine.tally import Pair, Tally


DOCUMENTED = {Pair("ping", 200), Pair("ping", 401)}


def test_missing_has_documented_pairs_that_were_never_seen():
    tally = Tally()
    tally.in_process[Pair("ping", 200)] += 3

    assert tally.missing(DOCUMENTED) == [Pair("ping", 401)]
    assert any("401" in line and "NEVER SEEN" in line for line in tally.table(DOCUMENTED, {}))

    tally.over_socket[Pair("ping", 401)] += 1
    assert tally.missing(DOCUMENTED) == []


def test_undocumented_has_other_statuses_except_those_of_http_itself():
    tally = Tally()
    tally.in_process.update([Pair("ping", 200), Pair("ping", 405)])
    assert tally.undocumented(DOCUMENTED) == []

    tally.over_socket[Pair("ping", 418)] += 1
    assert tally.undocumented(DOCUMENTED) == [Pair("ping", 418)]


def test_counts_responses_and_checks_of_a_schemathesis_report(tmp_path):
    recorder = {
        "cases": {name: {"value": {"path": "/v1/ping/", "method": "get"}} for name in ("a", "b", "c")},
        "interactions": {
            "a": {"response": {"status_code": 200}},
            "b": {"response": {"status_code": 401}},
            "c": {"response": None},
        },
        "checks": {"a": [{"name": "one"}, {"name": "two"}], "b": [{"name": "one"}]},
    }
    events = [{"EngineStarted": {}}, {"ScenarioFinished": {"recorder": recorder}}]
    report = tmp_path / "report.ndjson"
    report.write_text("\n".join(map(json.dumps, events)))
    tally = Tally()

    tally.take_report(report, {("/v1/ping/", "GET"): "ping"})

    assert tally.over_socket == {Pair("ping", 200): 1, Pair("ping", 401): 1}
    assert tally.checks == 3
