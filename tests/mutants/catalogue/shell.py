"""Planted bugs in the command line, the import of files, and the output."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_CLI: Final = "cli/mem0_exports_cli"
_IMPORTING: Final = "engine/mem0_exports_engine/importing"
_OUTPUT: Final = "facade/mem0_exports/output"

MUTANTS: Final = [
    Mutant(
        "shell.where-reaches-the-interpreter",
        f"{_CLI}/where.py",
        'if name.startswith("_") or not (owner is F or is_field) or not hasattr(owner, name):',
        "if not hasattr(owner, name):",
        "a filter can run any code",
    ),
    Mutant(
        "shell.timeout-is-a-failure",
        f"{_CLI}/exit_codes.py",
        "((errors.ExportTimeout, errors.RequestTimeout), TIMEOUT),",
        "",
        "a script cannot tell an export that is not ready from one that has failed",
    ),
    Mutant(
        "shell.local-create-is-abandoned",
        f"{_CLI}/exports.py",
        "            _let_it_finish(client, export.id)\n",
        "            pass\n",
        "an export of a store is never made, because the process that could make it ends",
    ),
    Mutant(
        "shell.misspelt-store-is-created",
        f"{_CLI}/connection.py",
        "            check_store(self.store)\n",
        "",
        "a misspelt path makes a new, empty store",
    ),
    Mutant(
        "shell.partial-import-is-done",
        f"{_CLI}/transfer.py",
        "    if not result.bad_count:\n        return exit_codes.DONE\n",
        "    return exit_codes.DONE\n",
        "a script does not notice that lines were rejected",
    ),
    Mutant(
        "shell.dry-run-writes",
        f"{_CLI}/transfer.py",
        "target = stack.enter_context(copy_of(connection.store)) if dry_run else connection.store",
        "target = connection.store",
        "a dry run changes the store",
    ),
    Mutant(
        "shell.sending-forgets-the-owner",
        f"{_CLI}/sending.py",
        'for name in (*ENTITY_FIELDS, "metadata")',
        'for name in (*ENTITY_FIELDS[:3], "metadata")',
        "the run of a memory is not sent",
    ),
    Mutant(
        "importing.deleted-memories-come-back",
        f"{_IMPORTING}/openmemory.py",
        'elif each.record.get("state") == "deleted":',
        'elif each.record.get("state") == "forgotten":',
        "memories that were deleted in OpenMemory are imported",
    ),
    Mutant(
        "importing.unknown-fields-are-lost",
        f"{_IMPORTING}/records.py",
        "elif name not in _DERIVED and value is not None:",
        "elif name in _TEXTS:",
        "fields that a memory has no place for are dropped without a word",
    ),
    Mutant(
        "importing.bom-in-the-middle",
        f"{_IMPORTING}/sources.py",
        "        line = raw.removeprefix(_BOM)\n",
        "        line = raw.removeprefix(_BOM) if number == 1 else raw\n",
        "files that were joined lose a record at each seam",
    ),
    Mutant(
        "importing.cut-off-document-is-whole",
        f"{_IMPORTING}/sources.py",
        "        if self._depth:\n            yield None\n        elif",
        "        if",
        "a document that was cut off while it was copied looks complete",
    ),
    Mutant(
        "importing.expired-memories-are-not-dumped",
        "engine/mem0_exports_engine/store/sqlite/memories.py",
        "WHERE project = ? AND seq > ? AND seq <= ? ",
        "WHERE project = ? AND expires_us IS NULL AND seq > ? AND seq <= ? ",
        "a dump leaves out expired memories",
    ),
    Mutant(
        "output.formulas",
        f"{_OUTPUT}/text.py",
        'return f"\'{text}" if text.startswith(_FORMULA) else text',
        "return text",
        "a memory can run a command in the spreadsheet of whoever opens the CSV",
    ),
    Mutant(
        "output.columns-of-the-first-row",
        f"{_OUTPUT}/table.py",
        "self.kinds = {**declared, **{name: kind for name, kind in found.items() if name not in declared}}",
        "self.kinds = declared or dict.fromkeys(row_of(first), next(iter(found.values())))",
        "columns that the first row lacks are lost",
    ),
    Mutant(
        "output.replaced-before-it-is-whole",
        f"{_OUTPUT}/save.py",
        '    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")\n    os.close(handle)\n',
        "    name = str(target)\n",
        "a failure destroys the file of an earlier run",
    ),
]
