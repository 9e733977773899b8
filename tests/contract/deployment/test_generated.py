"""The generated requests: the same for the same seed, harmless, and judged by the spec."""

from __future__ import annotations

import json

from urllib.parse import parse_qsl

import pytest

from tests.contract.deployment import command, generated, reads
from tests.contract.deployment.altered import Answer, altered
from tests.contract.deployment.running import KEY, run, summary
from tests.contract.deployment.session import Session
from tests.contract.deployment.values import ID_FIELDS
from tests.support.spec import load, problem


@pytest.fixture
def session():
    made = Session(load(), "http://127.0.0.1:1", KEY, rate=1000, timeout=1, most=0)
    yield made
    made.close()


def sent(app):
    return [(request.method, request.path, request.query, request.body) for request in app.requests]


def unchanged(request, answer):
    return answer


def test_the_same_seed_sends_the_same_requests_in_every_process(store):
    with altered(store, KEY, unchanged) as (url, app):
        runs = []
        for seed, hash_seed in ((7, "1"), (7, "2"), (8, "1")):
            app.requests.clear()
            code, printed = run(url, "--seed", str(seed), PYTHONHASHSEED=hash_seed)
            assert (code, summary(printed)[-1]) == (0, seed), printed
            assert f"seed   {seed}, which draws {generated.USUAL} of the requests" in printed
            runs.append(sent(app))

    first, again, other = runs
    assert first == again
    assert first != other
    assert len(first) > generated.USUAL


def names(body):
    """Return the ids of entities in a body, operators included."""
    if isinstance(body, list):
        return [name for each in body for name in names(each)]
    if not isinstance(body, dict):
        return []
    found = [name for key, each in body.items() if key not in ID_FIELDS for name in names(each)]
    return found + [json.dumps(each) for key, each in body.items() if key in ID_FIELDS]


def test_the_cases_are_spread_over_operations_and_kinds_and_select_nothing_that_exists(session):
    cases = generated.draw(session, 5, 120)

    assert len(cases) == 120
    kinds = {case.name.rpartition("-")[0] for case in cases}
    assert kinds == {"generated.memories-get-valid", "generated.exports-report-valid"} | {
        f"generated.{operation}-{kind}"
        for operation in ("entities-list", "exports-list", "memories-list", "exports-get")
        for kind in ("valid", "invalid")
    }
    with_filters = [case for case in cases if isinstance(case.body, dict) and "filters" in case.body]
    assert len(with_filters) > 40
    for case in with_filters:
        user = case.body["filters"]["AND"][0]["user_id"]
        assert user.startswith("mem0-exports-contract-unknown-"), case
        assert [key for key in case.body["filters"] if key != "AND"] in ([], ["no_such_field"]), case
        # What is no longer an id of the right type is refused; every other one starts with the unknown name.
        assert all(user in name or "mem0" not in name for name in names(case.body)), case
        if "-valid-" in case.name:
            assert all(user in name for name in names(case.body)), case


def test_the_spec_decides_which_cases_are_valid(session):
    for case in generated.draw(session, 6, 60):
        operation = session.operations[case.operation]
        body_is_valid = operation.request is None or problem(operation.request, case.body) is None
        if "-valid-" in case.name:
            assert body_is_valid, case
            assert 400 not in case.expected
        else:
            assert case.expected == {400}
            assert not body_is_valid or case.query, case


def test_more_requests_are_generated_if_more_are_allowed(store, capsys):
    with altered(store, KEY, unchanged) as (url, app):
        code = command.main(["--url", url, "--rate", "1000", "--max-requests", str(reads.MOST + 60)])
        printed = capsys.readouterr().out

    assert code == 0, printed
    assert "which draws 60 of the requests" in printed
    assert len(app.requests) <= reads.MOST + 60
    assert len(app.requests) == summary(printed)[3] > reads.MOST + 50


def invalid_paging_is_ignored(request, answer):
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    ignored = request.path == "/v1/entities/" and answer.status == 400 and query.get("page_size") == "null"
    return Answer(200, {"count": 0, "next": None, "previous": None, "results": []}) if ignored else answer


def filters_by_content_are_ignored(request, answer):
    content = any(field in request.body for field in (b'"categories"', b'"keywords"', b'"metadata"'))
    if request.path != "/v3/memories/" or answer.status != 200 or not content:
        return answer
    return Answer(200, {**answer.body, "count": 8})


def some_times_fail(request, answer):
    return Answer(500, {"error": "x"}) if b'"in": [' in request.body and answer.status == 404 else answer


@pytest.mark.parametrize(
    ("alter", "check", "kind"),
    [
        (invalid_paging_is_ignored, "generated.entities-list-invalid-", "status"),
        (filters_by_content_are_ignored, "generated.memories-list-valid-", "results"),
        (some_times_fail, "generated.exports-get-valid-", "status"),
    ],
    ids=["invalid paging is accepted", "a filter is ignored", "some filters cause a 500"],
)
def test_generated_requests_find_what_the_fixed_ones_do_not(store, capsys, alter, check, kind):
    with altered(store, KEY, alter) as (url, _):
        code = command.main(["--url", url, "--rate", "1000", "--max-requests", str(reads.MOST + 90)])
        printed = capsys.readouterr().out

    assert code == 1, printed
    found = [line for line in printed.splitlines() if line.startswith(check)]
    assert found
    assert all(line.endswith(f":{kind}") for line in found)
    fixed = ("ping.", "entities.", "memories.", "exports.", "add.")
    assert not [line for line in printed.splitlines() if line.startswith(fixed) and ":" in line], printed
    assert KEY not in printed


@pytest.mark.parametrize("most", [reads.MOST - 1, command.MOST + 1])
def test_a_number_of_requests_out_of_range_is_refused(capsys, most):
    assert command.main(["--url", "http://127.0.0.1:1", "--max-requests", str(most)]) == 2

    assert (
        f"--max-requests must be at least {reads.MOST} and at most {command.MOST}, got {most}"
        in capsys.readouterr().out
    )
