"""The public names of the facade: what a release promised, against what there is now.

    python tools/public_api.py            exit 1 where a promise is broken and CHANGELOG.md does not say so
    python tools/public_api.py --write    renew api/mem0_exports.pyi, at a release

Public is what `mem0_exports.__all__` names, the public members of these classes, and the classes and aliases that their
signatures name. It is read by griffe, which imports nothing, and written down as a stub that people can review. Additions
are fine. A removal or a changed signature has to be named in backticks, as this tool names it, under `### Changed` or
`### Removed` of the changelog's `[Unreleased]` section.
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
PROMISED: Final = Path("api") / f"{PACKAGE}.pyi"

_MADE_FOR_USERS: Final = frozenset({"AsyncExport", "Export", "Filter", "Schema"})
"""Classes in `__all__` that users get and never make: their constructors promise nothing."""

_ONLY: Final = {
    "Ledger": frozenset({"__init__", "__enter__", "__exit__", "close", "entries", "forget", "result"}),
}
"""Classes of which only some members are promised: the others are for the rest of the package."""

_NO_PROMISE: Final = frozenset(
    {"__repr__", "__reduce__", "__str__", "__hash__", "__bool__", "__getattr__", "__get_pydantic_json_schema__"}
)
_HEAD: Final = f"""\
# The public API of {PACKAGE} as the last release promised it. `make check` compares; `make api` renews it at a release.
# A listing for tools and reviewers, not a stub for type checkers.
from typing import overload
"""


class Change(NamedTuple):
    """A broken promise: the name as the changelog has to give it, and what became of it."""

    name: str
    what: str


class Listing:
    """Writes the public API of a package down as the text of a stub."""

    def __init__(self, source: Path) -> None:
        # A collection of its own, so that a second tree of the same name is not taken for the first.
        loader = griffe.GriffeLoader(search_paths=[source], modules_collection=griffe.ModulesCollection())
        self._package: Any = loader.load(PACKAGE)
        loader.resolve_aliases()
        self._waiting: list[Any] = []
        self._listed: dict[str, str] = {}
        self._seen: set[str] = set()

    def text(self) -> str:
        """The whole listing, by name."""
        exported = [str(name) for name in self._package.exports]
        self._made_by_users = set(exported) - _MADE_FOR_USERS
        for name in exported:
            found = self._package[name]
            self._want(found.final_target if found.is_alias else found)
        written: dict[str, str] = {}
        while self._waiting:
            node = self._waiting.pop()
            written[_shown(node.name)] = self._node(node)
        names = "".join(f'    "{name}",\n' for name in sorted(exported))
        return f"{_HEAD}\nEXPORTED = [\n{names}]\n" + "".join(f"\n{written[name]}" for name in sorted(written))

    def _want(self, node: Any) -> None:
        """List `node` too, once."""
        known = self._listed.setdefault(_shown(node.name), node.path)
        if known != node.path:
            raise SystemExit(f"{known} and {node.path} are both public, and would have one name")
        if node.path not in self._seen:
            self._seen.add(node.path)
            self._waiting.append(node)

    def _follow(self, expression: Any) -> str:
        """The text of an annotation; what it names inside the package becomes part of the listing."""
        if expression is None:
            return ""
        if isinstance(expression, griffe.Expr):
            for part in expression.iterate(flat=True):
                if isinstance(part, griffe.ExprName):
                    target = self._target(part)
                    if target is not None and (target.is_class or "TypeAlias" in str(target.annotation)):
                        self._want(target)
        return re.sub(r"\b_([A-Z]\w*)", r"\1", str(expression))

    def _target(self, name: griffe.ExprName) -> Any:
        """What a name means, where it is a class or a value of the package."""
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
        """`name: type`; an alias also with what it stands for, and a value without a type with the type that makes it."""
        annotation = self._follow(node.annotation)
        if "TypeAlias" in annotation:
            return f"{_shown(node.name)}: TypeAlias = {self._follow(node.value)}"
        if annotation in {"", "Final", "ClassVar"} and isinstance(node.value, griffe.ExprCall):
            maker = node.value.function
            annotation = self._follow(maker) if isinstance(maker, griffe.ExprName) else ""
        wrapped = re.fullmatch(r"(?:Final|ClassVar)\[(.*)\]", annotation)
        return f"{_shown(node.name)}: {(wrapped[1] if wrapped else annotation) or 'object'}"

    def _class(self, cls: Any) -> str:
        bases = [self._follow(base) for base in cls.bases if not self._unlisted(base)]
        lines = [f"class {_shown(cls.name)}({', '.join(bases)}):" if bases else f"class {_shown(cls.name)}:"]
        members = self._members(cls)
        fields = [each for each in members.values() if each.is_attribute and "property" not in each.labels]
        if "__init__" not in members and any("attrs." in str(each.value) for each in cls.decorators):
            lines.append(f"    def __init__({', '.join(['self', *self._fields(fields)])}) -> None: ...")
        for name in sorted(members):
            if name != "__init__" or cls.name in self._made_by_users:
                member = members[name]
                lines += [f"    {line}" for line in self._member(cls, member)]
        return "\n".join(lines if len(lines) > 1 else [*lines, "    ..."]) + "\n"

    def _unlisted(self, base: Any) -> bool:
        """Whether a base is a helper, whose members are listed as those of the class itself."""
        target = self._base(base)
        return target is not None and target.name not in self._package.exports

    def _base(self, base: Any) -> Any:
        """The class behind a base, `Base` or `Base[T]`, where it is one of the package."""
        name = base.left if isinstance(base, griffe.ExprSubscript) else base
        return self._target(name) if isinstance(name, griffe.ExprName) else None

    def _members(self, cls: Any) -> dict[str, Any]:
        """The public members, those of helpers among the bases included, in the order of their definition."""
        found: dict[str, Any] = {}
        for base in cls.bases:
            if self._unlisted(base):
                found |= self._members(self._base(base))
        for name, member in cls.members.items():
            special = name.startswith("__") and member.is_function
            if (special and name not in _NO_PROMISE) or not name.startswith("_"):
                found[name] = member
        only = _ONLY.get(cls.name)
        return found if only is None else {name: each for name, each in found.items() if name in only}

    def _fields(self, fields: list[Any]) -> list[str]:
        """The parameters that attrs makes of fields."""
        written: list[str] = []
        for each in fields:
            told: dict[str, str] = {}
            default = each.value
            if isinstance(default, griffe.ExprCall) and str(default.function) == "attrs.field":
                told = {one.name: str(one.value) for one in default.arguments if isinstance(one, griffe.ExprKeyword)}
                default = told.get("default", f"{told['factory']}()" if "factory" in told else None)
            if "ClassVar" not in str(each.annotation) and told.get("init") != "False":
                written.append(f"{each.name}: {each.annotation}" + ("" if default is None else f" = {default}"))
        return written

    def _member(self, cls: Any, member: Any) -> list[str]:
        if member.is_function:
            overloads = cls.overloads.get(member.name) or (getattr(member, "overloads", None) or [])
            lines = [line for each in overloads for line in ("@overload", *self._function(each))]
            return lines or self._function(member)
        if "property" in member.labels:
            return ["@property", f"def {member.name}(self) -> {self._follow(member.annotation)}: ..."]
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
        returns = self._follow(function.returns) or "None"
        return [*lines, f"{word} {function.name}({', '.join(parts)}) -> {returns}: ..."]

    def _parameter(self, parameter: Any) -> str:
        prefix = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
        text: str = prefix.get(parameter.kind, "") + parameter.name
        if parameter.annotation is not None:
            text += f": {self._follow(parameter.annotation)}"
        if parameter.default is None or parameter.kind in prefix:
            return text
        default = parameter.default
        target = self._target(default) if isinstance(default, griffe.ExprName) else None
        # The value of a constant, not its name: a default that changes is a change.
        return f"{text} = {default if target is None or target.is_class else target.value!s}"


def _shown(name: str) -> str:
    """The name in the listing: classes that users meet without knowing their names lose the underscore."""
    return name if name.startswith("__") else name.removeprefix("_")


def changes(old: str, new: str) -> list[Change]:
    """What the listing `old` promised and `new` does not keep."""
    before, after = (_visited(text) for text in (old, new))
    exported, still = (set(re.findall(r'^    "(\w+)",$', text, flags=re.MULTILINE)) for text in (old, new))
    found = [
        Change(each.obj.path.removeprefix(f"{PACKAGE}."), _explained(each))
        for each in griffe.find_breaking_changes(before, after)
    ]
    found += [Change(name, "is not exported any more") for name in exported - still]
    for name, node in before.members.items():
        if name in after.members and name not in {"EXPORTED", "overload"}:
            found += _differences(name, node, after.members[name])
    return sorted(set(found))


def _visited(text: str) -> Any:
    return griffe.visit(PACKAGE, filepath=Path(f"{PACKAGE}.pyi"), code=text)


def _explained(breakage: griffe.Breakage) -> str:
    """Griffe's rule that is broken, and by which parameter."""
    about = getattr(breakage.old_value, "name", None) or getattr(breakage.new_value, "name", None)
    parameter = f"{about}: " if breakage.kind.name.startswith("PARAMETER") else ""
    return f"{parameter}{breakage.kind.value}".lower()


