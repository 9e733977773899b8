"""Edit the properties of openapi.yaml one model at a time, and say what notices: `make spec-mutants`.

    python -m tests.mutants.spec_edits [--kind rename|remove|retype] [--models PATTERN ...] [--jobs N]

Users regenerate the client when the spec changes, and nothing may break silently. So each property is renamed, removed
or retyped in a copy of the project, the client is generated again, and then mypy and pyright must both report an
error in one of READERS that names the property. To save time, all properties of a model are edited at once. Those that
the checkers did not name are then edited one by one, and a test of `tests/unit/spec` must fail.

The exit code is 0 if every edit was noticed, 1 if some were not, 2 if the unchanged project fails.
"""

from __future__ import annotations

import argparse
import copy
import fnmatch
import re
import sys
import time

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TextIO, get_args

import yaml

from tests.mutants.model import Mutant
from tests.mutants.runner import InvalidRun, Runner
from tests.mutants.suites import READERS, SUITES, Suite


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
SPEC: Final = "openapi.yaml"
Kind = Literal["rename", "remove", "retype"]

CHECKERS: Final = tuple(suite.command for suite in SUITES if suite.name in {"mypy", "pyright"})
TESTS: Final = Suite("unit", ("tests/unit/spec",), quick=True)
"""The tests that name a property which the type checkers do not see."""


class Noticed(NamedTuple):
    """What noticed the edit of a property: the checkers, or a test; None if nothing did."""

    model: str
    name: str
    by: str | None

    def __str__(self) -> str:
        return f"{self.model + '.' + self.name:44} {self.by or 'NOT NOTICED'}"


def models(document: dict[str, Any]) -> dict[str, list[str]]:
    """Return the names of the properties of each schema component that has some."""
    components: dict[str, dict[str, Any]] = document["components"]["schemas"]
    return {name: list(schema["properties"]) for name, schema in components.items() if schema.get("properties")}


def edited(document: dict[str, Any], kind: Kind, model: str, names: Iterable[str]) -> dict[str, Any]:
    """Return a copy of the document in which these properties of the model are renamed, removed or retyped."""
    made = copy.deepcopy(document)
    schema: dict[str, Any] = made["components"]["schemas"][model]
    properties: dict[str, Any] = schema["properties"]
    for name in names:
        if kind == "retype":
            properties[name] = _retyped(document, properties[name])
            continue
        old = properties.pop(name)
        if kind == "rename":
            properties[f"{name}_renamed"] = old
        _edit_required(schema, name, f"{name}_renamed" if kind == "rename" else None)
    return made


def _retyped(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of another type: an integer in place of text, and text in place of anything else."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kinds = schema.get("type", ())
    is_text = "string" in ([kinds] if isinstance(kinds, str) else kinds)
    return {"type": "integer" if is_text else "string", "description": "Retyped."}


def _edit_required(schema: dict[str, Any], old: str, new: str | None) -> None:
    """Rename a property in every `required` of the schema, or take it out; the properties' own schemas are left alone."""
    if old in schema.get("required", ()):
        schema["required"] = [each for each in (new if name == old else name for name in schema["required"]) if each]
    for word in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(word, ()):
            _edit_required(branch, old, new)
    for branch in filter(None, [schema.get("not")]):
        _edit_required(branch, old, new)


def mutant(text: str, kind: Kind, model: str, names: Sequence[str]) -> Mutant:
    """Return the edit as a mutant that replaces the whole spec, whose text is given."""
    document = edited(yaml.safe_load(text), kind, model, names)
    new = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10**6)
    return Mutant(f"{kind} {model}.{'+'.join(names)}", SPEC, text, new, "the spec has changed", regenerate=True)


def errors(output: str, sources: dict[str, list[str]]) -> list[str]:
    """Return each error that a checker reports in READERS: its message, and the line of code that it points at."""
    return [
        f"{message} {lines[int(number) - 1]}"
        for reader, lines in sources.items()
        for number, message in re.findall(rf"/{re.escape(Path(reader).name)}:(\d+)(?::\d+)?(?: -|:) error(.*)", output)
    ]


def judge(runner: Runner, kind: Kind, model: str, names: Sequence[str]) -> list[Noticed]:
    """Return what notices the edit of each of these properties of a model."""
    text = runner.text(SPEC)
    sources = {reader: runner.text(reader).splitlines() for reader in READERS}
    reported = [errors(each, sources) for each in runner.outputs(mutant(text, kind, model, names), CHECKERS)]
    noticed: list[Noticed] = []
    for name in names:
        # The generator appends an underscore where the name is a keyword or a builtin.
        pattern = re.compile(rf"\b{re.escape(name.lower())}_?\b")
        if reported and all(any(pattern.search(error) for error in found) for found in reported):
            noticed.append(Noticed(model, name, "mypy and pyright"))
            continue
        caught = runner.judge(mutant(text, kind, model, [name])).caught
        noticed.append(Noticed(model, name, None if caught is None else f"{caught.suite}: {caught.test}"))
    return noticed


def hunt(kind: Kind, patterns: Sequence[str], *, jobs: int = 2, out: TextIO = sys.stdout) -> int:
    """Judge the edits of all models that fit one of the patterns, and print the table; return the exit code."""
    document = yaml.safe_load((ROOT / SPEC).read_text(encoding="utf-8"))
    chosen = {
        model: names
        for model, names in models(document).items()
        if any(fnmatch.fnmatchcase(model, pattern) for pattern in patterns)
    }
    if not chosen:
        print(f"no model of {SPEC} is called {' or '.join(patterns)}", file=out)
        return 2
    begun = time.monotonic()
    noticed: list[Noticed] = []
    try:
        with Runner(ROOT, [TESTS]) as runner, ThreadPoolExecutor(jobs) as pool:
            runner.check_imports()
            runner.baseline(TESTS)
            for each in pool.map(lambda item: judge(runner, kind, *item), chosen.items()):
                noticed += each
                print(*each, sep="\n", file=out, flush=True)
    except InvalidRun as error:
        print(f"invalid run: {error}", file=out)
        return 2
    missed = [each for each in noticed if each.by is None]
    by_types = sum(each.by == "mypy and pyright" for each in noticed)
    print(
        f"\n{kind}: {len(noticed) - len(missed)} of {len(noticed)} properties noticed, {by_types} by mypy and pyright, "
        f"the others by a test, in {time.monotonic() - begun:.0f} s",
        file=out,
    )
    return 1 if missed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants.spec_edits", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--kind", choices=get_args(Kind), default="rename", help="the edit (default: %(default)s)")
    parser.add_argument(
        "--models", nargs="+", default=["*"], metavar="PATTERN", help="such as 'Memory*' (default: all)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="models at once (default: %(default)s)")
    given = parser.parse_args(arguments)
    return hunt(given.kind, given.models, jobs=given.jobs)


if __name__ == "__main__":
    sys.exit(main())
