"""Every operation of the spec against the embedded engine: examples, edges, and random requests, good and bad.

The engine has to answer with a documented status, a body of the documented shape, a refusal where the request or the
key is bad, and no refusal where both are good.
"""

from __future__ import annotations

import pytest

from hypothesis import settings

from tests.contract.service import LIMITED, documented, schema, seen


@schema.parametrize()
@settings(LIMITED, max_examples=60)
def test_each_operation_keeps_the_contract(case):
    case.call_and_validate()


def test_the_run_saw_every_documented_operation_and_status(request):
    ran = {item.originalname for item in request.session.items}
    if "test_each_operation_keeps_the_contract" not in ran:
        pytest.fail("this gate counts what the whole module did: run the file, not this test alone")

    missing = sorted(documented() - seen.keys())

    assert missing == [], f"never seen: {missing}; seen: {dict(seen)}"


def test_the_run_saw_no_undocumented_status():
    # 405 is HTTP's answer to a method that the path does not have, of which the spec need not speak.
    assert {pair for pair in seen if pair[1] != 405} <= documented()
