"""Compare the public API of the package with that of the last release, which is in api/mem0_exports.pyi.

    python tools/public_api.py            exit 1 if there is a breaking change that CHANGELOG.md does not name
    python tools/public_api.py --write    update api/mem0_exports.pyi, at a release

The public API is the names in `mem0_exports.__all__`, the public members of these classes, and the classes and aliases
in their signatures. griffe reads it from the source, without importing the package, and it is written as a stub that
people can review. Additions are allowed. A removal or a changed signature must be named in the `[Unreleased]` section
of the changelog, under `### Changed` or `### Removed`, in backticks and as this tool prints it.
"""

from __future__ import annotations

import argparse
import re
import sys

from pathlib import Path
from typing import Any, Final, NamedTuple

import griffe


ROOT = Path(__file__).resolve().parent.parent
PACKAGE: Final = "mem0_exports"
RELEASED_API: Final = Path("api") / f"{PACKAGE}.pyi"

_NOT_INSTANTIATED: Final = frozenset({"AsyncExport", "Export", "Filter", "Schema"})
"""Classes in `__all__` that users never instantiate, so their constructors are not public."""

_PUBLIC_MEMBERS: Final = {
    "Ledger": frozenset({"__init__", "__enter__", "__exit__", "close", "entries", "forget", "result"}),
}
"""Classes of which only these members are public; the package uses the others internally."""

_NOT_PUBLIC: Final = frozenset(
    {"__repr__", "__reduce__", "__str__", "__hash__", "__bool__", "__getattr__", "__get_pydantic_json_schema__"}
)
_HEADER: Final = f"""\
# The public API of {PACKAGE} as the last release promised it. `make check` compares; `make api` renews it at a release.
# A listing for tools and reviewers, not a stub for type checkers.
from typing import overload
"""


class Change(NamedTuple):
    """A breaking change: the name that the changelog must contain, and a description of the change."""

    name: str
    description: str


