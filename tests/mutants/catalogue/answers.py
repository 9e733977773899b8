"""Bugs in the engine's answers: statuses, fields, pages and limits."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_LIMITS = "engine/mem0_exports_engine/limits.py"
_ENGINE = "engine/mem0_exports_engine/engine.py"
_MEMORIES = "engine/mem0_exports_engine/store/sqlite/memories.py"
_OPERATIONS = "engine/mem0_exports_engine/operations.py"

MUTANTS: Final = (
    Mutant(
        "answers.create-says-200",
        _OPERATIONS,
        'Outcome(201, {"message": message, "id": export_id}, _CAN_WAIT)',
        'Outcome(200, {"message": message, "id": export_id}, _CAN_WAIT)',
        "the status differs from the documented one",
    ),
    Mutant(
        "answers.failed-as-pending",
        _OPERATIONS,
        'return Outcome(404, {"error": _NOT_FOUND, "reason": export.reason}, _CAN_WAIT)',
        'return Outcome(404, {"error": _NOT_FOUND}, _CAN_WAIT)',
        "clients wait for a failed job until their deadline",
    ),
    Mutant(
        "answers.run-id-not-renamed",
        _OPERATIONS,
        '(RUN_ALIAS if name == "run_id" else name): value',
        "name: value",
        "listed memories have no session_id",
    ),
    Mutant(
        "answers.metadata-lost",
        _OPERATIONS,
        'for name in (*ENTITY_FIELDS, "metadata", "expiration_date")',
        'for name in (*ENTITY_FIELDS, "expiration_date")',
        "metadata are not stored",
    ),
    Mutant(
        "answers.assistant-not-stored",
        _OPERATIONS,
        'if message["role"] != "system"',
        'if message["role"] == "user"',
        "the assistant's messages are not stored",
    ),
    Mutant(
        "answers.scope-not-required",
        _OPERATIONS,
        "_paging(request)\n"
        '    filters = parse_filters(service.filter_rules, request.operation, body["filters"], scoped=True)',
        '_paging(request)\n    filters = parse_filters(service.filter_rules, request.operation, body["filters"])',
        "a list without an entity returns the memories of all users",
    ),
    Mutant(
        "answers.condition-limit-raised",
        _LIMITS,
        "MAX_CONDITIONS: Final = 400",
        "MAX_CONDITIONS: Final = 4000",
        "SQLite refuses the expression, so the answer is a 500",
    ),
    Mutant(
        "pages.one-too-many",
        _OPERATIONS,
        "last = max(1, -(-count // size))",
        "last = count // size + 1",
        "there is an empty last page if the items fill the pages exactly",
    ),
    Mutant(
        "pages.next-on-the-last-page",
        _OPERATIONS,
        "if number < last else None",
        "if number <= last else None",
        "the last page has a next, which leads to a 404",
    ),
    Mutant(
        "pages.overlap",
        _OPERATIONS,
        'show_expired=body.get("show_expired", False),\n            offset=(number - 1) * size,',
        'show_expired=body.get("show_expired", False),\n            offset=max(0, (number - 1) * size - 1),',
        "the last memory of a page is also on the next one",
    ),
    Mutant(
        "pages.change-not-noticed",
        "engine/mem0_exports_engine/store/sqlite/memories.py",
        '            if fresh or "updated" in outcomes:\n',
        "            if fresh:\n",
        "after an import that updates memories, lists have the old pages",
    ),
    Mutant(
        "pages.delete-not-noticed",
        "engine/mem0_exports_engine/store/sqlite/memories.py",
        "            if deleted:\n                changed(connection, project)\n",
        "",
        "after a memory was deleted, a list skips another one",
    ),
    Mutant(
        "pages.list-for-ever",
        "engine/mem0_exports_engine/store/sqlite/listings.py",
        "found is None or found.revision != revision",
        "found is None",
        "a list keeps its count and its places, whatever changes",
    ),
    Mutant(
        "pages.expired-at-midnight",
        "engine/mem0_exports_engine/store/sqlite/memories.py",
        "self._listings.of((project, name, today), revision)",
        "self._listings.of((project, name, today is None), revision)",
        "a memory that has expired is counted until another one changes",
    ),
    Mutant(
        "pages.stepped-over",
        "engine/mem0_exports_engine/store/sqlite/memories.py",
        "                listing.page_ended(Place(offset + len(keys), keys[-1]))\n",
        "                pass\n",
        "reading a list takes quadratic time",
    ),
    Mutant(
        "pages.spread-again",
        "engine/mem0_exports_engine/store/sqlite/memories.py",
        "    if listing.is_spread or count <= far:\n",
        "    if count <= far:\n",
        "each page of a very long list reads the whole list",
    ),
    Mutant(
        "pages.first-places-only",
        "engine/mem0_exports_engine/store/sqlite/listings.py",
        "                    self._recent.popitem(last=False)\n",
        "                    self._recent.popitem()\n",
        "after some pages, reading a list takes quadratic time",
    ),
    Mutant(
        "pages.large-keys-are-kept",
        "engine/mem0_exports_engine/store/sqlite/listings.py",
        "isinstance(part, str)) <= MAX_KEY",
        "isinstance(part, str)) >= 0",
        "lists of entities with long names take gigabytes",
    ),
    Mutant(
        "pages.no-statistics",
        "engine/mem0_exports_engine/store/sqlite/memories.py",
        '            connection.execute("ANALYZE memories")\n',
        "",
        "a filter with OR reads all memories",
    ),
    Mutant(
        "pages.entities-cut-short",
        "engine/mem0_exports_engine/store/sqlite/memories.py",
        "first = max(0, offset - sum(totals.values()))",
        "first = offset",
        "pages of entities lack some",
    ),
    Mutant(
        "pages.count-of-the-store",
        _MEMORIES,
        'connection.value(f"SELECT count(*) FROM memories WHERE {selected}", values)',
        'connection.value("SELECT count(*) FROM memories")',
        "count ignores the filters",
    ),
    Mutant(
        "pages.insertion-order",
        _MEMORIES,
        '_IN_ORDER: Final = "created_us, seq"',
        '_IN_ORDER: Final = "seq"',
        "imported memories are not ordered by time, so the last is not the newest",
    ),
    Mutant(
        "deletes.number-used-again",
        "engine/mem0_exports_engine/store/sqlite/tables.py",
        "PRIMARY KEY AUTOINCREMENT",
        "PRIMARY KEY",
        "a running export contains a new memory in the place of a deleted one",
    ),
    Mutant(
        "deletes.counted-in-exports",
        "engine/mem0_exports_engine/store/sqlite/batches.py",
        "None if unusable or count < self.size else",
        "None if unusable else",
        "a running export counts a memory that was deleted meanwhile",
    ),
    Mutant(
        "clients.delete-repeated",
        "facade/mem0_exports/http/operations.py",
        "models.DeletedMemory.from_dict, convert, writes=True)",
        "models.DeletedMemory.from_dict, convert)",
        "a delete whose answer was lost is sent again, and reports that there was no such memory",
    ),
    Mutant(
        "limits.body-limit-doubled",
        _ENGINE,
        "if len(body) > MAX_BYTES:  # `admit` sees only Content-Length",
        "if len(body) > 2 * MAX_BYTES:  # `admit` sees only Content-Length",
        "a body without Content-Length may exceed the limit",
    ),
    Mutant(
        "limits.media-type-not-checked",
        _ENGINE,
        'if media_type != "application/json":',
        'if media_type == "":',
        "bodies of other media types are read as JSON",
    ),
)
