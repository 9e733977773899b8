"""Test the check of the public API, on copies of the package in which something was removed or changed."""

from __future__ import annotations

import importlib.util
import shutil

from pathlib import Path

import pytest

import mem0_exports


ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("public_api", ROOT / "tools" / "public_api.py")
public_api = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(public_api)


@pytest.fixture(scope="module")
def released_api(tmp_path_factory):
    """The API file of a release that equals this tree."""
    root = tmp_path_factory.mktemp("released")
    (root / "facade").symlink_to(ROOT / "facade")
    (root / "CHANGELOG.md").write_text("")
    assert public_api.main(["--write"], root) == 0
    return (root / "api" / "mem0_exports.pyi").read_bytes()


@pytest.fixture
def project(tmp_path, released_api):
    """A copy of the project that equals its last release."""
    shutil.copytree(ROOT / "facade", tmp_path / "facade", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n\n## [0.1.0]\n### Removed\n- `Client.ping`\n"
    )
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "mem0_exports.pyi").write_bytes(released_api)
    return tmp_path


def change(project, module, old, new):
    path = project / "facade" / "mem0_exports" / f"{module}.py"
    text = path.read_text(encoding="utf-8")
    assert old in text, f"the text that this test replaces is not in {path.name}: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_listing_has_every_exported_name():
    listing = public_api.Listing(ROOT / "facade").text()

    for name in mem0_exports.__all__:
        assert any(
            f"\n{start}" in listing for start in (f"class {name}:", f"class {name}(", f"{name}: ", f"def {name}(")
        )


BREAKING_CHANGES = {
    "a name is no longer exported": ("__init__", '    "AddedMemory",\n', "", "AddedMemory", "exported"),
    "a method is removed": ("client", "def with_options(", "def _with_options(", "Client.with_options", "removed"),
    "an inherited method is removed": ("exports/handles", "    def id(self)", "    def _id(self)", "Export.id", "removed"),
    "a method becomes async": ("client", "    def ping(self", "    async def ping(self", "Client.ping", "async"),
    "a parameter is removed": ("client", "def ping(self, *, timeout: float | None = None, retry", "def ping(self, *, retry", "Client.ping", "timeout"),
    "an overloaded method is removed": ("exports/api", "    def run(\n", "    def _run(\n", "Exports.run", "removed"),
    "a parameter is renamed": ("memories", "page_size: int = MAX_PAGE_SIZE", "size: int = MAX_PAGE_SIZE", "Entities.list", "page_size"),
    "a parameter has another type": ("memories", "metadata: Mapping[str, Any] | None", "metadata: str | None", "Memories.add", "metadata"),
    "a parameter becomes required": ("client", "api_key: str | None = None,\n        *,\n        base", "api_key: str | None,\n        *,\n        base", "Client.__init__", "api_key"),
    "a required parameter is added": ("client", "def close(self)", "def close(self, how: str)", "Client.close", "how"),
    "a default changes its value": ("client", "REQUEST_TIMEOUT: Final = 30.0", "REQUEST_TIMEOUT: Final = 60.0", "Client.local", "timeout"),
    "a return type changes": ("exports/ledger", "def forget(self, fingerprint: str) -> bool", "def forget(self, fingerprint: str) -> None", "Ledger.forget", "bool"),
    "a class method becomes a method": ("client", "    @classmethod\n    def local(\n        cls", "    def local(\n        cls", "Client.local", "classmethod"),
    "a property becomes a method": ("client", "    @property\n    def engine", "    def engine", "Client.engine", "kind"),
    "overloads that do not accept the old calls": ("filters/fields", "    def icontains(self, value: str) -> Filter:", "    @overload\n    def icontains(self, value: bytes) -> Filter: ...\n    @overload\n    def icontains(self, value: list[str]) -> Filter: ...\n    def icontains(self, value: object) -> Filter:", "KeywordsField.icontains", "removed"),
    "an overload changes": ("exports/api", "-> Export[JsonObject]: ...", "-> Export[str]: ...", "Exports.get", "Export[JsonObject]"),
    "another overload changes": ("exports/api", "        schema: Typed[T],\n        where", "        schema: type[T],\n        where", "Exports.run", "overload"),
    "an overload is removed": ("exports/api", "    @overload\n    def get(\n        self,\n        export_id: str | UUID,\n        schema: Typed[T],\n        *,\n        org_id: str | None = None,\n        project_id: str | None = None,\n    ) -> Export[T]: ...\n", "", "Exports.get", "overload"),
    "an exception loses a builtin base": ("errors", "class RequestTimeout(NoAnswer, TimeoutError)", "class RequestTimeout(NoAnswer)", "RequestTimeout", "TimeoutError"),
    "a field of a record is removed": ("models", "    user_email: str | None\n", "", "Account.user_email", "removed"),
    "a field of a record has another type": ("models", "    created_at: datetime\n", "    created_at: str\n", "Memory.created_at", "datetime"),
    "fields of a record change positions": ("models", "    id: str\n    memory: str\n\n\n", "    memory: str\n    id: str\n\n\n", "AddedMemory.__init__", "position"),
    "an operator of a filter is removed": ("filters/fields", "    def exists(self)", "    def _exists(self)", "EntityField.exists", "removed"),
    "a field of F is removed": ("filters/fields", "    keywords: Final =", "    _keywords: Final =", "Fields.keywords", "removed"),
    "an alias has another type": ("filters/fields", "TimeLike: TypeAlias = datetime | date | str", "TimeLike: TypeAlias = datetime | date", "TimeLike", "alias"),
    "a parameter of a function is replaced": ("filters/tree", "def any_of(*filters: Filter)", "def any_of(first: Filter)", "any_of", "filters"),
}  # fmt: skip