class Listing:
    """Lists the public API of a package as the text of a stub."""

    def __init__(self, source: Path) -> None:
        # The loader has a collection of its own. It would otherwise return a package of the same name from another
        # tree.
        loader = griffe.GriffeLoader(search_paths=[source], modules_collection=griffe.ModulesCollection())
        self._package: Any = loader.load(PACKAGE)
        loader.resolve_aliases()
        self._queue: list[Any] = []
        self._listed: dict[str, str] = {}
        self._seen: set[str] = set()

    def text(self) -> str:
        """Return the listing, sorted by name."""
        exported = [str(name) for name in self._package.exports]
        self._instantiable = set(exported) - _NOT_INSTANTIATED
        for name in exported:
            found = self._package[name]
            self._include(found.final_target if found.is_alias else found)
        written: dict[str, str] = {}
        while self._queue:
            node = self._queue.pop()
            written[_public_name(node.name)] = self._node(node)
        names = "".join(f'    "{name}",\n' for name in sorted(exported))
        return f"{_HEADER}\nEXPORTED = [\n{names}]\n" + "".join(f"\n{written[name]}" for name in sorted(written))

    def _include(self, node: Any) -> None:
        """Include `node` in the listing, once."""
        known = self._listed.setdefault(_public_name(node.name), node.path)
        if known != node.path:
            raise SystemExit(
                f"{known} and {node.path} are both public, and would have the same name in the listing: rename one"
            )
        if node.path not in self._seen:
            self._seen.add(node.path)
            self._queue.append(node)

    def _annotation_text(self, expression: Any) -> str:
        """Return the text of an annotation, and include the classes and aliases of the package that it names."""
        if expression is None:
            return ""
        if isinstance(expression, griffe.Expr):
            for part in expression.iterate(flat=True):
                if isinstance(part, griffe.ExprName):
                    target = self._target(part)
                    if target is not None and (target.is_class or "TypeAlias" in str(target.annotation)):
                        self._include(target)
        return re.sub(r"\b_([A-Z]\w*)", r"\1", str(expression))

    def _target(self, name: griffe.ExprName) -> Any:
        """Return the class or attribute of the package that a name refers to, or None."""
        path = name.canonical_path
        if not path.startswith(f"{PACKAGE}."):
            return None
        try:
            found = self._package[path.removeprefix(f"{PACKAGE}.")]
            found = found.final_target if found.is_alias else found
        except (KeyError, griffe.AliasResolutionError):
            return None
        return found if found.is_class or found.is_attribute else None

    def _node(self, node: Any) -> str:
        if node.is_class:
            return self._class(node)
        if node.is_function:
            return "".join(f"{line}\n" for line in self._function(node))
        return f"{self._attribute(node)}\n"

    def _attribute(self, node: Any) -> str:
        """Return `name: type`. An alias also has its value. A value without an annotation has its class as its type."""
        annotation = self._annotation_text(node.annotation)
        if "TypeAlias" in annotation:
            return f"{_public_name(node.name)}: TypeAlias = {self._annotation_text(node.value)}"
        if annotation in {"", "Final", "ClassVar"} and isinstance(node.value, griffe.ExprCall):
            maker = node.value.function
            annotation = self._annotation_text(maker) if isinstance(maker, griffe.ExprName) else ""
        wrapped = re.fullmatch(r"(?:Final|ClassVar)\[(.*)\]", annotation)
        return f"{_public_name(node.name)}: {(wrapped[1] if wrapped else annotation) or 'object'}"

    def _class(self, cls: Any) -> str:
        bases = [self._annotation_text(base) for base in cls.bases if not self._is_internal(base)]
        lines = [
            f"class {_public_name(cls.name)}({', '.join(bases)}):" if bases else f"class {_public_name(cls.name)}:"
        ]
        members = self._members(cls)
        fields = [each for each in members.values() if each.is_attribute and "property" not in each.labels]
        if "__init__" not in members and any("attrs." in str(each.value) for each in cls.decorators):
            lines.append(f"    def __init__({', '.join(['self', *self._fields(fields)])}) -> None: ...")
        for name in sorted(members):
            if name != "__init__" or cls.name in self._instantiable:
                member = members[name]
                lines += [f"    {line}" for line in self._member(cls, member)]
        return "\n".join(lines if len(lines) > 1 else [*lines, "    ..."]) + "\n"

    def _is_internal(self, base: Any) -> bool:
        """Return whether a base is internal. Members of internal bases are listed as members of the class itself."""
        target = self._base(base)
        return target is not None and target.name not in self._package.exports

    def _base(self, base: Any) -> Any:
        """Return the class of a base, `Base` or `Base[T]`, if it belongs to the package, or None."""
        name = base.left if isinstance(base, griffe.ExprSubscript) else base
        return self._target(name) if isinstance(name, griffe.ExprName) else None

    def _members(self, cls: Any) -> dict[str, Any]:
        """Return the public members in the order of their definition, including those of internal bases."""
        found: dict[str, Any] = {}
        for base in cls.bases:
            if self._is_internal(base):
                found |= self._members(self._base(base))
        for name, member in cls.members.items():
            special = name.startswith("__") and member.is_function
            if (special and name not in _NOT_PUBLIC) or not name.startswith("_"):
                found[name] = member
        only = _PUBLIC_MEMBERS.get(cls.name)
        return found if only is None else {name: each for name, each in found.items() if name in only}

    def _fields(self, fields: list[Any]) -> list[str]:
        """Return the constructor parameters that attrs generates from fields."""
        written: list[str] = []
        for each in fields:
            options: dict[str, str] = {}
            default = each.value
            if isinstance(default, griffe.ExprCall) and str(default.function) == "attrs.field":
                options = {one.name: str(one.value) for one in default.arguments if isinstance(one, griffe.ExprKeyword)}
                default = options.get("default", f"{options['factory']}()" if "factory" in options else None)
            if "ClassVar" not in str(each.annotation) and options.get("init") != "False":
                written.append(f"{each.name}: {each.annotation}" + ("" if default is None else f" = {default}"))
        return written

    def _member(self, cls: Any, member: Any) -> list[str]:
        if member.is_function:
            overloads = cls.overloads.get(member.name) or (getattr(member, "overloads", None) or [])
            lines = [line for each in overloads for line in ("@overload", *self._function(each))]
            return lines or self._function(member)
        if "property" in member.labels:
            return ["@property", f"def {member.name}(self) -> {self._annotation_text(member.annotation)}: ..."]
        return [self._attribute(member)]

    def _function(self, function: Any) -> list[str]:
        lines = [f"@{label}" for label in ("classmethod", "staticmethod") if label in function.labels]
        parts: list[str] = []
        kinds = [each.kind for each in function.parameters]
        star = griffe.ParameterKind.var_positional in kinds
        for each in function.parameters:
            if each.kind is griffe.ParameterKind.keyword_only and not star:
                parts.append("*")
                star = True
            parts.append(self._parameter(each))
            last_positional = kinds.count(griffe.ParameterKind.positional_only)
            if each.kind is griffe.ParameterKind.positional_only and len(parts) == last_positional:
                parts.append("/")
        word = "async def" if "async" in function.labels else "def"
        returns = self._annotation_text(function.returns) or "None"
        return [*lines, f"{word} {function.name}({', '.join(parts)}) -> {returns}: ..."]

    def _parameter(self, parameter: Any) -> str:
        prefix = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
        text: str = prefix.get(parameter.kind, "") + parameter.name
        if parameter.annotation is not None:
            text += f": {self._annotation_text(parameter.annotation)}"
        if parameter.default is None or parameter.kind in prefix:
            return text
        default = parameter.default
        target = self._target(default) if isinstance(default, griffe.ExprName) else None
        # Show the value of a constant instead of its name, so that a new value counts as a changed default.
        return f"{text} = {default if target is None or target.is_class else target.value!s}"


