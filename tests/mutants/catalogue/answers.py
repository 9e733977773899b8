"""The engine: statuses, fields, pages and limits."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_REFUSALS = "engine/mem0_exports_engine/refusals.py"
_ENGINE = "engine/mem0_exports_engine/engine.py"
_MEMORIES = "engine/mem0_exports_engine/store/sqlite/memories.py"
_OPERATIONS = "engine/mem0_exports_engine/operations.py"

MUTANTS: Final = (
    Mutant(
        "answers.create-says-200",
        _OPERATIONS,
        'Outcome(201, {"message": message, "id": export_id})',
        'Outcome(200, {"message": message, "id": export_id})',
        "another status than the documented one",
    ),
    Mutant(
        "answers.failed-as-pending",
        _OPERATIONS,
        'return Outcome(404, {"error": _NOT_FOUND, "reason": export.reason})',
        'return Outcome(404, {"error": _NOT_FOUND})',
        "clients wait until their deadline for a job that has failed",
    ),
    Mutant(
        "answers.run-under-its-own-name",
        _OPERATIONS,
        '(RUN_ALIAS if name == "run_id" else name): value',
        "name: value",
        "lists lose the run of a memory",
    ),
    Mutant(
        "answers.metadata-lost",
        _OPERATIONS,
        'for name in (*ENTITY_FIELDS, "metadata", "expiration_date")',
        'for name in (*ENTITY_FIELDS, "expiration_date")',
        "what is known beside a text is not stored",
    ),
    Mutant(
        "answers.assistant-not-stored",
        _OPERATIONS,
        'if message["role"] != "system"',
        'if message["role"] == "user"',
        "half of a conversation is dropped",
    ),
    Mutant(
        "answers.scope-not-demanded",
        _OPERATIONS,
        "_paging(request)\n"
        '    filters = parse_filters(service.filter_rules, request.operation, body["filters"], scoped=True)',
        '_paging(request)\n    filters = parse_filters(service.filter_rules, request.operation, body["filters"])',
        "a list of everybody's memories",
    ),
    Mutant(
        "answers.conditions-not-counted",
        _REFUSALS,
        "MAX_CONDITIONS: Final = 400",
        "MAX_CONDITIONS: Final = 4000",
        "SQLite refuses the expression, and the answer is a 500",
    ),
    Mutant(
        "pages.one-too-many",
        _OPERATIONS,
        "last = max(1, -(-count // size))",
        "last = count // size + 1",
        "an empty last page where the items fill the pages exactly",
    ),
    Mutant(
        "pages.next-of-the-last",
        _OPERATIONS,
        "if number < last else None",
        "if number <= last else None",
        "whoever follows next meets a 404",
    ),
    Mutant(
        "pages.overlap",
        _OPERATIONS,
        "offset=(number - 1) * size,",
        "offset=max(0, (number - 1) * size - 1),",
        "the last memory of a page comes again on the next one",
    ),
    Mutant(
        "pages.entities-cut-short",
        _OPERATIONS,
        "results[first : first + size]",
        "results[first:size]",
        "every page of entities but the first one is empty",
    ),
    Mutant(
        "pages.count-of-the-store",
        _MEMORIES,
        "connection.scalar(_COUNT.where(selected)) or 0",
        "connection.scalar(_COUNT) or 0",
        "count is not that of the filters",
    ),
    Mutant(
        "pages.order-of-arrival",
        _MEMORIES,
        "_IN_ORDER: Final = (memories.c.created_us, memories.c.seq)",
        "_IN_ORDER: Final = (memories.c.seq,)",
        "imported memories are not in the order of their times, and the newest is not the last",
    ),
    Mutant(
        "limits.large-body-read",
        _ENGINE,
        "if len(body) > MAX_BYTES:  # `admit` sees only Content-Length",
        "if len(body) > 2 * MAX_BYTES:  # `admit` sees only Content-Length",
        "a body whose length nobody announced may be larger than any other",
    ),
    Mutant(
        "limits.media-type-not-checked",
        _ENGINE,
        'if media_type != "application/json":',
        'if media_type == "":',
        "a form is read as JSON",
    ),
)