@pytest.mark.parametrize(("module", "old", "new", "name", "message"), BREAKING_CHANGES.values(), ids=BREAKING_CHANGES)
def test_a_breaking_change_fails_until_the_changelog_names_it(project, capsys, module, old, new, name, message):
    change(project, module, old, new)

    assert public_api.main([], project) == 1

    printed = capsys.readouterr()
    lines = [line for line in printed.out.splitlines() if line.startswith(f"{name}: ")]
    assert lines, printed.out
    assert any(message in line for line in lines), printed.out
    assert "CHANGELOG.md" in printed.err
    before = (project / "api" / "mem0_exports.pyi").read_bytes()
    assert public_api.main(["--write"], project) == 1
    assert (project / "api" / "mem0_exports.pyi").read_bytes() == before, "--write must not accept the change either"

    broken = {line.partition(":")[0] for line in printed.out.splitlines()}
    entries = "".join(f"- `{each}(...)` is another.\n" for each in broken)
    (project / "CHANGELOG.md").write_text(f"## [Unreleased]\n### Changed\n{entries}\n## [0.1.0]\n")
    assert public_api.main(["--write"], project) == 0, "once in the changelog, the change can become the new API"


ADDITIONS = {
    "a name": ("errors", "class LedgerError(", "class Brandnew(Mem0ExportsError):\n    ...\n\n\nclass LedgerError("),
    "a method": ("client", "    def close(self)", "    def brandnew(self) -> None: ...\n\n    def close(self)"),
    "an optional parameter": ("exports/ledger", "def forget(self, fingerprint: str)", "def forget(self, fingerprint: str, *, quiet: bool = False)"),
    "an optional parameter of an overload": ("exports/api", "        timeout: float | None = None,\n", "        timeout: float | None = None,\n        extra: int = 0,\n"),
    "an overload of a method that had none": ("filters/fields", "    def icontains(self, value: str) -> Filter:", "    @overload\n    def icontains(self, value: str) -> Filter: ...\n    @overload\n    def icontains(self, value: list[str]) -> Filter: ...\n    def icontains(self, value: object) -> Filter:"),
    "a private name is removed": ("client", "def _use_engine(", "def _renamed("),
}  # fmt: skip


@pytest.mark.parametrize(("module", "old", "new"), ADDITIONS.values(), ids=ADDITIONS)
def test_additions_and_private_changes_need_no_changelog_entry(project, module, old, new):
    change(project, module, old, new)

    assert public_api.main([], project) == 0


@pytest.mark.parametrize(
    "changelog",
    [
        "## [Unreleased]\n### Added\n- `Client.ping`\n",
        "## [Unreleased]\n\n## [0.1.0]\n### Changed\n- `Client.ping`\n",
        "## [Unreleased]\n### Removed\n- Client.ping\n",
        "## [Unreleased]\n### Removed\n- `AsyncClient.ping`, `ping`, `Client`\n",
        "",
    ],
)
def test_a_changelog_entry_elsewhere_or_for_another_name_does_not_count(project, changelog):
    change(project, "client", "    def ping(self", "    def _ping(self")
    (project / "CHANGELOG.md").write_text(changelog)

    assert public_api.main([], project) == 1


def test_fails_if_the_api_file_is_missing(project, capsys):
    (project / "api" / "mem0_exports.pyi").unlink()

    assert public_api.main([], project) == 1
    assert "make api" in capsys.readouterr().err


def test_listing_does_not_depend_on_the_order_in_the_source(project):
    before = public_api.Listing(project / "facade").text()
    change(
        project,
        "client",
        "    memories: Memories\n    entities: Entities\n",
        "    entities: Entities\n    memories: Memories\n",
    )

    assert public_api.Listing(project / "facade").text() == before