def _public_name(name: str) -> str:
    """Return the name in the listing, without the underscore of classes that only occur in signatures."""
    return name if name.startswith("__") else name.removeprefix("_")


def changes(old: str, new: str) -> list[Change]:
    """Return the breaking changes from the listing `old` to the listing `new`."""
    before, after = (_parse(text) for text in (old, new))
    exported, still = (set(re.findall(r'^    "(\w+)",$', text, flags=re.MULTILINE)) for text in (old, new))
    found = [
        Change(each.obj.path.removeprefix(f"{PACKAGE}."), _description(each))
        for each in griffe.find_breaking_changes(before, after)
        if not _is_overloaded_now(each, before, after)
    ]
    found += [Change(name, "is no longer exported") for name in exported - still]
    for name, node in before.members.items():
        if name in after.members and name not in {"EXPORTED", "overload"}:
            found += _differences(name, node, after.members[name])
    return sorted(set(found))


def _parse(text: str) -> Any:
    return griffe.visit(PACKAGE, filepath=Path(f"{PACKAGE}.pyi"), code=text)


def _is_overloaded_now(breakage: griffe.Breakage, before: Any, after: Any) -> bool:
    """Return whether a method that griffe reports as removed has overloads now, one of which accepts its old calls."""
    owner, _, name = breakage.obj.path.removeprefix(f"{PACKAGE}.").rpartition(".")
    if breakage.kind is not griffe.BreakageKind.OBJECT_REMOVED or owner not in before.members:
        return False
    old, holder = before.members[owner].members.get(name), after.members.get(owner)
    overloads = () if holder is None else holder.overloads.get(name, ())
    return old is not None and old.is_function and any(_accepts_all_calls_of(old, each) for each in overloads)


def _description(breakage: griffe.Breakage) -> str:
    """Return the kind of a breakage that griffe found, and the name of the parameter if it concerns one."""
    about = getattr(breakage.old_value, "name", None) or getattr(breakage.new_value, "name", None)
    parameter = f"{about}: " if breakage.kind.name.startswith("PARAMETER") else ""
    return f"{parameter}{breakage.kind.value}".lower()


