"""What importing loads. Times are measured by `make bench`; what they come from is held here."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mem0_exports


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()} | set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_by("import mem0_exports")

    assert not loaded & {"httpx", "pydantic", "asyncio", "sqlite3", "attrs", "typing", "mem0_exports_api", "sqlalchemy"}


def test_importing_the_client_loads_neither_models_nor_engine_nor_pydantic():
    loaded = loaded_by("from mem0_exports import Client, F")

    assert "httpx" in loaded
    assert not loaded & {
        "pydantic",
        "asyncio",
        "sqlite3",
        "mem0_exports_api",
        "sqlalchemy",
        "jsonschema_rs",
        "dateutil",
    }


def test_preparing_loads_what_first_requests_would_load():
    loaded = loaded_by("from mem0_exports.http import operations; operations.prepare()")

    assert {"mem0_exports_api", "mem0_exports.models", "mem0_exports.filters.parse", "dateutil", "pydantic"} <= loaded


def test_the_public_names_are_these():
    assert set(mem0_exports.__all__) == {
        "Account",
        "AddedMemory",
        "AsyncClient",
        "AsyncExport",
        "BadRequest",
        "Client",
        "ConfigurationError",
        "ConnectionFailed",
        "ContractViolation",
        "Entity",
        "Export",
        "ExportFailed",
        "ExportInvalid",
        "ExportOutcome",
        "ExportProgress",
        "ExportRequest",
        "ExportTimeout",
        "F",
        "Filter",
        "FilterError",
        "FilterRules",
        "FilterWarning",
        "Forbidden",
        "From",
        "InputError",
        "Ledger",
        "LedgerEntry",
        "LedgerError",
        "Mem0ExportsError",
        "Memory",
        "NoAnswer",
        "NotFound",
        "OutcomeUnknown",
        "RateLimited",
        "RequestTimeout",
        "Retry",
        "Schema",
        "SchemaError",
        "ServerError",
        "StatusError",
        "Unauthorized",
        "__version__",
        "all_of",
        "any_of",
    }


def test_every_public_name_loads_and_no_other_does():
    for name in mem0_exports.__all__:
        assert getattr(mem0_exports, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        mem0_exports.nothing
