"""Bugs in what the client says about exports that found nothing, or from which records were left out."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_REVIEW = "facade/mem0_exports/exports/review.py"
_EMPTINESS = "facade/mem0_exports/schemas/emptiness.py"
_BULK = "facade/mem0_exports/exports/bulk.py"
_LISTS = "engine/mem0_exports_engine/extract/offline/record_lists.py"

MUTANTS: Final = (
    Mutant(
        "reviews.records-left-out-unsaid",
        _REVIEW,
        "is_complete = not is_empty and not received.left_out",
        "is_complete = not is_empty",
        "records are left out of an export without a warning",
    ),
    Mutant(
        "reviews.asks-every-service",
        _REVIEW,
        "    if received.left_out is not None:\n",
        "    if True:\n",
        "Mem0's Platform is asked for a report that it does not have",
    ),
    Mutant(
        "reviews.strict-ignored",
        _REVIEW,
        "    if checks.strict:\n",
        "    if False:\n",
        "strict=True only warns",
    ),
    Mutant(
        "reviews.defaults-are-values",
        _EMPTINESS,
        '("default", "const")',
        '("const",)',
        "an export with nothing but defaults looks like a success",
    ),
    Mutant(
        "reviews.count-is-a-value",
        _EMPTINESS,
        "if name not in counts",
        "if True",
        "an export that found nothing but the number of memories looks like a success",
    ),
    Mutant(
        "reviews.bulk-warns-of-one",
        _BULK,
        "            self._warned += 1\n",
        "            self._warned = 1\n",
        "the warning of run_many has a wrong number of exports",
    ),
    Mutant(
        "reviews.unrelated-memory-counted",
        _LISTS,
        "        self.left_out += made.is_about\n",
        "        self.left_out += 1\n",
        "a memory that is about something else counts as a record that was left out",
    ),
)
