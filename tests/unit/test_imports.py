"""What importing loads. Times are measured by `make bench`; what they come from is held here."""

from __future__ import annotations

import subprocess
import sys

from pathlib import Path

import pytest

import mem0_exports
import mem0_exports_api


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
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


def test_entering_an_async_client_loads_what_first_requests_would_load():
    loaded = loaded_by(
        "import anyio\nfrom mem0_exports import AsyncClient\n"
        "async def enter():\n    async with AsyncClient('key'): pass\n"
        "anyio.run(enter)"
    )

    generated = {
        f"mem0_exports_api.api.{path.parent.name}.{path.stem}"
        for path in Path(mem0_exports_api.__file__).parent.glob("api/*/*.py")
        if path.stem != "__init__"
    }
    assert len(generated) == 6
    assert {*generated, "mem0_exports.models", "mem0_exports.filters.check", "dateutil.parser", "pydantic"} <= loaded


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
