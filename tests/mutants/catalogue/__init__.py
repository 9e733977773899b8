"""All planted bugs, in one module per area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.mutants.catalogue import (
    answers,
    clients,
    extraction,
    filters,
    jobs,
    keys_and_projects,
    ledgers_and_schemas,
    parameters,
    pulling,
    reading,
    reviews,
    shell,
    spec,
    spec_changes,
    values,
    waiting,
)


if TYPE_CHECKING:
    from tests.mutants.model import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *keys_and_projects.MUTANTS,
    *answers.MUTANTS,
    *filters.MUTANTS,
    *values.MUTANTS,
    *jobs.MUTANTS,
    *extraction.MUTANTS,
    *clients.MUTANTS,
    *ledgers_and_schemas.MUTANTS,
    *parameters.MUTANTS,
    *pulling.MUTANTS,
    *reading.MUTANTS,
    *reviews.MUTANTS,
    *waiting.MUTANTS,
    *shell.MUTANTS,
    *spec.MUTANTS,
    *spec_changes.MUTANTS,
)
