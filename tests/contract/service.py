"""The spec, loaded by schemathesis and pointed at an embedded engine in this process, and a count of what it answered."""

from __future__ import annotations

import os

from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis

from hypothesis import HealthCheck, settings

from mem0_exports.local.app import build
from mem0_exports.local.engine import Engine


ROOT = Path(__file__).resolve().parents[2]
API_KEY = "contract-key"  # also in schemathesis.toml

# The same cases in every run: a red build is to be the change's fault. `make contract SEED=...` draws others.
LIMITED = settings(
    deadline=None, derandomize="SEED" not in os.environ, database=None, suppress_health_check=list(HealthCheck)
)

engine = Engine(":memory:", api_key=API_KEY)
schema = schemathesis.openapi.from_path(
    ROOT / "openapi.yaml", config=schemathesis.Config.from_path(Path(__file__).with_name("schemathesis.toml"))
)
schema.app = build(engine)

seen: Counter[tuple[str, int]] = Counter()
"""How often each operation answered with each status."""


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    seen[case.operation.definition.raw["operationId"], response.status_code] += 1


def documented() -> set[tuple[str, int]]:
    """Every operation with every status that the spec gives it."""
    return {
        (operation["operationId"], int(status))
        for path in schema.raw_schema["paths"].values()
        for operation in path.values()
        for status in operation["responses"]
    }


def operation(operation_id: str) -> Any:
    """The operation of the spec, to make cases of one's own."""
    return next(
        each.ok() for each in schema.get_all_operations() if each.ok().definition.raw["operationId"] == operation_id
    )
