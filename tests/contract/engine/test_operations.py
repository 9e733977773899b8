"""Every operation of the spec against the embedded engine: examples, edges, and random requests, good and bad.

The engine has to answer with a documented status, a body of the documented shape, a refusal where the request or the
key is bad, and no refusal where both are good.
"""

from __future__ import annotations

from tests.contract.engine.budget import limits
from tests.contract.engine.service import schema


@schema.parametrize()  # with the seed of the schema's configuration
@limits(60)
def test_each_operation_keeps_the_contract(case):
    case.call_and_validate()
