"""Bugs in the clients' ledgers, and in the conversion between types, schemas and results."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_SPEC = "facade/mem0_exports/exports/spec.py"
_RESUME = "facade/mem0_exports/exports/resume.py"
_FILE = "facade/mem0_exports/exports/ledger_file.py"
_FLOWS = "facade/mem0_exports/exports/flows.py"
_LEDGER = "facade/mem0_exports/exports/ledger.py"
_SCHEMAS = "facade/mem0_exports/schemas/schema.py"
_TYPES = "facade/mem0_exports/schemas/describe.py"

MUTANTS: Final = (
    Mutant(
        "ledger.unknown-as-open",
        _FILE,
        "UPDATE exports SET state = 'unknown', lost_answers = lost_answers + 1 WHERE state = 'asking'",
        "UPDATE exports SET state = 'open' WHERE state = 'asking'",
        "after a crash an export is requested twice",
    ),
    Mutant(
        "ledger.id-not-recorded",
        _RESUME,
        "yield from _record(partial(entry.created, ref.id))",
        "entry.leave()",
        "the id of a created job is not recorded",
    ),
    Mutant(
        "ledger.instructions-ignored",
        _SPEC,
        "for name, value in self._asdict().items() if value is not None}",
        "for name, value in self._asdict().items() if value is not None and name != 'instructions'}",
        "an export with other instructions gets the old result",
    ),
    Mutant(
        "ledger.expired-waited-for",
        _LEDGER,
        '(state == "pending" and now < expires_at)',
        '(state == "pending")',
        "every run waits for an export that the service has deleted",
    ),
    Mutant(
        "ledger.another-key-accepted",
        _LEDGER,
        "if row is None or (row[0] != self._account and self._ledger.new_key):",
        "if row is None or row[0] != self._account:",
        "one account gets the results of another",
    ),
    Mutant(
        "schemas.alias-lost",
        _TYPES,
        "schema = adapter.json_schema(schema_generator=_Compact)",
        "schema = adapter.json_schema(by_alias=False, schema_generator=_Compact)",
        "the service fills fields that the model does not read",
    ),
    Mutant(
        "schemas.notice-kept",
        _SCHEMAS,
        "            data.pop(NOTICE, None)\n",
        "            pass\n",
        "the notice of the service is in the result, or makes it invalid",
    ),
    Mutant(
        "schemas.strict-as-lax",
        _SCHEMAS,
        'strict=True if self._validate == "strict" else None',
        "strict=None",
        "strict validation converts values",
    ),
    Mutant(
        "schemas.root-not-unwrapped",
        _SCHEMAS,
        'return cast("T", getattr(value, WRAPPED) if self._wrapped else value)',
        'return cast("T", value)',
        "the result of list[Row] is an object with items",
    ),
    Mutant(
        "schemas.dict-not-validated",
        _SCHEMAS,
        "        if errors:\n            raise ExportInvalid(export_id, data=data, errors=errors)",
        "        if len(errors) > 1:\n            raise ExportInvalid(export_id, data=data, errors=errors)",
        "a result that does not match its JSON Schema is returned",
    ),
)
