"""Which operations of openapi.yaml a run checks, and why not the others."""

from __future__ import annotations

from typing import Any, Final

from tests.contract.deployment.session import Session


READING: Final = frozenset({"memories_list", "exports_get"})
"""Operations that only read although their method is POST."""

UNCHECKED: Final[dict[str, str]] = {}
"""Operations that no check of this suite uses, with the reason for each."""

NO_CHECK: Final = "no check uses it: add one to reads.py or writes.py, or a reason to UNCHECKED in coverage.py"


def raw_operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the operations of a spec by their ids, as the spec has them."""
    return {
        operation["operationId"]: operation
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict) and "operationId" in operation
    }


def engine_only(document: dict[str, Any]) -> set[str]:
    """Return the operations that only the embedded engine has."""
    return {name for name, each in raw_operations(document).items() if each.get("x-engine-only") is True}


def only_reads(session: Session, operation_id: str) -> bool:
    """Return whether any request of this operation, valid or not, changes nothing."""
    return session.operations[operation_id].method == "GET" or operation_id in READING


def not_checked(document: dict[str, Any], session: Session, *, write: bool, ended: bool) -> list[tuple[str, str]]:
    """Return the operations that the run did not check, each with the reason.

    `write` says whether the run wrote, `ended` whether it came to its end.
    """
    checked = {check.operation for check in session.checks.values()}
    reasons: list[tuple[str, str]] = []
    for name in raw_operations(document):
        if name in checked:
            continue
        if name not in session.operations:
            reason = "only the embedded engine has it (x-engine-only): --engine checks it"
        elif not ended:
            reason = "the run ended before"
        elif name in UNCHECKED:
            reason = UNCHECKED[name]
        elif not write and session.operations[name].method != "GET":
            reason = "it changes something: --write checks it"
        else:
            reason = NO_CHECK
        reasons.append((name, reason))
    return reasons