def _differences(name: str, old: Any, new: Any) -> list[Change]:  # noqa: C901 -- one case for each kind of name
    """What griffe's own rules pass over: types, bases, overloads, and how a function is called."""
    if old.kind is not new.kind:
        return []
    if old.is_class:
        lost = [str(base) for base in old.bases if str(base) not in map(str, new.bases)]
        found = [Change(name, f"is no {base} any more") for base in lost]
        for inner, member in old.members.items():
            if inner in new.members:
                found += _differences(f"{name}.{inner}", member, new.members[inner])
        for inner in old.overloads:
            plain = new.members.get(inner)
            now = new.overloads.get(inner) or ([plain] if plain is not None and plain.is_function else [])
            for each in old.overloads[inner]:
                if not any(_takes_all(each, other) for other in now):
                    what = f"the overload that returns {each.returns} changed or went" if now else "was removed"
                    found.append(Change(f"{name}.{inner}", what))
        return found
    if old.is_function:
        return [Change(name, what) for what in _function_differences(old, new)]
    if str(old.annotation) != str(new.annotation):
        return [Change(name, f"type changed from {old.annotation} to {new.annotation}")]
    quoted = "'\""  # an alias in quotes means the same
    if "TypeAlias" in str(old.annotation) and str(old.value).strip(quoted) != str(new.value).strip(quoted):
        return [Change(name, f"stands for another type: {old.value} before, {new.value} now")]
    return [Change(name, "property or not changed")] if _how(old) != _how(new) else []


