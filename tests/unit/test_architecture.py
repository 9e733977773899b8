"""The structure of the code: which module may import which. CONTRIBUTING.md and the notes below say why."""

from __future__ import annotations

import ast

from collections.abc import Iterator
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
"""From the bottom to the top: each may import those before it."""
WRITTEN_BY_HAND = [*PACKAGES][1:]


class Import(NamedTuple):
    """An import: from which module, of what, and in which functions and classes it stands."""

    module: str
    name: str
    inside: tuple[str, ...]


def modules() -> dict[str, ast.Module]:
    found = {}
    for package in WRITTEN_BY_HAND:
        for path in PACKAGES[package].rglob("*.py"):
            parts = path.relative_to(PACKAGES[package].parent).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imports(module: str) -> Iterator[Import]:
    """All imports of a module, those for type checkers and those inside functions included."""

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


def floors(arrows: dict[str, set[str]]) -> dict[str, int]:
    """On which floor each node stands: above all that it points to. Fails where arrows go round in a circle."""
    found: dict[str, int] = {}
    under_way: list[str] = []

    def floor(node: str) -> int:
        assert node not in under_way, f"a circle: {' -> '.join([*under_way[under_way.index(node) :], node])}"
        if node not in found:
            under_way.append(node)
            found[node] = 1 + max((floor(other) for other in sorted(arrows.get(node, ()))), default=0)
            under_way.pop()
        return found[node]

    for node in sorted(arrows):
        floor(node)
    return found


def test_no_modules_import_each_other_in_a_circle():
    arrows = {module: set() for module in MODULES}
    for each in IMPORTS:
        if each.name in MODULES:
            arrows[each.module].add(each.name)

    floors(arrows)


@pytest.mark.parametrize("package", WRITTEN_BY_HAND)
def test_the_folders_of_a_package_stand_on_six_floors_at_most(package):
    def room(name: str) -> str:
        return ".".join(name.split(".")[:2])

    arrows: dict[str, set[str]] = {}
    for each in IMPORTS:
        # __init__ names the public modules, and loads them on first use.
        if package_of(each.module) == package_of(each.name) == package and each.module != package:
            ends = room(each.module), room(each.name)
            if ends[0] != ends[1]:
                arrows.setdefault(ends[0], set()).add(ends[1])

    assert max(floors(arrows).values()) <= 6


def test_packages_import_downwards_but_for_local_clients():
    order = [*PACKAGES]
    upwards = {
        (each.module, each.name, each.inside)
        for each in IMPORTS
        if package_of(each.name) in PACKAGES
        and order.index(package_of(each.name)) > order.index(package_of(each.module))
    }

    assert upwards == {
        ("mem0_exports.client", "mem0_exports_engine.transport", ("Client", "local")),
        ("mem0_exports.client", "mem0_exports_engine.transport", ("AsyncClient", "local")),
    }


ONLY_IN = {
    "mem0_exports_api": ("mem0_exports.http.operations",),
    "httpx": ("mem0_exports.http", "mem0_exports_engine.transport"),
    "httpcore": ("mem0_exports.http",),
    "sqlalchemy": ("mem0_exports_engine.store",),
    "sqlite3": ("mem0_exports_engine.store", "mem0_exports.exports.ledger", "mem0_exports.exports.ledger_file"),
    "starlette": ("mem0_exports_engine.server",),
    "uvicorn": ("mem0_exports_engine.server",),
    "argparse": ("mem0_exports_cli",),
}
"""What may be imported, and where alone: so that it can be exchanged there."""

NEVER = [
    ("mem0_exports.http", "mem0_exports.filters", "a request is sent whatever selects the memories"),
    ("mem0_exports.http", "mem0_exports.schemas", "a request is sent whatever its answer becomes"),
    ("mem0_exports.schemas", "mem0_exports.http", "a schema is no request"),
    ("mem0_exports_engine.extract", "mem0_exports_engine.store", "they meet in ports"),
    ("mem0_exports_engine.extract", "mem0_exports_engine.workers", "they meet in ports"),
    ("mem0_exports_engine.store", "mem0_exports_engine.extract", "they meet in ports"),
    ("mem0_exports_engine.store", "mem0_exports_engine.workers", "they meet in ports"),
    ("mem0_exports_engine.workers", "mem0_exports_engine.extract", "they meet in ports"),
    ("mem0_exports_engine.workers", "mem0_exports_engine.store", "they meet in ports"),
    ("mem0_exports_engine.operations", "mem0_exports_engine.engine", "handlers see a Service"),
]

OF_THE_CLIENT = ("api_key", "errors", "facts", "filters", "schemas", "strict_json")
"""What the engine may use of the client: how things are said, and nothing that asks a service."""


@pytest.mark.parametrize("name", ONLY_IN)
def test_some_packages_are_imported_in_one_place_alone(name):
    importers = {each.module for each in IMPORTS if is_in(each.name, name)}

    assert importers, f"nothing imports {name}: the rule can go"
    assert {module for module in importers if not is_in(module, *ONLY_IN[name])} == set()


@pytest.mark.parametrize(("importer", "imported", "why"), NEVER)
def test_some_arrows_are_not_there(importer, imported, why):
    assert any(is_in(module, importer) for module in MODULES)
    assert any(is_in(module, imported) for module in MODULES)
    assert [each for each in IMPORTS if is_in(each.module, importer) and is_in(each.name, imported)] == [], why


def test_the_engine_uses_little_of_the_client():
    used = {
        each.name.split(".")[1] if "." in each.name else f"from {each.module}"
        for each in IMPORTS
        if package_of(each.module) == "mem0_exports_engine" and package_of(each.name) == "mem0_exports"
    }

    assert used <= {*OF_THE_CLIENT}


def test_names_in_strings_keep_to_the_rules_too():
    """A module that is named in a string is as good as imported; so is one that import_module makes up."""
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
        ("mem0_exports_engine.read_spec", "mem0_exports_api"),  # its openapi.json, and no code of it
        ("mem0_exports", "import_module"),  # the public names, which load on first use
    }


def test_nothing_is_imported_from_a_test_file():
    """What several test files need stands in tests/support, or beside them in a module that is no test."""
    importers = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if name.startswith("tests.") and name.rpartition(".")[2].startswith("test_"):
                importers.add((path.relative_to(ROOT).as_posix(), name))

    assert importers == set()


def test_module_names_have_no_leading_underscore():
    private = {module for module in MODULES if module.rpartition(".")[2].startswith("_")}

    assert private == {"mem0_exports._version"}


def test_no_module_holds_more_than_four_hundred_lines():
    """Over that it usually has two jobs."""
    sizes = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for package in WRITTEN_BY_HAND
        for path in PACKAGES[package].rglob("*.py")
    }

    assert {path: size for path, size in sizes.items() if size > 400} == {}


def test_the_package_of_a_folder_loads_nothing():
    """`import mem0_exports.http` costs no more than `import mem0_exports`: what a folder holds is imported by its name."""
    loaded = {
        each
        for each in IMPORTS
        if (PACKAGES[package_of(each.module)].parent.joinpath(*each.module.split("."))).is_dir()
        and package_of(each.module) in {"mem0_exports", "mem0_exports_engine"}
        and each.inside == ()
        and each.name not in {"__future__", "typing"}
    }
    for_type_checkers = {each for each in loaded if package_of(each.name) in PACKAGES or each.name == "pathlib"}

    assert loaded == for_type_checkers
