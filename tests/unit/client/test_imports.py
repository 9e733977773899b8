"""Test which modules an import loads. `make bench` measures the times; this tests their cause."""

from __future__ import annotations

import ast
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


def test_importing_the_package_loads_no_heavy_module():
    loaded = loaded_by("import mem0_exports")

    assert not loaded & {"httpx", "pydantic", "asyncio", "sqlite3", "attrs", "typing", "mem0_exports_api"}


def test_importing_the_client_loads_neither_httpx_nor_models_nor_engine_nor_pydantic():
    loaded = loaded_by("from mem0_exports import Client, F")

    assert not loaded & {
        "httpx",
        "pydantic",
        "asyncio",
        "sqlite3",
        "mem0_exports_api",
        "jsonschema_rs",
        "dateutil",
    }


def test_entering_an_async_client_loads_the_modules_of_its_first_requests():
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
    assert generated
    assert {*generated, "mem0_exports.models", "mem0_exports.filters.check", "dateutil.parser", "pydantic"} <= loaded


def test_public_names_are_the_same_for_users_type_checkers_and_the_api_file():
    """`__init__` lists them for the import and for type checkers; the API file lists those of the last release."""
    source = ast.parse(Path(mem0_exports.__file__).read_text(encoding="utf-8"))
    block = next(
        node for node in source.body if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    )
    for_type_checkers = {
        alias.name: node.module.removeprefix("mem0_exports.") for node in block.body for alias in node.names
    }
    api = (Path(__file__).resolve().parents[3] / "api" / "mem0_exports.pyi").read_text(encoding="utf-8")
    released = ast.literal_eval(api.partition("EXPORTED = ")[2].partition("]")[0] + "]")

    assert for_type_checkers == mem0_exports._HOME_OF
    assert sorted(mem0_exports._HOME_OF) == sorted(mem0_exports.__all__)
    assert {*released} <= {*mem0_exports.__all__}


def test_every_public_name_can_be_imported_and_others_cannot():
    for name in mem0_exports.__all__:
        assert getattr(mem0_exports, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        mem0_exports.nothing