def _function_differences(old: Any, new: Any) -> list[str]:
    found: list[str] = []
    if _how(old) != _how(new):
        found.append(f"is called in another way: {_how(old) or 'plain'} before, {_how(new) or 'plain'} now")
    if str(old.returns) != str(new.returns):
        found.append(f"return type changed from {old.returns} to {new.returns}")
    known = {each.name: each for each in new.parameters}
    found += [
        f"{each.name}: type changed from {each.annotation} to {known[each.name].annotation}"
        for each in old.parameters
        if each.name in known and str(each.annotation) != str(known[each.name].annotation)
    ]
    return found


def _how(node: Any) -> str:
    return " ".join(sorted(node.labels & {"async", "classmethod", "staticmethod", "property"}))


def _takes_all(old: Any, new: Any) -> bool:
    """Whether every call of `old` is one of `new`, too."""
    modules = []
    for function in (old, new):
        module = griffe.Module(PACKAGE)
        module.members[old.name] = function
        modules.append(module)
    return not _function_differences(old, new) and not [*griffe.find_breaking_changes(*modules)]


def excused(changelog: str) -> set[str]:
    """The names in backticks under `### Changed` and `### Removed` of `[Unreleased]`; what follows a `(` does not count."""
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", changelog, flags=re.DOTALL | re.MULTILINE)
    if unreleased is None:
        return set()
    sections = re.findall(r"^### (?:Changed|Removed)\n(.*?)(?=^### |\Z)", unreleased[1], flags=re.DOTALL | re.MULTILINE)
    return {name.partition("(")[0] for section in sections for name in re.findall(r"`([^`]+)`", section)}


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description="Compare the public API with what the last release promised.")
    parser.add_argument("--write", action="store_true", help=f"renew {PROMISED} where the changelog names every change")
    write = parser.parse_args(arguments).write
    now = Listing(root / "facade").text()
    promised = root / PROMISED
    if not promised.exists() and not write:
        print(f"{PROMISED} is not there: `make api` writes it", file=sys.stderr)
        return 1
    old = promised.read_text(encoding="utf-8") if promised.exists() else ""
    named = excused((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    broken = [change for change in changes(old, now) if change.name not in named]
    for name, what in broken:
        print(f"{name}: {what}")
    if broken:
        print(
            "the last release promised otherwise: take it back, or say it in CHANGELOG.md under [Unreleased], "
            f"### Changed or ### Removed, with the name in backticks, such as `{broken[0].name}`",
            file=sys.stderr,
        )
        return 1
    if write:
        promised.parent.mkdir(exist_ok=True)
        promised.write_text(now, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
