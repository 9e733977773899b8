"""Test every operation of the embedded engine with examples, edge cases, and random valid and invalid requests.

The engine must answer with a documented status and a body that matches its schema. It must refuse invalid requests and
keys, and accept valid ones.
"""

from __future__ import annotations

from tests.contract.engine.budget import run_settings
from tests.contract.engine.service import schema


@schema.parametrize()  # uses the seed of the schema's configuration
@run_settings(60)
def test_answers_match_the_spec(case):
    case.call_and_validate()
