"""Test the structure of the code: which module may import which. CONTRIBUTING.md explains the layout."""

from __future__ import annotations

import ast

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest


ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "mem0_exports_api": ROOT / "generated" / "mem0_exports_api",
    "mem0_exports": ROOT / "facade" / "mem0_exports",
    "mem0_exports_engine": ROOT / "engine" / "mem0_exports_engine",
    "mem0_exports_cli": ROOT / "cli" / "mem0_exports_cli",
}
"""From the lowest to the highest: each may import those before it."""
HANDWRITTEN = [*PACKAGES][1:]


class Import(NamedTuple):
    """An import: the importing module, the imported name, and the functions and classes around it."""

    module: str
    name: str
    inside: tuple[str, ...]


def modules() -> dict[str, ast.Module]:
    found = {}
    for package in HANDWRITTEN:
        for path in PACKAGES[package].rglob("*.py"):
            parts = path.relative_to(PACKAGES[package].parent).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imports(module: str) -> Iterator[Import]:
    """Yield all imports of a module, including those for type checkers and those inside functions."""

    def walk(node: ast.AST, inside: tuple[str, ...]) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(module, alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{module} has a relative import"
                for alias in child.names:
                    whole = f"{child.module}.{alias.name}"
                    yield Import(module, whole if whole in MODULES else str(child.module), inside)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from walk(child, (*inside, child.name))
            else:
                yield from walk(child, inside)

    yield from walk(MODULES[module], ())


IMPORTS = [each for module in MODULES for each in imports(module)]


def is_in(name: str, *places: str) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def package_of(name: str) -> str:
    return name.partition(".")[0]


def levels(edges: dict[str, set[str]]) -> dict[str, int]:
    """Return the level of each node: 1 + the highest level of the nodes that it imports. Fails if there is a cycle."""
    found: dict[str, int] = {}
    path: list[str] = []

    def level(node: str) -> int:
        assert node not in path, f"an import cycle: {' -> '.join([*path[path.index(node) :], node])}"
        if node not in found:
            path.append(node)
            found[node] = 1 + max((level(other) for other in sorted(edges.get(node, ()))), default=0)
            path.pop()
        return found[node]

    for node in sorted(edges):
        level(node)
    return found


def test_there_are_no_import_cycles():
    edges = {module: set() for module in MODULES}
    for each in IMPORTS:
        if each.name in MODULES:
            edges[each.module].add(each.name)

    levels(edges)


@pytest.mark.parametrize("package", HANDWRITTEN)
def test_the_folders_of_a_package_have_at_most_six_levels(package):
    def folder(name: str) -> str:
        return ".".join(name.split(".")[:2])

    edges: dict[str, set[str]] = {}
    for each in IMPORTS:
        # The package itself loads its public modules only on first use.
        if package_of(each.module) == package_of(each.name) == package and each.module != package:
            ends = folder(each.module), folder(each.name)
            if ends[0] != ends[1]:
                edges.setdefault(ends[0], set()).add(ends[1])

    assert max(levels(edges).values()) <= 6


def test_packages_import_downwards_except_for_local_clients():
    order = [*PACKAGES]
    upwards = {
        (each.module, each.name, each.inside)
        for each in IMPORTS
        if package_of(each.name) in PACKAGES
        and order.index(package_of(each.name)) > order.index(package_of(each.module))
    }

    assert upwards == {
        ("mem0_exports.client_parts", "mem0_exports_engine.transport", ("local_transport",)),
        ("mem0_exports.__main__", "mem0_exports_cli.main", ()),
    }


ONLY_IN = {
    "mem0_exports_api": (
        "mem0_exports.http.operations",
        "mem0_exports.http.export_operations",
        "mem0_exports.http.fields",
    ),
    "httpx": ("mem0_exports.http", "mem0_exports_engine.extract.llm.endpoint"),
    "httpcore": ("mem0_exports.deadlines",),
    "psycopg": ("mem0_exports_engine.sources",),
    "sqlite3": (
        "mem0_exports_engine.store",
        "mem0_exports_engine.sources.files",
        "mem0_exports_engine.importing.seen",
        "mem0_exports.exports.ledger",
        "mem0_exports.exports.ledger_file",
        "mem0_exports.sqlite_files",
    ),
    "starlette": ("mem0_exports_engine.server",),
    "uvicorn": ("mem0_exports_engine.server",),
    "click": ("mem0_exports_cli",),
    "rich": ("mem0_exports_cli",),
    "pyarrow": ("mem0_exports.output",),
    "pandas": ("mem0_exports.output",),
    "polars": ("mem0_exports.output",),
}
"""Packages, and the only modules that may import them, so that each package can be replaced in one place."""

NEVER = [
    ("mem0_exports.http", "mem0_exports.filters", "sending a request must not depend on the filters in it"),
    ("mem0_exports.http", "mem0_exports.schemas", "sending a request must not depend on the type of its result"),
    ("mem0_exports.schemas", "mem0_exports.http", "a schema must not depend on how it is sent"),
    ("mem0_exports_engine.extract", "mem0_exports_engine.store", "they meet in ports"),
    ("mem0_exports_engine.extract", "mem0_exports_engine.workers", "they meet in ports"),
    ("mem0_exports_engine.store", "mem0_exports_engine.extract", "they meet in ports"),
    ("mem0_exports_engine.store", "mem0_exports_engine.workers", "they meet in ports"),
    ("mem0_exports_engine.workers", "mem0_exports_engine.extract", "they meet in ports"),
    ("mem0_exports_engine.workers", "mem0_exports_engine.store", "they meet in ports"),
    ("mem0_exports_engine.operations", "mem0_exports_engine.engine", "handlers use a Service"),
]

USED_BY_THE_ENGINE = (
    "api_key",
    "deadlines",
    "errors",
    "facts",
    "filters",
    "llm",
    "schemas",
    "sqlite_files",
    "strict_json",
)
"""What the engine may use of the client: syntax and facts, but nothing that sends requests to it. `deadlines` is also for requests to a language model."""


@pytest.mark.parametrize("name", ONLY_IN)
def test_a_package_is_imported_only_by_the_allowed_modules(name):
    importers = {each.module for each in IMPORTS if is_in(each.name, name)}

    assert importers, f"nothing imports {name}: remove it from ONLY_IN"
    assert {module for module in importers if not is_in(module, *ONLY_IN[name])} == set()


@pytest.mark.parametrize(("importer", "imported", "why"), NEVER)
def test_no_forbidden_imports(importer, imported, why):
    assert any(is_in(module, importer) for module in MODULES)
    assert any(is_in(module, imported) for module in MODULES)
    assert [each for each in IMPORTS if is_in(each.module, importer) and is_in(each.name, imported)] == [], why


def test_the_engine_uses_only_a_few_modules_of_the_client():
    used = {
        each.name.split(".")[1] if "." in each.name else f"from {each.module}"
        for each in IMPORTS
        if package_of(each.module) == "mem0_exports_engine" and package_of(each.name) == "mem0_exports"
    }

    assert used <= {*USED_BY_THE_ENGINE}


def test_strings_do_not_evade_the_import_rules():
    """A module can also be imported by a name in a string, or with import_module."""
    named = set()
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                above = [*PACKAGES][[*PACKAGES].index(package_of(module)) + 1 :]
                if is_in(node.value, "mem0_exports_api", *above):
                    named.add((module, node.value))
            elif isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if name in {"import_module", "__import__"}:
                    named.add((module, name))

    assert named == {
        ("mem0_exports_engine.read_spec", "mem0_exports_api"),  # only its openapi.json, no code
        ("mem0_exports", "import_module"),  # loads the public names on first use
        ("mem0_exports_cli.schema_argument", "import_module"),  # loads the user's own module
    }


def test_nothing_imports_from_a_test_file():
    """What several test files need belongs in tests/support, or in a module beside them that is not a test."""
    importers = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if name.startswith("tests.") and name.rpartition(".")[2].startswith("test_"):
                importers.add((path.relative_to(ROOT).as_posix(), name))

    assert importers == set()


def test_module_names_have_no_leading_underscore():
    private = {module for module in MODULES if module.rpartition(".")[2].startswith("_")}

    assert private == {"mem0_exports._version", "mem0_exports.__main__"}


def test_modules_have_at_most_400_lines():
    """A longer module usually has two jobs."""
    sizes = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for package in HANDWRITTEN
        for path in PACKAGES[package].rglob("*.py")
    }

    assert {path: size for path, size in sizes.items() if size > 400} == {}


def runtime_imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the modules that these statements import when they run: not in functions, nor for type checkers."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from runtime_imports(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from runtime_imports(ast.iter_child_nodes(node))


def test_folders_import_no_code_in_their_init():
    """`import mem0_exports.http` must cost no more than `import mem0_exports`."""
    loaded = {
        (module, name)
        for module, tree in MODULES.items()
        if PACKAGES[package_of(module)].parent.joinpath(*module.split(".")).is_dir()
        and package_of(module) in {"mem0_exports", "mem0_exports_engine"}
        for name in runtime_imports(tree.body)
        if name not in {"__future__", "typing"}
    }

    assert loaded == set()