def _differences(name: str, old: Any, new: Any) -> list[Change]:  # noqa: C901 -- one case for each kind of name
    """Return the changes that griffe does not report: types, bases, overloads, and the kind of a method."""
    if old.kind is not new.kind:
        return []
    if old.is_class:
        removed = [str(base) for base in old.bases if str(base) not in map(str, new.bases)]
        found = [Change(name, f"is no longer a subclass of {base}") for base in removed]
        for inner, member in old.members.items():
            if inner in new.members:
                found += _differences(f"{name}.{inner}", member, new.members[inner])
        for inner in old.overloads:
            plain = new.members.get(inner)
            now = new.overloads.get(inner) or ([plain] if plain is not None and plain.is_function else [])
            for each in old.overloads[inner]:
                if not any(_accepts_all_calls_of(each, other) for other in now):
                    description = (
                        f"the overload that returns {each.returns} was changed or removed" if now else "was removed"
                    )
                    found.append(Change(f"{name}.{inner}", description))
        return found
    if old.is_function:
        return [Change(name, description) for description in _function_differences(old, new)]
    if str(old.annotation) != str(new.annotation):
        return [Change(name, f"type changed from {old.annotation} to {new.annotation}")]
    quoted = "'\""  # an alias in quotes has the same meaning
    if "TypeAlias" in str(old.annotation) and str(old.value).strip(quoted) != str(new.value).strip(quoted):
        return [Change(name, f"alias changed from {old.value} to {new.value}")]
    return [Change(name, "changed from a property to an attribute, or the reverse")] if _kind(old) != _kind(new) else []


def _function_differences(old: Any, new: Any) -> list[str]:
    found: list[str] = []
    if _kind(old) != _kind(new):
        found.append(f"changed from {_kind(old) or 'a plain function'} to {_kind(new) or 'a plain function'}")
    if str(old.returns) != str(new.returns):
        found.append(f"return type changed from {old.returns} to {new.returns}")
    known = {each.name: each for each in new.parameters}
    found += [
        f"{each.name}: type changed from {each.annotation} to {known[each.name].annotation}"
        for each in old.parameters
        if each.name in known and str(each.annotation) != str(known[each.name].annotation)
    ]
    return found


def _kind(node: Any) -> str:
    return " ".join(sorted(node.labels & {"async", "classmethod", "staticmethod", "property"}))


def _accepts_all_calls_of(old: Any, new: Any) -> bool:
    """Return whether every valid call of `old` is also a valid call of `new`, with the same types."""
    modules = []
    for function in (old, new):
        module = griffe.Module(PACKAGE)
        module.members[old.name] = function
        modules.append(module)
    return not _function_differences(old, new) and not [*griffe.find_breaking_changes(*modules)]


def names_in_changelog(changelog: str) -> set[str]:
    """Return the names in backticks under `### Changed` and `### Removed` of `[Unreleased]`, up to a `(`."""
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", changelog, flags=re.DOTALL | re.MULTILINE)
    if unreleased is None:
        return set()
    sections = re.findall(r"^### (?:Changed|Removed)\n(.*?)(?=^### |\Z)", unreleased[1], flags=re.DOTALL | re.MULTILINE)
    return {name.partition("(")[0] for section in sections for name in re.findall(r"`([^`]+)`", section)}


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description="Compare the public API with that of the last release.")
    parser.add_argument(
        "--write", action="store_true", help=f"update {RELEASED_API} if the changelog names every breaking change"
    )
    write = parser.parse_args(arguments).write
    now = Listing(root / "facade").text()
    released_api = root / RELEASED_API
    if not released_api.exists() and not write:
        print(f"{RELEASED_API} does not exist: run `make api`", file=sys.stderr)
        return 1
    old = released_api.read_text(encoding="utf-8") if released_api.exists() else ""
    in_changelog = names_in_changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    broken = [change for change in changes(old, now) if change.name not in in_changelog]
    for name, description in broken:
        print(f"{name}: {description}")
    if broken:
        print(
            "breaking changes since the last release: undo them, or name them in CHANGELOG.md under [Unreleased], "
            f"### Changed or ### Removed, in backticks, such as `{broken[0].name}`",
            file=sys.stderr,
        )
        return 1
    if write:
        released_api.parent.mkdir(exist_ok=True)
        released_api.write_text(now, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
